/// A name that cannot be confused with a name of another kind: a host's is not a guest's.
///
/// Compares and sorts by its text, so that everything that walks names does so in one order.
public struct Name<Kind>: RawRepresentable, Hashable, Comparable, Codable, Sendable,
    CustomStringConvertible, CodingKeyRepresentable
{
    /// The text of the name, as the site file or vCenter spells it.
    public var rawValue: String

    /// A name with this text.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A name with this text.
    public init(_ text: String) { self.rawValue = text }

    /// Reads the name from a bare string.
    public init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    /// Writes the name as a bare string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }

    /// The name as a key of a dictionary in JSON.
    public var codingKey: any CodingKey { TextKey(stringValue: rawValue) }

    /// A name from a key of a dictionary in JSON.
    public init?<T: CodingKey>(codingKey: T) { rawValue = codingKey.stringValue }

    /// The text of the name.
    public var description: String { rawValue }

    /// Whether the text of one name sorts before the other's.
    public static func < (left: Name, right: Name) -> Bool { left.rawValue < right.rawValue }
}

private struct TextKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// Marks names of ESXi hosts.
public enum HostKind: Sendable {}
/// Marks guests' identities.
public enum GuestKind: Sendable {}
/// Marks names of clusters.
public enum ClusterKind: Sendable {}
/// Marks names of feeds.
public enum FeedKind: Sendable {}
/// Marks names of tiers.
public enum TierKind: Sendable {}
/// Marks names of machines.
public enum MachineKind: Sendable {}
/// Marks identities of runs.
public enum RunKind: Sendable {}
/// Marks identities of outages.
public enum OutageKind: Sendable {}
/// Marks identities of steps.
public enum StepKind: Sendable {}

/// An ESXi host, as vCenter names it.
public typealias HostName = Name<HostKind>
/// A guest's identity: its instanceUuid in lower case (facts/vsphere.md 4.4: names are not unique).
public typealias GuestID = Name<GuestKind>
/// A cluster, as vCenter names it.
public typealias ClusterName = Name<ClusterKind>
/// A feed: one UPS as seen by its consumers.
public typealias FeedName = Name<FeedKind>
/// A tier of guests.
public typealias TierName = Name<TierKind>
/// A machine that is neither host nor guest.
public typealias MachineName = Name<MachineKind>
/// One execution of a plan.
public typealias RunID = Name<RunKind>
/// One outage, from the first on-battery reading to "all restored".
public typealias OutageID = Name<OutageKind>
/// One step of a plan, e.g. `guests-apps/stop/564d…`.
public typealias StepID = Name<StepKind>

/// A moment of wall-clock time: milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Comparable, Codable, Sendable {
    /// Milliseconds since the epoch.
    public var millisecondsSinceEpoch: Int64

    /// The moment this many milliseconds after the epoch.
    public init(millisecondsSinceEpoch: Int64) {
        self.millisecondsSinceEpoch = millisecondsSinceEpoch
    }

    /// Reads the bare number of milliseconds.
    public init(from decoder: any Decoder) throws {
        millisecondsSinceEpoch = try decoder.singleValueContainer().decode(Int64.self)
    }

    /// Writes the bare number of milliseconds.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(millisecondsSinceEpoch)
    }

    /// Whether one moment is before the other.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.millisecondsSinceEpoch < right.millisecondsSinceEpoch
    }

    /// The moment a duration later.
    public static func + (left: Timestamp, right: Duration) -> Timestamp {
        Timestamp(millisecondsSinceEpoch: left.millisecondsSinceEpoch + right.milliseconds)
    }

    /// The time from one moment to another; negative when the wall clock was set back.
    public static func - (left: Timestamp, right: Timestamp) -> Duration {
        .milliseconds(left.millisecondsSinceEpoch - right.millisecondsSinceEpoch)
    }
}

extension Int {
    /// So many things, e.g. `1 guest`, `2 guests`: for words whose plural ends in s.
    public func counted(_ thing: String) -> String { "\(self) \(thing)\(self == 1 ? "" : "s")" }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero.
    public var milliseconds: Int64 {
        Int64(attoseconds / 1_000_000_000_000_000)
    }

    /// Seconds, with the fraction.
    public var inSeconds: Double { Double(milliseconds) / 1000 }

    /// As people write it: `90s`, `5m`, `1h 30m`, `1.5s`.
    public var short: String {
        let milliseconds = self.milliseconds
        if milliseconds % 1000 != 0, milliseconds < 60_000 { return "\(tenths)s" }
        let seconds = milliseconds / 1000
        if seconds < 120 { return "\(seconds)s" }
        if seconds < 7200 {
            return seconds % 60 == 0 ? "\(seconds / 60)m" : "\(seconds / 60)m \(seconds % 60)s"
        }
        let minutes = seconds / 60
        return minutes % 60 == 0 ? "\(minutes / 60)h" : "\(minutes / 60)h \(minutes % 60)m"
    }

    /// Seconds with one decimal, e.g. `12.3`.
    public var tenths: String { "\(milliseconds / 1000).\(abs(milliseconds) % 1000 / 100)" }
}
