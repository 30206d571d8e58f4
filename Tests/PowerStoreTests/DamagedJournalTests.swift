import FoundationEssentials
import Glibc
import PowerModel
import PowerRun
import PowerStore
import Testing

/// What becomes of a journal that is damaged, full, foreign, or gone.
@Suite struct DamagedJournalTests {
    let scratch: ScratchDirectory
    let directory: String
    var file: String { "\(directory)/\(SQLiteJournal.fileName)" }

    init() throws {
        scratch = try ScratchDirectory()
        directory = "\(scratch.path)/state"
    }

    private func opened() throws -> SQLiteJournal {
        try SQLiteJournal(directory: directory, wall: { noon })
    }

    private func openingFailure() -> JournalError.Reason? {
        do throws(JournalError) {
            _ = try SQLiteJournal(directory: directory, wall: { noon })
            return nil
        } catch {
            return error.reason
        }
    }

    private func sqlite(_ statements: String) throws {
        let words = ["sqlite3", "-bail", "-cmd", ".timeout 5000", file, statements]
        #expect(try Child(words).wait() == 0)
    }

    /// An old outage, closed, and then a large one that is open; all of it in the file itself.
    @discardableResult
    private func fill() async throws -> [Record] {
        let old = OutageID("old")
        var open: [Record] = []
        do {
            let journal = try opened()
            for event in [RunEvent.outageOpened(cluster: cluster, reason: "x")] + filling {
                _ = try await journal.append(event, run: nil, outage: old)
            }
            _ = try await journal.append(.outageClosed, run: nil, outage: old)
            for event in [RunEvent.outageOpened(cluster: cluster, reason: "x")] + filling {
                open.append(try await journal.append(event, run: nil, outage: outage))
            }
        }
        try await awaitClose()
        return open
    }

    /// A journal is closed a moment after its last use, and its log then goes into the file.
    private func awaitClose() async throws {
        for _ in 0..<1000 where names(in: directory).contains(where: { $0.hasSuffix("-wal") }) {
            try await Task.sleep(for: .milliseconds(10))
        }
        try #require(names(in: directory) == [SQLiteJournal.fileName])
    }

    private var filling: [RunEvent] {
        (0..<100).map { .noted(String(repeating: "\($0) ", count: 50)) }
    }

    private func change(_ path: String, _ body: (inout [UInt8]) -> Void) throws {
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        body(&bytes)
        try Data(bytes).write(to: URL(filePath: path))
    }

    /// Which page of the file holds this text.
    private func page(with text: String) throws -> Int {
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: file)))
        let found = try #require(bytes.firstRange(of: Array(text.utf8)))
        return found.lowerBound / 4096
    }

    // MARK: Found at opening

    enum Damage: String, CaseIterable {
        case header, schema, page, half, stub, log, text, foreign
    }

    private func inflict(_ damage: Damage) throws {
        switch damage {
        case .header: try change(file) { $0[3] ^= 0xff }
        case .schema: try change(file) { bytes in for i in 100..<112 { bytes[i] = 0xa5 } }
        case .page:
            let page = try page(with: "40 40 40 ")
            try change(file) { bytes in
                for index in page * 4096..<page * 4096 + 64 { bytes[index] = 0xa5 }
            }
        case .half: try change(file) { $0.removeLast($0.count / 2) }
        case .stub: try change(file) { $0 = Array($0.prefix(60)) }
        case .log: _ = try scratch.write("garbage", to: "state/\(SQLiteJournal.fileName)-wal")
        case .text:
            let text = String(repeating: "not a database\n", count: 500)
            _ = try scratch.write(text, to: "state/\(SQLiteJournal.fileName)")
        case .foreign:
            try #require(unlink(file) == 0)
            try sqlite("CREATE TABLE other(x)")
        }
    }

    @Test(arguments: Damage.allCases)
    func `damage is found at opening, and the file is left as it is`(damage: Damage) async throws {
        try await fill()
        try inflict(damage)
        let before = try Data(contentsOf: URL(filePath: file))
        #expect(openingFailure() == .damaged)
        #expect(try Data(contentsOf: URL(filePath: file)) == before)
    }

    @Test(arguments: Damage.allCases)
    func `the daemon sets a damaged journal aside and begins a new one`(damage: Damage) async throws
    {
        let open = try await fill()
        try inflict(damage)
        let before = try Data(contentsOf: URL(filePath: file))
        let (journal, aside) = try await SQLiteJournal.replaceDamaged(
            in: directory, wall: { noon })
        #expect(aside.path == "\(file).damaged-1700000000000")
        #expect(try Data(contentsOf: URL(filePath: aside.path)) == before)
        let read = try await journal.openOutage(of: cluster)
        // Read backwards, all of the open outage lies before the damage, or what is left is
        // nothing that can be trusted.
        let isWhole = [.page, .log].contains(damage)
        #expect(read == (isWhole ? open : []), "\(read.count) of \(open.count)")
        #expect(aside.records == read.count)
        let next = try await journal.append(.noted("on"), run: nil, outage: outage)
        #expect(try await opened().newest(1) == [next])
    }

    @Test func `an outage whose end could be in the damage is not taken for open`() async throws {
        try await fill()
        do {
            let journal = try opened()
            _ = try await journal.append(.outageClosed, run: nil, outage: outage)
            for event in filling {
                _ = try await journal.append(event, run: nil, outage: OutageID("later"))
            }
        }
        try await awaitClose()
        let page = try page(with: "99 99 99 ")
        try change(file) { bytes in
            for start in stride(from: page * 4096, to: bytes.count, by: 4096) {
                bytes[start] = 0xa5
            }
        }
        let (journal, aside) = try await SQLiteJournal.replaceDamaged(
            in: directory, wall: { noon })
        #expect(aside.records == 0)
        #expect(try await journal.openOutage(of: cluster) == [])
    }

    @Test func `a second damaged journal does not take the first one's place`() async throws {
        mkdir(directory, 0o700)
        let name = "state/\(SQLiteJournal.fileName)"
        let first = try scratch.write("one", to: "\(name).damaged-1700000000000")
        _ = try scratch.write(String(repeating: "two", count: 500), to: name)
        let aside = try await SQLiteJournal.replaceDamaged(in: directory, wall: { noon }).setAside
        #expect(aside.path == "\(file).damaged-1700000000000-2")
        #expect(try Data(contentsOf: URL(filePath: first)) == Data("one".utf8))
    }

    @Test func `a journal of a newer version is left alone`() async throws {
        try await fill()
        try sqlite("PRAGMA user_version = 2")
        #expect(openingFailure() == .newerVersion)
        #expect(throws: JournalError.self) { try SQLiteJournal(reading: directory) }
        try sqlite("PRAGMA user_version = 1")
        #expect(openingFailure() == nil)
    }

    @Test func `a directory in the journal's place is not damage`() throws {
        mkdir(directory, 0o700)
        mkdir(file, 0o700)
        #expect(openingFailure() == .other)
    }

    // MARK: Single records

    @Test func `a record that cannot be read costs that record alone`() async throws {
        let journal = try opened()
        let events: [RunEvent] = [
            .outageOpened(cluster: cluster, reason: "x"), .snapshotTaken(snapshot()),
            .runStarted(plan(), RunCause(.outage, "x")), .asked(StepID("a"), "x"),
            .stepEnded(StepID("a"), .done(.asked)), .pointOfNoReturn("x"), .noted("after"),
        ]
        for event in events {
            let inRun = if case .outageOpened = event { false } else { true }
            _ = try await journal.append(event, run: inRun ? run : nil, outage: outage)
        }
        try sqlite(
            """
            UPDATE record SET payload = '{"later":{}}', kind = 'later' WHERE kind = 'stepEnded';
            UPDATE record SET payload = '{"pointOfNoReturn":{"_1":2}}'
                WHERE kind = 'pointOfNoReturn';
            UPDATE record SET payload = 'x' WHERE kind = 'outageOpened';
            """)
        let ledger = Ledger(try await journal.openOutage(of: cluster))
        #expect(ledger.cluster == cluster)
        #expect(ledger.snapshot == snapshot())
        let last = try #require(ledger.interruptedRun)
        #expect(last.progress.keys.filter(last.hasAsked) == [StepID("a")])
        // It is not known to be over: it is looked at again.
        #expect(!last.progress.values.contains { $0.outcome != nil })
        #expect(last.isPastReturn)
        #expect(last.notes == ["record 5 (later) cannot be read; it is left out", "after"])
        try sqlite("UPDATE record SET payload = 'x', kind = 'outageClosed' WHERE kind = 'noted'")
        #expect(try await journal.openOutage(of: cluster) == [])
        let all = try await journal.records(of: outage)
        #expect(Ledger(all).isClosed)
    }

    // MARK: While it is open

    @Test(arguments: ["", "-wal"])
    func `a file removed while it is open is told at the next record`(ending: String) async throws {
        let journal = try opened()
        _ = try await journal.append(.noted("a"), run: nil, outage: outage)
        #expect(unlink(file + ending) == 0)
        await #expect {
            _ = try await journal.append(.noted("b"), run: nil, outage: outage)
        } throws: { error in
            (error as? JournalError)?.detail.contains("was removed or replaced") == true
        }
    }

    @Test func `past the largest size a file may have, the journal is full`() async throws {
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            let journal = try SQLiteJournal(directory: directory, wall: { noon })
            var limit = rlimit(rlim_cur: 100_000, rlim_max: 100_000)
            try #require(setrlimit(__rlimit_resource_t(1), &limit) == 0)
            var failure: JournalError?
            for _ in 0..<200 where failure == nil {
                do {
                    let note = RunEvent.noted(String(repeating: "x", count: 1000))
                    _ = try await journal.append(note, run: nil, outage: outage)
                } catch let error as JournalError { failure = error }
            }
            #expect(failure?.reason == .full, "\(String(describing: failure))")
        }
        #expect(try await !opened().newest(1).isEmpty)
    }

    @Test func `a journal that may be read and not written is no journal to write`() async throws {
        try await fill()
        #expect(chmod(scratch.path, 0o755) == 0)
        #expect(chmod(directory, 0o555) == 0)
        #expect(chmod(file, 0o444) == 0)
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            // Root may write everywhere; nobody may not.
            if geteuid() == 0 { try #require(setuid(65534) == 0) }
            do throws(JournalError) {
                _ = try SQLiteJournal(directory: directory, wall: { noon })
                Issue.record("it was opened")
            } catch {
                #expect(error.reason == .other)
                #expect(error.detail.contains("denied"), "\(error)")
            }
        }
        #expect(chmod(directory, 0o755) == 0)
    }
}
