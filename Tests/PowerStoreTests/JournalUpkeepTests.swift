import PowerModel
import PowerRun
import PowerStore
import Testing

@Suite struct JournalUpkeepTests {
    let scratch: ScratchDirectory
    let journal: SQLiteJournal

    init() throws {
        scratch = try ScratchDirectory()
        journal = try SQLiteJournal(directory: scratch.path, wall: { noon })
    }

    private func add(_ id: String, of name: ClusterName, bytes: Int = 10, isOpen: Bool = false)
        async throws
    {
        let note = RunEvent.noted(String(repeating: "x", count: bytes))
        let events = [RunEvent.outageOpened(cluster: name, reason: "x"), note]
        for event in isOpen ? events : events + [.outageClosed] {
            _ = try await journal.append(event, run: nil, outage: OutageID(id))
        }
    }

    private func left() async throws -> [String] {
        try await journal.outages(of: nil, newest: 99).map(\.rawValue).sorted()
    }

    @Test func `the oldest closed outages of a cluster go, open ones and the newest stay`()
        async throws
    {
        let calm = ClusterName("calm")
        try await add("calm", of: calm)
        try await add("open", of: cluster, isOpen: true)
        for number in 1...5 { try await add("a\(number)", of: cluster) }
        #expect(try await journal.prune() == 0)
        let removed = try await journal.prune(Retention(outages: 2, atLeast: 1))
        #expect(removed == 3)
        #expect(try await left() == ["a4", "a5", "calm", "open"])
        #expect(try await journal.records(of: OutageID("a3")) == [])
        #expect(try await journal.records(of: OutageID("a4")).count == 3)
    }

    @Test func `no more bytes are kept than allowed, but always the newest`() async throws {
        for number in 1...5 { try await add("a\(number)", of: cluster, bytes: 1000) }
        #expect(try await journal.prune(Retention(bytes: 3500, atLeast: 1)) == 2)
        #expect(try await left() == ["a3", "a4", "a5"])
        #expect(try await journal.prune(Retention(bytes: 10, atLeast: 2)) == 1)
        #expect(try await left() == ["a4", "a5"])
    }
}
