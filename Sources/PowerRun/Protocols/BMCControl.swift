public import PowerModel

/// A host's management controller: it tells whether its host is off when nobody else can.
public protocol BMCControl: Sendable {
    /// The host.
    var host: HostName { get }

    /// Whether the host is off, as the controller has it now. What is about to go off, or to come
    /// on, is not off.
    func isOff() async throws(BMCError) -> Bool
}

/// Why a management controller does not tell.
public struct BMCError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// Nobody answers there, or the connection broke.
        case unreachable
        /// The certificate is not the one that is trusted: no password was sent.
        case certificateRefused
        /// The login was refused. It is not tried again: controllers lock accounts, too.
        case loginRefused
        /// Which of its systems is the host cannot be told, or it has none of that name.
        case unclear
        /// It answered with something else than expected.
        case badAnswer
        /// A limit passed.
        case timedOut
    }

    /// The host.
    public var host: HostName
    /// What kind of failure it is.
    public var reason: Reason
    /// The far side's own words, or the library's; never a secret.
    public var detail: String

    /// An error.
    public init(host: HostName, reason: Reason, detail: String) {
        self.host = host
        self.reason = reason
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "the BMC of host \(host): \(detail)" }
}

extension Surroundings {
    /// Whether a host is off by its own management controller; nil where it has none.
    func isOff(_ host: HostName) async throws(BMCError) -> Bool? {
        guard let bmc = bmcs[host] else { return nil }
        return try await bmc.isOff()
    }

    /// The same of several hosts at once, for whoever takes no answer for none.
    func areOff(_ hosts: [HostName]) async -> [HostName: Bool] {
        let answers = await ask(bmcs.filter { hosts.contains($0.key) }) { bmc -> Bool? in
            do { return try await bmc.isOff() } catch { return nil }
        }
        return answers.compactMapValues(\.self)
    }
}
