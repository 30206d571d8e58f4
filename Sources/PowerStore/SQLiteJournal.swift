import Dispatch
import FoundationEssentials
import GRDB
public import PowerModel
public import PowerRun

/// The journal on disk: one SQLite file of records in the state directory.
///
/// A record is on disk when `append` returns: WAL with `synchronous=FULL`, which is read back
/// before the first write, because GRDB's own set-up of WAL quietly sets NORMAL. Several processes
/// may use the file at once: a reader never stops a writer.
public final class SQLiteJournal: RecordStore {
    /// The format this version writes and reads (`PRAGMA user_version`).
    public static let format = 1
    /// The file's name in the state directory.
    public static let fileName = "journal.sqlite"
    /// How long a write waits for another process's. Records take milliseconds each.
    public static let busyLimit = Duration.seconds(5)

    /// The journal's file.
    public let path: String
    let database: DatabaseQueue
    private let wall: @Sendable () -> Timestamp
    /// The files as they were opened; nil for a journal that is only read.
    private let files: JournalFiles?
    // Blocking calls stay off Swift's own threads, and a cancelled task still gets its record.
    private let queue = DispatchQueue(label: "vpower.journal")

    /// Opens the journal in this directory; both are created, for this user alone, if they are not
    /// there. `wall` gives the moment each record is stamped with. Throws `.newerVersion`,
    /// `.damaged`, `.full`, or `.other` with the system's words: also when it could be read and
    /// not be written.
    public convenience init(
        directory: String, wall: @escaping @Sendable () -> Timestamp
    ) throws(JournalError) {
        try self.init(directory: directory, wall: wall, maximumPages: nil)
    }

    /// The same with a limit of the file's size, in pages: a small disk, for tests.
    package init(
        directory: String, wall: @escaping @Sendable () -> Timestamp, maximumPages: Int?
    ) throws(JournalError) {
        try StateDirectory.create(directory)
        path = "\(directory)/\(Self.fileName)"
        try StateDirectory.createFile(path)
        try StateDirectory.sync(directory)
        self.wall = wall
        database = try JournalFormat.openToWrite(path, maximumPages: maximumPages)
        files = try JournalFiles(of: path)
    }

    /// Opens a journal to look at it: nothing is created, no writer waits for it, and what it is
    /// told to write is refused. Nil where nothing was ever recorded.
    public init?(reading directory: String) throws(JournalError) {
        path = "\(directory)/\(Self.fileName)"
        guard try StateDirectory.exists(path),
            let database = try JournalFormat.openToRead(path)
        else { return nil }
        self.database = database
        files = nil
        wall = { Timestamp(millisecondsSinceEpoch: 0) }
    }

    /// The durability this connection works with: 2 is FULL.
    package var synchronous: Int {
        get throws(JournalError) {
            do {
                return try database.writeWithoutTransaction { database in
                    try Int.fetchOne(database, sql: "PRAGMA synchronous") ?? -1
                }
            } catch {
                throw JournalFormat.failure(error, at: path)
            }
        }
    }

    // MARK: Journal

    /// Writes one event down; on disk when this returns.
    public func append(
        _ event: RunEvent, run: RunID?, outage: OutageID
    ) async throws(JournalError) -> PowerModel.Record {
        let at = wall()
        return try await write { database in
            let last = try RecordRow.lastNumber(database)
            let record = PowerModel.Record(
                number: last + 1, at: at, run: run, outage: outage, event: event)
            try RecordRow(record).insert(database)
            return record
        }
    }

    /// All records of the outages of this cluster that are still open, in order.
    public func openOutage(of cluster: ClusterName) async throws(JournalError) -> [PowerModel
        .Record]
    {
        try await read { try JournalQuery.openOutages.fetch($0, [cluster.rawValue]) }
    }

    /// The newest records, oldest first, at most `limit`.
    public func newest(_ limit: Int) async throws(JournalError) -> [PowerModel.Record] {
        try await read { try JournalQuery.newest.fetch($0, [max(0, limit)]).reversed() }
    }

    // MARK: History

    /// The newest outages, newest first, at most `limit`.
    public func outages(
        of cluster: ClusterName?, newest limit: Int
    ) async throws(JournalError) -> [OutageID] {
        let outages = try await read { database in
            if let cluster {
                return try String.fetchAll(
                    database, sql: JournalQuery.outagesOfCluster.sql,
                    arguments: [cluster.rawValue, max(0, limit)])
            }
            return try String.fetchAll(
                database, sql: JournalQuery.outages.sql, arguments: [max(0, limit)])
        }
        return outages.map { OutageID($0) }
    }

    /// All records of one outage, in order.
    public func records(
        of outage: OutageID
    ) async throws(JournalError) -> [PowerModel.Record] {
        try await read { try JournalQuery.recordsOfOutage.fetch($0, [outage.rawValue]) }
    }

    /// The outage a run belongs to.
    public func outage(of run: RunID) async throws(JournalError) -> OutageID? {
        try await read { database in
            try String.fetchOne(
                database, sql: JournalQuery.outageOfRun.sql, arguments: [run.rawValue])
        }.map { OutageID($0) }
    }

    // MARK: Records of another journal

    /// Takes in what it does not have yet, all or none; on disk when this returns.
    public func take(_ records: [PowerModel.Record]) async throws(JournalError) {
        try await write { database in
            var rows = try records.map(RecordRow.init).filter { row in
                try row.isKnown(database) == false
            }
            if try rows.contains(where: { try $0.numberIsTaken(database) }) {
                let last = try RecordRow.lastNumber(database)
                for index in rows.indices { rows[index].number = last + 1 + Int64(index) }
            }
            for row in rows { try row.insert(database) }
        }
    }

    /// Lets go of every record up to this number.
    public func forget(through number: Int64) async throws(JournalError) {
        try await write { database in
            try database.execute(sql: "DELETE FROM record WHERE number <= ?", arguments: [number])
        }
    }

    // MARK: Off Swift's threads

    func write<T: Sendable>(
        _ work: @escaping @Sendable (Database) throws -> T
    ) async throws(JournalError) -> T {
        let files = files
        return try await perform { database in
            // SQLite goes on in files that have no name any more: nobody would ever read those.
            try files?.areStillThere()
            return try database.write(work)
        }
    }

    private func read<T: Sendable>(
        _ work: @escaping @Sendable (Database) throws -> T
    ) async throws(JournalError) -> T {
        try await perform { try $0.read(work) }
    }

    private func perform<T: Sendable>(
        _ work: @escaping @Sendable (DatabaseQueue) throws -> T
    ) async throws(JournalError) -> T {
        let (database, path) = (database, path)
        let result = await withCheckedContinuation { continuation in
            queue.async {
                let result: Result<T, JournalError>
                do {
                    result = .success(try work(database))
                } catch {
                    result = .failure(JournalFormat.failure(error, at: path))
                }
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }
}
