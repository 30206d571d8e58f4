import PowerModel

/// Load shedding, and feeds that do not agree.
extension OutageDecider {
    /// A tier whose own trigger waits for a second reading.
    struct ShedCandidate: Hashable, Sendable {
        var cluster: ClusterName
        var tier: TierName
    }

    /// Since when some feeds of a cluster are on battery while the others are not.
    struct Disagreement: Sendable {
        var since: Duration
        var isTold = false
    }

    /// How long the feeds of a cluster may disagree before it is told: UPSes of one site notice
    /// an outage some seconds apart.
    static let disagreementLimit: Duration = .seconds(10)

    /// Tells which tiers are to be shed: their trigger holds for a feed whose end would cost a host
    /// its power, and a second reading says so still.
    mutating func shed(at now: Duration) -> [Decision] {
        var decisions: [Decision] = []
        var again: Set<FeedName> = []
        for cluster in site.clusters where !triggered.contains(cluster.name) {
            var due: [TierName] = []
            var causes: [Cause] = []
            let threatening = feedsThreatening(cluster)
            for tier in cluster.tiers {
                guard let trigger = tier.shed, shedding[cluster.name]?.contains(tier.name) != true
                else { continue }
                let key = ShedCandidate(cluster: cluster.name, tier: tier.name)
                let reasons = threatening.compactMap { cause(trigger, $0, at: now) }
                guard !reasons.isEmpty else {
                    shedCandidates[key] = nil
                    continue
                }
                let numbers = reasons.compactMap { feeds[$0.feed]?.sequence }
                if let first = shedCandidates[key], numbers.allSatisfy({ $0 > first }) {
                    due.append(tier.name)
                    causes += reasons.filter { !causes.contains($0) }
                    shedCandidates[key] = nil
                } else if shedCandidates[key] == nil {
                    shedCandidates[key] = numbers.max()
                    again.formUnion(reasons.map(\.feed))
                }
            }
            guard !due.isEmpty else { continue }
            shedding[cluster.name, default: []].formUnion(due)
            decisions.append(.shed(cluster.name, due, causes))
        }
        return (again.isEmpty ? [] : [.readAgain(again.sorted())]) + decisions
    }

    /// The feeds on battery without which a host of the cluster would have too few.
    private func feedsThreatening(_ cluster: ClusterSite) -> [FeedName] {
        let hosts = cluster.hostsAtRisk(healthy: Set(feeds.keys).subtracting(onBattery))
        return onBattery.filter { cluster.hangs(hosts, on: $0) }
    }

    /// Why a tier is to be shed by the last reading of this feed; nil when it is not, or when the
    /// feed was silent then.
    private func cause(_ trigger: ShedTrigger, _ name: FeedName, at now: Duration) -> Cause? {
        guard let feed = feeds[name], let reading = feed.latest,
            reading.status?.onBattery == true, case .onBattery(let since, _) = feed.watch.state
        else { return nil }
        let reason: FeedWatch.Reason
        if let limit = trigger.runtimeBelow, let left = reading.runtime, left <= limit {
            reason = .runtimeBelow(limit)
        } else if let limit = trigger.chargeBelowPercent, let left = reading.chargePercent,
            left <= limit
        {
            reason = .chargeBelowPercent(limit)
        } else if let limit = trigger.onBatteryFor, now - since >= limit {
            reason = .onBatteryFor(limit)
        } else {
            return nil
        }
        return Cause(feed: name, reason: reason)
    }

    /// Tells once of feeds of a cluster that have not agreed for a while: one UPS may be broken,
    /// or fed from elsewhere.
    mutating func disagree(at now: Duration) -> [Decision] {
        site.clusters.compactMap { cluster in
            let down = onBattery.filter(cluster.feeds.contains)
            let up = cluster.feeds.filter { feeds[$0]?.latest?.status?.onLine == true }
            guard !down.isEmpty, !up.isEmpty else {
                disagreements[cluster.name] = nil
                return nil
            }
            let known = disagreements[cluster.name] ?? Disagreement(since: now)
            let isDue = !known.isTold && now - known.since >= Self.disagreementLimit
            disagreements[cluster.name] = Disagreement(
                since: known.since, isTold: known.isTold || isDue)
            return isDue ? .disagree(cluster.name, onBattery: down, onLine: up) : nil
        }
    }
}
