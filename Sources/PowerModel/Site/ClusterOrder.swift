extension Site {
    /// Clusters that go down together, in the order in which they do: one that others need comes
    /// after them, and its scope names those it waits for. Up in reverse.
    public func shutdownOrder(
        of clusters: [ClusterName]
    ) -> [(cluster: ClusterName, scope: PlanScope)] {
        let together = Set(clusters)
        let waiting = together.map { cluster in
            (cluster: cluster, dependents: dependents(of: cluster, among: together))
        }
        // Who needs another one is needed by fewer than that one, since need goes on through it.
        return waiting.sorted {
            ($0.dependents.count, $0.cluster) < ($1.dependents.count, $1.cluster)
        }
        .map { ($0.cluster, .cluster(dependents: $0.dependents)) }
    }

    /// The clusters that need this one, of those that are named, sorted: they go down before it.
    public func dependents(
        of cluster: ClusterName, among names: Set<ClusterName>
    ) -> [ClusterName] {
        names.filter { $0 != cluster && self.cluster($0, needs: cluster) }.sorted()
    }

    /// The machines that go down after the hosts of a cluster: those that hang on its feeds. One on
    /// which a cluster that this one needs hangs too goes down with that one, which goes later.
    public func machines(of cluster: ClusterSite) -> [MachineSite] {
        let later = clusters.filter { self.cluster(cluster.name, needs: $0.name) }
        return machines.filter { machine in
            machine.hangs(with: cluster) && !later.contains(where: machine.hangs)
        }
    }

    /// Whether a cluster needs another, itself or by way of others.
    private func cluster(_ one: ClusterName, needs other: ClusterName) -> Bool {
        var open = cluster(one)?.needs ?? []
        var seen = Set<ClusterName>()
        while let next = open.popLast() {
            if next == other { return true }
            if seen.insert(next).inserted { open += cluster(next)?.needs ?? [] }
        }
        return false
    }
}

extension MachineSite {
    /// Whether it hangs on a feed of this cluster.
    fileprivate func hangs(with cluster: ClusterSite) -> Bool {
        !Set(cluster.feeds).isDisjoint(with: feeds)
    }
}
