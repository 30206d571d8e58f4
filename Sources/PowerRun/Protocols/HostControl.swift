public import PowerModel

/// One way to one ESXi host, without vCenter: SSH, or the host's own SOAP endpoint.
///
/// Every call is bounded and may be repeated. A host's refusal of a login is final: an
/// implementation makes no second attempt (lock-out is 5, facts/esxi.md section 5).
public protocol HostWay: Sendable {
    /// The host.
    var host: HostName { get }

    /// All guests registered on the host with their power, in one round.
    func guests() async throws(HostError) -> [HostGuest]

    /// Asks a guest's Tools to shut it down. Returns at once; look at `guests()`.
    func shutDown(_ guest: BootGuest) async throws(HostError)

    /// Cuts a guest's power and looks that it is off.
    func powerOff(_ guest: BootGuest) async throws(HostError)

    /// Writes a guest's memory to disk and looks that it is suspended.
    func suspend(_ guest: BootGuest) async throws(HostError)

    /// Starts a guest, or resumes a suspended one, and looks that it is on.
    func powerOn(_ guest: BootGuest) async throws(HostError)

    /// Registers a guest whose own host is gone; success also when it is registered here already.
    /// The caller has made sure that no other host runs it.
    func register(_ guest: BootGuest) async throws(HostError)

    /// Whether the host is in maintenance mode. Also the test that hostd is ready.
    func inMaintenance() async throws(HostError) -> Bool

    /// Enters or leaves maintenance mode; success also when it was so already.
    func setMaintenance(_ on: Bool, within limit: Duration) async throws(HostError)

    /// Tells the host to power itself off. Returns when it was told; look at `isSilent()`.
    func shutDownHost(reason: String) async throws(HostError)

    /// What the host starts and stops by itself. `wayUnusable` over SSH: what vim-cmd prints of it
    /// is not known well enough to be put back (facts/esxi.md 1.5, 10).
    func autostart() async throws(HostError) -> HostAutostart

    /// Makes the host start and stop by itself exactly this, and reads it back. `notFound` when a
    /// guest of it is not registered there: then nothing was changed.
    func setAutostart(_ wanted: HostAutostart) async throws(HostError)

    /// The host's SSH service. `wayUnusable` over SSH, which is there only while that runs.
    func sshService() async throws(HostError) -> SSHService

    /// Has the host start or stop its SSH service; success also when it is so already. Look at
    /// `sshService()`.
    func setSSH(runs: Bool) async throws(HostError)

    /// Whether nobody answers on any of the host's ports. Silence alone does not prove "off".
    func isSilent() async -> Bool

    /// Ends the session.
    func close() async
}

/// One ESXi host, without vCenter, as the engine needs it: a way to it, its boot script, HA's
/// agent and vSAN, which are reached over SSH alone.
public protocol HostControl: HostWay {
    /// Installs the boot script with these orders, saves it with auto-backup.sh, reads it back.
    /// `secureBoot` where ESXi would not run it.
    func arm(_ orders: BootOrders) async throws(HostError) -> BootScriptInstall

    /// Takes the boot script out again and saves; success also when there was none. One that has
    /// something to do at every boot stays, and is not armed.
    func disarm() async throws(HostError)

    /// Takes the boot script out, whatever it is there for, and saves.
    func removeBootScript() async throws(HostError)

    /// What the boot script of this run says of its work since the host booted.
    func bootReport(of run: RunID) async throws(HostError) -> BootReport

    /// Has the host, by itself and from now on, shut down the guest in which vpower runs, and then
    /// itself; looks that it is at it. Success also when it was at it already.
    func leave(_ orders: LeaveOrders) async throws(HostError)

    /// Whether the host is still at what `leave` told it. A boot ends that.
    func isLeaving() async throws(HostError) -> Bool

    /// What stands in local.sh, and what the boot script says that ran at the last boot.
    func bootScriptState() async throws(HostError) -> BootScriptState

    /// Stops the agent of vSphere HA on the host, and looks that it does not run; success also when
    /// there is none. It starts by itself at the host's next boot.
    func stopHAAgent() async throws(HostError)

    /// Starts the agent of vSphere HA again, and looks that it runs. `refused` where HA is not
    /// configured on the host.
    func startHAAgent() async throws(HostError)

    /// Whether the host keeps its list of a vSAN cluster's members, whatever it sees of them.
    func keepsVSANMembers() async throws(HostError) -> Bool

    /// Has the host keep that list, or go by what it sees again, and looks that it is so.
    func keepVSANMembers(_ on: Bool) async throws(HostError)

    /// Prepares the whole vSAN cluster for its hosts to go, once every host keeps its list. To be
    /// asked of one host only.
    func prepareVSAN(within limit: Duration) async throws(HostError)

    /// Recovers the whole vSAN cluster, once every host is back and out of maintenance mode. To be
    /// asked of one host only.
    func recoverVSAN(within limit: Duration) async throws(HostError)

    /// What the host sees of its vSAN cluster.
    func vsanMembership() async throws(HostError) -> VSANMembership
}

/// What went wrong while talking to one host. Every reason is something the engine decides on.
public struct HostError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// Nobody answers there, or the connection broke.
        case unreachable
        /// The host key or certificate is unknown or has changed: nothing was sent.
        case hostKeyRefused
        /// This way to the host cannot be used: a key that cannot be read, an API without a
        /// licence. No login was refused.
        case wayUnusable
        /// The login was refused. Final for this host.
        case loginRefused
        /// hostd does not answer yet.
        case notReady
        /// The host does not have this guest.
        case notFound
        /// The guest's Tools do not answer.
        case toolsUnavailable
        /// UEFI Secure Boot is on, so that ESXi does not run local.sh.
        case secureBoot
        /// The host said no.
        case refused
        /// A limit passed.
        case timedOut
        /// The answer cannot be understood.
        case badAnswer
        /// What was read back is not what was written.
        case notAsWritten
    }

    /// The host.
    public var host: HostName
    /// What was being done, as an operator would say it: "shut down the host".
    public var attempting: String
    /// What kind of failure it is.
    public var reason: Reason
    /// The far side's own words, or the library's; never a secret.
    public var detail: String

    /// An error.
    public init(host: HostName, attempting: String, reason: Reason, detail: String) {
        self.host = host
        self.attempting = attempting
        self.reason = reason
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "host \(host): cannot \(attempting): \(detail)" }
}
