// The Dispatch overlay's types are not all marked Sendable on Linux.
@preconcurrency import Dispatch

/// Runs an actor on a thread of its own.
///
/// libssh2 and poll block. On Swift's cooperative threads, of which there are as many as cores,
/// two silent hosts would stop the whole program. A serial queue of Dispatch takes a thread from
/// its overcommitting pool, which grows.
final class SSHThread: SerialExecutor {
    private let queue: DispatchQueue

    init(name: String) { queue = DispatchQueue(label: name) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
