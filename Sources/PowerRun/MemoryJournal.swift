public import PowerModel

/// A journal in memory: what a run falls back to when the disk fails, and what tests use.
public actor MemoryJournal: Journal {
    private var records: [Record]
    private let wall: @Sendable () -> Timestamp

    /// A journal that begins with these records.
    public init(_ records: [Record] = [], wall: @escaping @Sendable () -> Timestamp) {
        self.records = records
        self.wall = wall
    }

    /// Everything that was written.
    public var all: [Record] { records }

    /// Keeps one event.
    public func append(_ event: RunEvent, run: RunID?, outage: OutageID) -> Record {
        let record = Record(
            number: (records.last?.number ?? 0) + 1, at: wall(), run: run, outage: outage,
            event: event)
        records.append(record)
        return record
    }

    /// The records of the cluster's open outage.
    public func openOutage(of cluster: ClusterName) -> [Record] {
        var open: OutageID?
        for record in records {
            switch record.event {
            case .outageOpened(cluster, _): open = record.outage
            case .outageClosed where record.outage == open: open = nil
            default: break
            }
        }
        return open.map { id in records.filter { $0.outage == id } } ?? []
    }

    /// The newest records, oldest first.
    public func newest(_ limit: Int) -> [Record] { Array(records.suffix(limit)) }
}
