import Glibc

/// The end of one attempt, and the only way in which this module waits.
struct SSHDeadline {
    /// Cancellation is noticed within one slice.
    static let sliceMilliseconds: Int32 = 100

    let peer: String
    /// What is being done, for the error; it changes as the attempt goes on.
    var attempting: String
    let limit: Duration
    private let end: ContinuousClock.Instant
    private let cancelled: () -> Bool

    init(
        peer: String, attempting: String, limit: Duration,
        from start: ContinuousClock.Instant = .now,
        cancelled: @escaping () -> Bool = { Task.isCancelled }
    ) {
        self.cancelled = cancelled
        self.peer = peer
        self.attempting = attempting
        self.limit = limit
        end = start + limit
    }

    /// The same attempt with a shorter limit of its own.
    func share(_ limit: Duration) -> SSHDeadline {
        SSHDeadline(peer: peer, attempting: attempting, limit: limit, cancelled: cancelled)
    }

    /// What is left, not below zero.
    var left: Duration { max(.zero, end - .now) }

    func error(_ reason: SSHError.Reason, _ detail: String) -> SSHError {
        SSHError(peer: peer, attempting: attempting, reason: reason, detail: detail)
    }

    /// Throws when the task was cancelled or the limit has passed.
    func check() throws(SSHError) {
        if cancelled() { throw error(.cancelled, "it was called off") }
        if left == .zero { throw error(.timedOut, "no answer within \(limit)") }
    }

    /// Waits for the socket, for one slice at most. Whoever calls it loops.
    func waitSlice(_ socket: Int32, for events: Int32) throws(SSHError) {
        try check()
        var descriptor = pollfd(fd: socket, events: Int16(events), revents: 0)
        // Rounded up: a wait of 0 ms until the deadline would be a busy loop.
        let milliseconds =
            left.components.seconds > 0
            ? Int64(Self.sliceMilliseconds)
            : left.components.attoseconds / 1_000_000_000_000_000 + 1
        _ = poll(&descriptor, 1, min(Self.sliceMilliseconds, Int32(milliseconds)))
    }
}
