/// A machine that was told to go by itself, and may not have gone yet. That it answers says nothing
/// of it before `goneBy`.
public struct MachineDeparture: Hashable, Codable, Sendable {
    /// When it was told last, or that was announced: what it is told it may hear a little later.
    public var told: Timestamp
    /// How long after that it goes.
    public var delay: Duration
    /// Until it is down, counted from its being told.
    public var goneWithin: Duration
    /// Whether it is on record that it took the order.
    public var isCertain: Bool
    /// Whether vpower's own host was handed over too: then nobody calls it off.
    public var isHandedOver: Bool

    /// When it begins to go.
    public var goesAt: Timestamp { told + delay }
    /// When it is down at the latest; one that answers then has not gone.
    public var goneBy: Timestamp { told + goneWithin }

    /// A departure.
    public init(
        told: Timestamp, delay: Duration, goneWithin: Duration, isCertain: Bool = true,
        isHandedOver: Bool = false
    ) {
        self.told = told
        self.delay = delay
        self.goneWithin = goneWithin
        self.isCertain = isCertain
        self.isHandedOver = isHandedOver
    }
}
