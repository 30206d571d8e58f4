public import PowerModel
public import PowerRun

/// Guests through vCenter.
extension VCenterCluster {
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
}
