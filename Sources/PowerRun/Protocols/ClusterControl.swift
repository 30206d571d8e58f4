public import PowerModel

/// One cluster through its vCenter.
///
/// Every call is bounded by the implementation's own limits and may be repeated: asking for what
/// is already so succeeds. Calls may be made at the same time from several tasks.
public protocol ClusterControl: Sendable {
    /// Reads hosts, guests and automation in one go. All of it, or an error: never a part.
    func snapshot() async throws(ClusterError) -> ClusterSnapshot

    /// The inventory as soon as it is newer than `version` (at once for nil), or the last known
    /// one when `limit` has passed without a change.
    func inventory(newerThan version: UInt64?, within limit: Duration)
        async throws(ClusterError) -> Inventory

    /// The automation as it is now.
    func automation() async throws(ClusterError) -> Automation

    /// Changes HA, DRS and DPM in one task and returns when vCenter has accepted it. Hosts'
    /// agents follow later: look at `HostView.haAgentConfigured`.
    func change(_ change: AutomationChange) async throws(ClusterError)

    /// Puts vCLS into retreat mode. The guests follow later: look at the inventory.
    func retreatVCLS() async throws(ClusterError)

    /// Puts vCLS back to what it was, in both places that say it. The guests follow later: look at
    /// the inventory, and at `Automation.vclsHealth`.
    func restoreVCLS(_ setting: VCLSSetting, mode: VCLSMode?) async throws(ClusterError)

    /// Asks a guest's Tools to shut it down. Returns at once; look at the inventory.
    func shutDown(_ guest: Guest) async throws(ClusterError)

    /// Cuts a guest's power; returns when vCenter has done it, with what it took.
    @discardableResult
    func powerOff(_ guest: Guest) async throws(ClusterError) -> PowerCut

    /// Answers the question that a guest waits with; success also when it is answered already.
    func answer(
        _ question: GuestQuestion, of guest: Guest, with choice: GuestQuestion.Choice
    ) async throws(ClusterError)

    /// Writes a guest's memory to disk; returns when vCenter has accepted it: how long it takes
    /// depends on the memory, so look at the inventory.
    func suspend(_ guest: Guest) async throws(ClusterError)

    /// Starts a guest, or resumes a suspended one, on a host of its own; returns when vCenter has
    /// done it.
    func powerOn(_ guest: Guest, on host: HostName) async throws(ClusterError)

    /// The SSH service of a host, as vCenter shows it.
    func sshService(on host: HostName) async throws(ClusterError) -> SSHService

    /// Has a host start or stop its SSH service; success also when it is so already. Look at
    /// `sshService(on:)`.
    func setSSH(runs: Bool, on host: HostName) async throws(ClusterError)

    /// How far vCenter has come with the power of a vSAN cluster.
    func vsanPower() async throws(ClusterError) -> VSANPower

    /// Has vCenter shut a vSAN cluster down, hosts and all, or start it when its hosts are on.
    /// Returns when vCenter has taken it; look at `vsanPower()`, and at the hosts.
    func powerVSAN(_ on: Bool, reason: String) async throws(ClusterError)

    /// Tells vCenter's own appliance to power itself off, which needs no Tools in its guest.
    /// Returns when it has accepted that: look at the guest, through its host.
    func shutDownAppliance(reason: String) async throws(ClusterError)

    /// Logs out. Never fails: what cannot be logged out expires.
    func close() async
}

/// What it took to cut a guest's power.
public enum PowerCut: Hashable, Sendable {
    /// It was asked for.
    case asked
    /// That came to nothing, and why; the guest's process was ended.
    case processEnded(String)
}

/// What went wrong while talking to a vCenter. Every reason is something the engine decides on.
public struct ClusterError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// Nobody answers there, or the connection broke.
        case unreachable
        /// It answers, but is still starting (503, or SSO not up).
        case starting
        /// The certificate is not the one that is trusted: nothing was sent.
        case certificateRefused
        /// The user or password was refused.
        case loginRefused
        /// A privilege is missing, named in `detail`.
        case notPermitted
        /// The object does not exist (any more).
        case notFound
        /// The guest's Tools do not answer.
        case toolsUnavailable
        /// A solution has disabled the call on this guest, named in `detail` where it says so.
        case methodDisabled
        /// The object is not in a state that allows it; it may already be as wanted.
        case wrongState
        /// Another operation is under way on it, its vApp's for one: later it may be taken.
        case busy
        /// There is no room for it now, by what is on or by a rule: more hosts may make some.
        case noRoom
        /// Any other refusal by vCenter.
        case refused
        /// A limit passed.
        case timedOut
        /// The answer cannot be understood, or ended too early.
        case badAnswer
    }

    /// The vCenter, as the site file names it.
    public var vcenter: String
    /// What was being done, as an operator would say it: "shut down guest web01".
    public var attempting: String
    /// What kind of failure it is.
    public var reason: Reason
    /// The far side's own words, or the library's; never a secret.
    public var detail: String

    /// An error.
    public init(vcenter: String, attempting: String, reason: Reason, detail: String) {
        self.vcenter = vcenter
        self.attempting = attempting
        self.reason = reason
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "vCenter \(vcenter): cannot \(attempting): \(detail)" }
}
