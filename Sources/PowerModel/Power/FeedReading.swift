/// What a UPS says of itself in one word list (`ups.status`, facts/nut.md 1.5).
public struct UPSStatus: Hashable, Codable, Sendable, CustomStringConvertible {
    /// The tokens, in the order given, without repeats. Unknown ones are kept.
    public var tokens: [String]

    /// Parses blank-separated tokens.
    public init(_ text: String) {
        var seen = Set<String>()
        tokens = text.split(separator: " ").map(String.init).filter { seen.insert($0).inserted }
    }

    /// On battery. `DISCHRG` alone is not: some units say it on line power.
    public var onBattery: Bool { tokens.contains("OB") }
    /// On line power: `OL` and not `OB`.
    public var onLine: Bool { tokens.contains("OL") && !onBattery }
    /// The battery is low.
    public var lowBattery: Bool { tokens.contains("LB") }
    /// Somebody set FSD at upsd. A latch: it stays when the mains return (facts/nut.md fact 5).
    public var forcedShutdown: Bool { tokens.contains("FSD") }

    /// The tokens, blank-separated.
    public var description: String { tokens.joined(separator: " ") }
}

/// One look at a UPS.
public struct FeedReading: Hashable, Codable, Sendable {
    /// Its status; nil when upsd or its driver could not say.
    public var status: UPSStatus?
    /// The runtime left, if the UPS gives one.
    public var runtime: Duration?
    /// The charge left in percent, if the UPS gives it.
    public var chargePercent: Int?
    /// The load in percent of its rating, if the UPS gives it.
    public var loadPercent: Int?
    /// Why there is no status: for people.
    public var problem: String?

    /// A reading.
    public init(
        status: UPSStatus?, runtime: Duration? = nil, chargePercent: Int? = nil,
        loadPercent: Int? = nil, problem: String? = nil
    ) {
        self.status = status
        self.runtime = runtime
        self.chargePercent = chargePercent
        self.loadPercent = loadPercent
        self.problem = problem
    }
}
