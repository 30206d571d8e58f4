public import PowerModel

/// Time, as the engine knows it: given from outside, so that a simulation can be its own clock.
public protocol TimeSource: Sendable {
    /// Monotonic time since some start: for waits and limits.
    var elapsed: Duration { get }
    /// The wall clock: for records and people only.
    var wall: Timestamp { get }
    /// Waits.
    func sleep(for duration: Duration) async throws(CancellationError)
}

/// Where runs are recorded. A record is on disk when `append` returns.
public protocol Journal: Sendable {
    /// Writes one event down and returns it as a record with its number.
    func append(_ event: RunEvent, run: RunID?, outage: OutageID)
        async throws(JournalError) -> Record

    /// All records of the outages of this cluster that are still open, in order.
    func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record]

    /// The newest records, oldest first, at most `limit`.
    func newest(_ limit: Int) async throws(JournalError) -> [Record]
}

/// Past runs, as far as a journal has them. Apart from `Journal`, so that the engine cannot come to
/// need it: a shutdown never fails because history is unreadable.
public protocol History: Sendable {
    /// The newest outages of a cluster (of all clusters without one), newest first.
    func outages(of cluster: ClusterName?, newest limit: Int)
        async throws(JournalError) -> [OutageID]

    /// All records of one outage, in order; none when there is no such outage.
    func records(of outage: OutageID) async throws(JournalError) -> [Record]

    /// The outage a run belongs to; nil when there is no such run.
    func outage(of run: RunID) async throws(JournalError) -> OutageID?
}

extension History {
    /// The newest runs of a cluster that went to their ends, newest first, at most `limit`: what
    /// estimates are made from. No more than `limit` outages are looked at.
    public func finishedRuns(
        of cluster: ClusterName, newest limit: Int
    ) async throws(JournalError) -> [RunLedger] {
        var runs: [RunLedger] = []
        for outage in try await outages(of: cluster, newest: limit) {
            let finished = Ledger(try await records(of: outage)).runs.filter {
                $0.result == .finished || $0.result == .finishedWithGaps
            }
            runs += finished.reversed()
            if runs.count >= limit { break }
        }
        return Array(runs.prefix(limit))
    }
}

/// A journal that also takes in records which another one has numbered and stamped: so one can
/// stand in for the other, and give back what it was given meanwhile.
public protocol RecordStore: Journal, History {
    /// Writes records down as they are, all or none, and skips those it has. When one of the
    /// numbers is another record's, all of them get new numbers, in the same order.
    func take(_ records: [Record]) async throws(JournalError)

    /// Lets go of every record up to this number.
    func forget(through number: Int64) async throws(JournalError)
}

/// Why the journal could not be used.
public struct JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// The disk is full.
        case full
        /// The file is damaged.
        case damaged
        /// A newer vpower wrote it.
        case newerVersion
        /// Another run holds the lock.
        case locked
        /// Anything else: permission, I/O.
        case other
    }

    /// The journal's file.
    public var path: String
    /// What kind of failure it is.
    public var reason: Reason
    /// The system's own words.
    public var detail: String

    /// An error.
    public init(path: String, reason: Reason, detail: String) {
        self.path = path
        self.reason = reason
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "journal \(path): \(detail)" }
}

/// Tells people what a run does, as it does it. Never fails, never waits for long.
public protocol Announcer: Sendable {
    /// One record, just written.
    func announce(_ record: Record) async
}
