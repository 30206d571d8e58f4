/// Guests that go down together.
public struct TierSite: Hashable, Codable, Sendable {
    /// Its name.
    public var name: TierName
    /// The guests in it.
    public var choice: GuestChoice
    /// How long a guest may take to shut down.
    public var limit: Duration
    /// What is done with a guest that takes longer, or has no Tools.
    public var onLimit: Escalation
    /// When these guests are shed: shut down while everything else stays on. Nil: never alone.
    public var shed: ShedTrigger?
    /// Whether a restore leaves these guests off.
    public var keepOff: Bool
    /// How long after each of these guests was started the next ones wait.
    public var startDelay: Duration
    /// Whether a guest counts as started only when its Tools answer.
    public var waitForTools: Bool
    /// Commands that are run, in order, before the tier goes down.
    public var before: [Hook]
    /// Commands that are run, in order, after the tier is down.
    public var after: [Hook]

    /// Three minutes: what most Windows guests need.
    public static let limitDefault: Duration = .seconds(180)

    /// A tier of the guests that a choice picks.
    public init(
        name: TierName, choice: GuestChoice, limit: Duration = TierSite.limitDefault,
        onLimit: Escalation = .powerOff, shed: ShedTrigger? = nil, keepOff: Bool = false,
        startDelay: Duration = .zero, waitForTools: Bool = false, before: [Hook] = [],
        after: [Hook] = []
    ) {
        self.name = name
        self.choice = choice
        self.limit = limit
        self.onLimit = onLimit
        self.shed = shed
        self.keepOff = keepOff
        self.startDelay = startDelay
        self.waitForTools = waitForTools
        self.before = before
        self.after = after
    }

    /// A tier of the guests with these names.
    public init(
        name: TierName, guests: [GuestPattern], limit: Duration = TierSite.limitDefault,
        onLimit: Escalation = .powerOff
    ) {
        self.init(name: name, choice: GuestChoice(names: guests), limit: limit, onLimit: onLimit)
    }
}

/// What is done with a guest that does not shut down in time.
public enum Escalation: String, Hashable, Codable, Sendable, CaseIterable {
    /// Its power is cut.
    case powerOff
    /// Its memory is written to disk; a restore resumes it.
    case suspend
    /// Nothing: it goes down with its host. Recorded, not a violation.
    case leave
}

/// When a tier alone is shut down to make the battery last (load shedding). The first of these
/// that is true decides; the feed is one that a host of the cluster hangs on.
public struct ShedTrigger: Hashable, Codable, Sendable {
    /// After this time on battery.
    public var onBatteryFor: Duration?
    /// When the UPS says that no more than this is left.
    public var runtimeBelow: Duration?
    /// When the UPS says that no more than this charge is left, in percent.
    public var chargeBelowPercent: Int?

    /// A trigger.
    public init(
        onBatteryFor: Duration? = nil, runtimeBelow: Duration? = nil,
        chargeBelowPercent: Int? = nil
    ) {
        self.onBatteryFor = onBatteryFor
        self.runtimeBelow = runtimeBelow
        self.chargeBelowPercent = chargeBelowPercent
    }
}

/// A command of the site's own that is run beside the plan, on vpower's machine.
public struct Hook: Hashable, Codable, Sendable {
    /// The program's path and its arguments; no shell reads them.
    public var command: [String]
    /// The longest it may take; then it is killed and the run goes on.
    public var limit: Duration

    /// One minute.
    public static let limitDefault: Duration = .seconds(60)

    /// A hook.
    public init(command: [String], limit: Duration = Hook.limitDefault) {
        self.command = command
        self.limit = limit
    }
}

/// What holds for single guests, whatever their tier. What it leaves nil is the tier's.
public struct GuestRule: Hashable, Codable, Sendable {
    /// The guests it holds for.
    public var choice: GuestChoice
    /// How long such a guest may take to shut down.
    public var limit: Duration?
    /// What is done with one that takes longer, or has no Tools.
    public var onLimit: Escalation?
    /// Whether a restore leaves it off.
    public var keepOff: Bool?
    /// How long after it was started the next ones wait.
    public var startDelay: Duration?
    /// Whether it counts as started only when its Tools answer.
    public var waitForTools: Bool?
    /// Guests of the same tier that are off before it is asked, and on after it when they come up.
    public var after: GuestChoice?

    /// A rule.
    public init(
        choice: GuestChoice, limit: Duration? = nil, onLimit: Escalation? = nil,
        keepOff: Bool? = nil, startDelay: Duration? = nil, waitForTools: Bool? = nil,
        after: GuestChoice? = nil
    ) {
        self.choice = choice
        self.limit = limit
        self.onLimit = onLimit
        self.keepOff = keepOff
        self.startDelay = startDelay
        self.waitForTools = waitForTools
        self.after = after
    }
}
