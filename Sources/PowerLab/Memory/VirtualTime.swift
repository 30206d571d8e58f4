public import PowerModel
public import PowerRun
import Synchronization

/// A clock that stands still until somebody moves it: time for a simulation.
///
/// Together with `SerialExecutor` it makes a run a function of its input: jobs run one at a
/// time, in order, and when all of them wait, time jumps to the next moment anybody waits for.
public final class VirtualTime: TimeSource {
    private struct State {
        var now: Duration = .zero
        var wallStep: Duration = .zero
        /// Everybody who ever slept, by number.
        var sleepers: [Sleeper] = []
        /// Who sleeps until when; one that was woken before is there no more.
        var alarms = TimedHeap<Int>()
        var listeners: [Listener] = []

        /// Goes on to the next moment at which somebody is to be woken.
        mutating func next() -> UnsafeContinuation<Void, any Error>? {
            while let alarm = alarms.removeFirst() {
                guard let sleeper = wake(alarm.what) else { continue }
                now = max(now, alarm.at)
                return sleeper
            }
            return nil
        }

        /// Takes a sleeper out; nil for one that does not sleep, or not any more.
        mutating func wake(_ number: Int) -> UnsafeContinuation<Void, any Error>? {
            guard case .asleep(let continuation) = sleepers[number] else { return nil }
            sleepers[number] = .awake
            return continuation
        }

        /// Takes a sleeper out that is called off, maybe before it has fallen asleep.
        mutating func cancel(_ number: Int) -> UnsafeContinuation<Void, any Error>? {
            if case .fallingAsleep = sleepers[number] { sleepers[number] = .calledOff }
            return wake(number)
        }
    }

    /// One that wakes so long after somebody rings.
    private struct Listener {
        let sleeper: Int
        let delay: Duration
    }

    private enum Sleeper {
        case fallingAsleep, calledOff, awake
        case asleep(UnsafeContinuation<Void, any Error>)
    }

    private let state = Mutex(State())
    private let start: Timestamp

    /// A clock that begins at this moment.
    public init(start: Timestamp = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)) {
        self.start = start
    }

    /// Time since the beginning.
    public var elapsed: Duration { state.withLock { $0.now } }

    /// The wall clock of the simulation.
    public var wall: Timestamp { state.withLock { start + ($0.now + $0.wallStep) } }

    /// Sets the wall clock forward, or back; monotonic time goes on as it was.
    public func stepWall(by step: Duration) { state.withLock { $0.wallStep += step } }

    /// Waits until the clock was moved past the moment.
    public func sleep(for duration: Duration) async throws(CancellationError) {
        try await sleep(for: duration, listening: nil)
    }

    /// Waits until the clock was moved past the moment, or to so long after somebody has rung.
    func sleepUntilRung(
        for duration: Duration, wakingAfter delay: Duration
    ) async throws(CancellationError) {
        try await sleep(for: duration, listening: delay)
    }

    /// Wakes everybody who listens.
    func ring() {
        state.withLock { state in
            for listener in state.listeners {
                // Where it wakes earlier by itself, this comes too late to wake anybody.
                state.alarms.add(listener.sleeper, at: state.now + listener.delay)
            }
            state.listeners.removeAll(keepingCapacity: true)
        }
    }

    private func sleep(
        for duration: Duration, listening: Duration?
    ) async throws(CancellationError) {
        let number = state.withLock { state in
            state.sleepers.append(.fallingAsleep)
            return state.sleepers.count - 1
        }
        do {
            try await withTaskCancellationHandler {
                try await withUnsafeThrowingContinuation { continuation in
                    let isCancelled = state.withLock { state in
                        if case .calledOff = state.sleepers[number] { return true }
                        state.sleepers[number] = .asleep(continuation)
                        state.alarms.add(number, at: state.now + max(duration, .zero))
                        if let listening {
                            state.listeners.append(Listener(sleeper: number, delay: listening))
                        }
                        return false
                    }
                    if isCancelled { continuation.resume(throwing: CancellationError()) }
                }
            } onCancel: {
                let sleeper = state.withLock { $0.cancel(number) }
                sleeper?.resume(throwing: CancellationError())
            }
        } catch { throw CancellationError() }
    }

    /// Moves the clock to the next moment anybody waits for; false when nobody waits.
    public func advanceToNext() -> Bool {
        let sleeper = state.withLock { $0.next() }
        sleeper?.resume()
        return sleeper != nil
    }
}

/// Runs jobs one at a time, in the order in which they came, on the thread that asks for it.
public final class SerialExecutor: TaskExecutor {
    private struct Queue {
        var jobs: [UnownedJob] = []
        /// Where the next one stands: taking from the front of an array costs its length.
        var next = 0

        mutating func take() -> UnownedJob? {
            if next == jobs.count {
                jobs.removeAll(keepingCapacity: true)
                next = 0
                return nil
            }
            defer { next += 1 }
            return jobs[next]
        }
    }

    private let queue = Mutex(Queue())

    /// An executor with nothing to do.
    public init() {}

    /// Takes a job in.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.withLock { $0.jobs.append(job) }
    }

    /// Runs everything there is to do, and what comes of it.
    public func runUntilIdle() {
        while let job = queue.withLock({ $0.take() }) {
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    /// Runs an operation to its end in virtual time.
    /// - Parameters:
    ///   - limit: the virtual time it may take; a simulation that does not end is a bug.
    ///   - life: the process the operation is. When it is killed, what is left of its code runs
    ///     out without any effect.
    /// - Returns: what the operation gave, or nil when it was killed.
    /// - Throws: `SimulationStuck` when nothing can go on, or the limit has passed.
    public static func simulate<Result: Sendable>(
        time: VirtualTime, limit: Duration, life: LabLife? = nil,
        _ operation: @escaping @Sendable () async -> Result
    ) throws(SimulationStuck) -> Result? {
        let executor = SerialExecutor()
        let result = Mutex<Result?>(nil)
        // The one task a simulation is: it never leaves this executor.
        let task = Task(executorPreference: executor) {
            let value = await operation()
            result.withLock { $0 = value }
        }
        defer { task.cancel() }
        repeat {
            executor.runUntilIdle()
            if let life, !life.isAlive {
                task.cancel()
                executor.runUntilIdle()
                return nil
            }
            if let value = result.withLock({ $0 }) { return value }
            if time.elapsed > limit { throw SimulationStuck(after: time.elapsed) }
        } while time.advanceToNext()
        throw SimulationStuck(after: time.elapsed)
    }
}

/// A simulation that did not come to its end.
public struct SimulationStuck: Error, Sendable, CustomStringConvertible {
    /// The virtual time it had come to.
    public var after: Duration

    /// It stood still, or was stopped, at this virtual time.
    public init(after: Duration) { self.after = after }

    /// One line for people.
    public var description: String { "the simulation did not end (it stands at \(after))" }
}
