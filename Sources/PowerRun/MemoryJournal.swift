public import PowerModel

/// A journal in memory: for simulations, and for a run whose disk fails.
public actor MemoryJournal: Journal {
    /// Every record it holds, in order.
    public private(set) var records: [Record] = []
    private let wall: @Sendable () -> Timestamp

    /// A journal that stamps its records with `wall`, beginning with these records.
    public init(records: [Record] = [], wall: @escaping @Sendable () -> Timestamp) {
        self.records = records.sorted { $0.number < $1.number }
        self.wall = wall
    }

    /// Adds one event; never fails.
    public func append(
        _ event: RunEvent, run: RunID?, outage: OutageID
    ) async throws(JournalError) -> Record {
        add(event, run: run, outage: outage)
    }

    /// All records of the outages of this cluster that are still open, in order.
    public func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record] {
        records.ofOpenOutages(of: cluster)
    }

    /// The newest records, oldest first, at most `limit`.
    public func newest(_ limit: Int) async throws(JournalError) -> [Record] {
        Array(records.suffix(max(0, limit)))
    }

    private func add(_ event: RunEvent, run: RunID?, outage: OutageID) -> Record {
        let record = Record(
            number: (records.last?.number ?? 0) + 1, at: wall(), run: run, outage: outage,
            event: event)
        records.append(record)
        return record
    }
}

extension [Record] {
    /// Those of the outages of this cluster that are still open.
    func ofOpenOutages(of cluster: ClusterName) -> [Record] {
        var open: Set<OutageID> = []
        for record in self {
            if case .outageOpened(cluster, _) = record.event { open.insert(record.outage) }
        }
        for record in self where record.event == .outageClosed { open.remove(record.outage) }
        return filter { open.contains($0.outage) }
    }
}
