import Logging

/// What was decided, as the log says it: the one place where changes of the mains are told.
extension OutageDecider.Decision: CustomStringConvertible {
    /// The decision in an operator's words.
    public var description: String {
        switch self {
        case .outageBegan(let feed): "feed \(feed): the mains failed: the wait has begun"
        case .outageEnded(let feed): "feed \(feed): the mains are back"
        case .readAgain(let feeds): "\(list(feeds)): read again at once"
        case .notConfirmed(let cause): "\(cause), but no longer at the second look"
        case .trigger(let clusters, let causes):
            "trigger: cluster \(list(clusters)) loses its power: \(list(causes))"
        case .hostsAtRisk(let cluster, let hosts, let causes):
            "cluster \(cluster): \(list(hosts)) lose their power, others do not: \(list(causes))"
        case .shed(let cluster, let tiers, let causes):
            "cluster \(cluster): tiers \(list(tiers)) are shed: \(list(causes))"
        case .relieved(let clusters): "cluster \(list(clusters)): enough feeds have mains again"
        case .disagree(let cluster, let onBattery, let onLine):
            "cluster \(cluster): \(list(onBattery)) on battery, \(list(onLine)) on line power:"
                + " is one UPS broken, or fed from elsewhere?"
        case .waitsForCharge(let feed, let percent, let wanted):
            "feed \(feed): \(percent) % of charge; a restore waits for \(wanted) %"
        case .chargeOverdue(let feed, let percent, let wanted):
            "feed \(feed): still \(percent) % of charge and not \(wanted) %: not waited for any more"
        case .mains(let feed, let stable): "feed \(feed): mains for \(stable)"
        case .supplied(let clusters): "cluster \(list(clusters)): mains for long enough"
        case .staleForcedShutdown(let feed):
            "feed \(feed): FSD is set on line power; not obeyed. Restart upsd to clear it"
        case .unreadable(let feed, let problem): "feed \(feed): cannot be read: \(problem)"
        case .readable(let feed): "feed \(feed): can be read again"
        }
    }

    private func list(_ things: [some CustomStringConvertible]) -> String {
        things.map(\.description).joined(separator: ", ")
    }

    /// How loud it is told.
    var level: Logger.Level {
        switch self {
        case .mains, .readAgain: .debug
        case .outageEnded, .notConfirmed, .relieved, .supplied, .readable, .waitsForCharge: .notice
        case .outageBegan, .disagree, .chargeOverdue: .warning
        case .staleForcedShutdown, .unreadable: .error
        case .trigger, .hostsAtRisk, .shed: .critical
        }
    }
}
