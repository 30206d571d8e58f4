public import PowerModel
public import PowerRun
public import Transport

/// One cluster through its vCenter: vim25 SOAP over HTTPS, one login, calls side by side.
///
/// Only the hosts whose parent is the cluster, and the guests on them, are seen or touched. A
/// login that is refused is not repeated here; a session that vCenter has forgotten is renewed
/// once per call. Wire format and traps: shared facts on vSphere, sections 2 and 4.
public final class VCenterCluster: ClusterControl {
    private let name: ClusterName
    private let site: VCenterSite
    let limits: VCenterLimits
    private let labels: LabelKinds
    let vim: VimClient
    private let tagReader: TagReader
    private let watch: InventoryWatch

    /// A cluster behind this vCenter; connects and logs in with the first call.
    ///
    /// - Parameters:
    ///   - cluster: its name, or its reference (`domain-c8`) where the name is not unique.
    ///   - labels: the labels to read of guests; those of other kinds are left out.
    ///   - addresses: what names resolved to earlier, for when DNS is down; nil asks.
    public init(
        cluster: ClusterName, site: VCenterSite, password: Secret, labels: LabelKinds = [],
        limits: VCenterLimits = VCenterLimits(), addresses: AddressBook? = nil
    ) {
        name = cluster
        self.site = site
        self.labels = labels
        self.limits = limits
        let https = HTTPSClient(
            endpoint: HTTPSEndpoint(host: site.endpoint.host, port: site.endpoint.port),
            trust: HTTPSTrust(site.trust),
            options: HTTPSOptions(
                connectLimit: limits.connect, addresses: addresses, proxy: site.proxy))
        vim = VimClient(
            https: https, user: site.user, password: password.value, limits: limits,
            transport: site.transport)
        tagReader = TagReader(
            https: https, user: site.user, password: password.value, limits: limits)
        watch = InventoryWatch(vim: vim, name: cluster, limits: limits, labels: labels)
    }

    /// Requests and bytes so far, logins included.
    public var counters: HTTPSCounters { vim.counters }

    /// Who answers there, without logging in.
    ///
    /// - Throws: `ClusterError`, e.g. `certificateRefused`.
    public func about() async throws(ClusterError) -> VCenterAbout {
        try await attempt("ask who is there") { () async throws(CallFailure) in
            try await self.vim.greet().about
        }
    }

    /// Logs in, if it is not logged in yet, and says how the two talk: for `vpower check`.
    ///
    /// - Throws: `ClusterError`, e.g. `loginRefused`.
    @discardableResult
    public func logIn() async throws(ClusterError) -> VCenterLogin {
        try await attempt("log in") { () async throws(CallFailure) in
            try await self.vim.withSession { session throws(CallFailure) in
                VCenterLogin(
                    about: session.content.about, transport: session.wire.transport,
                    apiVersion: session.wire.version)
            }
        }
    }

    // MARK: Reading

    /// Reads hosts, guests and automation in one go. All of it, or an error.
    public func snapshot() async throws(ClusterError) -> ClusterSnapshot {
        try await attempt("read cluster \(name)") { () async throws(CallFailure) in
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.snapshot(in: session)
            }
        }
    }

    private func snapshot(in session: Session) async throws(CallFailure) -> ClusterSnapshot {
        let choices = ClusterReading.snapshotChoices(labels)
        let view = try await vim.createView(of: choices, in: session, within: limits.read)
        let objects = try await vim.read(choices, view: view, in: session, limits: limits)
        await vim.discard(view, with: "DestroyView", in: session)
        let reading = ClusterReading(objects: objects, labels: labels)
        let found = try reading.cluster(name).reference
        var warnings = try reading.gaps(of: found)
        let tags = await readTags(of: try reading.guests(of: found), in: session, &warnings)
        let (cluster, inventory) = try await watch.adopt(reading, tags: tags)
        let option = try await vclsOption(of: cluster.reference, in: session)
        return ClusterSnapshot(
            cluster: name, reference: cluster.reference.id, inventory: inventory,
            automation: try ClusterReading.automation(cluster, vclsOption: option.setting),
            hasVSAN: ClusterReading.hasVSAN(cluster), warnings: warnings)
    }

    /// The guests' tags; nil when they are not wanted, or cannot be read: no outage waits for them.
    private func readTags(
        of vms: [ObjectProperties], in session: Session, _ warnings: inout [String]
    ) async -> [Reference: [String]]? {
        guard labels.contains(.tags) else { return nil }
        do throws(CallFailure) {
            return try await tagReader.tags(
                of: vms.map(\.reference), apiVersion: session.wire.version)
        } catch {
            warnings.append(
                "the guests' tags cannot be read (\(error.forEngine.detail)); those of the last "
                    + "reading are used, and guests without one are in no tier by tag")
            return nil
        }
    }

    /// The inventory as soon as it is newer than `version`, or the last known one after `limit`.
    /// Callers share one WaitForUpdatesEx.
    public func inventory(
        newerThan version: UInt64?, within limit: Duration
    ) async throws(ClusterError) -> Inventory {
        try await attempt("follow cluster \(name)") { () async throws(CallFailure) in
            try await self.watch.inventory(newerThan: version, within: limit)
        }
    }

    /// The automation as it is now.
    public func automation() async throws(ClusterError) -> Automation {
        try await attempt("read HA, DRS and DPM of cluster \(name)") {
            () async throws(CallFailure) in
            let cluster = try await self.watch.clusterReference()
            return try await self.vim.withSession { session throws(CallFailure) in
                try await self.automation(of: cluster, in: session)
            }
        }
    }

    private func automation(
        of cluster: Reference, in session: Session
    ) async throws(CallFailure) -> Automation {
        let choice = PropertyChoice(kind: cluster.kind, paths: [ClusterReading.configuration])
        let objects = try await vim.read([choice], of: [cluster], in: session, limits: limits)
        guard let properties = objects.first(where: { $0.reference == cluster }) else {
            throw .unreadable("says nothing of \(cluster.id)")
        }
        let option = try await vclsOption(of: cluster, in: session)
        return try ClusterReading.automation(properties, vclsOption: option.setting)
    }

    // MARK: Changing automation

    /// Changes HA, DRS and DPM in one task and returns when vCenter has accepted it.
    public func change(_ change: AutomationChange) async throws(ClusterError) {
        guard !change.isEmpty else { return }
        try await attempt("change \(Self.words(change)) of cluster \(name)") {
            () async throws(CallFailure) in
            let cluster = try await self.watch.clusterReference()
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.vim.runTask(
                    "ReconfigureComputeResource_Task", on: cluster, in: session,
                    within: self.limits.change, limits: self.limits
                ) { Self.addChange(change, to: &$0) }
            }
        }
    }

    /// In schema order. `drsConfig.enabled` is never sent: off deletes the resource pools; and
    /// `modify` is true, since false resets all that is not sent (facts/vsphere.md 2.4, 4.0).
    private static func addChange(_ change: AutomationChange, to fields: inout VimFields) {
        fields.add("spec", derived: "ClusterConfigSpecEx") {
            if let ha = change.ha {
                $0.add("dasConfig", "ClusterDasConfigInfo") { $0.add("enabled", ha) }
            }
            if let level = change.drsLevel {
                $0.add("drsConfig", "ClusterDrsConfigInfo") {
                    $0.add("defaultVmBehavior", level.rawValue)
                }
            }
            if let dpm = change.dpm {
                $0.add("dpmConfig", "ClusterDpmConfigInfo") { $0.add("enabled", dpm) }
            }
        }
        fields.add("modify", true)
    }

    private static func words(_ change: AutomationChange) -> String {
        var words: [String] = []
        if let ha = change.ha { words.append("HA to \(ha ? "on" : "off")") }
        if let level = change.drsLevel { words.append("DRS to \(level.rawValue)") }
        if let dpm = change.dpm { words.append("DPM to \(dpm ? "on" : "off")") }
        return words.joined(separator: ", ")
    }

    /// Puts vCLS into retreat mode or back, by vCenter's advanced setting. Where it was never
    /// set, `unset` and `on` leave it so.
    public func setVCLS(_ setting: VCLSSetting) async throws(ClusterError) {
        try await attempt("set vCLS of cluster \(name) to \(setting.rawValue)") {
            () async throws(CallFailure) in
            let cluster = try await self.watch.clusterReference()
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.setVCLS(setting, of: cluster, in: session)
            }
        }
    }

    private func setVCLS(
        _ setting: VCLSSetting, of cluster: Reference, in session: Session
    ) async throws(CallFailure) {
        let now = try await vclsOption(of: cluster, in: session)
        guard now.setting.keepsGuests != setting.keepsGuests else { return }
        _ = try await vim.call(
            "UpdateOptions", on: session.content.setting, in: session, within: limits.call
        ) {
            $0.add("changedValue", all: [Self.vclsKey(cluster)], "OptionValue") { key, option in
                option.add("key", key)
                // A key that exists keeps its type; a new one must be a string.
                option.add("value", boxed: now.type, setting.keepsGuests ? "true" : "false")
            }
        }
    }

    private static func vclsKey(_ cluster: Reference) -> String {
        "config.vcls.clusters.\(cluster.id).enabled"
    }

    private func vclsOption(
        of cluster: Reference, in session: Session
    ) async throws(CallFailure) -> (setting: VCLSSetting, type: String) {
        let key = Self.vclsKey(cluster)
        let reply: Element
        do throws(CallFailure) {
            reply = try await vim.call(
                "QueryOptions", on: session.content.setting, in: session, within: limits.call
            ) { $0.add("name", key) }
        } catch {
            guard case .fault(let fault) = error, fault.type == "InvalidName" else { throw error }
            return (.unset, "string")
        }
        guard let value = reply.all("returnval").first(where: { $0["key"]?.text == key })?["value"]
        else { throw .unreadable("to QueryOptions does not hold \(key)") }
        let type = value.type == "boolean" ? "boolean" : "string"
        switch value.text.lowercased() {
        case "false", "0": return (.retreat, type)
        case "true", "1": return (.on, type)
        case let other: throw .unreadable("to QueryOptions has \(key) = \(other)")
        }
    }

    // MARK: Guests

    /// Asks a guest's Tools to shut it down. Returns at once; look at the inventory.
    public func shutDown(_ guest: Guest) async throws(ClusterError) {
        try await attempt("shut down guest \(Self.printable(guest.name))") {
            () async throws(CallFailure) in
            let vm = try await self.watch.reference(of: guest.id)
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.accepting("poweredOff", of: vm, in: session) {
                    () async throws(CallFailure) in
                    _ = try await self.vim.call(
                        "ShutdownGuest", on: vm, in: session, within: self.limits.call)
                }
            }
        }
    }

    /// Cuts a guest's power; returns when vCenter has done it.
    public func powerOff(_ guest: Guest) async throws(ClusterError) {
        try await attempt("cut the power of guest \(Self.printable(guest.name))") {
            () async throws(CallFailure) in
            let vm = try await self.watch.reference(of: guest.id)
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.accepting("poweredOff", of: vm, in: session) {
                    () async throws(CallFailure) in
                    try await self.vim.runTask(
                        "PowerOffVM_Task", on: vm, in: session, within: self.limits.powerOff,
                        limits: self.limits)
                }
            }
        }
    }

    /// Writes a guest's memory to disk; returns when vCenter has accepted it.
    public func suspend(_ guest: Guest) async throws(ClusterError) {
        try await attempt("suspend guest \(Self.printable(guest.name))") {
            () async throws(CallFailure) in
            let vm = try await self.watch.reference(of: guest.id)
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.accepting("suspended", of: vm, in: session) {
                    () async throws(CallFailure) in
                    try await self.startSuspending(vm, in: session)
                }
            }
        }
    }

    /// Asked again while it is at it, vCenter refuses; that it is at it is what is wanted.
    private func startSuspending(_ vm: Reference, in session: Session) async throws(CallFailure) {
        do throws(CallFailure) {
            try await vim.runTask(
                "SuspendVM_Task", on: vm, until: .accepted, in: session, within: limits.call,
                limits: limits)
        } catch {
            guard case .fault(let fault) = error, fault.type == "TaskInProgress",
                let task = fault.fields?["task"]?.reference,
                try await vim.taskInfo(task, in: session, limits: limits)["descriptionId"]?.text
                    == "VirtualMachine.suspend"
            else { throw error }
        }
    }

    /// Starts or resumes a guest on a host of its own; returns when vCenter has done it. With a
    /// host named, the guest starts in manual DRS too (facts/vsphere.md 2.7).
    public func powerOn(_ guest: Guest, on host: HostName) async throws(ClusterError) {
        try await attempt("start guest \(Self.printable(guest.name)) on \(host)") {
            () async throws(CallFailure) in
            let vm = try await self.watch.reference(of: guest.id)
            let target = try await self.watch.reference(of: host)
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.accepting("poweredOn", of: vm, in: session) {
                    () async throws(CallFailure) in
                    try await self.vim.runTask(
                        "PowerOnVM_Task", on: vm, in: session, within: self.limits.powerOn,
                        limits: self.limits
                    ) { $0.add("host", target) }
                }
            }
        }
    }

    /// Being asked for what is already so is success. So is a task that vCenter has forgotten
    /// meanwhile (finished ones are dropped, and none survives its restart), if the guest is as
    /// wanted.
    private func accepting(
        _ state: String, of vm: Reference, in session: Session,
        _ body: () async throws(CallFailure) -> Void
    ) async throws(CallFailure) {
        do throws(CallFailure) {
            try await body()
        } catch {
            guard case .fault(let fault) = error else { throw error }
            if fault.existingPowerState == state { return }
            guard fault.type == "ManagedObjectNotFound",
                fault.fields?["obj"]?.reference?.kind == "Task"
            else { throw error }
            let choice = PropertyChoice(kind: vm.kind, paths: ["runtime.powerState"])
            let now = try await vim.read([choice], of: [vm], in: session, limits: limits)
            guard now.first?["runtime.powerState"]?.text == state else {
                throw .timedOut("vCenter has forgotten the task, and the guest is not \(state)")
            }
        }
    }

    // MARK: The end

    /// Ends the watch and logs out. Never fails: what cannot be logged out expires.
    public func close() async {
        await watch.stop()
        await vim.logOut()
    }

    // MARK: Errors

    func attempt<Value: Sendable>(
        _ attempting: String, _ body: () async throws(CallFailure) -> Value
    ) async throws(ClusterError) -> Value {
        do throws(CallFailure) {
            return try await body()
        } catch {
            var (reason, detail) = error.forEngine
            if reason == .loginRefused {
                detail =
                    "the login of \(site.user) was refused (\(detail)). Look at the user and the "
                    + "password in \(site.password)"
            }
            throw ClusterError(
                vcenter: site.endpoint.description, attempting: attempting, reason: reason,
                detail: detail)
        }
    }

    /// A guest's name is any text a person could type: no line breaks in a message.
    private static func printable(_ name: String) -> String {
        String(
            String.UnicodeScalarView(
                name.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }
}
