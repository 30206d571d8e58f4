/// What a host is to do by itself once vpower, which runs in one of its guests, can do no more:
/// shut that guest down, and then itself.
public struct LeaveOrders: Hashable, Sendable {
    /// The host.
    public var host: HostName
    /// The run that hands over: for the host's log.
    public var run: RunID
    /// The guest in which vpower runs.
    public var controller: BootGuest
    /// From now until the host is off. A tenth of it is left to vpower, for its last records and
    /// the output; half of it to the guest. Then the host goes all the same: the battery does not
    /// wait, and what vpower has written is on disk.
    public var limit: Duration

    /// Before the guest is told to shut down.
    public var grace: Duration { limit / 10 }
    /// How long the guest may take.
    public var guestLimit: Duration { limit / 2 }

    /// Orders.
    public init(host: HostName, run: RunID, controller: BootGuest, limit: Duration) {
        self.host = host
        self.run = run
        self.controller = controller
        self.limit = limit
    }
}
