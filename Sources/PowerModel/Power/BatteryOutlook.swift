/// When a cluster is expected to lose its power: from the readings of the feeds its hosts hang on.
///
/// Each reading is taken as it is given, also when the runtime stands still or rises: the UPS knows
/// its load. Time is whatever monotonic time the caller counts in; a run's is its own.
public struct BatteryOutlook: Hashable, Sendable {
    /// What is known of one feed on battery.
    private struct Drain: Hashable, Sendable {
        var since: Duration
        /// When its battery is expected to be empty; nil when nobody knows.
        var end: Duration?
    }

    private let hosts: [HostSite]
    private let assumedRuntimes: [FeedName: Duration]
    private let margin: Duration
    private let mainsFailNow: Bool
    private var drains: [FeedName: Drain] = [:]

    /// The outlook of a cluster, before any reading.
    /// - Parameters:
    ///   - feeds: the site's feeds; those that no host of the cluster hangs on do not matter.
    ///   - mainsFailNow: takes a feed on line power as one whose mains fail at its reading: for a
    ///     plan that says what would happen now.
    public init(of cluster: ClusterSite, feeds: [Feed], ifMainsFailNow mainsFailNow: Bool = false) {
        hosts = cluster.hosts
        assumedRuntimes = Dictionary(
            feeds.compactMap { feed in feed.assumedRuntime.map { (feed.name, $0) } },
            uniquingKeysWith: { first, _ in first })
        margin = cluster.limits.margin
        self.mainsFailNow = mainsFailNow
    }

    /// Takes in one reading of one feed. A UPS that cannot be read goes on draining as before; one
    /// that shows a runtime of nothing without a low battery cannot tell it.
    /// - Parameter start: since when it is on battery, where that is known to be before its first
    ///   reading here: an `assumedRuntime` counts from then.
    public mutating func take(
        _ reading: FeedReading, of feed: FeedName, at now: Duration,
        onBatterySince start: Duration? = nil
    ) {
        guard let status = reading.status else { return }
        guard status.onBattery || (status.onLine && mainsFailNow) else {
            if status.onLine { drains[feed] = nil }
            return
        }
        let since = start ?? drains[feed]?.since ?? now
        var end = assumedRuntimes[feed].map { since + $0 }
        if let runtime = reading.runtime, runtime > .zero || status.lowBattery {
            end = now + runtime
        }
        drains[feed] = Drain(since: since, end: end)
    }

    /// When the first host is expected to lose too many of its feeds, less the cluster's margin;
    /// nil when nobody knows. `RunControl.expectDeadline` takes it as it is.
    public var deadline: Duration? {
        hosts.compactMap(end).min().map { $0 - margin }
    }

    /// When a host is expected to have fewer feeds than it needs.
    private func end(of host: HostSite) -> Duration? {
        // One that hangs on three feeds and needs two goes with the second that ends.
        let ends = host.feeds.compactMap { drains[$0]?.end }.sorted()
        let spare = host.feeds.count - host.feedsNeeded
        return spare >= 0 && spare < ends.count ? ends[spare] : nil
    }
}
