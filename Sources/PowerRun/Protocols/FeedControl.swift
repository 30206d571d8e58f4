public import PowerModel

/// One feed: a UPS read through upsd.
public protocol FeedControl: Sendable {
    /// The feed.
    var feed: FeedName { get }

    /// Looks at the UPS now. A UPS that cannot be read is a reading without a status, with the
    /// problem in words: never an error, since silence is something the watch decides on.
    func read() async -> FeedReading

    /// Logs in at upsd and stays so, so that no NUT primary cuts the output early (DESIGN 5.8).
    func holdLogin() async throws(FeedError)

    /// Gives the login up: "the output may be cut".
    func releaseLogin() async

    /// Tells the UPS to cut its output after its own delay and to return when the mains do.
    func cutOutput() async throws(FeedError)

    /// How long the UPS waits before it cuts its output; nil where it does not say.
    func outputDelay() async throws(FeedError) -> Duration?

    /// Ends the connection.
    func close() async
}

extension FeedControl {
    /// Tells the UPS to cut its output, where it waits as long as that is needed yet.
    /// - Parameter need: nothing where everything on it is off.
    /// - Throws: `refused`, with nothing sent, where the UPS would not wait so long or does not
    ///   say how long it waits.
    public func cutOutput(neededFor need: OutputNeed) async throws(FeedError) {
        if need > .nothing, let why = need.whyNotEnough(try await outputDelay()) {
            throw FeedError(
                feed: feed, attempting: "cut the output", reason: .refused, detail: why)
        }
        try await cutOutput()
    }
}

/// How long an output is needed after it is told to go: what goes by itself goes within that time.
public struct OutputNeed: Hashable, Comparable, Sendable {
    /// How long.
    public var duration: Duration
    /// What needs it, in words.
    private var what: String
    /// What else than the UPS's own delay an operator may change.
    private var setting: String

    private init(_ duration: Duration, _ what: String, _ setting: String) {
        self.duration = duration
        self.what = what
        self.setting = setting
    }

    /// Everything on it is off.
    public static let nothing = OutputNeed(.zero, "", "")

    /// The host that vpower itself runs on, which has `limits.leave`.
    public static func ownHost(_ leave: Duration) -> OutputNeed {
        OutputNeed(leave, "the host that vpower itself runs on", "`limits.leave`")
    }

    /// A machine that was told to go by itself, and is down within that time.
    public static func machine(_ name: MachineName, goneWithin: Duration) -> OutputNeed {
        OutputNeed(goneWithin, "machine \(name)", "its `delay` and `limit`")
    }

    /// Whether one is shorter than the other.
    public static func < (left: OutputNeed, right: OutputNeed) -> Bool {
        left.duration < right.duration
    }

    /// Why an output that goes after this delay must not be cut; nil where it may be.
    /// - Parameter delay: nil where the UPS does not say.
    public func whyNotEnough(_ delay: Duration?) -> String? {
        if let delay, delay >= duration { return nil }
        let waits =
            delay.map { "it would be off in \($0.short)" } ?? "it does not say how long it waits"
        return "\(waits) (ups.delay.shutdown), and \(what) needs up to \(duration.short): "
            + "set offdelay in ups.conf, or \(setting)"
    }
}

/// What went wrong while talking to an upsd.
public struct FeedError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// upsd does not answer, or the connection broke.
        case unreachable
        /// TLS is required and could not be had, or the certificate was refused.
        case tlsRefused
        /// The user or password was refused (`ACCESS-DENIED`).
        case loginRefused
        /// There is no such UPS.
        case unknownUPS
        /// The driver is not connected, or its data is stale.
        case stale
        /// Any other `ERR`.
        case refused
        /// A limit passed.
        case timedOut
        /// The answer cannot be understood.
        case badAnswer
    }

    /// The feed.
    public var feed: FeedName
    /// What was being done.
    public var attempting: String
    /// What kind of failure it is.
    public var reason: Reason
    /// The far side's own words, or the library's; never a secret.
    public var detail: String

    /// An error.
    public init(feed: FeedName, attempting: String, reason: Reason, detail: String) {
        self.feed = feed
        self.attempting = attempting
        self.reason = reason
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "feed \(feed): cannot \(attempting): \(detail)" }
}
