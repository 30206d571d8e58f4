public import PowerModel
public import PowerRun
import Synchronization

/// A clock that stands still until somebody moves it: time for a simulation.
///
/// Together with `SerialExecutor` it makes a run a function of its input: jobs run one at a
/// time, in order, and when all of them wait, time jumps to the next moment anybody waits for.
public final class VirtualTime: TimeSource {
    private struct Sleeper {
        let until: Duration
        let order: Int
        let continuation: UnsafeContinuation<Void, any Error>
    }

    private struct State {
        var now: Duration = .zero
        var nextOrder = 0
        var sleepers: [Int: Sleeper] = [:]
        var cancelledEarly: Set<Int> = []
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
    public var wall: Timestamp { start + elapsed }

    /// Waits until the clock was moved past the moment.
    public func sleep(for duration: Duration) async throws(CancellationError) {
        let id = state.withLock { state in
            state.nextOrder += 1
            return state.nextOrder
        }
        do {
            try await withTaskCancellationHandler {
                try await withUnsafeThrowingContinuation { continuation in
                    let isCancelled = state.withLock { state in
                        if state.cancelledEarly.remove(id) != nil { return true }
                        state.sleepers[id] = Sleeper(
                            until: state.now + max(duration, .zero), order: id,
                            continuation: continuation)
                        return false
                    }
                    if isCancelled { continuation.resume(throwing: CancellationError()) }
                }
            } onCancel: {
                let sleeper = state.withLock { state in
                    let sleeper = state.sleepers.removeValue(forKey: id)
                    if sleeper == nil { state.cancelledEarly.insert(id) }
                    return sleeper
                }
                sleeper?.continuation.resume(throwing: CancellationError())
            }
        } catch { throw CancellationError() }
    }

    /// Moves the clock to the next moment anybody waits for; false when nobody waits.
    public func advanceToNext() -> Bool {
        let sleeper = state.withLock { state -> Sleeper? in
            let next = state.sleepers.values.min { ($0.until, $0.order) < ($1.until, $1.order) }
            guard let next else { return nil }
            state.sleepers[next.order] = nil
            state.now = max(state.now, next.until)
            return next
        }
        sleeper?.continuation.resume()
        return sleeper != nil
    }
}

/// Runs jobs one at a time, in the order in which they came, on the thread that asks for it.
public final class SerialExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])

    /// An executor with nothing to do.
    public init() {}

    /// Takes a job in.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    private func takeFirst() -> UnownedJob? {
        jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }

    /// Runs everything there is to do, and what comes of it.
    public func runUntilIdle() {
        while let job = takeFirst() {
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    /// Runs an operation to its end in virtual time.
    /// - Parameters:
    ///   - limit: the virtual time it may take; a simulation that does not end is a bug.
    ///   - killed: looked at whenever everything waits; true ends the operation where it stands,
    ///     as `kill -9` would: no code of it runs any more.
    /// - Returns: what the operation gave, or nil when it was killed.
    /// - Throws: `SimulationStuck` when nothing can go on, or the limit has passed.
    public static func simulate<Result: Sendable>(
        time: VirtualTime, limit: Duration, killed: () -> Bool = { false },
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
            if let value = result.withLock({ $0 }) { return value }
            if killed() { return nil }
            if time.elapsed > limit { throw SimulationStuck(after: time.elapsed) }
        } while time.advanceToNext()
        throw SimulationStuck(after: time.elapsed)
    }
}

/// A simulation that did not come to its end.
public struct SimulationStuck: Error, Sendable, CustomStringConvertible {
    /// The virtual time it had come to.
    public var after: Duration

    /// One line for people.
    public var description: String { "the simulation did not end (it stands at \(after))" }
}
