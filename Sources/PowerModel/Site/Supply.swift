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
