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
public final class SQLiteJournal: Journal {
    /// The format this version writes and reads (`PRAGMA user_version`).
    public static let format = 1
    /// The file's name in the state directory.
    public static let fileName = "journal.sqlite"
    /// How long a write waits for another process's. Records take milliseconds each.
    public static let busyLimit = Duration.seconds(5)
    /// Marks the file as vpower's (`PRAGMA application_id`): "vpwr".
    private static let applicationID: Int32 = 0x7670_7772

    /// The journal's file.
    public let path: String
    private let database: DatabaseQueue
    private let wall: @Sendable () -> Timestamp
    // Blocking calls stay off Swift's own threads, and a cancelled task still gets its record.
    private let queue = DispatchQueue(label: "vpower.journal")

    /// Opens the journal in this directory; both are created, for this user alone, if they are not
    /// there. `wall` gives the moment each record is stamped with. Throws `.newerVersion`,
    /// `.damaged`, `.full`, or `.other` with the system's words.
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
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(Self.busyLimit.inSeconds)
        do {
            database = try DatabaseQueue(path: path, configuration: configuration)
            try database.writeWithoutTransaction { database in
                try Self.makeDurable(database)
                if let maximumPages {
                    try database.execute(sql: "PRAGMA max_page_count = \(maximumPages)")
                }
            }
            try database.write { try Self.prepare($0) }
        } catch {
            throw Self.journalError(error, path: path)
        }
    }

    /// The durability this connection works with: 2 is FULL.
    package var synchronous: Int {
        get throws(JournalError) {
            do {
                return try database.writeWithoutTransaction { database in
                    try Int.fetchOne(database, sql: "PRAGMA synchronous") ?? -1
                }
            } catch {
                throw Self.journalError(error, path: path)
            }
        }
    }

    /// Writes one event down; on disk when this returns.
    public func append(
        _ event: RunEvent, run: RunID?, outage: OutageID
    ) async throws(JournalError) -> PowerModel.Record {
        let at = wall()
        return try await perform { database in
            try database.write { database in
                let last = try Int64.fetchOne(database, sql: "SELECT MAX(number) FROM record")
                let record = PowerModel.Record(
                    number: (last ?? 0) + 1, at: at, run: run, outage: outage, event: event)
                try Self.insert(record, into: database)
                return record
            }
        }
    }

    /// All records of the outages of this cluster that are still open, in order.
    public func openOutage(of cluster: ClusterName) async throws(JournalError) -> [PowerModel
        .Record]
    {
        try await perform { database in
            try database.read { database in
                try Self.records(
                    database,
                    """
                    WHERE outage IN
                        (SELECT outage FROM record WHERE kind = 'outageOpened' AND cluster = ?)
                    AND outage NOT IN (SELECT outage FROM record WHERE kind = 'outageClosed')
                    ORDER BY number
                    """, [cluster.rawValue])
            }
        }
    }

    /// The newest records, oldest first, at most `limit`.
    public func newest(_ limit: Int) async throws(JournalError) -> [PowerModel.Record] {
        try await perform { database in
            try database.read { database in
                try Self.records(database, "ORDER BY number DESC LIMIT ?", [max(0, limit)])
            }.reversed()
        }
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
                    result = .failure(Self.journalError(error, path: path))
                }
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }
}

// MARK: - The file

extension SQLiteJournal {
    private static func makeDurable(_ database: Database) throws {
        try database.execute(sql: "PRAGMA synchronous = FULL")
        let synchronous = try Int.fetchOne(database, sql: "PRAGMA synchronous")
        guard synchronous == 2 else {
            throw Fault(.other, "SQLite does not take synchronous=FULL; records could get lost")
        }
        let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode")
        guard mode == "wal" else {
            throw Fault(.other, "SQLite does not take WAL mode on this file system")
        }
    }

    private static func prepare(_ database: Database) throws {
        let format = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        let owner = try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let tables = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM sqlite_schema") ?? 0
        if format == 0, owner == 0, tables == 0 {
            try create(database)
            return
        }
        guard owner == applicationID else {
            throw Fault(.damaged, "is not a journal of vpower; move it away to start a new one")
        }
        guard format <= Self.format else {
            throw Fault(
                .newerVersion,
                "a newer vpower wrote it (format \(format), this one reads \(Self.format));"
                    + " install that version")
        }
        guard try database.tableExists("record") else {
            throw Fault(.damaged, "has no records table; move it away to start a new one")
        }
    }

    private static func create(_ database: Database) throws {
        // cluster is there for the records that open an outage, to find it by.
        try database.execute(
            sql: """
                CREATE TABLE record (
                    number INTEGER PRIMARY KEY NOT NULL,
                    at INTEGER NOT NULL,
                    outage TEXT NOT NULL,
                    run TEXT,
                    cluster TEXT,
                    kind TEXT NOT NULL,
                    payload TEXT NOT NULL
                ) STRICT;
                CREATE INDEX recordOfOutage ON record (outage);
                CREATE INDEX recordOfOutageEnds ON record (kind, cluster)
                    WHERE kind IN ('outageOpened', 'outageClosed');
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(format);
                """)
    }

    private static func insert(_ record: PowerModel.Record, into database: Database) throws {
        var cluster: String?
        if case .outageOpened(let name, _) = record.event { cluster = name.rawValue }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let payload = String(decoding: try encoder.encode(record.event), as: UTF8.self)
        try database.execute(
            sql: """
                INSERT INTO record (number, at, outage, run, cluster, kind, payload)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                record.number, record.at.millisecondsSinceEpoch, record.outage.rawValue,
                record.run?.rawValue, cluster, record.event.kind, payload,
            ])
    }

    private static func records(
        _ database: Database, _ condition: String, _ arguments: StatementArguments
    ) throws -> [PowerModel.Record] {
        try Row.fetchAll(
            database, sql: "SELECT number, at, outage, run, payload FROM record \(condition)",
            arguments: arguments
        ).map(record)
    }

    private static func record(_ row: Row) throws -> PowerModel.Record {
        let number: Int64 = row["number"]
        let payload: String = row["payload"]
        let event: RunEvent
        do {
            event = try JSONDecoder().decode(RunEvent.self, from: Data(payload.utf8))
        } catch {
            throw Fault(.damaged, "record \(number) cannot be read: \(error)")
        }
        let run: String? = row["run"]
        return PowerModel.Record(
            number: number, at: Timestamp(millisecondsSinceEpoch: row["at"]),
            run: run.map { RunID($0) }, outage: OutageID(row["outage"]), event: event)
    }
}

// MARK: - Errors

extension SQLiteJournal {
    /// A failure of our own, on its way through GRDB's calls.
    private struct Fault: Error {
        var reason: JournalError.Reason
        var detail: String

        init(_ reason: JournalError.Reason, _ detail: String) {
            self.reason = reason
            self.detail = detail
        }
    }

    private static func journalError(_ error: any Error, path: String) -> JournalError {
        if let fault = error as? Fault {
            return JournalError(path: path, reason: fault.reason, detail: fault.detail)
        }
        guard let error = error as? DatabaseError else {
            return JournalError(path: path, reason: .other, detail: "\(error)")
        }
        // Not the error's own description: it repeats the statement.
        let words = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        let reason: JournalError.Reason =
            switch error.resultCode {
            case .SQLITE_FULL: .full
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: .damaged
            case .SQLITE_BUSY, .SQLITE_LOCKED: .locked
            default: .other
            }
        return JournalError(path: path, reason: reason, detail: words)
    }
}

extension RunEvent {
    /// The event's name in the journal's `kind` column.
    var kind: String {
        switch self {
        case .outageOpened: "outageOpened"
        case .snapshotTaken: "snapshotTaken"
        case .runStarted: "runStarted"
        case .phaseStarted: "phaseStarted"
        case .phaseEnded: "phaseEnded"
        case .asked: "asked"
        case .stepEnded: "stepEnded"
        case .budgetChanged: "budgetChanged"
        case .noted: "noted"
        case .pointOfNoReturn: "pointOfNoReturn"
        case .runEnded: "runEnded"
        case .outageClosed: "outageClosed"
        }
    }
}
