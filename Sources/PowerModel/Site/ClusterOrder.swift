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
