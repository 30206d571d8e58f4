public import PowerModel
public import PowerRun

extension HostOverSOAP {
    private static let powerPath = "runtime.powerState"
    private static let filePath = "summary.config.vmPathName"

    /// All guests registered on the host with their power, in one call.
    ///
    /// Guests whose configuration cannot be read, since their datastore is late, are not listed.
    public func guests() async throws(HostError) -> [HostGuest] {
        try await attempt("list the guests") { session throws(CallFailure) in
            try await self.vms(in: session).map { vm in
                HostGuest(
                    name: ClusterReading.unescaped(vm["name"]?.text ?? ""),
                    vmxPath: vm[Self.filePath]?.text ?? "",
                    power: Classification.power(of: vm, hostConnected: true))
            }
        }
    }

    /// Asks a guest's Tools to shut it down. Returns at once; success also when it is off.
    public func shutDown(_ guest: BootGuest) async throws(HostError) {
        try await attempt("shut down guest \(guest.name.onOneLine)") {
            session throws(CallFailure) in
            let vm = try await self.find(guest, in: session)
            if vm[Self.powerPath]?.text == Self.word(.off) { return }
            do throws(CallFailure) {
                _ = try await self.vim.call(
                    .shutdownGuest, on: vm.reference, in: session, within: self.limits.call)
            } catch {
                // It may have gone down since it was found.
                guard case .fault(let fault) = error, fault.existingPowerState == Self.word(.off)
                else { throw error }
            }
        }
    }

    /// Cuts a guest's power and looks that it is off.
    public func powerOff(_ guest: BootGuest) async throws(HostError) {
        try await attempt("power off guest \(guest.name.onOneLine)") {
            session throws(CallFailure) in
            try await self.switchPower(
                guest, .powerOffVM, to: .off, within: self.limits.power, in: session)
        }
    }

    /// Writes a guest's memory to disk and looks that it is suspended. Suspended already: success.
    public func suspend(_ guest: BootGuest) async throws(HostError) {
        try await attempt("suspend guest \(guest.name.onOneLine)") {
            session throws(CallFailure) in
            try await self.switchPower(
                guest, .suspendVM, to: .suspended, within: self.limits.suspend, in: session)
        }
    }

    /// Starts or resumes a guest and looks that it is on. A pending question is not answered: it
    /// is part of the error.
    public func powerOn(_ guest: BootGuest) async throws(HostError) {
        try await attempt("power on guest \(guest.name.onOneLine)") {
            session throws(CallFailure) in
            try await self.switchPower(
                guest, .powerOnVM, to: .on, within: self.limits.power, in: session)
        }
    }

    private func switchPower(
        _ guest: BootGuest, _ method: VimMethod, to wanted: GuestPower, within limit: Duration,
        in session: Session
    ) async throws(CallFailure) {
        let vm = try await find(guest, in: session)
        if vm[Self.powerPath]?.text == Self.word(wanted) { return }
        let goal = HostGoal(
            paths: [Self.powerPath, "runtime.question"],
            isReached: { $0[Self.powerPath]?.text == Self.word(wanted) },
            obstacle: { vm in
                vm["runtime.question"].map { question in
                    .refused(
                        "the guest asks a question; answer it on the host: "
                            + (question["text"]?.text ?? "").onOneLine)
                }
            })
        try await steer(method, on: vm.reference, to: goal, within: limit, in: session)
    }

    /// Registers a guest whose own host is gone; success also when it is registered here already.
    public func register(_ guest: BootGuest) async throws(HostError) {
        try await attempt("register guest \(guest.name.onOneLine)") {
            session throws(CallFailure) in
            if try await self.isRegistered(guest, in: session) { return }
            let places = try await self.registrationPlaces(in: session)
            do throws(CallFailure) {
                try await self.vim.runTask(
                    .registerVM, on: places.folder, in: session, within: self.limits.power,
                    limits: self.limits.vim
                ) {
                    $0.add("path", guest.vmxPath)
                    $0.add("asTemplate", false)
                    $0.add("pool", places.pool)
                }
            } catch {
                if case .fault = error, try await self.isRegistered(guest, in: session) { return }
                throw Self.registering(error)
            }
            guard try await self.isRegistered(guest, in: session) else {
                throw .refused("the host has registered it, and does not list it")
            }
        }
    }

    private static func registering(_ failure: CallFailure) -> CallFailure {
        guard case .fault(let fault) = failure, fault.type == "AlreadyExists" else {
            return failure
        }
        return .refused(
            "the host holds it as an invalid guest, since its datastore was late "
                + "(\(fault.description)). Reload it there")
    }

    /// Where a host keeps its guests: its one folder and its one pool.
    private func registrationPlaces(
        in session: Session
    ) async throws(CallFailure) -> (folder: Reference, pool: Reference) {
        let folders = try await all(["vmFolder"], of: "Datacenter", in: session)
        let pools = try await all(["resourcePool"], of: "ComputeResource", in: session)
        guard let folder = folders.first?["vmFolder"]?.reference,
            let pool = pools.first?["resourcePool"]?.reference
        else { throw .unreadable("shows no folder or no pool for guests") }
        return (folder, pool)
    }

    // MARK: Finding

    /// The VMs whose configuration the host can read.
    func vms(in session: Session) async throws(CallFailure) -> [ObjectProperties] {
        let choice = PropertyChoice(
            kind: "VirtualMachine",
            paths: ["name", Self.filePath, Self.powerPath, "runtime.connectionState"])
        let host = try await reference(in: session)
        return try await vim.read(
            [choice], along: "vm", of: host, in: session, limits: limits.vim
        ).filter { vm in
            let state = vm["runtime.connectionState"]?.text
            return state == "connected" && vm[Self.filePath] != nil
        }
    }

    /// The VM of this configuration file now: ids are the host's own, and change when a guest is
    /// registered anew.
    private func find(
        _ guest: BootGuest, in session: Session
    ) async throws(CallFailure) -> ObjectProperties {
        let found = try await vms(in: session).first { $0[Self.filePath]?.text == guest.vmxPath }
        guard let found else {
            throw .missing(
                "\(guest.vmxPath.onOneLine) is not registered on this host, or its datastore is "
                    + "not there yet")
        }
        return found
    }

    private func isRegistered(
        _ guest: BootGuest, in session: Session
    ) async throws(CallFailure) -> Bool {
        try await vms(in: session).contains { $0[Self.filePath]?.text == guest.vmxPath }
    }

    /// How vim25 calls it.
    private static func word(_ power: GuestPower) -> String {
        switch power {
        case .on: "poweredOn"
        case .off: "poweredOff"
        case .suspended: "suspended"
        case .unknown: ""
        }
    }
}
