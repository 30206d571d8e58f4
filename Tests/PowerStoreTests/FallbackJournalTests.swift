import PowerModel
import PowerRun
import Synchronization
import Testing

/// Remembers what was reported.
final class Said: Sendable {
    private let errors = Mutex<[JournalError]>([])

    var reasons: [JournalError.Reason] { errors.withLock { $0.map(\.reason) } }

    var say: @Sendable (JournalError) -> Void {
        { error in self.errors.withLock { $0.append(error) } }
    }
}

/// A journal that can be told to fail.
actor FailingJournal: RecordStore {
    private let inner = MemoryJournal(wall: { noon })
    private var writes = true
    private var reads = true
    static let failure = JournalError(path: "/x", reason: .other, detail: "broken")

    func fail(writes: Bool, reads: Bool) { (self.writes, self.reads) = (!writes, !reads) }

    func append(
        _ event: RunEvent, run: RunID?, outage: OutageID
    ) async throws(JournalError) -> Record {
        guard writes else { throw Self.failure }
        return try await inner.append(event, run: run, outage: outage)
    }

    func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record] {
        guard reads else { throw Self.failure }
        return try await inner.openOutage(of: cluster)
    }

    func newest(_ limit: Int) async throws(JournalError) -> [Record] {
        guard reads else { throw Self.failure }
        return try await inner.newest(limit)
    }

    func outages(
        of cluster: ClusterName?, newest limit: Int
    ) async throws(JournalError) -> [OutageID] {
        guard reads else { throw Self.failure }
        return try await inner.outages(of: cluster, newest: limit)
    }

    func records(of outage: OutageID) async throws(JournalError) -> [Record] {
        guard reads else { throw Self.failure }
        return try await inner.records(of: outage)
    }

    func outage(of run: RunID) async throws(JournalError) -> OutageID? {
        guard reads else { throw Self.failure }
        return try await inner.outage(of: run)
    }

    func take(_ records: [Record]) async throws(JournalError) {
        guard writes else { throw Self.failure }
        try await inner.take(records)
    }

    func forget(through number: Int64) async throws(JournalError) {
        guard writes else { throw Self.failure }
        try await inner.forget(through: number)
    }
}

@Suite struct FallbackJournalTests {
    private let opened = RunEvent.outageOpened(cluster: cluster, reason: "x")

    @Test func `memory keeps a journal as the disk does`() async throws {
        let journal = MemoryJournal(wall: { noon })
        for id in ["a", "b"] {
            _ = try await journal.append(opened, run: nil, outage: OutageID(id))
        }
        _ = try await journal.append(.outageClosed, run: nil, outage: OutageID("a"))
        let last = try await journal.append(.noted("x"), run: run, outage: OutageID("b"))
        #expect(
            last
                == Record(
                    number: 4, at: noon, run: run, outage: OutageID("b"), event: .noted("x")))
        #expect(try await journal.openOutage(of: cluster).map(\.number) == [2, 4])
        #expect(try await journal.openOutage(of: ClusterName("other")).isEmpty)
        #expect(try await journal.newest(2).map(\.number) == [3, 4])
        #expect(try await journal.newest(-1).isEmpty)
    }

    @Test func `while the disk works everything is on it`() async throws {
        let (primary, said) = (FailingJournal(), Said())
        let journal = FallbackJournal(primary: primary, wall: { noon }, report: said.say)
        let record = try await journal.append(opened, run: nil, outage: outage)
        #expect(try await primary.newest(9) == [record])
        #expect(said.reasons.isEmpty)
    }

    @Test func `after a failed write everything stays in memory and it is said once`() async throws
    {
        let (primary, said) = (FailingJournal(), Said())
        let journal = FallbackJournal(primary: primary, wall: { noon }, report: said.say)
        var records = [try await journal.append(opened, run: nil, outage: outage)]
        await primary.fail(writes: true, reads: true)
        records.append(try await journal.append(.noted("a"), run: run, outage: outage))
        await primary.fail(writes: false, reads: false)
        records.append(try await journal.append(.noted("b"), run: run, outage: outage))
        #expect(records.map(\.number) == records.map(\.number).sorted())
        #expect(try await journal.openOutage(of: cluster) == records)
        #expect(try await journal.newest(2) == Array(records.suffix(2)))
        await primary.fail(writes: false, reads: false)
        #expect(try await primary.newest(9) == [records[0]])
        #expect(said.reasons == [.other])
        #expect(await journal.failure == FailingJournal.failure)
    }

    @Test(arguments: [false, true])
    func `an outage of an earlier process goes on when the first write fails`(
        readsFail: Bool
    ) async throws {
        let (primary, said) = (FailingJournal(), Said())
        let first = try await primary.append(opened, run: nil, outage: outage)
        await primary.fail(writes: true, reads: readsFail)
        let journal = FallbackJournal(primary: primary, wall: { noon }, report: said.say)
        let second = try await journal.append(.noted("a"), run: run, outage: outage)
        #expect(second.number > first.number)
        await primary.fail(writes: true, reads: false)
        #expect(try await journal.openOutage(of: cluster) == [first, second])
        _ = try await journal.append(.outageClosed, run: nil, outage: outage)
        #expect(try await journal.openOutage(of: cluster).isEmpty)
    }

    @Test func `an outage that another process closed is not open here either`() async throws {
        let (primary, said) = (FailingJournal(), Said())
        let journal = FallbackJournal(primary: primary, wall: { noon }, report: said.say)
        _ = try await journal.append(opened, run: nil, outage: outage)
        _ = try await primary.append(.outageClosed, run: nil, outage: outage)
        #expect(try await journal.openOutage(of: cluster).isEmpty)
        await primary.fail(writes: true, reads: true)
        #expect(try await journal.openOutage(of: cluster).isEmpty)
    }

    @Test func `numbers in memory go on from what other processes wrote`() async throws {
        let primary = FailingJournal()
        let journal = FallbackJournal(primary: primary, wall: { noon }, report: Said().say)
        var records = [try await journal.append(opened, run: nil, outage: outage)]
        records.append(try await primary.append(.noted("other"), run: run, outage: outage))
        await primary.fail(writes: true, reads: false)
        records.append(try await journal.append(.noted("a"), run: run, outage: outage))
        #expect(records.map(\.number) == [1, 2, 3])
        #expect(try await journal.openOutage(of: cluster) == records)
        #expect(try await journal.newest(9) == records)
    }

    @Test func `a journal that could not be opened is replaced and that is said`() async throws {
        let said = Said()
        let journal = FallbackJournal(
            failure: FailingJournal.failure, wall: { noon }, report: said.say)
        #expect(said.reasons == [.other])
        let record = try await journal.append(opened, run: nil, outage: outage)
        #expect(try await journal.openOutage(of: cluster) == [record])
        #expect(said.reasons == [.other])
    }

    @Test func `a journal that cannot be read gives what went through it`() async throws {
        let (primary, said) = (FailingJournal(), Said())
        let journal = FallbackJournal(primary: primary, wall: { noon }, report: said.say)
        let record = try await journal.append(opened, run: nil, outage: outage)
        await primary.fail(writes: false, reads: true)
        #expect(try await journal.openOutage(of: cluster) == [record])
        #expect(try await journal.newest(5) == [record])
        #expect(said.reasons == [.other])
        await primary.fail(writes: false, reads: false)
        let next = try await journal.append(.noted("a"), run: run, outage: outage)
        #expect(try await primary.newest(5) == [record, next])
    }
}
