public import PowerModel
public import PowerRun

/// Guests through vCenter.
extension VCenterCluster {
    /// Asks a guest's Tools to shut it down. Returns at once; look at the inventory.
    public func shutDown(_ guest: Guest) async throws(ClusterError) {
        try await act("shut down", guest) { (vm, session) async throws(CallFailure) in
            try await self.guestPower.shutDown(vm, in: session)
        }
    }

    /// Cuts a guest's power; returns when vCenter has done it. Where that does not end within its
    /// limit, the guest's process is ended (`TerminateVM`): one that hangs would keep its host from
    /// stopping.
    @discardableResult
    public func powerOff(_ guest: Guest) async throws(ClusterError) -> PowerCut {
        try await act("cut the power of", guest) { (vm, session) async throws(CallFailure) in
            try await self.guestPower.powerOff(vm, in: session)
        }
    }

    /// Answers the question that a guest waits with, by the choice's key. Another has answered it
    /// already, or it asks something else by now: then this question is over.
    public func answer(
        _ question: GuestQuestion, of guest: Guest, with choice: GuestQuestion.Choice
    ) async throws(ClusterError) {
        try await act("answer the question of", guest) { (vm, session) async throws(CallFailure) in
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

    /// Writes a guest's memory to disk; returns when vCenter has accepted it.
    public func suspend(_ guest: Guest) async throws(ClusterError) {
        try await act("suspend", guest) { (vm, session) async throws(CallFailure) in
            try await self.guestPower.suspend(vm, in: session)
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
                try await self.guestPower.powerOn(vm, on: target, in: session)
            }
        }
    }

    private func act<Value: Sendable>(
        _ what: String, _ guest: Guest,
        _ body: (Reference, Session) async throws(CallFailure) -> Value
    ) async throws(ClusterError) -> Value {
        try await attempt("\(what) guest \(Self.printable(guest.name))") {
            () async throws(CallFailure) in
            let vm = try await self.watch.reference(of: guest.id)
            return try await self.vim.withSession { session throws(CallFailure) in
                try await body(vm, session)
            }
        }
    }
}
