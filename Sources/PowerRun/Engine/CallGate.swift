import Synchronization

/// Lets no more than so many through at the same time: a phase of a thousand hosts waits for all of
/// them side by side, and talks to some of them at a time.
final class CallGate: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
        /// Where the first that waits stands: taking from the front of an array costs its length.
        var first = 0

        /// Takes a place where one is free.
        mutating func take() -> Bool {
            if free == 0 { return false }
            free -= 1
            return true
        }
    }

    private let state: Mutex<State>

    init(_ atOnce: Int) { state = Mutex(State(free: max(1, atOnce))) }

    /// Does something as soon as there is room.
    func pass<Value, Failure: Error>(
        _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        await enter()
        defer { leave() }
        return try await body()
    }

    private func enter() async {
        if state.withLock({ $0.take() }) { return }
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.take() { return true }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.first < state.waiting.count else {
                state.free += 1
                return nil
            }
            defer {
                state.first += 1
                if state.first == state.waiting.count {
                    state.waiting = []
                    state.first = 0
                }
            }
            return state.waiting[state.first]
        }
        next?.resume()
    }
}
