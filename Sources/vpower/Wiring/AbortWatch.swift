import PowerModel
import PowerRun
import PowerStore
import Synchronization

/// Looks for a person's abort while a run goes on, whichever process carries it out.
struct AbortWatch: Sendable {
    let book: AbortBook
    let cluster: ClusterName
    let journal: any Journal
    let time: any TimeSource
    /// Tells people; called for what was taken up and for what could not be read.
    let tell: @Sendable (String) async -> Void
    /// Called when the run was told to reverse, before it has.
    var whenTaken: @Sendable () -> Void = {}

    /// Carries a run out and tells it of an abort; whether that reversed it.
    func during(
        _ control: RunControl, _ body: () async throws -> RunResult
    ) async throws -> (result: RunResult, isAborted: Bool) {
        let isTaken = Mutex(false)
        @Sendable func look() async {
            var told = ""
            while !Task.isCancelled {
                do {
                    if try await take(control) { isTaken.withLock { $0 = true } }
                } catch {
                    if told != "\(error)" { await tell("an abort cannot be read: \(error)") }
                    told = "\(error)"
                }
                do { try await time.sleep(for: AbortBook.look) } catch { return }
            }
        }
        async let _: Void = look()
        let result = try await body()
        let isAborted = isTaken.withLock { $0 } && result == .reversed
        // It came too late: the daemon acts on the next outage as ever.
        if isTaken.withLock({ $0 }), !isAborted { try book.clearMark() }
        return (result, isAborted)
    }

    /// Takes a request up, if there is one for the run that goes on; whether there was.
    private func take(_ control: RunControl) async throws -> Bool {
        guard let request = try book.request() else { return false }
        let run = Ledger(try await journal.openOutage(of: cluster)).interruptedRun
        guard let run, run.id == request.run else {
            // Of a run that is over.
            try book.withdraw()
            return false
        }
        // Before the run is told: a daemon that dies now must not go on with it.
        do { try book.setMark(request) } catch { await tell("\(error)") }
        guard control.ask(.abort) else {
            try book.clearMark()
            try book.withdraw()
            return false
        }
        whenTaken()
        try book.withdraw()
        await tell("aborted by hand: \(request.reason.onOneLine)")
        return true
    }
}
