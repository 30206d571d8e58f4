import GRDB
import Glibc
public import PowerModel
public import PowerRun

/// How many closed outages the journal keeps. Open ones are never removed.
public struct Retention: Hashable, Sendable {
    /// Of each cluster, at most this many.
    public var outages: Int
    /// And no more than this many bytes of records, all clusters together.
    public var bytes: Int64
    /// But always so many of each cluster: what estimates are made from.
    public var atLeast: Int

    /// An outage of three hosts takes about 100 kB; one of a thousand some tens of megabytes.
    public init(outages: Int = 200, bytes: Int64 = 256 << 20, atLeast: Int = 5) {
        self.outages = outages
        self.bytes = bytes
        self.atLeast = atLeast
    }
}

extension SQLiteJournal {
    /// Removes closed outages beyond what is to be kept, the oldest first; how many. For the
    /// daemon's start: it may take a while, so never during a run.
    public func prune(_ retention: Retention = Retention()) async throws(JournalError) -> Int {
        try await write { database in
            var kept: [String?: Int] = [:]
            var bytes: Int64 = 0
            var old: [String] = []
            for row in try Row.fetchAll(database, sql: JournalQuery.closedOutages.sql) {
                let cluster: String? = row["cluster"]
                bytes += row["bytes"]
                let number = kept[cluster, default: 0] + 1
                kept[cluster] = number
                let isKept =
                    number <= retention.atLeast
                    || number <= retention.outages && bytes <= retention.bytes
                if !isKept { old.append(row["outage"]) }
            }
            for outage in old {
                try database.execute(
                    sql: "DELETE FROM record WHERE outage = ?", arguments: [outage])
            }
            return old.count
        }
    }

    /// A damaged journal that was put out of the way. Nothing of it was changed or removed.
    public struct SetAside: Hashable, Sendable, CustomStringConvertible {
        /// Where it is now.
        public var path: String
        /// How many records of open outages could be read and go on in the new one.
        public var records: Int

        /// One line for people.
        public var description: String {
            let kept =
                records == 0
                ? "no open outage could be read in it"
                : "\(records) records of open outages were read from it"
            return "set aside as \(path); \(kept); a new journal is begun"
        }
    }

    /// Renames the damaged journal of this directory, begins a new one, and puts into that what
    /// can still be read of open outages. For the daemon only: it must have a journal.
    public static func replaceDamaged(
        in directory: String, wall: @escaping @Sendable () -> Timestamp
    ) async throws(JournalError) -> (journal: SQLiteJournal, setAside: SetAside) {
        let path = "\(directory)/\(fileName)"
        let aside = try freeName("\(path).damaged-\(wall().millisecondsSinceEpoch)")
        // Its log first: without it the file alone would be taken for the whole journal.
        for ending in ["-wal", "-shm", ""] {
            guard rename(path + ending, aside + ending) == 0 || errno == ENOENT else {
                throw StateDirectory.error(path + ending)
            }
        }
        try StateDirectory.sync(directory)
        let journal = try SQLiteJournal(directory: directory, wall: wall)
        let records = openRecords(in: aside)
        try await journal.take(records)
        return (journal, SetAside(path: aside, records: records.count))
    }

    private static let namesLimit = 100

    private static func freeName(_ wanted: String) throws(JournalError) -> String {
        for number in 1...namesLimit {
            let name = number == 1 ? wanted : "\(wanted)-\(number)"
            if try StateDirectory.exists(name) == false { return name }
        }
        throw JournalError(
            path: wanted, reason: .other, detail: "too many damaged journals lie beside it")
    }

    /// The open outages of a damaged file, as far as they are certain: read backwards until the
    /// damage, those whose opening was reached. Of others an end could be in what is damaged.
    private static func openRecords(in path: String) -> [PowerModel.Record] {
        var records: [String: [PowerModel.Record]] = [:]
        var closed: Set<String> = []
        var opened: Set<String> = []
        do {
            var configuration = Configuration()
            configuration.readonly = true
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.read { database in
                let rows = try Row.fetchCursor(
                    database, sql: JournalQuery.newest.sql, arguments: [Int64.max])
                while let row = try rows.next() {
                    let row = RecordRow(row)
                    if row.kind == "outageClosed" { closed.insert(row.outage) }
                    if row.kind == "outageOpened" { opened.insert(row.outage) }
                    if !closed.contains(row.outage) {
                        records[row.outage, default: []].append(row.record)
                    }
                }
            }
        } catch {
            // The damage; what lies before it in the file is not certain any more.
        }
        return opened.subtracting(closed).flatMap { records[$0] ?? [] }
            .sorted { $0.number < $1.number }
    }
}
