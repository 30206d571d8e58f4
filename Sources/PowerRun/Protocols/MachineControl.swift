public import PowerModel

/// A machine that is neither host nor guest.
public protocol MachineControl: Sendable {
    /// The machine.
    var machine: MachineName { get }

    /// Runs its shutdown command. Returns when it was told; look at `isSilent()`.
    func shutDown() async throws(MachineError)

    /// Whether it can be called off once it was told, until it goes.
    var canBeCalledOff: Bool { get }

    /// Runs the command that calls a delayed shutdown off. Returns when the machine took it.
    func callOff() async throws(MachineError)

    /// Whether nobody answers on its port.
    func isSilent() async -> Bool

    /// Sends a Wake-on-LAN packet. Whether it woke shows in `isSilent()`.
    func wake() async throws(MachineError)

    /// Ends the session.
    func close() async
}

/// What went wrong while talking to a machine.
public struct MachineError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// Nobody answers there, or the connection broke.
        case unreachable
        /// The host key is unknown or has changed: nothing was sent.
        case hostKeyRefused
        /// The login was refused.
        case loginRefused
        /// The command ended with a status other than 0.
        case refused
        /// A limit passed.
        case timedOut
        /// The site file gives no command that calls its shutdown off.
        case noCancelCommand
        /// The site file gives no hardware address to wake it by.
        case noWakeAddress
    }

    /// The machine.
    public var machine: MachineName
    /// What was being done.
    public var attempting: String
    /// What kind of failure it is.
    public var reason: Reason
    /// The far side's own words, or the library's; never a secret.
    public var detail: String

    /// An error.
    public init(machine: MachineName, attempting: String, reason: Reason, detail: String) {
        self.machine = machine
        self.attempting = attempting
        self.reason = reason
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "machine \(machine): cannot \(attempting): \(detail)" }
}
