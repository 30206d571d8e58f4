import Synchronization

/// The one login of a client, shared by everybody who needs it at the same time.
final class LoginState<Login: Sendable>: Sendable {
    typealias Attempt = Task<Result<Login, CallFailure>, Never>

    private struct State {
        var current: (generation: Int, attempt: Attempt)?
        var lastGeneration = 0
        var refusal: CallFailure?
        var isOver = false
    }

    private let state = Mutex(State())

    /// The attempt whose login is newer than `generation`, started by `start` if there is none.
    func attempt(
        after generation: Int?, start: (Int) -> Attempt
    ) throws(CallFailure) -> Attempt {
        try state.withLock { state throws(CallFailure) in
            if state.isOver { throw .refused("vpower is ending, and has logged out") }
            if let current = state.current, current.generation > (generation ?? 0) {
                return current.attempt
            }
            state.lastGeneration += 1
            let attempt = start(state.lastGeneration)
            state.current = (state.lastGeneration, attempt)
            return attempt
        }
    }

    /// The refusal after which there is no more attempt.
    var refusal: CallFailure? { state.withLock { $0.refusal } }

    func refuse(_ failure: CallFailure) { state.withLock { $0.refusal = failure } }

    /// Nobody logs in from now on. Who is logged in stays so until `end`.
    func close() { state.withLock { $0.isOver = true } }

    func forget(_ attempt: Attempt) {
        state.withLock { state in
            if state.current?.attempt == attempt { state.current = nil }
        }
    }

    func end() -> Attempt? {
        state.withLock { state in
            defer { state.current = nil }
            return state.current?.attempt
        }
    }
}
