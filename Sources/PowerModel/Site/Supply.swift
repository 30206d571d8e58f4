/// What hangs on which feed.
extension ClusterSite {
    /// The feeds its hosts hang on, sorted.
    public var feeds: [FeedName] { Set(hosts.flatMap(\.feeds)).sorted() }

    /// Its hosts that have too few healthy feeds when only these are (NUT's MINSUPPLIES logic), in
    /// the site's order.
    public func hostsAtRisk(healthy: Set<FeedName>) -> [HostName] {
        hosts.filter { host in
            host.feeds.count(where: healthy.contains) < host.feedsNeeded
        }.map(\.name)
    }
}

extension Site {
    /// The clusters that need this one, of those that are named: they go down before it.
    public func dependents(of cluster: ClusterName, among names: Set<ClusterName>) -> [ClusterName]
    {
        clusters.filter { names.contains($0.name) && $0.needs.contains(cluster) }.map(\.name)
    }

    /// These clusters in the order in which they come up: what others need comes first. Those
    /// that need each other stay in the site's order.
    public func inOrderUp(_ names: some Sequence<ClusterName>) -> [ClusterSite] {
        let wanted = Set(names)
        var waiting = clusters.filter { wanted.contains($0.name) }
        var ordered: [ClusterSite] = []
        while !waiting.isEmpty {
            let names = Set(waiting.map(\.name))
            let next = waiting.firstIndex { names.isDisjoint(with: $0.needs) } ?? 0
            ordered.append(waiting.remove(at: next))
        }
        return ordered
    }
}
