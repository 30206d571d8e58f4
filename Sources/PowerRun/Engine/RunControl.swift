import Synchronization

/// What is wanted of a run while it goes on: set from outside, looked at between acts.
public final class RunControl: Sendable {
    /// What is wanted.
    public enum Wish: Int, Sendable, Comparable {
        /// Carry on.
        case goOn
        /// The mains are back: reverse, if the point of no return is not passed.
        case reverse
        /// Stop after the present act and say how to resume.
        case stop

        /// Whether one wish is weaker than another.
        public static func < (left: Wish, right: Wish) -> Bool { left.rawValue < right.rawValue }
    }

    private struct State {
        var wish = Wish.goOn
        var pastReturn = false
        var isDeadlineReached = false
        var deadline: Duration?
        var isPastDeadline = false
    }

    private let state = Mutex(State())

    /// Carries on until told otherwise.
    public init() {}

    /// Says what is wanted. A stronger wish is not taken back by a weaker one, except that
    /// `goOn` takes `reverse` back: the mains failed again before anything was reversed.
    public func ask(_ wish: Wish) {
        state.withLock { state in
            if wish > state.wish || (wish == .goOn && state.wish == .reverse) {
                state.wish = wish
            }
        }
    }

    /// What is wanted now.
    public var wish: Wish { state.withLock { $0.wish } }

    /// The battery is at its end: what waits for a guest must wait no longer.
    public func reachDeadline() { state.withLock { $0.isDeadlineReached = true } }

    /// Whether the battery is at its end.
    public var isDeadlineReached: Bool {
        state.withLock { $0.isDeadlineReached || $0.isPastDeadline }
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

    /// Passes the point of no return; false when it was passed already.
    func passReturn() -> Bool {
        state.withLock { state in
            defer { state.pastReturn = true }
            return !state.pastReturn
        }
    }

    /// Whether no further act may begin.
    var mustStop: Bool {
        state.withLock { state in
            state.wish == .stop || (state.wish == .reverse && !state.pastReturn)
        }
    }
}
