import PowerLab
import PowerModel
import PowerRun

/// A host that does what the real one does, but for what a test makes it do.
struct HostDouble: HostControl {
    let inner: any HostControl
    var listed: @Sendable ([HostGuest]) -> [HostGuest] = { $0 }
    var beforeStop: @Sendable () async -> Void = {}
    var armError: HostError?
    var refusesHAAgents = false
    /// It says that vSAN is prepared, and does nothing.
    var skipsVSAN = false
    /// What it makes of the autostart settings it is given.
    var bendsAutostart: @Sendable (HostAutostart) -> HostAutostart = { $0 }

    var host: HostName { inner.host }
    func guests() async throws(HostError) -> [HostGuest] { listed(try await inner.guests()) }
    func shutDown(_ guest: BootGuest) async throws(HostError) { try await inner.shutDown(guest) }
    func powerOff(_ guest: BootGuest) async throws(HostError) { try await inner.powerOff(guest) }
    func suspend(_ guest: BootGuest) async throws(HostError) { try await inner.suspend(guest) }
    func powerOn(_ guest: BootGuest) async throws(HostError) { try await inner.powerOn(guest) }
    func register(_ guest: BootGuest) async throws(HostError) { try await inner.register(guest) }
    func inMaintenance() async throws(HostError) -> Bool { try await inner.inMaintenance() }
    func setMaintenance(_ on: Bool, within limit: Duration) async throws(HostError) {
        try await inner.setMaintenance(on, within: limit)
    }
    func stopHAAgent() async throws(HostError) {
        if !refusesHAAgents { return try await inner.stopHAAgent() }
        throw HostError(
            host: host, attempting: "stop HA's agent", reason: .refused, detail: "so it says")
    }
    func startHAAgent() async throws(HostError) { try await inner.startHAAgent() }
    func keepsVSANMembers() async throws(HostError) -> Bool {
        try await inner.keepsVSANMembers()
    }
    func keepVSANMembers(_ on: Bool) async throws(HostError) {
        try await inner.keepVSANMembers(on)
    }
    func prepareVSAN(within limit: Duration) async throws(HostError) {
        if skipsVSAN { return }
        try await inner.prepareVSAN(within: limit)
    }
    func recoverVSAN(within limit: Duration) async throws(HostError) {
        try await inner.recoverVSAN(within: limit)
    }
    func vsanMembership() async throws(HostError) -> VSANMembership {
        try await inner.vsanMembership()
    }
    func shutDownHost(reason: String) async throws(HostError) {
        await beforeStop()
        try await inner.shutDownHost(reason: reason)
    }
    func autostart() async throws(HostError) -> HostAutostart { try await inner.autostart() }
    func setAutostart(_ wanted: HostAutostart) async throws(HostError) {
        try await inner.setAutostart(bendsAutostart(wanted))
    }
    func sshService() async throws(HostError) -> SSHService { try await inner.sshService() }
    func setSSH(runs: Bool) async throws(HostError) { try await inner.setSSH(runs: runs) }
    func isSilent() async -> Bool { await inner.isSilent() }
    func arm(_ orders: BootOrders) async throws(HostError) -> BootScriptInstall {
        if let armError { throw armError }
        return try await inner.arm(orders)
    }
    func disarm() async throws(HostError) { try await inner.disarm() }
    func leave(_ orders: LeaveOrders) async throws(HostError) { try await inner.leave(orders) }
    func isLeaving() async throws(HostError) -> Bool { try await inner.isLeaving() }
    func removeBootScript() async throws(HostError) { try await inner.removeBootScript() }
    func bootScriptState() async throws(HostError) -> BootScriptState {
        try await inner.bootScriptState()
    }

    func bootReport(of run: RunID) async throws(HostError) -> BootReport {
        try await inner.bootReport(of: run)
    }
    func close() async { await inner.close() }
}

/// A cluster that does what the real one does, but for what a test makes it do.
struct ClusterDouble: ClusterControl {
    let inner: any ClusterControl
    /// Its reader does not know that guests may have DRS levels of their own.
    var hidesOverrides = false
    /// It does not let HA be switched off.
    var refusesHAOff = false

    func snapshot() async throws(ClusterError) -> ClusterSnapshot {
        var snapshot = try await inner.snapshot()
        if hidesOverrides { snapshot.automation.drsOverrides = nil }
        return snapshot
    }
    func inventory(newerThan version: UInt64?, within limit: Duration)
        async throws(ClusterError) -> Inventory
    {
        try await inner.inventory(newerThan: version, within: limit)
    }
    func automation() async throws(ClusterError) -> Automation { try await inner.automation() }
    func change(_ change: AutomationChange) async throws(ClusterError) {
        if refusesHAOff, change.ha == false {
            throw ClusterError(
                vcenter: "lab", attempting: "switch HA off", reason: .refused, detail: "no")
        }
        try await inner.change(change)
    }
    func retreatVCLS() async throws(ClusterError) { try await inner.retreatVCLS() }
    func restoreVCLS(_ setting: VCLSSetting, mode: VCLSMode?) async throws(ClusterError) {
        try await inner.restoreVCLS(setting, mode: mode)
    }
    func shutDown(_ guest: Guest) async throws(ClusterError) { try await inner.shutDown(guest) }
    func powerOff(_ guest: Guest) async throws(ClusterError) -> PowerCut {
        try await inner.powerOff(guest)
    }
    func answer(
        _ question: GuestQuestion, of guest: Guest, with choice: GuestQuestion.Choice
    ) async throws(ClusterError) {
        try await inner.answer(question, of: guest, with: choice)
    }
    func suspend(_ guest: Guest) async throws(ClusterError) { try await inner.suspend(guest) }
    func powerOn(_ guest: Guest, on host: HostName) async throws(ClusterError) {
        try await inner.powerOn(guest, on: host)
    }
    func sshService(on host: HostName) async throws(ClusterError) -> SSHService {
        try await inner.sshService(on: host)
    }
    func setSSH(runs: Bool, on host: HostName) async throws(ClusterError) {
        try await inner.setSSH(runs: runs, on: host)
    }
    func vsanPower() async throws(ClusterError) -> VSANPower { try await inner.vsanPower() }
    func powerVSAN(_ on: Bool, reason: String) async throws(ClusterError) {
        try await inner.powerVSAN(on, reason: reason)
    }
    func shutDownAppliance(reason: String) async throws(ClusterError) {
        try await inner.shutDownAppliance(reason: reason)
    }
    func close() async { await inner.close() }
}

/// A journal that answers as if each record were on disk, and does not keep all of them so.
actor UntrueJournal: Journal {
    enum Fault {
        /// Not kept: how guests come up, and what hosts started by themselves before.
        case forgetsBootChoices
        /// Not kept: whether SSH ran on hosts.
        case forgetsSSH
        /// Announcements are written only with the next record.
        case writesAnnouncementsLate
    }

    private let inner: any Journal
    private let fault: Fault
    private var late: (RunEvent, RunID?, OutageID)?

    init(_ inner: any Journal, _ fault: Fault) {
        self.inner = inner
        self.fault = fault
    }

    func append(_ event: RunEvent, run: RunID?, outage: OutageID)
        async throws(JournalError) -> Record
    {
        if let (event, run, outage) = late {
            late = nil
            _ = try await inner.append(event, run: run, outage: outage)
        }
        switch (event, fault) {
        case (.bootChosen, .forgetsBootChoices), (.sshFound, .forgetsSSH): break
        case (.asked, .writesAnnouncementsLate): late = (event, run, outage)
        default: return try await inner.append(event, run: run, outage: outage)
        }
        return Record(
            number: 0, at: Timestamp(millisecondsSinceEpoch: 0), run: run, outage: outage,
            event: event)
    }

    func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record] {
        try await inner.openOutage(of: cluster)
    }

    func newest(_ limit: Int) async throws(JournalError) -> [Record] {
        try await inner.newest(limit)
    }
}
