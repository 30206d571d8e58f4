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

/// Which guests are meant: those that fit any of these.
public struct GuestChoice: Hashable, Codable, Sendable, ExpressibleByArrayLiteral {
    /// By name, or by instanceUuid.
    public var names: [GuestPattern]
    /// By folder, as vCenter shows it below the datacenter's "vm" folder, e.g. `Prod/Web`; one
    /// matches everything below it too.
    public var folders: [GuestPattern]
    /// By resource pool below the cluster's own, e.g. `High/Databases`; one matches everything
    /// below it too.
    public var resourcePools: [GuestPattern]
    /// By vSphere tag, `category/name`.
    public var tags: [GuestPattern]
    /// By custom attribute: its name and a pattern of its value.
    public var attributes: [String: GuestPattern]

    /// A choice; an empty one fits no guest.
    public init(
        names: [GuestPattern] = [], folders: [GuestPattern] = [],
        resourcePools: [GuestPattern] = [], tags: [GuestPattern] = [],
        attributes: [String: GuestPattern] = [:]
    ) {
        self.names = names
        self.folders = folders
        self.resourcePools = resourcePools
        self.tags = tags
        self.attributes = attributes
    }

    /// A choice by name.
    public init(arrayLiteral elements: GuestPattern...) { self.init(names: elements) }

    /// Whether no guest can fit.
    public var isEmpty: Bool {
        names.isEmpty && folders.isEmpty && resourcePools.isEmpty && tags.isEmpty
            && attributes.isEmpty
    }

    /// Whether a guest fits.
    public func matches(_ guest: Guest) -> Bool {
        let labels = guest.labels
        return names.contains {
            $0.matches(guest.name) || $0.text.lowercased() == guest.id.rawValue
        }
            || folders.contains { $0.matchesPath(labels.folder) }
            || resourcePools.contains { $0.matchesPath(labels.resourcePool) }
            || tags.contains { tag in labels.tags.contains { tag.matches($0) } }
            || attributes.contains { name, value in
                labels.attributes[name].map { value.matches($0) } ?? false
            }
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

/// A guest's name, or a pattern of names in which `*` stands for any characters.
public struct GuestPattern: Hashable, Codable, Sendable, ExpressibleByStringLiteral {
    /// The pattern as written.
    public var text: String

    /// A pattern.
    public init(_ text: String) { self.text = text }
    /// A pattern.
    public init(stringLiteral value: String) { text = value }
    /// Reads a bare string.
    public init(from decoder: any Decoder) throws {
        text = try decoder.singleValueContainer().decode(String.self)
    }
    /// Writes a bare string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    /// Whether a path such as `Prod/Web/Old` fits, or one of those above it does.
    public func matchesPath(_ path: String?) -> Bool {
        guard var rest = path.map({ $0[...] }) else { return false }
        while true {
            if matches(String(rest)) { return true }
            guard let slash = rest.lastIndex(of: "/") else { return false }
            rest = rest[..<slash]
        }
    }

    /// Whether a guest's name fits, case and all.
    public func matches(_ name: String) -> Bool {
        // The classic two-pointer match: `star` remembers where to resume. No recursion, so a
        // pattern of many stars cannot take exponential time.
        let pattern = Array(text.unicodeScalars)
        let subject = Array(name.unicodeScalars)
        var inPattern = 0
        var inSubject = 0
        var star: (pattern: Int, subject: Int)?
        while inSubject < subject.count {
            if inPattern < pattern.count, pattern[inPattern] == "*" {
                star = (inPattern, inSubject)
                inPattern += 1
            } else if inPattern < pattern.count, pattern[inPattern] == subject[inSubject] {
                inPattern += 1
                inSubject += 1
            } else if let last = star {
                star = (last.pattern, last.subject + 1)
                inPattern = last.pattern + 1
                inSubject = last.subject + 1
            } else {
                return false
            }
        }
        return pattern[inPattern...].allSatisfy { $0 == "*" }
    }
}
