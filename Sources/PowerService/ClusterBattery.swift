public import PowerModel
public import PowerRun

/// What the readings of a cluster's feeds say of the time that is left, for the run that goes on.
public struct ClusterBattery: Sendable {
    private let cluster: ClusterSite
    private var outlook: BatteryOutlook
    private var low: Set<FeedName> = []
    private var onLine: Set<FeedName> = []

    /// Nothing was read yet.
    public init(_ cluster: ClusterSite, feeds: [Feed]) {
        self.cluster = cluster
        outlook = BatteryOutlook(of: cluster, feeds: feeds)
    }

    /// Takes one reading of one feed in. A silent feed stays what it was.
    public mutating func take(_ reading: FeedReading, of feed: FeedName, at now: Duration) {
        outlook.take(reading, of: feed, at: now)
        guard let status = reading.status else { return }
        if status.onBattery, status.lowBattery {
            low.insert(feed)
        } else if status.onLine {
            low.remove(feed)
        }
        if status.onLine { onLine.insert(feed) } else { onLine.remove(feed) }
    }

    /// Whether every feed of the cluster was on line power when it was read last.
    public var isOnLine: Bool { onLine.isSuperset(of: cluster.feeds) }

    /// Tells a run when the cluster loses its power, and whether that is now: so many feeds say
    /// `OB LB` that a host has too few others.
    public func tell(_ control: RunControl) {
        control.expectDeadline(outlook.deadline)
        let others = Set(cluster.feeds).subtracting(low)
        control.noteBatteryEnd(!low.isEmpty && !cluster.hostsAtRisk(healthy: others).isEmpty)
    }
}
