public import PowerModel

/// Decides from readings alone what an outage means for the site. Pure: no clock, no I/O.
///
/// A feed that triggers is read again, and must still say so, before anything follows (DESIGN
/// 5.8). Then NUT's MINSUPPLIES logic says which clusters lose a host by it.
public struct OutageDecider: Sendable {
    /// A feed and why it no longer counts.
    public struct Cause: Hashable, Sendable, CustomStringConvertible {
        /// The feed.
        public var feed: FeedName
        /// Why its outage becomes a run.
        public var reason: FeedWatch.Reason

        /// A cause.
        public init(feed: FeedName, reason: FeedWatch.Reason) {
            self.feed = feed
            self.reason = reason
        }

        /// The cause as an operator would say it.
        public var description: String { "\(feed): \(reason)" }
    }

    /// What follows from a reading. See ``OutageHandler`` for the ones that have its names.
    public enum Decision: Hashable, Sendable {
        /// The mains failed.
        case outageBegan(FeedName)
        /// The mains are back.
        case outageEnded(FeedName)
        /// These feeds are to be read at once: a trigger waits for it.
        case readAgain([FeedName])
        /// The second reading did not bear the trigger out; nothing was done.
        case notConfirmed(Cause)
        /// These clusters lose their power.
        case trigger([ClusterName], [Cause])
        /// Enough feeds of these clusters have their mains back.
        case relieved([ClusterName])
        /// The mains have been back for so long.
        case mains(FeedName, stableFor: Duration)
        /// Enough feeds of these clusters have been on line power for long enough.
        case supplied([ClusterName])
        /// FSD is set on line power.
        case staleForcedShutdown(FeedName)
        /// The feed cannot be read.
        case unreadable(FeedName, problem: String)
        /// The feed can be read again.
        case readable(FeedName)
    }

    /// What is known of one feed.
    public struct FeedState: Sendable {
        /// What its readings amount to.
        public fileprivate(set) var watch: FeedWatch
        /// The last reading, if there was any.
        public fileprivate(set) var latest: FeedReading?
        /// When that was.
        public fileprivate(set) var latestAt: Duration?
        /// Since when every reading has said that it is on line power.
        public fileprivate(set) var onLineSince: Duration?

        /// The number of its last reading among all readings.
        fileprivate var sequence = 0
        /// The trigger that waits for a second reading.
        fileprivate var candidate: FeedWatch.Reason?
        /// The trigger that was confirmed in this outage.
        fileprivate var confirmed: FeedWatch.Reason?
        /// Whether the mains are back but not yet for long enough.
        fileprivate var returning = false
    }

    /// What is known of every feed.
    public private(set) var feeds: [FeedName: FeedState] = [:]
    /// The clusters that were triggered and not relieved since.
    public private(set) var triggered: Set<ClusterName> = []

    private let site: Site
    private var supplied: Set<ClusterName> = []
    private var sequence = 0
    /// The number of the reading in which the last candidate arose: what follows from it needs
    /// newer readings of every feed concerned.
    private var candidateSequence = 0

    /// Decides for this site. Nothing was read yet, so every feed counts as healthy (NUT's rule).
    public init(site: Site) {
        self.site = site
        for feed in site.feeds {
            feeds[feed.name] = FeedState(watch: FeedWatch(policy: feed.trigger))
        }
    }

    /// Takes one reading and says what follows, in the order in which it is to be done. A feed
    /// that is not the site's is ignored.
    ///
    /// - Parameter now: monotonic time; never goes back.
    public mutating func take(
        _ reading: FeedReading, of name: FeedName, at now: Duration
    ) -> [Decision] {
        guard var feed = feeds[name] else { return [] }
        sequence += 1
        feed.sequence = sequence
        var decisions = note(reading, of: name, in: &feed, at: now)
        let wasOnBattery = feed.watch.state.isOnBattery
        let decision = feed.watch.take(reading, at: now)
        decisions += changes(of: name, in: &feed, from: wasOnBattery)
        switch decision {
        case .trigger(let reason): decisions += weigh(reason, of: name, in: &feed)
        case .none, .outageBegan, .outageEnded, .staleForcedShutdown:
            if decision == .staleForcedShutdown { decisions.append(.staleForcedShutdown(name)) }
            if let candidate = feed.candidate {
                feed.candidate = nil
                decisions.append(.notConfirmed(Cause(feed: name, reason: candidate)))
            }
        }
        decisions += stability(of: name, in: &feed, at: now)
        feeds[name] = feed
        return decisions + clusterDecisions(at: now)
    }

    /// Whether the feed can be read, and since when it is on line power.
    private func note(
        _ reading: FeedReading, of name: FeedName, in feed: inout FeedState, at now: Duration
    ) -> [Decision] {
        let was = feed.latest
        feed.latest = reading
        feed.latestAt = now
        if reading.status?.onLine == true {
            feed.onLineSince = feed.onLineSince ?? now
        } else {
            feed.onLineSince = nil
        }
        let couldBeRead = was.map { $0.status != nil } ?? true
        switch (couldBeRead, reading.status != nil) {
        case (true, false):
            return [.unreadable(name, problem: reading.problem ?? "it gives no status")]
        case (false, true): return [.readable(name)]
        default: return []
        }
    }

    private mutating func changes(
        of name: FeedName, in feed: inout FeedState, from wasOnBattery: Bool
    ) -> [Decision] {
        switch (wasOnBattery, feed.watch.state.isOnBattery) {
        case (false, true):
            feed.returning = false
            return [.outageBegan(name)]
        case (true, false):
            feed.confirmed = nil
            feed.returning = true
            return [.outageEnded(name)]
        default: return []
        }
    }

    /// The first reading that triggers is a reason to look again, the next one counts.
    private mutating func weigh(
        _ reason: FeedWatch.Reason, of name: FeedName, in feed: inout FeedState
    ) -> [Decision] {
        if feed.candidate != nil {
            feed.candidate = nil
            feed.confirmed = reason
            return []
        }
        feed.watch.withdrawTrigger()
        feed.candidate = reason
        candidateSequence = sequence
        return [.readAgain([name] + unhealthy.filter { $0 != name })]
    }

    private func stability(
        of name: FeedName, in feed: inout FeedState, at now: Duration
    ) -> [Decision] {
        guard feed.returning, let since = feed.onLineSince else { return [] }
        if now - since >= feed.watch.policy.mainsStableFor { feed.returning = false }
        return [.mains(name, stableFor: now - since)]
    }

    private mutating func clusterDecisions(at now: Duration) -> [Decision] {
        let atRisk = site.clustersAtRisk(healthy: Set(feeds.keys).subtracting(unhealthy))
        var decisions: [Decision] = []
        let relieved = site.clusters.map(\.name).filter {
            triggered.contains($0) && !atRisk.map(\.name).contains($0)
        }
        if !relieved.isEmpty {
            triggered.subtract(relieved)
            decisions.append(.relieved(relieved))
        }
        decisions += trigger(atRisk.filter { !triggered.contains($0.name) })
        decisions += supply(at: now)
        return decisions
    }

    private mutating func trigger(_ clusters: [ClusterSite]) -> [Decision] {
        var names: [ClusterName] = []
        var causes: Set<FeedName> = []
        var again: Set<FeedName> = []
        for cluster in clusters {
            let concerned = unhealthy.filter(cluster.hangs)
            let outdated = concerned.filter { (feeds[$0]?.sequence ?? 0) <= candidateSequence }
            again.formUnion(outdated)
            if outdated.isEmpty {
                names.append(cluster.name)
                causes.formUnion(concerned)
            }
        }
        triggered.formUnion(names)
        var decisions: [Decision] = []
        if !again.isEmpty { decisions.append(.readAgain(again.sorted())) }
        if !names.isEmpty {
            let reasons = causes.sorted().compactMap { name in
                feeds[name]?.confirmed.map { Cause(feed: name, reason: $0) }
            }
            decisions.append(.trigger(names, reasons))
        }
        return decisions
    }

    private mutating func supply(at now: Duration) -> [Decision] {
        let stable = feeds.filter { _, feed in
            feed.onLineSince.map { now - $0 >= feed.watch.policy.mainsStableFor } ?? false
        }
        let onBattery = Set(feeds.filter { $0.value.watch.state.isOnBattery }.keys)
        supplied.subtract(
            site.clustersAtRisk(healthy: Set(feeds.keys).subtracting(onBattery)).map(\.name))
        let short = Set(site.clustersAtRisk(healthy: Set(stable.keys)).map(\.name))
        let names = site.clusters.map(\.name).filter {
            !short.contains($0) && !supplied.contains($0) && !triggered.contains($0)
        }
        supplied.formUnion(names)
        return names.isEmpty ? [] : [.supplied(names)]
    }

    /// The feeds that triggered and have not come back, sorted.
    private var unhealthy: [FeedName] {
        feeds.filter { !$0.value.watch.isHealthy }.keys.sorted()
    }
}

extension FeedWatch.State {
    /// Whether it is on battery, as far as is known.
    fileprivate var isOnBattery: Bool {
        if case .onBattery = self { true } else { false }
    }
}

extension ClusterSite {
    /// Whether a host of it hangs on this feed.
    fileprivate func hangs(on feed: FeedName) -> Bool {
        hosts.contains { $0.feeds.contains(feed) }
    }
}
