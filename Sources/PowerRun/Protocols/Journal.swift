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
