import PowerModel

/// When the mains are back: whether they stay, whether the battery would bear a second outage.
extension OutageDecider {
    /// How long a restore waits for a battery that does not charge as the site file wants it: an
    /// old one may never again.
    public static let chargeLimit: Duration = .seconds(4 * 3600)

    func stability(
        of name: FeedName, in feed: inout FeedState, at now: Duration
    ) -> [Decision] {
        guard feed.returning, let since = feed.onLineSince else { return [] }
        if now - since >= feed.watch.policy.mainsStableFor { feed.returning = false }
        return [.mains(name, stableFor: now - since)]
    }

    /// Tells once that the mains are stable and the battery is not charged yet, and once that
    /// this is waited for no longer.
    func charge(of name: FeedName, in feed: inout FeedState, at now: Duration) -> [Decision] {
        guard feed.isStable(at: now), let missing = feed.missingCharge else {
            feed.chargeTold = .nothing
            return []
        }
        if feed.isChargeOverdue(at: now) {
            defer { feed.chargeTold = .overdue }
            return feed.chargeTold == .overdue
                ? [] : [.chargeOverdue(name, percent: missing.percent, wanted: missing.wanted)]
        }
        defer { feed.chargeTold = .waits }
        return feed.chargeTold == .waits
            ? [] : [.waitsForCharge(name, percent: missing.percent, wanted: missing.wanted)]
    }

    /// The clusters that newly have enough feeds with stable mains, none of which still charges.
    mutating func supply(at now: Duration) -> [Decision] {
        let stable = Set(feeds.filter { $0.value.isStable(at: now) }.keys)
        let charging = feeds.filter { name, feed in
            stable.contains(name) && feed.missingCharge != nil && !feed.isChargeOverdue(at: now)
        }
        let onLine = Set(feeds.keys).subtracting(onBattery)
        supplied.subtract(site.clustersAtRisk(healthy: onLine).map(\.name))
        let names = site.clusters.filter { cluster in
            cluster.hostsAtRisk(healthy: stable).isEmpty
                && cluster.feeds.allSatisfy { charging[$0] == nil }
                && !supplied.contains(cluster.name) && !isConcerned(cluster.name)
        }.map(\.name)
        supplied.formUnion(names)
        return names.isEmpty ? [] : [.supplied(names)]
    }
}

extension OutageDecider.FeedState {
    /// Whether it has been on line power for long enough.
    fileprivate func isStable(at now: Duration) -> Bool {
        onLineSince.map { now - $0 >= watch.policy.mainsStableFor } ?? false
    }

    /// Its charge and the charge a restore waits for, where it gives one and has less.
    fileprivate var missingCharge: (percent: Int, wanted: Int)? {
        guard let wanted = watch.policy.restoreAtPercent, let percent = latest?.chargePercent,
            percent < wanted
        else { return nil }
        return (percent, wanted)
    }

    /// Whether the mains have been back for so long that its charge does not matter any more. A
    /// gap in the readings does not begin this anew.
    fileprivate func isChargeOverdue(at now: Duration) -> Bool {
        watch.mainsStable(at: now).map { $0 >= OutageDecider.chargeLimit } ?? false
    }
}
