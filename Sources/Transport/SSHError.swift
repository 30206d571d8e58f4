/// What went wrong while talking SSH to one server. Every reason is something a caller decides on.
public struct SSHError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// The name does not resolve, or nobody answers at the port.
        case unreachable
        /// No host key is trusted yet: nothing was sent.
        case hostKeyUnknown
        /// The server's host key is not one of the trusted ones: nothing was sent.
        case hostKeyChanged
        /// Client and server have no key exchange, host key, cipher or MAC in common.
        case noCommonAlgorithm
        /// The private key cannot be read or used: no login was attempted.
        case keyUnusable
        /// The server refused the login. Final: the session makes no second attempt.
        case loginRefused
        /// The command cannot be sent: it holds a NUL or is too long.
        case commandRefused
        /// The limit passed.
        case timedOut
        /// The command printed more than was allowed.
        case outputTooLarge
        /// The connection broke, or the server does not speak SSH as it should.
        case broken
        /// The caller's task was cancelled.
        case cancelled
    }

    /// The server, `host:port`.
    public var peer: String
    /// What was being done: "log in as root".
    public var attempting: String
    /// What kind of failure it is.
    public var reason: Reason
    /// The cause and what to do, in words; never a secret.
    public var detail: String
    /// Whether the command had been sent when it went wrong: it may have been run then.
    public var commandWasSent = false

    /// An error.
    public init(peer: String, attempting: String, reason: Reason, detail: String) {
        self.peer = peer
        self.attempting = attempting
        self.reason = reason
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "SSH \(peer): cannot \(attempting): \(detail)" }
}
