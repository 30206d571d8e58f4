import PowerModel
import PowerRun
import Transport

/// By the REST Automation API. It has no tasks, names no host to start on, and its errors say less:
/// what it leaves open is looked at, or asked of vim25, so that no outage depends on it.
struct GuestPowerByREST: GuestPowerWay {
    let rest: RESTClient
    let vim: GuestPowerByVim
    let limits: VCenterLimits

    /// A guest that was started is on within a second or two; whether the call waits for that is
    /// not known.
    private static let seenOn: Duration = .seconds(10)

    /// What came of a call.
    private enum Answer {
        /// vCenter has taken it.
        case taken
        /// It is as wanted already.
        case alreadySo
        /// Nothing is known of the guest, and why.
        case unusable(String)
        /// No answer came in time: it may be at it.
        case late(String)
        /// Something else is under way on the guest; maybe the same.
        case busy(RESTFault)
    }

    private func ask(
        _ call: RESTCall, in session: Session, within limit: Duration
    ) async throws(CallFailure) -> Answer {
        do throws(CallFailure) {
            _ = try await rest.send(call, in: session.restShape, until: .now + limit)
            return .taken
        } catch {
            switch error {
            case .rest(let fault) where fault.isAlreadySo: return .alreadySo
            case .rest(let fault) where fault.reason == .busy: return .busy(fault)
            case .rest(let fault) where fault.reason == .starting || fault.saysNothing:
                return .unusable(fault.description)
            case .restUnusable(let why): return .unusable(why)
            case .transport(let problem) where problem.reason == .timedOut && !Task.isCancelled:
                return .late(problem.detail)
            default: throw error
            }
        }
    }

    /// Trap (facts/vsphere.md 2.0.3): that a service is not available is said of Tools that do not
    /// run, too. Which it is, is looked up; where that is not to be had, vim25 knows.
    func shutDown(_ vm: Reference, in session: Session) async throws(CallFailure) {
        switch try await ask(.shutDownGuest(vm.id), in: session, within: limits.call) {
        case .taken, .alreadySo: return
        case .late(let why): throw .timedOut(why)
        case .busy(let fault): throw .rest(fault)
        case .unusable(let why):
            if try await areToolsSilent(vm, in: session) { throw .toolsUnavailable(why) }
            try await vim.shutDown(vm, in: session)
        }
    }

    private func areToolsSilent(
        _ vm: Reference, in session: Session
    ) async throws(CallFailure) -> Bool {
        do throws(CallFailure) {
            let state: RESTGuestState = try await rest.value(
                .guestState(vm.id), in: session.restShape, until: .now + limits.call)
            return !state.operationsReady
        } catch {
            if case .transport = error { throw error }
            return false
        }
    }

    func powerOff(_ vm: Reference, in session: Session) async throws(CallFailure) -> PowerCut {
        let deadline = ContinuousClock.now + limits.powerOff
        var why = "the guest is not off after \(limits.powerOff.short)"
        switch try await ask(.power(.stop, of: vm.id), in: session, within: limits.powerOff) {
        case .alreadySo: return .asked
        case .unusable, .busy: return try await vim.powerOff(vm, in: session)
        case .late(let reason): why = reason
        case .taken: break
        }
        let left = max(.zero, deadline - .now)
        if try await vim.isOff(vm, within: left, in: session) { return .asked }
        try await vim.endProcess(of: vm, after: why, in: session)
        return .processEnded(why)
    }

    /// Whether the call waits until all memory is written is not known: vim25 says whether vCenter
    /// is at it.
    func suspend(_ vm: Reference, in session: Session) async throws(CallFailure) {
        switch try await ask(.power(.suspend, of: vm.id), in: session, within: limits.call) {
        case .taken, .alreadySo: return
        case .unusable, .busy, .late: try await vim.suspend(vm, in: session)
        }
    }

    /// The call cannot name a host: it is made only for a guest that is registered on the wanted
    /// one. And it may start nothing (manual DRS): then vim25 is asked.
    func powerOn(
        _ vm: Reference, on host: Reference, in session: Session
    ) async throws(CallFailure) {
        guard try await vim.host(of: vm, in: session) == host else {
            return try await vim.powerOn(vm, on: host, in: session)
        }
        switch try await ask(.power(.start, of: vm.id), in: session, within: limits.powerOn) {
        case .alreadySo: return
        case .late(let why): throw .timedOut(why)
        case .busy(let fault): throw .rest(fault)
        case .unusable: break
        case .taken:
            if try await vim.isPower("poweredOn", of: vm, within: Self.seenOn, in: session) {
                return
            }
        }
        try await vim.powerOn(vm, on: host, in: session)
    }
}

extension Session {
    /// The shape in which this server has its REST interface in full.
    var restShape: RESTShape { RESTShape(apiVersion: wire.version) }
}
