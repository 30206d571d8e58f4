import GRDB
import Glibc
import PowerModel
import PowerRun

/// The journal's file: how it is opened, what makes it one of vpower's, and what its errors mean.
enum JournalFormat {
    /// Marks the file as vpower's (`PRAGMA application_id`): "vpwr".
    private static let applicationID: Int32 = 0x7670_7772

    // MARK: Opening

    static func openToWrite(
        _ path: String, maximumPages: Int?
    ) throws(JournalError) -> DatabaseQueue {
        // Past a limit of the file's size (RLIMIT_FSIZE) the kernel would end the process; ignored,
        // the write fails instead, which is answered as a full disk is.
        signal(SIGXFSZ, SIG_IGN)
        try check(path)
        var configuration = Configuration()
        configuration.busyMode = .timeout(SQLiteJournal.busyLimit.inSeconds)
        return try open(path, configuration) { queue in
            try queue.writeWithoutTransaction { database in
                try makeDurable(database)
                if let maximumPages {
                    try database.execute(sql: "PRAGMA max_page_count = \(maximumPages)")
                }
            }
            try queue.write { database in
                if try isJournal(database) == false { try create(database) }
                try createIndexes(database)
                // Written whether it changes or not: a disk that takes nothing is found out now.
                try database.execute(sql: "PRAGMA user_version = \(SQLiteJournal.format)")
            }
        }
    }

    /// Looks for damage before anything is written: a damaged file is left as it is, and damage is
    /// found before a run, not in it.
    private static func check(_ path: String) throws(JournalError) {
        guard try JournalFiles.logIsSound(of: path) else {
            throw JournalError(path: path, reason: .damaged, detail: "its log is damaged")
        }
        guard let queue = try openToRead(path) else { return }
        do {
            let found = try queue.read { database in
                try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "no answer"
            }
            guard found == "ok" else { throw Fault(.damaged, "is damaged: \(found.onOneLine)") }
        } catch { throw failure(error, at: path) }
    }

    /// Nil for a file in which nothing was ever recorded.
    static func openToRead(_ path: String) throws(JournalError) -> DatabaseQueue? {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(SQLiteJournal.busyLimit.inSeconds)
        var isEmpty = false
        let queue = try open(path, configuration) { queue in
            isEmpty = try queue.read(isJournal) == false
        }
        return isEmpty ? nil : queue
    }

    private static func open(
        _ path: String, _ configuration: Configuration, _ setUp: (DatabaseQueue) throws -> Void
    ) throws(JournalError) -> DatabaseQueue {
        let queue: DatabaseQueue
        do { queue = try DatabaseQueue(path: path, configuration: configuration) } catch {
            throw failure(error, at: path)
        }
        do { try setUp(queue) } catch { throw failure(error, at: path) }
        return queue
    }

    private static func makeDurable(_ database: Database) throws {
        let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
        guard mode == "wal" else {
            throw Fault(.other, "SQLite does not take WAL mode on this file system")
        }
        try database.execute(sql: "PRAGMA synchronous = FULL")
        let synchronous = try Int.fetchOne(database, sql: "PRAGMA synchronous")
        guard synchronous == 2 else {
            throw Fault(.other, "SQLite does not take synchronous=FULL; records could get lost")
        }
    }

    // MARK: What is in it

    /// Whether records can be in it: false for a new file.
    private static func isJournal(_ database: Database) throws -> Bool {
        let format = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        let owner = try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let tables = try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM sqlite_schema") ?? 0
        if format == 0, owner == 0, tables == 0 { return false }
        guard owner == applicationID else { throw Fault(.damaged, "is not a journal of vpower") }
        guard format <= SQLiteJournal.format else {
            throw Fault(
                .newerVersion,
                "a newer vpower wrote it (format \(format), this one reads"
                    + " \(SQLiteJournal.format))")
        }
        guard try database.tableExists("record") else {
            throw Fault(.damaged, "has no table of records")
        }
        return true
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
                PRAGMA application_id = \(applicationID);
                """)
    }

    /// SQLite uses a partial index only for a query that has its very condition.
    private static func createIndexes(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE INDEX IF NOT EXISTS recordOfOutage ON record (outage);
                CREATE INDEX IF NOT EXISTS recordOfOpening ON record (kind)
                    WHERE kind = 'outageOpened';
                CREATE INDEX IF NOT EXISTS recordOfClosing ON record (outage)
                    WHERE kind = 'outageClosed';
                CREATE INDEX IF NOT EXISTS recordOfRun ON record (run)
                    WHERE kind = 'runStarted';
                DROP INDEX IF EXISTS recordOfOutageEnds;
                """)
    }

    // MARK: Errors

    /// What an error of SQLite's, or of our own, means.
    static func failure(_ error: any Error, at path: String) -> JournalError {
        if let fault = error as? Fault {
            return JournalError(path: path, reason: fault.reason, detail: fault.detail)
        }
        guard let error = error as? DatabaseError else {
            return JournalError(path: path, reason: .other, detail: "\(error)")
        }
        // Not the error's own description: it repeats the statement.
        let words = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_FULL: return JournalError(path: path, reason: .full, detail: words)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return JournalError(path: path, reason: .damaged, detail: words)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return JournalError(path: path, reason: .locked, detail: words)
        case .SQLITE_IOERR, .SQLITE_CANTOPEN:
            // SQLite calls only ENOSPC full, and does not tell what else it was: the disk is asked.
            guard let room = StateDirectory.lackOfRoom(beside: path) else {
                return JournalError(path: path, reason: .other, detail: words)
            }
            return JournalError(path: path, reason: .full, detail: "\(words): \(room)")
        default: return JournalError(path: path, reason: .other, detail: words)
        }
    }

    /// A failure of our own, on its way through GRDB's calls.
    struct Fault: Error {
        var reason: JournalError.Reason
        var detail: String

        init(_ reason: JournalError.Reason, _ detail: String) {
            self.reason = reason
            self.detail = detail
        }
    }
}

/// The journal's files as they were opened, to see that they are still the ones in the directory.
struct JournalFiles: Sendable {
    private struct Identity: Hashable {
        var device: UInt64
        var number: UInt64
    }

    private let identities: [String: Identity]

    init(of path: String) throws(JournalError) {
        var identities: [String: Identity] = [:]
        for name in [path, "\(path)-wal"] {
            guard let identity = Self.identity(of: name) else { throw StateDirectory.error(name) }
            identities[name] = identity
        }
        self.identities = identities
    }

    func areStillThere() throws(JournalFormat.Fault) {
        for (path, identity) in identities where Self.identity(of: path) != identity {
            throw JournalFormat.Fault(
                .damaged, "\(path) was removed or replaced while vpower had it open")
        }
    }

    /// Whether the write-ahead log, if there is one, begins as SQLite writes it. SQLite takes any
    /// other for an empty one and would forget its records without a word.
    static func logIsSound(of path: String) throws(JournalError) -> Bool {
        let log = "\(path)-wal"
        let descriptor = open(log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return true }
            throw StateDirectory.error(log)
        }
        defer { close(descriptor) }
        var start = [UInt8](repeating: 0, count: 4)
        // A log that a power cut left shorter than that, or as zeros, never had a record.
        guard pread(descriptor, &start, start.count, 0) == start.count, start != [0, 0, 0, 0]
        else { return true }
        return start == [0x37, 0x7f, 0x06, 0x82] || start == [0x37, 0x7f, 0x06, 0x83]
    }

    private static func identity(of path: String) -> Identity? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Identity(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
    }
}
