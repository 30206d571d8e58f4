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
                        .shutdownGuest, on: vm, in: session, within: self.limits.call)
                }
            }
        }
    }

    /// Cuts a guest's power; returns when vCenter has done it. Where the task does not end within
    /// its limit, the guest's process is ended (`TerminateVM`: in all releases, with the privilege
    /// that the power-off needs too): one that hangs would keep its host from stopping.
    @discardableResult
    public func powerOff(_ guest: Guest) async throws(ClusterError) -> PowerCut {
        try await attempt("cut the power of guest \(Self.printable(guest.name))") {
            () async throws(CallFailure) in
            let vm = try await self.watch.reference(of: guest.id)
            return try await self.vim.withSession { session throws(CallFailure) in
                var cut = PowerCut.asked
                try await self.accepting("poweredOff", of: vm, in: session) {
                    () async throws(CallFailure) in
                    cut = try await self.cutPower(of: vm, in: session)
                }
                return cut
            }
        }
    }

    private func cutPower(
        of vm: Reference, in session: Session
    ) async throws(CallFailure) -> PowerCut {
        do throws(CallFailure) {
            try await vim.runTask(
                .powerOffVM, on: vm, in: session, within: limits.powerOff, limits: limits)
            return .asked
        } catch {
            var why = ""
            switch error {
            case .timedOut(let limit) where !Task.isCancelled: why = limit
            case .fault(let fault) where fault.type == "TaskInProgress":
                guard try await isPowerOff(fault, in: session) else { throw error }
                if try await isOff(vm, within: limits.powerOff, in: session) { return .asked }
                why = "an earlier power-off is still under way after \(limits.powerOff.short)"
            default: throw error
            }
            try await endProcess(of: vm, after: why, in: session)
            return .processEnded(why)
        }
    }

    /// Whether what is under way is a power-off: one that an earlier call has left behind.
    private func isPowerOff(
        _ fault: VimFault, in session: Session
    ) async throws(CallFailure) -> Bool {
        guard let task = fault.fields?["task"]?.reference else { return false }
        do throws(CallFailure) {
            let info = try await vim.taskInfo(task, in: session, limits: limits)
            return info["descriptionId"]?.text == "VirtualMachine.powerOff"
        } catch {
            // It is over by now, or another's that may not be seen: the first refusal stands.
            guard case .fault = error else { throw error }
            return false
        }
    }

    private func isOff(
        _ vm: Reference, within limit: Duration, in session: Session
    ) async throws(CallFailure) -> Bool {
        let deadline = ContinuousClock.now + limit
        while try await powerState(of: vm, in: session) != "poweredOff" {
            guard ContinuousClock.now < deadline else { return false }
            try await vim.sleep(Self.pauseUntilOff)
        }
        return true
    }

    private func endProcess(
        of vm: Reference, after why: String, in session: Session
    ) async throws(CallFailure) {
        do throws(CallFailure) {
            _ = try await vim.call(.terminateVM, on: vm, in: session, within: limits.call)
            guard try await isOff(vm, within: limits.terminate, in: session) else {
                throw .timedOut("the guest is not off \(limits.terminate.short) after it")
            }
        } catch {
            if case .fault(let fault) = error, fault.existingPowerState == "poweredOff" { return }
            throw .timedOut("\(why); TerminateVM did not help: \(error.forEngine.detail)")
        }
    }

    private static let pauseUntilOff: Duration = .milliseconds(250)

    private func powerState(
        of vm: Reference, in session: Session
    ) async throws(CallFailure) -> String? {
        let choice = PropertyChoice(kind: vm.kind, paths: ["runtime.powerState"])
        let now = try await vim.read([choice], of: [vm], in: session, limits: limits)
        return now.first?["runtime.powerState"]?.text
    }

    /// Answers the question that a guest waits with, by the choice's key. Another has answered it
    /// already, or it asks something else by now: then this question is over.
    public func answer(
        _ question: GuestQuestion, of guest: Guest, with choice: GuestQuestion.Choice
    ) async throws(ClusterError) {
        try await attempt("answer the question of guest \(Self.printable(guest.name))") {
            () async throws(CallFailure) in
            let vm = try await self.watch.reference(of: guest.id)
            try await self.vim.withSession { session throws(CallFailure) in
                do throws(CallFailure) {
                    _ = try await self.vim.call(
                        .answerVM, on: vm, in: session, within: self.limits.call
                    ) {
                        $0.add("questionId", question.id)
                        $0.add("answerChoice", choice.key)
                    }
                } catch {
                    guard case .fault(let fault) = error, fault.type == "ConcurrentAccess" else {
                        throw error
                    }
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
                .suspendVM, on: vm, until: .accepted, in: session, within: limits.call,
                limits: limits)
        } catch {
            guard case .fault(let fault) = error, fault.type == "TaskInProgress",
                let task = fault.fields?["task"]?.reference,
                try await vim.taskInfo(task, in: session, limits: limits)["descriptionId"]?.text
                    == "VirtualMachine.suspend"
            else { throw error }
        }
    }

    /// Starts or resumes a guest on a host of its own; returns when vCenter has done it.
    ///
    /// By `PowerOnVM_Task` with the host named, guest by guest, and never by `PowerOnMultiVM_Task`:
    /// while DRS is manual, which it is until a restore has put it back, and for good where it
    /// always was, that task succeeds and starts nothing; it only recommends (facts/vsphere.md 2.7,
    /// 4.0).
    /// Overriding the level for the task would start guests on hosts that nobody has chosen.
    public func powerOn(_ guest: Guest, on host: HostName) async throws(ClusterError) {
        try await attempt("start guest \(Self.printable(guest.name)) on \(host)") {
            () async throws(CallFailure) in
            let vm = try await self.watch.reference(of: guest.id)
            let target = try await self.watch.reference(of: host)
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.accepting("poweredOn", of: vm, in: session) {
                    () async throws(CallFailure) in
                    try await self.vim.runTask(
                        .powerOnVM, on: vm, in: session, within: self.limits.powerOn,
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
            guard try await powerState(of: vm, in: session) == state else {
                throw .timedOut("vCenter has forgotten the task, and the guest is not \(state)")
            }
        }
    }
}
