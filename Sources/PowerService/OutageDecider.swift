public import PowerModel

/// Decides from readings alone what an outage means for the site. Pure: no clock, no I/O.
///
/// A feed that triggers is read again, and must still say so, before anything follows (DESIGN
/// 5.8). Then NUT's MINSUPPLIES logic says which hosts have too few feeds by it. A tier's own
/// trigger is looked at twice in the same way.
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
        /// Every host of these clusters loses its power.
        case trigger([ClusterName], [Cause])
        /// These hosts of the cluster lose their power, and others do not.
        case hostsAtRisk(ClusterName, [HostName], [Cause])
        /// These tiers are to go down alone, to make the battery last.
        case shed(ClusterName, [TierName], [Cause])
        /// Enough feeds of these clusters have their mains back.
        case relieved([ClusterName])
        /// Some feeds of the cluster say that the mains failed, the others that they did not.
        case disagree(ClusterName, onBattery: [FeedName], onLine: [FeedName])
        /// The mains are stable, and a restore waits for the battery: its charge in percent, and
        /// the charge it must have.
        case waitsForCharge(FeedName, percent: Int, wanted: Int)
        /// The battery has not charged within the limit: nothing waits for it any more.
        case chargeOverdue(FeedName, percent: Int, wanted: Int)
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
        public internal(set) var watch: FeedWatch
        /// The last reading, if there was any.
        public internal(set) var latest: FeedReading?
        /// When that was.
        public internal(set) var latestAt: Duration?
        /// Since when every reading has said that it is on line power.
        public internal(set) var onLineSince: Duration?

        /// The number of its last reading among all readings.
        var sequence = 0
        /// The trigger that waits for a second reading.
        var candidate: FeedWatch.Reason?
        /// The trigger that was confirmed in this outage.
        var confirmed: FeedWatch.Reason?
        /// Whether the mains are back but not yet for long enough.
        var returning = false
        /// What was told of its charge since the mains are stable.
        var chargeTold = ChargeTold.nothing
    }

    enum ChargeTold { case nothing, waits, overdue }

    /// What is known of every feed.
    public internal(set) var feeds: [FeedName: FeedState] = [:]
    /// The clusters of which every host was told to be at risk, and that were not relieved since.
    public var triggered: Set<ClusterName> {
        Set(site.clusters.filter { condemned[$0.name]?.count == $0.hosts.count }.map(\.name))
    }
    /// The hosts that were told to be at risk, until their cluster is relieved.
    public private(set) var condemned: [ClusterName: Set<HostName>] = [:]
    /// The tiers that were told to be shed, until their cluster is relieved.
    public internal(set) var shedding: [ClusterName: Set<TierName>] = [:]

    let site: Site
    var supplied: Set<ClusterName> = []
    var shedCandidates: [ShedCandidate: Int] = [:]
    var disagreements: [ClusterName: Disagreement] = [:]
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
            if case .staleForcedShutdown = decision {
                decisions.append(.staleForcedShutdown(name))
            }
            if let candidate = feed.candidate {
                feed.candidate = nil
                decisions.append(.notConfirmed(Cause(feed: name, reason: candidate)))
            }
        }
        decisions += stability(of: name, in: &feed, at: now)
        decisions += charge(of: name, in: &feed, at: now)
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

    private mutating func clusterDecisions(at now: Duration) -> [Decision] {
        relief() + condemn() + shed(at: now) + disagree(at: now) + supply(at: now)
    }

    // MARK: Hosts

    /// The clusters of which nothing is at risk any more, of those that were told of.
    private mutating func relief() -> [Decision] {
        let healthy = Set(feeds.keys).subtracting(unhealthy)
        let onLine = Set(feeds.keys).subtracting(onBattery)
        let relieved = site.clusters.filter { cluster in
            isConcerned(cluster.name) && cluster.hostsAtRisk(healthy: healthy).isEmpty
                && (shedding[cluster.name] == nil
                    || cluster.hostsAtRisk(healthy: onLine).isEmpty)
        }.map(\.name)
        for name in relieved {
            condemned[name] = nil
            shedding[name] = nil
        }
        return relieved.isEmpty ? [] : [.relieved(relieved)]
    }

    /// Whether anything of the cluster was told to go down.
    func isConcerned(_ cluster: ClusterName) -> Bool {
        condemned[cluster] != nil || shedding[cluster] != nil
    }

    /// Tells which hosts came to be at risk, when every feed that says so was read again.
    private mutating func condemn() -> [Decision] {
        let healthy = Set(feeds.keys).subtracting(unhealthy)
        var whole: [ClusterName] = []
        var wholeFeeds: Set<FeedName> = []
        var parts: [Decision] = []
        var again: Set<FeedName> = []
        for cluster in site.clusters {
            let hosts = cluster.hostsAtRisk(healthy: healthy)
            let isNew = !(condemned[cluster.name] ?? []).isSuperset(of: hosts)
            guard isNew else { continue }
            let concerned = unhealthy.filter { cluster.hangs(hosts, on: $0) }
            let outdated = concerned.filter { (feeds[$0]?.sequence ?? 0) <= candidateSequence }
            again.formUnion(outdated)
            guard outdated.isEmpty else { continue }
            condemned[cluster.name, default: []].formUnion(hosts)
            if hosts.count == cluster.hosts.count {
                whole.append(cluster.name)
                wholeFeeds.formUnion(concerned)
            } else {
                parts.append(.hostsAtRisk(cluster.name, hosts, causes(concerned)))
            }
        }
        let readAgain: [Decision] = again.isEmpty ? [] : [.readAgain(again.sorted())]
        let trigger: [Decision] =
            whole.isEmpty ? [] : [.trigger(whole, causes(wholeFeeds.sorted()))]
        return readAgain + trigger + parts
    }

    private func causes(_ names: [FeedName]) -> [Cause] {
        names.compactMap { name in
            feeds[name]?.confirmed.map { Cause(feed: name, reason: $0) }
        }
    }

    /// The feeds that triggered and have not come back, sorted.
    private var unhealthy: [FeedName] {
        feeds.filter { !$0.value.watch.isHealthy }.keys.sorted()
    }

    /// The feeds that are on battery, as far as is known, sorted.
    var onBattery: [FeedName] {
        feeds.filter { $0.value.watch.state.isOnBattery }.keys.sorted()
    }
}

extension FeedWatch.State {
    /// Whether it is on battery, as far as is known.
    var isOnBattery: Bool {
        if case .onBattery = self { true } else { false }
    }
}

extension ClusterSite {
    /// Whether one of these hosts of it hangs on this feed.
    func hangs(_ names: [HostName], on feed: FeedName) -> Bool {
        hosts.contains { names.contains($0.name) && $0.feeds.contains(feed) }
    }
}
