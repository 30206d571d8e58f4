import FoundationEssentials
import Glibc
import PowerModel
import PowerRun
import PowerStore
import Testing

@Suite struct SQLiteJournalTests {
    let scratch: ScratchDirectory
    let directory: String

    init() throws {
        scratch = try ScratchDirectory()
        directory = "\(scratch.path)/state"
    }

    private func opened() throws -> SQLiteJournal {
        try SQLiteJournal(directory: directory, wall: { noon })
    }

    /// Runs statements in the journal's file by the sqlite3 command, a second hand.
    private func sqlite(_ statements: String) throws -> Int32 {
        try Child([
            "sqlite3", "-bail", "-cmd", ".timeout 5000", "\(directory)/\(SQLiteJournal.fileName)",
            statements,
        ]).wait()
    }

    @Test(arguments: everyEvent + [.outageClosed])
    func `every event is the same after JSON`(event: RunEvent) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let data = try encoder.encode(event)
        #expect(try JSONDecoder().decode(RunEvent.self, from: data) == event)
    }

    @Test func `records are the same after the journal is opened again`() async throws {
        var written: [Record] = []
        do {
            let journal = try opened()
            for event in everyEvent {
                let inRun = if case .outageOpened = event { false } else { true }
                written.append(
                    try await journal.append(event, run: inRun ? run : nil, outage: outage))
            }
        }
        let journal = try opened()
        let read = try await journal.openOutage(of: cluster)
        #expect(read == written)
        #expect(read.map(\.number) == Array(1...Int64(everyEvent.count)))
        let ledger = Ledger(read)
        #expect(ledger.snapshot == snapshot())
        #expect(ledger.lastRun?.plan == plan())
        #expect(ledger == Ledger(written))
        let next = try await journal.append(.noted("on"), run: run, outage: outage)
        #expect(next.number == Int64(everyEvent.count) + 1)
        #expect(try await journal.newest(2) == [written[written.count - 1], next])
        #expect(try await journal.newest(0).isEmpty)
    }

    @Test func `only the open outages of the cluster are given`() async throws {
        let journal = try opened()
        let other = ClusterName("o'ther\"")
        for (id, name) in [("a", cluster), ("b", other), ("c", cluster), ("d", cluster)] {
            _ = try await journal.append(
                .outageOpened(cluster: name, reason: "x"), run: nil, outage: OutageID(id))
        }
        for id in ["a", "b"] {
            _ = try await journal.append(.noted("n"), run: nil, outage: OutageID(id))
        }
        _ = try await journal.append(.outageClosed, run: nil, outage: OutageID("c"))
        #expect(
            try await journal.openOutage(of: cluster).map(\.outage.rawValue) == ["a", "d", "a"])
        #expect(try await journal.openOutage(of: other).map(\.outage.rawValue) == ["b", "b"])
        #expect(try await journal.openOutage(of: ClusterName("none")).isEmpty)
    }

    @Test func `a record is there for another process as soon as append returns`() async throws {
        let journal = try opened()
        let record = try await journal.append(.noted("seen"), run: nil, outage: outage)
        // The first connection stays open, as one that is killed would leave it.
        #expect(try await opened().newest(10) == [record])
        let status = try sqlite(
            "CREATE TEMP TABLE t(x CHECK (x = 1)); INSERT INTO t SELECT COUNT(*) FROM record")
        #expect(status == 0)
        withExtendedLifetime(journal) {}
    }

    @Test func `a torn end of the log costs no earlier record`() async throws {
        let journal = try opened()
        var records: [Record] = []
        for number in 0..<20 {
            records.append(
                try await journal.append(.noted("\(number)"), run: nil, outage: outage))
        }
        // What a power cut leaves: the file and its log as they are, the log's last write torn.
        let copy = "\(scratch.path)/copy"
        mkdir(copy, 0o700)
        for ending in ["", "-wal"] {
            let name = "\(SQLiteJournal.fileName)\(ending)"
            var bytes = [UInt8](try Data(contentsOf: URL(filePath: "\(directory)/\(name)")))
            if ending == "-wal" { bytes.removeLast(100) }
            _ = try scratch.write(bytes, to: "copy/\(name)")
        }
        let after = try SQLiteJournal(directory: copy, wall: { noon })
        #expect(try await after.newest(100) == Array(records.dropLast()))
        withExtendedLifetime(journal) {}
    }

    @Test func `a cancelled task still gets its record written`() async throws {
        let journal = try opened()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await journal.append(.noted("cancelled"), run: nil, outage: outage)
        }
        #expect(try await task.value.number == 1)
    }

    @Test func `two writers never give the same number`() async throws {
        let (one, two) = (try opened(), try opened())
        let numbers = try await withThrowingTaskGroup(of: Int64.self) { group in
            for index in 0..<20 {
                group.addTask {
                    try await (index % 2 == 0 ? one : two)
                        .append(.noted("x"), run: nil, outage: outage).number
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(numbers.sorted() == Array(1...20))
    }

    @Test func `a commit waits for the disk`() throws {
        let journal = try opened()
        #expect(try journal.synchronous == 2)
    }

    @Test func `state is for its owner alone`() throws {
        _ = try opened()
        #expect(mode(of: directory) == 0o700)
        for name in names(in: directory) { #expect(mode(of: "\(directory)/\(name)") == 0o600) }
        #expect(names(in: directory).contains(SQLiteJournal.fileName))
    }

    @Test func `a full disk is told as full and keeps what was written`() async throws {
        let journal = try SQLiteJournal(directory: directory, wall: { noon }, maximumPages: 16)
        var written = 0
        var failure: JournalError?
        while failure == nil, written < 1000 {
            do throws(JournalError) {
                let note = RunEvent.noted(String(repeating: "x", count: 1000))
                _ = try await journal.append(note, run: nil, outage: outage)
                written += 1
            } catch {
                failure = error
            }
        }
        #expect(failure?.reason == .full)
        #expect(written > 3)
        #expect(try await opened().newest(1000).count == written)
    }

    @Test func `a full disk does not stop a run`() async throws {
        let journal = try SQLiteJournal(directory: directory, wall: { noon }, maximumPages: 16)
        let said = Said()
        let fallback = FallbackJournal(primary: journal, wall: { noon }, report: said.say)
        var written = [
            try await fallback.append(
                .outageOpened(cluster: cluster, reason: "x"), run: nil, outage: outage)
        ]
        for _ in 0..<100 {
            let note = RunEvent.noted(String(repeating: "x", count: 1000))
            written.append(try await fallback.append(note, run: run, outage: outage))
        }
        #expect(written.map(\.number) == Array(1...101))
        #expect(said.reasons == [.full])
        #expect(try await fallback.openOutage(of: cluster) == written)
        #expect(try await fallback.newest(5) == written.suffix(5))
        let onDisk = try await opened().openOutage(of: cluster)
        #expect(onDisk == Array(written.prefix(onDisk.count)))
        _ = try await fallback.append(.outageClosed, run: nil, outage: outage)
        #expect(try await fallback.openOutage(of: cluster).isEmpty)
    }

    @Test func `history gives outages newest first, and every record of one`() async throws {
        let journal = try opened()
        let other = ClusterName("other")
        var records: [String: [Record]] = [:]
        for (id, name) in [("a", cluster), ("b", other), ("c", cluster)] {
            for event in [RunEvent.outageOpened(cluster: name, reason: "x")] + ending {
                records[id, default: []].append(
                    try await journal.append(
                        event, run: RunID("run of \(id)"), outage: OutageID(id)))
            }
        }
        let reader = try #require(try SQLiteJournal(reading: directory))
        let memory = MemoryJournal(records: records.values.flatMap(\.self), wall: { noon })
        for history in [reader, memory, journal] as [any History] {
            let all = try await history.outages(of: nil, newest: 9)
            #expect(all.map(\.rawValue) == ["c", "b", "a"])
            #expect(try await history.outages(of: nil, newest: 2).map(\.rawValue) == ["c", "b"])
            #expect(try await history.outages(of: cluster, newest: 1).map(\.rawValue) == ["c"])
            #expect(try await history.outages(of: cluster, newest: -1) == [])
            #expect(try await history.records(of: OutageID("b")) == records["b"])
            #expect(try await history.records(of: OutageID("none")) == [])
            #expect(try await history.outage(of: RunID("run of b")) == OutageID("b"))
            #expect(try await history.outage(of: RunID("none")) == nil)
            let runs = try await history.finishedRuns(of: cluster, newest: 9)
            #expect(runs.map(\.id.rawValue) == ["run of c", "run of a"])
        }
    }

    @Test func `an outage that was closed stays closed when its beginning comes twice`()
        async throws
    {
        let journal = try opened()
        let opening = RunEvent.outageOpened(cluster: cluster, reason: "x")
        var records: [Record] = []
        for event in [opening] + ending + [opening] {
            records.append(try await journal.append(event, run: run, outage: outage))
        }
        let memory = MemoryJournal(records: records, wall: { noon })
        #expect(try await journal.openOutage(of: cluster).isEmpty)
        #expect(try await memory.openOutage(of: cluster).isEmpty)
    }

    private var ending: [RunEvent] {
        [.runStarted(plan(), RunCause(.hand, "x")), .runEnded(.finished), .outageClosed]
    }

    @Test(arguments: JournalQuery.allCases)
    func `no question walks through every record`(query: JournalQuery) throws {
        _ = try opened()
        let shell = Child.Output(
            "sqlite3", "\(directory)/\(SQLiteJournal.fileName)", "EXPLAIN QUERY PLAN \(query.sql)")
        let answer = try shell.text()
        #expect(answer.contains("QUERY PLAN"))
        // The newest records are walked to from the end, as many as are asked for.
        let walks = answer.split(separator: "\n").filter {
            $0.contains("SCAN") && !$0.contains("INDEX")
        }
        #expect(walks.count == (query == .newest ? 1 : 0), "\(answer)")
    }

    @Test func `a reader makes no files and holds up no writer`() async throws {
        #expect(try SQLiteJournal(reading: directory) == nil)
        #expect(names(in: scratch.path) == [])
        let journal = try opened()
        let first = try await journal.append(.noted("1"), run: nil, outage: outage)
        let reader = try #require(try SQLiteJournal(reading: directory))
        #expect(try await reader.newest(9) == [first])
        let second = try await journal.append(.noted("2"), run: nil, outage: outage)
        #expect(try await reader.newest(9) == [first, second])
        await #expect(throws: JournalError.self) {
            try await reader.append(.noted("3"), run: nil, outage: outage)
        }
    }

    @Test func `an empty file has nothing to read`() throws {
        mkdir(directory, 0o700)
        _ = try scratch.write("", to: "state/\(SQLiteJournal.fileName)")
        #expect(try SQLiteJournal(reading: directory) == nil)
    }

    @Test func `records of another journal are taken once, in their order`() async throws {
        let others = (1...3).map { number in
            Record(
                number: Int64(number), at: noon, run: run, outage: outage,
                event: .noted("other \(number)"))
        }
        let (disk, memory) = (try opened(), MemoryJournal(wall: { noon }))
        for store in [disk, memory] as [any RecordStore] {
            try await store.take(others)
            try await store.take(others)
            #expect(try await store.newest(9) == others)
            // One of the numbers is another record's: all get new ones.
            var more = others
            more[0].event = .noted("x")
            more[1].event = .noted("y")
            try await store.take(more)
            let words = try await store.newest(9).map { ($0.number, $0.event) }
            #expect(words.map(\.0) == [1, 2, 3, 4, 5])
            #expect(words.suffix(2).map(\.1) == [.noted("x"), .noted("y")])
            try await store.forget(through: 3)
            #expect(try await store.newest(9).map(\.number) == [4, 5])
        }
    }
}

/// Records of an older vpower, as it wrote them.
struct OlderRecordTests {
    private func read<Value: Decodable>(_ json: String) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(json.utf8))
    }

    @Test func `an automation without what came later is read, and nobody looked at that`() throws {
        let automation: Automation = try read(
            #"{"ha":true,"drsEnabled":true,"drsLevel":"manual","dpm":false,"vcls":"on"}"#)
        #expect(
            automation
                == Automation(
                    ha: true, drsEnabled: true, drsLevel: .manual, dpm: false, vcls: .on))
        #expect(AutomationChange.freeze(automation).drsOverrides == nil)
    }

    @Test func `steps that put DRS and vCLS back are read`() throws {
        let drs: Action = try read(#"{"thawDRS":{"_0":"fullyAutomated","dpm":true}}"#)
        #expect(drs == .thawDRS(.fullyAutomated, overrides: nil, dpm: true))
        let vcls: Action = try read(#"{"thawVCLS":{"_0":"unset"}}"#)
        #expect(vcls == .thawVCLS(.unset, mode: nil))
    }

    @Test func `a host that was armed before there were other ways is read`() throws {
        let armed = plan().steps.map(\.action).filter { action in
            if case .arm(_, _, nil) = action { true } else { false }
        }
        let text = String(decoding: try JSONEncoder().encode(armed), as: UTF8.self)
        #expect(armed.count == 1 && !text.contains(#""_2""#))
        let again: [Action] = try read(text)
        #expect(again == armed)
        let host: HostView = try read(
            #"{"name":"h","connected":true,"inMaintenance":false,"haAgentConfigured":true}"#)
        #expect(host.secureBoot == nil && host.startsByItself == nil)
    }
}
