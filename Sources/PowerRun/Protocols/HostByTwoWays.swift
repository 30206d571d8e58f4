public import PowerModel
import Synchronization

/// One host over SSH and over its own SOAP endpoint: whatever one way cannot do because of the
/// way itself is asked of the other.
///
/// The way that answered last is asked first, so that a port that is shut costs its limit once.
/// A login that is refused by either is final for both: they log in to the same accounts, and five
/// refusals lock them. The boot script, HA's agent
/// and vSAN have SSH only; autostart and the SSH service have SOAP only.
public final class HostByTwoWays: HostControl {
    private let ssh: any HostControl
    private let soap: any HostWay
    private let preferred: HostRoute
    private let state: Mutex<State>

    private struct State {
        var first: HostRoute
        var refusal: HostError?
    }

    /// A host; nothing is sent yet.
    ///
    /// - Parameters:
    ///   - preferred: the way that is asked first, until it does not answer.
    ///   - ssh: the host over SSH.
    ///   - soap: the same host over its SOAP endpoint.
    public init(preferred: HostRoute, ssh: any HostControl, soap: any HostWay) {
        precondition(ssh.host == soap.host, "two ways to one host")
        self.preferred = preferred
        self.ssh = ssh
        self.soap = soap
        state = Mutex(State(first: preferred))
    }

    /// The host.
    public var host: HostName { ssh.host }

    // MARK: Either way

    /// All guests registered on the host with their power.
    public func guests() async throws(HostError) -> [HostGuest] {
        try await ask { way throws(HostError) in try await way.guests() }
    }

    /// Asks a guest's Tools to shut it down.
    public func shutDown(_ guest: BootGuest) async throws(HostError) {
        try await ask { way throws(HostError) in try await way.shutDown(guest) }
    }

    /// Cuts a guest's power and looks that it is off.
    public func powerOff(_ guest: BootGuest) async throws(HostError) {
        try await ask { way throws(HostError) in try await way.powerOff(guest) }
    }

    /// Writes a guest's memory to disk and looks that it is suspended.
    public func suspend(_ guest: BootGuest) async throws(HostError) {
        try await ask { way throws(HostError) in try await way.suspend(guest) }
    }

    /// Starts a guest, or resumes a suspended one, and looks that it is on.
    public func powerOn(_ guest: BootGuest) async throws(HostError) {
        try await ask { way throws(HostError) in try await way.powerOn(guest) }
    }

    /// Registers a guest whose own host is gone.
    public func register(_ guest: BootGuest) async throws(HostError) {
        try await ask { way throws(HostError) in try await way.register(guest) }
    }

    /// Whether the host is in maintenance mode.
    public func inMaintenance() async throws(HostError) -> Bool {
        try await ask { way throws(HostError) in try await way.inMaintenance() }
    }

    /// Enters or leaves maintenance mode.
    public func setMaintenance(_ on: Bool, within limit: Duration) async throws(HostError) {
        try await ask { way throws(HostError) in
            try await way.setMaintenance(on, within: limit)
        }
    }

    /// Tells the host to power itself off.
    public func shutDownHost(reason: String) async throws(HostError) {
        try await ask { way throws(HostError) in try await way.shutDownHost(reason: reason) }
    }

    /// Whether nobody answers, neither way.
    public func isSilent() async -> Bool {
        async let overSSH = ssh.isSilent()
        async let overSOAP = soap.isSilent()
        return await (overSSH, overSOAP) == (true, true)
    }

    /// Ends both sessions. A later call begins with the way the site file prefers again.
    public func close() async {
        state.withLock { $0.first = preferred }
        await soap.close()
        await ssh.close()
    }

    // MARK: SOAP only

    /// What the host starts and stops by itself.
    public func autostart() async throws(HostError) -> HostAutostart {
        try await guarded { () throws(HostError) in try await soap.autostart() }
    }

    /// Makes the host start and stop by itself exactly this.
    public func setAutostart(_ wanted: HostAutostart) async throws(HostError) {
        try await guarded { () throws(HostError) in try await soap.setAutostart(wanted) }
    }

    /// Its SSH service.
    public func sshService() async throws(HostError) -> SSHService {
        try await guarded { () throws(HostError) in try await soap.sshService() }
    }

    /// Has it start or stop its SSH service.
    public func setSSH(runs: Bool) async throws(HostError) {
        try await guarded { () throws(HostError) in try await soap.setSSH(runs: runs) }
    }

    // MARK: SSH only

    /// Installs the boot script with these orders.
    public func arm(_ orders: BootOrders) async throws(HostError) -> BootScriptInstall {
        try await askSSH { ssh throws(HostError) in try await ssh.arm(orders) }
    }

    /// Has the host go by itself.
    public func leave(_ orders: LeaveOrders) async throws(HostError) {
        try await askSSH { ssh throws(HostError) in try await ssh.leave(orders) }
    }

    /// Whether it is about to.
    public func isLeaving() async throws(HostError) -> Bool {
        try await askSSH { ssh throws(HostError) in try await ssh.isLeaving() }
    }

    /// Takes the boot script out again.
    public func disarm() async throws(HostError) {
        try await askSSH { ssh throws(HostError) in try await ssh.disarm() }
    }

    /// Takes the boot script out, whatever it is there for.
    public func removeBootScript() async throws(HostError) {
        try await askSSH { ssh throws(HostError) in try await ssh.removeBootScript() }
    }

    /// What the boot script of this run says of its work since the host booted.
    public func bootReport(of run: RunID) async throws(HostError) -> BootReport {
        try await askSSH { ssh throws(HostError) in try await ssh.bootReport(of: run) }
    }

    /// What stands in local.sh, and what the boot script says.
    public func bootScriptState() async throws(HostError) -> BootScriptState {
        try await askSSH { ssh throws(HostError) in try await ssh.bootScriptState() }
    }

    /// Stops the agent of vSphere HA on the host.
    public func stopHAAgent() async throws(HostError) {
        try await askSSH { ssh throws(HostError) in try await ssh.stopHAAgent() }
    }

    /// Starts the agent of vSphere HA again.
    public func startHAAgent() async throws(HostError) {
        try await askSSH { ssh throws(HostError) in try await ssh.startHAAgent() }
    }

    /// Whether the host keeps its list of a vSAN cluster's members.
    public func keepsVSANMembers() async throws(HostError) -> Bool {
        try await askSSH { ssh throws(HostError) in try await ssh.keepsVSANMembers() }
    }

    /// Has the host keep that list, or go by what it sees again.
    public func keepVSANMembers(_ on: Bool) async throws(HostError) {
        try await askSSH { ssh throws(HostError) in try await ssh.keepVSANMembers(on) }
    }

    /// Prepares the whole vSAN cluster for its hosts to go.
    public func prepareVSAN(within limit: Duration) async throws(HostError) {
        try await askSSH { ssh throws(HostError) in try await ssh.prepareVSAN(within: limit) }
    }

    /// Recovers the whole vSAN cluster.
    public func recoverVSAN(within limit: Duration) async throws(HostError) {
        try await askSSH { ssh throws(HostError) in try await ssh.recoverVSAN(within: limit) }
    }

    /// What the host sees of its vSAN cluster.
    public func vsanMembership() async throws(HostError) -> VSANMembership {
        try await askSSH { ssh throws(HostError) in try await ssh.vsanMembership() }
    }

    // MARK: Asking

    private func way(_ route: HostRoute) -> any HostWay {
        switch route {
        case .ssh: ssh
        case .soap: soap
        }
    }

    private func ask<Value: Sendable>(
        _ act: (any HostWay) async throws(HostError) -> Value
    ) async throws(HostError) -> Value {
        let first = state.withLock { $0.first }
        let failure: HostError
        do throws(HostError) {
            return try await guarded { () throws(HostError) in try await act(way(first)) }
        } catch {
            // A call that was called off says nothing of the way.
            guard error.isOfTheWay, !Task.isCancelled else { throw error }
            failure = error
        }
        do throws(HostError) {
            let value = try await guarded { () throws(HostError) in
                try await act(way(first.other))
            }
            state.withLock { $0.first = first.other }
            return value
        } catch {
            throw first.failed(failure, then: error)
        }
    }

    private func askSSH<Value: Sendable>(
        _ act: (any HostControl) async throws(HostError) -> Value
    ) async throws(HostError) -> Value {
        try await guarded { () throws(HostError) in try await act(ssh) }
    }

    /// Asks nobody once a login was refused.
    private func guarded<Value: Sendable>(
        _ act: () async throws(HostError) -> Value
    ) async throws(HostError) -> Value {
        if let refusal = state.withLock({ $0.refusal }) { throw refusal }
        do throws(HostError) {
            return try await act()
        } catch {
            if error.reason == .loginRefused {
                let refusal = HostError(
                    host: host, attempting: "log in", reason: .loginRefused, detail: error.detail)
                state.withLock { $0.refusal = $0.refusal ?? refusal }
            }
            throw error
        }
    }
}

extension HostError {
    /// Whether it speaks of the way to the host, rather than of the host or a guest: another way
    /// may do better.
    fileprivate var isOfTheWay: Bool {
        switch reason {
        case .unreachable, .hostKeyRefused, .wayUnusable, .notReady, .timedOut, .badAnswer: true
        case .loginRefused, .notFound, .toolsUnavailable, .secureBoot, .refused, .notAsWritten:
            false
        }
    }
}

extension HostRoute {
    /// The two ways' failures as one. What the second says of the host counts; else the kind of
    /// the first, unless that is final, which both must be.
    fileprivate func failed(_ first: HostError, then second: HostError) -> HostError {
        var error = second
        if second.isOfTheWay, !first.isFinal { error.reason = first.reason }
        error.detail = "over \(name): \(first.detail); over \(other.name): \(second.detail)"
        return error
    }
}
