public import PowerModel
public import PowerRun
import Synchronization

/// One life of a vpower process: everything it does goes through here, until it is killed.
///
/// The code of a killed process is let run out, with nothing it does having an effect: so nothing
/// of it is left behind in memory, however many are killed.
public final class LabLife: Sendable {
    /// How a life ends.
    public enum End: Hashable, Sendable {
        /// Killed before the record of this number is written, counted from 1.
        case beforeRecord(Int)
        /// Killed after it was written.
        case afterRecord(Int)
    }

    private struct State {
        var isAlive = true
        var written = 0
        var control: RunControl?
    }

    private let end: End?
    private let state = Mutex(State())

    /// A life that ends so; nil for one that does not.
    public init(until end: End? = nil) { self.end = end }

    /// Whether it has not been killed.
    public var isAlive: Bool { state.withLock { $0.isAlive } }

    /// Ends it now.
    public func kill() {
        let control = state.withLock { state in
            state.isAlive = false
            return state.control
        }
        // What is left of it must come to its end.
        control?.ask(.stop)
    }

    /// The run that is to stop when the process is killed.
    public func follow(_ control: RunControl) {
        let isAlive = state.withLock { state in
            state.control = control
            return state.isAlive
        }
        if !isAlive { control.ask(.stop) }
    }

    /// A record is about to be written: false when the process is dead, by this or before.
    func mayWrite() -> Bool {
        let (isAlive, next) = state.withLock { ($0.isAlive, $0.written + 1) }
        guard end == .beforeRecord(next) else { return isAlive }
        kill()
        return false
    }

    /// A record was written.
    func hasWritten() {
        let count = state.withLock { state in
            state.written += 1
            return state.written
        }
        if end == .afterRecord(count) { kill() }
    }
}

/// A journal as a process sees it that may be killed at any record. What a dead process writes is
/// nowhere.
public final class MortalJournal: Journal {
    private let inner: any Journal
    /// The same where it is in memory: then there is nothing to wait for.
    private let memory: MemoryJournal?
    private let life: LabLife
    /// Told of every record that is on disk, before its writer knows it.
    private let written: @Sendable (Record) -> Void

    /// The journal as this life sees it.
    public init(
        _ inner: any Journal, life: LabLife,
        written: @escaping @Sendable (Record) -> Void = { _ in }
    ) {
        self.inner = inner
        memory = inner as? MemoryJournal
        self.life = life
        self.written = written
    }

    /// Writes, unless the process is dead; it may die of it.
    public func append(_ event: RunEvent, run: RunID?, outage: OutageID)
        async throws(JournalError) -> Record
    {
        guard life.mayWrite() else { return nowhere(event, run, outage) }
        let record =
            if let memory {
                memory.write(event, run: run, outage: outage)
            } else {
                try await inner.append(event, run: run, outage: outage)
            }
        written(record)
        life.hasWritten()
        return record
    }

    private func nowhere(_ event: RunEvent, _ run: RunID?, _ outage: OutageID) -> Record {
        Record(
            number: 0, at: Timestamp(millisecondsSinceEpoch: 0), run: run, outage: outage,
            event: event)
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
