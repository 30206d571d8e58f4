/// Follows one feed and says when its outage becomes a run.
///
/// Decides from readings alone: an event of upsmon is only a hint to read (facts/nut.md fact 1).
/// Time is whatever monotonic time the caller counts in.
public struct FeedWatch: Hashable, Sendable {
    /// What the feed is doing, as far as can be told.
    public enum State: Hashable, Sendable {
        /// Nothing was ever read.
        case unknown
        /// On line power since then.
        case online(since: Duration)
        /// On battery since then; `lastSeen` is the last reading that said so.
        case onBattery(since: Duration, lastSeen: Duration)
    }

    /// What follows from a reading.
    public enum Decision: Hashable, Sendable {
        /// Nothing new.
        case none
        /// The mains failed: the wait has started.
        case outageBegan
        /// The mains returned in time: the wait is cancelled.
        case outageEnded
        /// The outage becomes a run, for this reason.
        case trigger(Reason)
        /// FSD is set while the mains are there: reported, not obeyed (DESIGN 5.8). Whether the
        /// same reading was the first to say that the mains are back.
        case staleForcedShutdown(endsOutage: Bool)
    }

    /// Why an outage becomes a run.
    public enum Reason: Hashable, Codable, Sendable {
        /// `OB LB`.
        case lowBattery
        /// `OB FSD`: another NUT client decided so.
        case forcedShutdown
        /// On battery for as long as policy allows.
        case onBatteryFor(Duration)
        /// No more runtime than policy demands.
        case runtimeBelow(Duration)
        /// No more charge than policy demands, in percent.
        case chargeBelowPercent(Int)
        /// Last seen on battery, then silent for as long as policy allows.
        case silentOnBattery(Duration)
    }

    /// The policy it follows.
    public let policy: TriggerPolicy
    /// The present state.
    public private(set) var state: State = .unknown
    /// Whether the trigger was given for this outage: it is given once.
    public private(set) var triggered = false
    private var staleReported = false

    /// Follows a feed by this policy.
    public init(policy: TriggerPolicy) { self.policy = policy }

    /// Whether the feed can be counted on now: on line power, or never read (NUT's own rule).
    public var isHealthy: Bool {
        switch state {
        case .unknown, .online: true
        case .onBattery: !triggered
        }
    }

    /// How long the mains have been back, or nil while they are not.
    public func mainsStable(at now: Duration) -> Duration? {
        if case .online(let since) = state { now - since } else { nil }
    }

    /// Takes one reading and says what follows.
    public mutating func take(_ reading: FeedReading, at now: Duration) -> Decision {
        guard let status = reading.status else { return takeSilence(at: now) }
        if status.onBattery { return takeOnBattery(reading, status: status, at: now) }
        if status.onLine { return takeOnLine(status: status, at: now) }
        // Neither OL nor OB (e.g. `OFF`, `WAIT`): it tells nothing of the mains.
        return takeSilence(at: now)
    }

    /// Takes a trigger back that must be seen twice (DESIGN 5.8): the next reading that says so
    /// triggers again. What is known of the outage stays.
    public mutating func withdrawTrigger() { triggered = false }

    private mutating func takeOnBattery(
        _ reading: FeedReading, status: UPSStatus, at now: Duration
    ) -> Decision {
        var since = now
        var began = true
        if case .onBattery(let first, _) = state {
            since = first
            began = false
        }
        state = .onBattery(since: since, lastSeen: now)
        staleReported = false
        if let reason = reason(in: reading, status: status, onBatteryFor: now - since) {
            return trigger(reason)
        }
        return began ? .outageBegan : .none
    }

    private func reason(
        in reading: FeedReading, status: UPSStatus, onBatteryFor elapsed: Duration
    ) -> Reason? {
        if status.forcedShutdown { return .forcedShutdown }
        if status.lowBattery { return .lowBattery }
        if let limit = policy.runtimeBelow, let left = reading.runtime, left <= limit {
            return .runtimeBelow(limit)
        }
        if let limit = policy.chargeBelowPercent, let left = reading.chargePercent, left <= limit {
            return .chargeBelowPercent(limit)
        }
        if let limit = policy.onBatteryFor, elapsed >= limit { return .onBatteryFor(limit) }
        return nil
    }

    private mutating func takeOnLine(status: UPSStatus, at now: Duration) -> Decision {
        var ended = false
        switch state {
        case .online: break
        case .unknown: state = .online(since: now)
        case .onBattery:
            state = .online(since: now)
            ended = true
            triggered = false
        }
        if status.forcedShutdown, !staleReported {
            staleReported = true
            return .staleForcedShutdown(endsOutage: ended)
        }
        if !status.forcedShutdown { staleReported = false }
        return ended ? .outageEnded : .none
    }

    private mutating func takeSilence(at now: Duration) -> Decision {
        guard case .onBattery(_, let lastSeen) = state, now - lastSeen >= policy.silentFor else {
            return .none
        }
        return trigger(.silentOnBattery(policy.silentFor))
    }

    private mutating func trigger(_ reason: Reason) -> Decision {
        if triggered { return .none }
        triggered = true
        return .trigger(reason)
    }
}

extension FeedWatch.Reason: CustomStringConvertible {
    /// The reason as an operator would say it.
    public var description: String {
        switch self {
        case .lowBattery: "the battery is low"
        case .forcedShutdown: "FSD is set while on battery"
        case .onBatteryFor(let limit): "on battery for \(limit.short)"
        case .runtimeBelow(let limit): "no more than \(limit.short) of runtime left"
        case .chargeBelowPercent(let limit): "no more than \(limit) % of charge left"
        case .silentOnBattery(let limit): "silent for \(limit.short) since it was seen on battery"
        }
    }
}
