public import PowerModel
import Synchronization

/// A journal in memory: for simulations, and for a run whose disk fails.
public final class MemoryJournal: RecordStore {
    private let held: Mutex<[Record]>
    private let wall: @Sendable () -> Timestamp

    /// A journal that stamps its records with `wall`, beginning with these records.
    public init(records: [Record] = [], wall: @escaping @Sendable () -> Timestamp) {
        held = Mutex(records.sorted { $0.number < $1.number })
        self.wall = wall
    }

    /// Every record it holds, in order.
    public var records: [Record] { held.withLock { $0 } }

    /// Adds one event; never fails.
    public func append(
        _ event: RunEvent, run: RunID?, outage: OutageID
    ) async throws(JournalError) -> Record { write(event, run: run, outage: outage) }

    /// Adds one event at once.
    public func write(_ event: RunEvent, run: RunID?, outage: OutageID) -> Record {
        held.withLock { records in
            let record = Record(
                number: (records.last?.number ?? 0) + 1, at: wall(), run: run, outage: outage,
                event: event)
            records.append(record)
            return record
        }
    }

    /// All records of the outages of this cluster that are still open, in order.
    public func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record] {
        records.ofOpenOutages(of: cluster)
    }

    /// The newest records, oldest first, at most `limit`.
    public func newest(_ limit: Int) async throws(JournalError) -> [Record] {
        Array(records.suffix(max(0, limit)))
    }

    /// The newest outages, newest first.
    public func outages(
        of cluster: ClusterName?, newest limit: Int
    ) async throws(JournalError) -> [OutageID] {
        Array(records.outagesNewestFirst(of: cluster).prefix(max(0, limit)))
    }

    /// All records of one outage, in order.
    public func records(of outage: OutageID) async throws(JournalError) -> [Record] {
        records.filter { $0.outage == outage }
    }

    /// The outage a run belongs to.
    public func outage(of run: RunID) async throws(JournalError) -> OutageID? {
        records.first { $0.run == run }?.outage
    }

    /// Takes in what it does not have yet; never fails.
    public func take(_ others: [Record]) async throws(JournalError) {
        held.withLock { records in
            var new = others.filter { other in !records.contains { $0.isSame(as: other) } }
            let numbers = Set(records.map(\.number))
            if new.contains(where: { numbers.contains($0.number) }) {
                let last = numbers.max() ?? 0
                for index in new.indices { new[index].number = last + 1 + Int64(index) }
            }
            records = (records + new).sorted { $0.number < $1.number }
        }
    }

    /// Lets go of every record up to this number.
    public func forget(through number: Int64) async throws(JournalError) {
        held.withLock { $0.removeAll { $0.number <= number } }
    }
}

extension Record {
    /// Whether both are the same entry, whatever numbers they have.
    func isSame(as other: Record) -> Bool {
        at == other.at && outage == other.outage && run == other.run && event == other.event
    }
}

extension [Record] {
    /// The outages that these records open, the newest first.
    func outagesNewestFirst(of cluster: ClusterName?) -> [OutageID] {
        reversed().compactMap { record in
            guard case .outageOpened(let name, _) = record.event else { return nil }
            return cluster == nil || name == cluster ? record.outage : nil
        }
    }

    /// Those of the outages of this cluster that are still open.
    func ofOpenOutages(of cluster: ClusterName) -> [Record] {
        var opened: Set<OutageID> = []
        // Wherever it stands: a record that two journals held may come twice.
        var closed: Set<OutageID> = []
        for index in indices {
            switch self[index].event {
            case .outageOpened(cluster, _): opened.insert(self[index].outage)
            case .outageClosed: closed.insert(self[index].outage)
            default: break
            }
        }
        let open = opened.subtracting(closed)
        return filter { open.contains($0.outage) }
    }
}
