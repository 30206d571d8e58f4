public import PowerModel
public import PowerRun
import Synchronization

/// A journal that writes so many records and then never returns: the moment at which the process
/// is killed. For `SerialExecutor.simulate`, which then runs nothing of it any more.
public final class MortalJournal: Journal {
    private let inner: any Journal
    private let time: VirtualTime
    private let left: Mutex<Int?>

    /// Whether the process is dead.
    public var isDead: Bool { left.withLock { $0.map { $0 <= 0 } ?? false } }

    /// A journal that dies after so many records; nil never dies.
    public init(_ inner: any Journal, dies count: Int?, time: VirtualTime) {
        self.inner = inner
        self.time = time
        left = Mutex(count)
    }

    /// Writes, and dies when it is time to.
    public func append(_ event: RunEvent, run: RunID?, outage: OutageID)
        async throws(JournalError) -> Record
    {
        if isDead { await never() }
        let record = try await inner.append(event, run: run, outage: outage)
        left.withLock { left in left = left.map { $0 - 1 } }
        if isDead { await never() }
        return record
    }

    /// Longer than any simulation lasts.
    private static let ever: Duration = .seconds(1_000_000)

    private func never() async {
        do { while true { try await time.sleep(for: Self.ever) } } catch {}
    }

    /// What the journal has.
    public func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record] {
        try await inner.openOutage(of: cluster)
    }

    /// What the journal has.
    public func newest(_ limit: Int) async throws(JournalError) -> [Record] {
        try await inner.newest(limit)
    }
}
