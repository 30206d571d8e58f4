/// The limits of every wait at upsd. A call is never longer than the sum its comment names.
public struct UPSDLimits: Hashable, Sendable {
    /// Until a TCP connection stands, name resolution included. A LAN answers in milliseconds;
    /// a lost SYN is repeated after 1 s, so this allows one repeat.
    public var connect: Duration
    /// From STARTTLS until the first answer inside TLS. upsd serves nobody else meanwhile
    /// (facts/nut.md fact 10), so it is short: 78 ms were measured.
    public var handshake: Duration
    /// Until upsd answers one request. It answers in 0.05 ms unless it is stuck.
    public var reply: Duration
    /// One `read()` in all, connecting included: below upsmon's own POLLFREQ of 5 s.
    public var read: Duration
    /// `holdLogin()`, `check()`, and `cutOutput()` without the wait for its result.
    public var session: Duration
    /// Until the driver says what became of an instant command. A serial UPS that does not
    /// answer takes 3 tries of 1 s.
    public var tracking: Duration
    /// Between two looks at a tracked command.
    public var trackingPoll: Duration
    /// How often a held login is used and, if lost, renewed. upsd drops a silent client
    /// after 60 s.
    public var keepAlive: Duration

    /// Limits; the defaults suit upsd on the same LAN.
    public init(
        connect: Duration = .seconds(3), handshake: Duration = .seconds(2),
        reply: Duration = .seconds(2), read: Duration = .milliseconds(4500),
        session: Duration = .seconds(10), tracking: Duration = .seconds(10),
        trackingPoll: Duration = .milliseconds(200), keepAlive: Duration = .seconds(5)
    ) {
        self.connect = connect
        self.handshake = handshake
        self.reply = reply
        self.read = read
        self.session = session
        self.tracking = tracking
        self.trackingPoll = trackingPoll
        self.keepAlive = keepAlive
    }

    /// The most lines of one list. A UPS has fewer than a hundred commands.
    package static let listLinesMax = 2000
}
