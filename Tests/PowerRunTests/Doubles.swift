import PowerLab
import PowerModel
import PowerRun
import Synchronization

/// The simulated vCenter with something bent: what it shows, or what it refuses.
struct BentCluster: ClusterControl {
    let inner: MemoryCluster
    /// What it says of the automation.
    var says: @Sendable (Automation) -> Automation = { $0 }
    /// Told of each change.
    var changes: @Sendable (AutomationChange) -> Void = { _ in }
    var shows: @Sendable (Inventory) -> Inventory = { $0 }
    /// Why it refuses what is asked; nil where it does it.
    var refuses: @Sendable (Call) -> ClusterError.Reason? = { _ in nil }

    enum Call: Hashable {
        case inventory, change, vsanPower, powerVSAN(Bool), shutDownAppliance, setSSH(Bool)
        case shutDown(String), powerOff(String), suspend(String), powerOn(String)
    }

    private func check(_ call: Call) throws(ClusterError) {
        guard let reason = refuses(call) else { return }
        throw ClusterError(
            vcenter: "bent", attempting: "\(call)", reason: reason, detail: "bent: \(reason)")
    }

    func snapshot() async throws(ClusterError) -> ClusterSnapshot {
        try check(.inventory)
        var snapshot = try await inner.snapshot()
        snapshot.inventory = shows(snapshot.inventory)
        return snapshot
    }
    func inventory(newerThan version: UInt64?, within limit: Duration)
        async throws(ClusterError) -> Inventory
    {
        try check(.inventory)
        return shows(try await inner.inventory(newerThan: version, within: limit))
    }
    func automation() async throws(ClusterError) -> Automation {
        says(try await inner.automation())
    }
    func change(_ change: AutomationChange) async throws(ClusterError) {
        try check(.change)
        changes(change)
        try await inner.change(change)
    }
    func retreatVCLS() async throws(ClusterError) { try await inner.retreatVCLS() }
    func restoreVCLS(_ setting: VCLSSetting, mode: VCLSMode?) async throws(ClusterError) {
        try await inner.restoreVCLS(setting, mode: mode)
    }
    func shutDown(_ guest: Guest) async throws(ClusterError) {
        try check(.shutDown(guest.name))
        try await inner.shutDown(guest)
    }
    func powerOff(_ guest: Guest) async throws(ClusterError) -> PowerCut {
        try check(.powerOff(guest.name))
        return try await inner.powerOff(guest)
    }
    func answer(
        _ question: GuestQuestion, of guest: Guest, with choice: GuestQuestion.Choice
    ) async throws(ClusterError) {
        try await inner.answer(question, of: guest, with: choice)
    }
    func suspend(_ guest: Guest) async throws(ClusterError) {
        try check(.suspend(guest.name))
        try await inner.suspend(guest)
    }
    func powerOn(_ guest: Guest, on host: HostName) async throws(ClusterError) {
        try check(.powerOn(guest.name))
        try await inner.powerOn(guest, on: host)
    }
    func sshService(on host: HostName) async throws(ClusterError) -> SSHService {
        try await inner.sshService(on: host)
    }
    func setSSH(runs: Bool, on host: HostName) async throws(ClusterError) {
        try check(.setSSH(runs))
        try await inner.setSSH(runs: runs, on: host)
    }
    func vsanPower() async throws(ClusterError) -> VSANPower {
        try check(.vsanPower)
        return try await inner.vsanPower()
    }
    func powerVSAN(_ on: Bool, reason: String) async throws(ClusterError) {
        try check(.powerVSAN(on))
        try await inner.powerVSAN(on, reason: reason)
    }
    func shutDownAppliance(reason: String) async throws(ClusterError) {
        try check(.shutDownAppliance)
        try await inner.shutDownAppliance(reason: reason)
    }
    func close() async {}
}

/// Counts something from many tasks.
final class Tally: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock { $0 } }
    @discardableResult
    func add() -> Int {
        value.withLock { value in
            value += 1
            return value
        }
    }
}

/// A run of a plan made by hand, at a simulated site.
struct Bench: Sendable {
    let site: MemorySite
    var around: Surroundings
    static let run = RunID("bench")
    static let outage = OutageID("bench-outage")

    init(_ scenario: LabScenario = .standard(), site change: (inout ClusterSite) -> Void = { _ in })
    {
        site = MemorySite(scenario)
        around = site.around(announcer: Quiet(), site: change)
    }

    /// What takes the cluster down and brings it back here.
    func operation(control: RunControl = RunControl()) -> Operation {
        Operation(in: around, control: control, makeID: Counter.shared.next)
    }

    /// The identity of the lab's guest of this name.
    func id(_ name: String) -> GuestID {
        site.world.scenario.guests.first { $0.name == name }?.id ?? GuestID("none")
    }

    /// Takes the snapshot and carries the plan out, or goes on with it after these records.
    func carryOut(
        _ phases: [Phase], kind: PlanKind = .cluster, control: RunControl = RunControl(),
        continuing: Bool = false, goal world: LabWorld? = nil
    ) async throws -> RunResult {
        let cluster = around.site.name
        if !continuing {
            let opened = RunEvent.outageOpened(cluster: cluster, reason: "t")
            _ = try await around.journal.append(opened, run: nil, outage: Self.outage)
        }
        var goal: ClusterSnapshot
        if let world {
            goal = ClusterSnapshot(
                cluster: cluster, reference: "c", inventory: world.inventory(),
                automation: world.currentAutomation())
        } else {
            goal = try await site.cluster.snapshot()
            if let bent = around.cluster as? BentCluster {
                goal.inventory = bent.shows(goal.inventory)
            }
        }
        let earlier = try await ledger()
        return await Runner(
            Plan(kind: kind, cluster: cluster, phases: phases), run: Self.run,
            outage: Self.outage, goal: goal, continuing: continuing ? earlier.lastRun : nil,
            control: control, in: around
        ).carryOut(because: RunCause(.hand, "t"))
    }

    func ledger() async throws -> Ledger {
        Ledger(try await around.journal.openOutage(of: around.site.name))
    }

    /// What was recorded of steps, in order: `ask ID`, `end ID`.
    func steps() async throws -> [String] {
        try await around.journal.newest(100_000).compactMap { record in
            switch record.event {
            case .asked(let step, _): "ask \(step)"
            case .stepEnded(let step, _): "end \(step)"
            default: nil
            }
        }
    }

    func stop(
        _ name: String, limit: Duration = .seconds(8), _ escalation: Escalation = .powerOff,
        after needs: [String] = []
    ) -> Step {
        Step(
            .stopGuest(id(name), name: name, escalation), limit: limit,
            needs: needs.map { StepID("stop/\(id($0))") })
    }

    func start(
        _ name: String, on host: String = "esx1.lab", limit: Duration = .seconds(15),
        _ terms: StartTerms = StartTerms(), after needs: [String] = []
    ) -> Step {
        Step(
            .startGuest(id(name), name: name, HostName(host), terms), limit: limit,
            needs: needs.map { StepID("start/\(id($0))") })
    }

    /// One phase of these steps.
    static func phase(_ steps: [Step], name: String = "p", needs: [String] = []) -> Phase {
        Phase(
            name: PhaseName(name), needs: needs.map { PhaseName($0) }, budget: .seconds(600),
            steps: steps)
    }
}

/// Runs a bench's body in virtual time.
func simulate<R: Sendable>(
    _ bench: Bench, _ body: @escaping @Sendable () async throws -> R
) throws -> R {
    try simulate(bench.site, body)
}

/// A simulated host with something bent: how it fails, or what happened to it.
struct BentHost: HostControl {
    let inner: MemoryHost
    /// Why it refuses what is asked; nil where it does it.
    var refuses: @Sendable (Call) -> HostError.Reason? = { _ in nil }
    var host: HostName { inner.host }

    enum Call: Hashable {
        case guests, leave, maintenance, lookAtMaintenance, shutDownHost, silence, stopHAAgent
        case autostart, setAutostart, arm, setSSH(Bool)
        case keepVSANMembers(Bool), prepareVSAN, recoverVSAN
        case shutDown(String), powerOn(String), register(String)
    }

    private func check(_ call: Call) throws(HostError) {
        guard let reason = refuses(call) else { return }
        throw HostError(
            host: host, attempting: "\(call)", reason: reason, detail: "bent: \(reason)")
    }

    func guests() async throws(HostError) -> [HostGuest] {
        try check(.guests)
        return try await inner.guests()
    }
    func shutDown(_ guest: BootGuest) async throws(HostError) {
        try check(.shutDown(guest.name))
        try await inner.shutDown(guest)
    }
    func powerOff(_ guest: BootGuest) async throws(HostError) { try await inner.powerOff(guest) }
    func suspend(_ guest: BootGuest) async throws(HostError) { try await inner.suspend(guest) }
    func powerOn(_ guest: BootGuest) async throws(HostError) {
        try check(.powerOn(guest.name))
        try await inner.powerOn(guest)
    }
    func register(_ guest: BootGuest) async throws(HostError) {
        try check(.register(guest.name))
        try await inner.register(guest)
    }
    func inMaintenance() async throws(HostError) -> Bool {
        try check(.lookAtMaintenance)
        return try await inner.inMaintenance()
    }
    func setMaintenance(_ on: Bool, within limit: Duration) async throws(HostError) {
        try check(.maintenance)
        try await inner.setMaintenance(on, within: limit)
    }
    func stopHAAgent() async throws(HostError) {
        try check(.stopHAAgent)
        try await inner.stopHAAgent()
    }
    func startHAAgent() async throws(HostError) { try await inner.startHAAgent() }
    func shutDownHost(reason: String) async throws(HostError) {
        try check(.shutDownHost)
        try await inner.shutDownHost(reason: reason)
    }
    func autostart() async throws(HostError) -> HostAutostart {
        try check(.autostart)
        return try await inner.autostart()
    }
    func setAutostart(_ wanted: HostAutostart) async throws(HostError) {
        try check(.setAutostart)
        try await inner.setAutostart(wanted)
    }
    func sshService() async throws(HostError) -> SSHService { try await inner.sshService() }
    func setSSH(runs: Bool) async throws(HostError) {
        try check(.setSSH(runs))
        try await inner.setSSH(runs: runs)
    }
    func isSilent() async -> Bool {
        if refuses(.silence) == .unreachable { return true }
        return await inner.isSilent()
    }
    func arm(_ orders: BootOrders) async throws(HostError) -> BootScriptInstall {
        try check(.guests)
        try check(.arm)
        return try await inner.arm(orders)
    }
    func disarm() async throws(HostError) {
        try check(.guests)
        try await inner.disarm()
    }
    func leave(_ orders: LeaveOrders) async throws(HostError) {
        try check(.leave)
        try await inner.leave(orders)
    }
    func isLeaving() async throws(HostError) -> Bool {
        try check(.guests)
        return try await inner.isLeaving()
    }
    func removeBootScript() async throws(HostError) { try await inner.removeBootScript() }
    func bootScriptState() async throws(HostError) -> BootScriptState {
        try await inner.bootScriptState()
    }

    func bootReport(of run: RunID) async throws(HostError) -> BootReport {
        try check(.guests)
        return try await inner.bootReport(of: run)
    }
    func keepsVSANMembers() async throws(HostError) -> Bool {
        try check(.guests)
        return try await inner.keepsVSANMembers()
    }
    func keepVSANMembers(_ on: Bool) async throws(HostError) {
        try check(.keepVSANMembers(on))
        try await inner.keepVSANMembers(on)
    }
    func prepareVSAN(within limit: Duration) async throws(HostError) {
        try check(.prepareVSAN)
        try await inner.prepareVSAN(within: limit)
    }
    func recoverVSAN(within limit: Duration) async throws(HostError) {
        try check(.recoverVSAN)
        try await inner.recoverVSAN(within: limit)
    }
    func vsanMembership() async throws(HostError) -> VSANMembership {
        try check(.guests)
        return try await inner.vsanMembership()
    }
    func close() async {}
}

extension Surroundings {
    /// Bends one host.
    mutating func bend(
        _ name: String, refuses: @escaping @Sendable (BentHost.Call) -> HostError.Reason?
    ) {
        guard let inner = hosts[HostName(name)] as? MemoryHost else { return }
        hosts[HostName(name)] = BentHost(inner: inner, refuses: refuses)
    }

    /// A host that nobody reaches.
    mutating func lose(_ name: String) { bend(name) { _ in .unreachable } }
}
