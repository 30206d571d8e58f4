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
    /// - Parameter need: zero where everything on it is off.
    /// - Throws: `refused`, with nothing sent, where the UPS would not wait so long or does not
    ///   say how long it waits.
    public func cutOutput(neededFor need: Duration) async throws(FeedError) {
        if need > .zero, let why = try await whyNotEnough(for: need) {
            throw FeedError(
                feed: feed, attempting: "cut the output", reason: .refused, detail: why)
        }
        try await cutOutput()
    }

    /// Why the output must not be cut while it is needed so long yet; nil where it may be.
    public func whyNotEnough(for need: Duration) async throws(FeedError) -> String? {
        let delay = try await outputDelay()
        if let delay, delay >= need { return nil }
        let waits =
            delay.map { "it would be off in \($0.short)" } ?? "it does not say how long it waits"
        return "\(waits) (ups.delay.shutdown), and the host that vpower itself runs on needs up to "
            + "\(need.short): set offdelay in ups.conf, or `limits.leave`"
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
