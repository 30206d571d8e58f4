import FoundationEssentials
import GRDB
import PowerModel

/// What is asked of the journal's file. Each is answered through an index (`JournalFormat`).
package enum JournalQuery: String, CaseIterable, Sendable {
    case openOutages, newest, outages, outagesOfCluster, recordsOfOutage, outageOfRun
    case closedOutages

    package static let columns = "number, at, outage, run, cluster, kind, payload"

    /// The statement.
    package var sql: String {
        switch self {
        case .openOutages:
            """
            SELECT \(Self.columns) FROM record WHERE outage IN (
                SELECT opening.outage FROM record AS opening
                WHERE opening.kind = 'outageOpened' AND opening.cluster = ? AND NOT EXISTS (
                    SELECT 1 FROM record AS closing
                    WHERE closing.kind = 'outageClosed' AND closing.outage = opening.outage))
            ORDER BY number
            """
        case .newest: "SELECT \(Self.columns) FROM record ORDER BY number DESC LIMIT ?"
        case .outages:
            """
            SELECT outage FROM record WHERE kind = 'outageOpened'
            ORDER BY number DESC LIMIT ?
            """
        case .outagesOfCluster:
            """
            SELECT outage FROM record WHERE kind = 'outageOpened' AND cluster = ?
            ORDER BY number DESC LIMIT ?
            """
        case .recordsOfOutage:
            "SELECT \(Self.columns) FROM record WHERE outage = ? ORDER BY number"
        case .outageOfRun:
            "SELECT outage FROM record WHERE kind = 'runStarted' AND run = ? LIMIT 1"
        case .closedOutages:
            """
            SELECT closing.outage AS outage, opening.cluster AS cluster,
                (SELECT SUM(LENGTH(CAST(part.payload AS BLOB))) FROM record AS part
                WHERE part.outage = closing.outage) AS bytes
            FROM record AS closing INDEXED BY recordOfClosing LEFT JOIN record AS opening
                ON opening.outage = closing.outage AND opening.kind = 'outageOpened'
            WHERE closing.kind = 'outageClosed' ORDER BY closing.number DESC
            """
        }
    }

    /// The records it gives.
    func fetch(
        _ database: Database, _ arguments: StatementArguments
    ) throws -> [PowerModel.Record] {
        try Row.fetchAll(database, sql: sql, arguments: arguments)
            .map { RecordRow($0).record }
    }
}

/// A record as the file has it.
struct RecordRow: Sendable {
    var number: Int64
    var at: Int64
    var outage: String
    var run: String?
    /// Of records that open an outage, to find it by.
    var cluster: String?
    var kind: String
    var payload: String

    init(_ row: Row) {
        number = row["number"]
        at = row["at"]
        outage = row["outage"]
        run = row["run"]
        cluster = row["cluster"]
        kind = row["kind"]
        payload = row["payload"]
    }

    init(_ record: PowerModel.Record) throws {
        number = record.number
        at = record.at.millisecondsSinceEpoch
        outage = record.outage.rawValue
        run = record.run?.rawValue
        if case .outageOpened(let name, _) = record.event { cluster = name.rawValue }
        kind = record.event.kind
        // The same event always gives the same text: `isKnown` compares it.
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        payload = String(decoding: try encoder.encode(record.event), as: UTF8.self)
    }

    var record: PowerModel.Record {
        PowerModel.Record(
            number: number, at: Timestamp(millisecondsSinceEpoch: at),
            run: run.map { RunID($0) }, outage: OutageID(outage), event: event)
    }

    /// What it says. A payload of another version, or a damaged one, costs this record alone: a
    /// step that is not known to be over is looked at again; that an outage is open or closed and
    /// a run past its return is told without it.
    private var event: RunEvent {
        do { return try JSONDecoder().decode(RunEvent.self, from: Data(payload.utf8)) } catch {
            let words = "record \(number) (\(kind.onOneLine)) cannot be read; it is left out"
            return switch (kind, cluster) {
            case ("outageOpened", let cluster?):
                .outageOpened(cluster: ClusterName(cluster), reason: words)
            case ("outageClosed", _): .outageClosed
            case ("pointOfNoReturn", _): .pointOfNoReturn(words)
            default: .noted(words)
            }
        }
    }

    func insert(_ database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO record (number, at, outage, run, cluster, kind, payload)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [number, at, outage, run, cluster, kind, payload])
    }

    /// Whether the file has this record, whatever its number is there.
    func isKnown(_ database: Database) throws -> Bool {
        try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM record
                WHERE outage = ? AND at = ? AND kind = ? AND payload = ? AND run IS ?)
                """, arguments: [outage, at, kind, payload, run]) ?? false
    }

    func numberIsTaken(_ database: Database) throws -> Bool {
        try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM record WHERE number = ?)",
            arguments: [number]) ?? false
    }

    static func lastNumber(_ database: Database) throws -> Int64 {
        try Int64.fetchOne(database, sql: "SELECT MAX(number) FROM record") ?? 0
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
        case .bootChosen: "bootChosen"
        case .sshFound: "sshFound"
        case .noted: "noted"
        case .pointOfNoReturn: "pointOfNoReturn"
        case .runEnded: "runEnded"
        case .outageClosed: "outageClosed"
        }
    }
}
