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
        var nextID = 0
        /// Who sleeps until when, by the sleeper's number. One that was woken is not in `sleepers`
        /// any more.
        var alarms = TimedHeap<Int>()
        var sleepers: [Int: UnsafeContinuation<Void, any Error>] = [:]
        var listeners: [Int] = []
        var cancelledEarly: Set<Int> = []

        /// Takes the next sleeper that was not woken out, with the moment it sleeps until.
        mutating func next() -> UnsafeContinuation<Void, any Error>? {
            while let alarm = alarms.removeFirst() {
                guard let sleeper = sleepers.removeValue(forKey: alarm.what) else { continue }
                now = max(now, alarm.at)
                return sleeper
            }
            return nil
        }
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
        try await sleep(for: duration, listening: false)
    }

    /// Waits until the clock was moved past the moment, or somebody rings.
    func sleepUntilRung(for duration: Duration) async throws(CancellationError) {
        try await sleep(for: duration, listening: true)
    }

    /// Wakes everybody who listens.
    func ring() {
        let woken = state.withLock { state -> [UnsafeContinuation<Void, any Error>] in
            if state.listeners.isEmpty { return [] }
            defer { state.listeners.removeAll(keepingCapacity: true) }
            return state.listeners.compactMap { state.sleepers.removeValue(forKey: $0) }
        }
        for sleeper in woken { sleeper.resume() }
    }

    private func sleep(
        for duration: Duration, listening: Bool
    ) async throws(CancellationError) {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        do {
            try await withTaskCancellationHandler {
                try await withUnsafeThrowingContinuation { continuation in
                    let isCancelled = state.withLock { state in
                        if state.cancelledEarly.remove(id) != nil { return true }
                        state.sleepers[id] = continuation
                        state.alarms.add(id, at: state.now + max(duration, .zero))
                        if listening { state.listeners.append(id) }
                        return false
                    }
                    if isCancelled { continuation.resume(throwing: CancellationError()) }
                }
            } onCancel: {
                let sleeper = state.withLock { state in
                    // One that was woken before is cancelled for nothing.
                    let sleeper = state.sleepers.removeValue(forKey: id)
                    if sleeper == nil { state.cancelledEarly.insert(id) }
                    return sleeper
                }
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
    private let jobs = Mutex<[UnownedJob]>([])

    /// An executor with nothing to do.
    public init() {}

    /// Takes a job in.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    /// Runs everything there is to do, and what comes of it.
    public func runUntilIdle() {
        // What comes in while a batch runs goes behind it: first come, first run. The two arrays
        // change places, so that none is ever made anew.
        var batch: [UnownedJob] = []
        while true {
            batch.removeAll(keepingCapacity: true)
            jobs.withLock { swap(&$0, &batch) }
            if batch.isEmpty { return }
            for job in batch { job.runSynchronously(on: asUnownedTaskExecutor()) }
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
