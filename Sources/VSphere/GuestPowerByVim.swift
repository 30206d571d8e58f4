import PowerModel
import PowerRun

/// How the power of guests is asked for at vCenter: the site file's `guestPower` says which of the
/// two ways. Each call is a success where it asks for what is already so.
protocol GuestPowerWay: Sendable {
    /// Asks a guest's Tools to shut it down; returns at once.
    func shutDown(_ vm: Reference, in session: Session) async throws(CallFailure)

    /// Cuts a guest's power, by ending its process where that hangs; returns when it is off.
    func powerOff(_ vm: Reference, in session: Session) async throws(CallFailure) -> PowerCut

    /// Writes a guest's memory to disk; returns when vCenter has accepted it.
    func suspend(_ vm: Reference, in session: Session) async throws(CallFailure)

    /// Starts or resumes a guest on this host; returns when it is on.
    func powerOn(
        _ vm: Reference, on host: Reference, in session: Session
    ) async throws(CallFailure)
}

/// By vim25, as SOAP or JSON: with tasks to follow, and faults that say what is the matter.
struct GuestPowerByVim: GuestPowerWay {
    let vim: VimClient
    let limits: VCenterLimits

    func shutDown(_ vm: Reference, in session: Session) async throws(CallFailure) {
        try await accepting("poweredOff", of: vm, in: session) { () async throws(CallFailure) in
            _ = try await vim.call(.shutdownGuest, on: vm, in: session, within: limits.call)
        }
    }

    func powerOff(
        _ vm: Reference, in session: Session
    ) async throws(CallFailure) -> PowerCut {
        var cut = PowerCut.asked
        try await accepting("poweredOff", of: vm, in: session) { () async throws(CallFailure) in
            cut = try await cutPower(of: vm, in: session)
        }
        return cut
    }

    func suspend(_ vm: Reference, in session: Session) async throws(CallFailure) {
        try await accepting("suspended", of: vm, in: session) { () async throws(CallFailure) in
            try await startSuspending(vm, in: session)
        }
    }

    func powerOn(
        _ vm: Reference, on host: Reference, in session: Session
    ) async throws(CallFailure) {
        try await accepting("poweredOn", of: vm, in: session) { () async throws(CallFailure) in
            try await vim.runTask(
                .powerOnVM, on: vm, in: session, within: limits.powerOn, limits: limits
            ) { $0.add("host", host) }
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

    /// Whether it is off within this time.
    func isOff(
        _ vm: Reference, within limit: Duration, in session: Session
    ) async throws(CallFailure) -> Bool {
        try await isPower("poweredOff", of: vm, within: limit, in: session)
    }

    /// Whether its power is this within this time.
    func isPower(
        _ state: String, of vm: Reference, within limit: Duration, in session: Session
    ) async throws(CallFailure) -> Bool {
        let deadline = ContinuousClock.now + limit
        while try await powerState(of: vm, in: session) != state {
            guard ContinuousClock.now < deadline else { return false }
            try await vim.sleep(Self.pauseUntilPower)
        }
        return true
    }

    /// Ends a guest's process (`TerminateVM`: in all releases, with the privilege that the power-off
    /// needs too).
    func endProcess(
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

    private static let pauseUntilPower: Duration = .milliseconds(250)

    private func powerState(
        of vm: Reference, in session: Session
    ) async throws(CallFailure) -> String? {
        try await property("runtime.powerState", of: vm, in: session)?.text
    }

    /// The host it is registered on.
    func host(of vm: Reference, in session: Session) async throws(CallFailure) -> Reference? {
        try await property("runtime.host", of: vm, in: session)?.reference
    }

    private func property(
        _ path: String, of vm: Reference, in session: Session
    ) async throws(CallFailure) -> Element? {
        let choice = PropertyChoice(kind: vm.kind, paths: [path])
        let now = try await vim.read([choice], of: [vm], in: session, limits: limits)
        return now.first?[path]
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
