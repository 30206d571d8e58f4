public import PowerModel

/// What the watch loop tells: the daemon's wiring turns it into runs.
///
/// The loop waits for every call, so each must return at once: a run is started as a task of its
/// own, and the loop goes on reading meanwhile. Nothing here is called for an event alone; all of
/// it follows from readings.
public protocol OutageHandler: Sendable {
    /// A feed was read, at this monotonic time: before anything that follows from it.
    func took(_ reading: FeedReading, of feed: FeedName, at moment: Duration) async

    /// The mains of this feed failed.
    func outageBegan(_ feed: FeedName) async

    /// The mains of this feed are back, whether a run began meanwhile or not.
    func outageEnded(_ feed: FeedName) async

    /// These clusters lose their power: a second reading, taken after the one that was the first to
    /// say so, says so still. Called once per outage for each of them.
    func trigger(_ clusters: [ClusterSite], because causes: [OutageDecider.Cause]) async

    /// These hosts of the cluster lose their power, and others of it do not.
    func hostsAtRisk(
        _ hosts: [HostName], of cluster: ClusterSite, because causes: [OutageDecider.Cause]
    ) async

    /// These tiers of the cluster are to go down alone, to make the battery last.
    func shed(
        _ tiers: [TierName], of cluster: ClusterSite, because causes: [OutageDecider.Cause]
    ) async

    /// Enough feeds of these clusters, of which something was to go down, have their mains back:
    /// what can still be reversed may be.
    func relieved(_ clusters: [ClusterSite]) async

    /// The mains of this feed have been back for so long, seen in every reading since. Called at
    /// every reading from their return until the feed's `mainsStableFor` is reached, then no more.
    func mains(of feed: FeedName, stableFor: Duration) async

    /// Enough feeds of these clusters have been on line power for their `mainsStableFor`: hosts and
    /// guests may be started. Called once after every outage, and once after the daemon's start,
    /// so that an outage left open by a crash is restored too.
    func supplied(_ clusters: [ClusterSite]) async

    /// FSD is set at upsd while the mains are there: to be reported, not obeyed. Only restarting
    /// upsd clears it (facts/nut.md fact 5).
    func staleForcedShutdown(_ feed: FeedName) async

    /// The feed cannot be read, for this reason; called once until it can be again.
    func unreadable(_ feed: FeedName, problem: String) async

    /// The feed can be read again.
    func readable(_ feed: FeedName) async

    /// An event came in: for notifications and the log. Nothing follows from it.
    func noticed(_ notice: EventNotice) async
}
