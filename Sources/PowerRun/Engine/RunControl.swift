import Synchronization

/// What is wanted of a run while it goes on: set from outside, looked at between acts.
public final class RunControl: Sendable {
    /// What is wanted.
    public enum Wish: Int, Sendable, Comparable {
        /// Carry on.
        case goOn
        /// The mains are back: reverse, if the point of no return is not passed.
        case reverse
        /// A person wants it reversed, whatever the mains do.
        case abort
        /// Stop after the present act and say how to resume.
        case stop

        /// Whether one wish is weaker than another.
        public static func < (left: Wish, right: Wish) -> Bool { left.rawValue < right.rawValue }

        /// Whether it wants undone what was done.
        var isReversal: Bool { self == .reverse || self == .abort }
    }

    private struct State {
        var wish = Wish.goOn
        var pastReturn = false
        var isAbandoned = false
        var isBatteryAtEnd = false
        var deadline: Duration?
        var isPastDeadline = false
        var nextWaiter = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// Carries on until told otherwise.
    public init() {}

    /// Says what is wanted. A stronger wish is not taken back by a weaker one, except that
    /// `goOn` takes `reverse` back: the mains failed again before anything was reversed.
    /// - Returns: false when it is refused: nothing is reversed past the point of no return, and
    ///   a restore is never reversed.
    @discardableResult
    public func ask(_ wish: Wish) -> Bool {
        state.withLock { state in
            if wish.isReversal && state.pastReturn { return false }
            if wish > state.wish || (wish == .goOn && state.wish == .reverse) {
                state.wish = wish
            }
            return true
        }
    }

    /// What is wanted now.
    public var wish: Wish { state.withLock { $0.wish } }

    /// Stops without waiting for the present act: calls under way are called off, nothing is
    /// waited out. What they had asked for is on record, and `vpower resume` looks at it.
    public func abandon() {
        let waiters = state.withLock { state in
            state.wish = .stop
            state.isAbandoned = true
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    /// Whether nothing is waited for any more.
    public var isAbandoned: Bool { state.withLock { $0.isAbandoned } }

    /// Returns when the run was abandoned, or the task that waits is cancelled.
    func untilAbandoned() async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isAbandoned || Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }

    /// Says whether the battery is at its end: what waits for a guest then waits no longer. Set
    /// anew with every reading of the UPS: once the mains are back, no guest is cut off for it.
    public func noteBatteryEnd(_ isReached: Bool) {
        state.withLock { $0.isBatteryAtEnd = isReached }
    }

    /// Whether the battery is at its end.
    public var isDeadlineReached: Bool {
        state.withLock { $0.isBatteryAtEnd || $0.isPastDeadline }
    }

    /// Says whether the expected deadline has passed: counts as reached until the battery is
    /// expected to last longer.
    func notePastDeadline(_ isPast: Bool) { state.withLock { $0.isPastDeadline = isPast } }

    /// Says when the battery is expected to end, less the margin, in the run's monotonic time; nil
    /// when nobody knows, or the mains are there. Set anew with every reading of the UPS.
    public func expectDeadline(_ moment: Duration?) {
        state.withLock { state in
            state.deadline = moment
            if moment == nil { state.isPastDeadline = false }
        }
    }

    /// When the battery is expected to end, as far as anybody knows.
    public var deadline: Duration? { state.withLock { $0.deadline } }

    /// What came of an attempt to pass the point of no return.
    enum Crossing {
        /// It is passed now.
        case first
        /// It was passed before.
        case before
        /// The run is to stop or to be reversed: nothing irrevocable may be done any more.
        case calledBack
    }

    /// Passes the point of no return, unless the run was called back a moment before.
    func passReturn() -> Crossing {
        state.withLock { state in
            if state.pastReturn { return .before }
            if state.wish != .goOn { return .calledBack }
            state.pastReturn = true
            return .first
        }
    }

    /// Begins on the far side: a restore, or a run that was past it when it was interrupted.
    func beginPastReturn() { state.withLock { $0.pastReturn = true } }

    /// Whether no further act may begin.
    var mustStop: Bool {
        state.withLock { state in
            state.wish == .stop || (state.wish.isReversal && !state.pastReturn)
        }
    }
}
