import Synchronization

/// Wakes one waiting task. Rings that come before it waits are one ring.
final class Bell: Sendable {
    private enum State {
        case quiet
        case rung
        case waiting(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.quiet)

    /// Wakes the task that waits, or the next one that does.
    func ring() { change { $0 = .rung } }

    /// Returns at the next ring, at once if it rang since the last wait, or when cancelled.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = state.withLock { state in
                    if case .quiet = state, !Task.isCancelled {
                        state = .waiting(continuation)
                        return false
                    }
                    if !Task.isCancelled { state = .quiet }
                    return true
                }
                if now { continuation.resume() }
            }
        } onCancel: {
            change { _ in }
        }
    }

    /// Resumes the waiting task, or else changes the state of a bell that nobody waits at.
    private func change(_ otherwise: (inout State) -> Void) {
        let waiting: CheckedContinuation<Void, Never>? = state.withLock { state in
            if case .waiting(let continuation) = state {
                state = .quiet
                return continuation
            }
            otherwise(&state)
            return nil
        }
        waiting?.resume()
    }
}
