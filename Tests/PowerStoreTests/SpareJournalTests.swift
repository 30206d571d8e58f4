import PowerModel
import PowerRun
import PowerStore
import Testing

/// The first journal fails, vpower is killed, and another one goes on.
@Suite struct SpareJournalTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    /// A small outage in full.
    static let events: [RunEvent] = [
        .outageOpened(cluster: cluster, reason: "x"), .snapshotTaken(snapshot(guests: ["a"])),
        .runStarted(plan(), RunCause(.outage, "x")), .phaseStarted(.freeze),
        .asked(StepID("a"), "x"), .stepEnded(StepID("a"), .done(.asked)),
        .phaseEnded(.freeze), .pointOfNoReturn("x"), .runEnded(.interrupted),
    ]

    private func runOf(_ event: RunEvent) -> RunID? {
        switch event {
        case .outageOpened, .snapshotTaken, .outageClosed: nil
        default: run
        }
    }

    private func spare() throws -> SQLiteJournal {
        try SQLiteJournal(directory: "\(scratch.path)/run", wall: { noon })
    }

    /// A process: opens both as the daemon does, and takes over what was left.
    private func process(
        _ primary: FailingJournal, _ spare: SQLiteJournal, _ said: Said
    ) async -> FallbackJournal {
        let journal = FallbackJournal(
            primary: primary, spare: spare, wall: { noon }, report: said.say)
        await journal.takeOver(into: primary)
        return journal
    }

    @Test(arguments: 0...events.count, [false, true])
    func `killed after the disk failed, the next process has the same ledger`(
        failsAt: Int, isMended: Bool
    ) async throws {
        let (primary, said) = (FailingJournal(), Said())
        var written: [Record] = []
        do {
            let journal = await process(primary, try spare(), said)
            for (place, event) in Self.events.enumerated() {
                if place == failsAt { await primary.fail(writes: true, reads: true) }
                written.append(
                    try await journal.append(event, run: runOf(event), outage: outage))
            }
        }
        #expect(said.reasons == (failsAt < Self.events.count ? [.other] : []))
        await primary.fail(writes: !isMended, reads: !isMended && failsAt < Self.events.count)
        let left = try spare()
        let next = await process(primary, left, Said())
        let read = try await next.openOutage(of: cluster)
        #expect(Ledger(read) == Ledger(written))
        #expect(read.map(\.event) == Self.events)
        // Mended, the disk has everything and nothing is left in the spare.
        #expect(try await left.newest(99).isEmpty == (isMended || failsAt == Self.events.count))
        if isMended {
            #expect(try await primary.openOutage(of: cluster).map(\.event) == Self.events)
        }
        let more = try await next.append(.noted("on"), run: run, outage: outage)
        #expect(more.number > written[written.count - 1].number)
        #expect(try await next.openOutage(of: cluster).last == more)
    }

    @Test func `what another process wrote meanwhile is not written over`() async throws {
        let (primary, said) = (FailingJournal(), Said())
        let journal = await process(primary, try spare(), said)
        for event in Self.events.prefix(3) {
            _ = try await journal.append(event, run: runOf(event), outage: outage)
        }
        await primary.fail(writes: true, reads: false)
        for event in Self.events.dropFirst(3) {
            _ = try await journal.append(event, run: runOf(event), outage: outage)
        }
        await primary.fail(writes: false, reads: false)
        let other = ClusterName("other")
        let theirs = try await primary.append(
            .outageOpened(cluster: other, reason: "y"), run: nil, outage: OutageID("theirs"))
        // Its number is one that the spare has too.
        #expect(try await spare().newest(99).contains { $0.number == theirs.number })
        let next = await process(primary, try spare(), Said())
        #expect(try await next.openOutage(of: other) == [theirs])
        #expect(try await next.openOutage(of: cluster).map(\.event) == Self.events)
    }

    @Test func `a spare that fails too leaves memory, and that is said once`() async throws {
        let (primary, second, said) = (FailingJournal(), FailingJournal(), Said())
        let journal = FallbackJournal(
            primary: primary, spare: second, wall: { noon }, report: said.say)
        await primary.fail(writes: true, reads: true)
        await second.fail(writes: true, reads: false)
        var written: [Record] = []
        for event in Self.events {
            written.append(try await journal.append(event, run: runOf(event), outage: outage))
        }
        #expect(said.reasons == [.other, .other])
        #expect(try await journal.openOutage(of: cluster) == written)
    }

    @Test func `a journal that can only be read goes on in the spare`() async throws {
        let (primary, said) = (FailingJournal(), Said())
        var written = [
            try await primary.append(Self.events[0], run: nil, outage: outage)
        ]
        let journal = FallbackJournal(
            failure: FailingJournal.failure, reading: primary, spare: try spare(),
            wall: { noon }, report: said.say)
        await journal.takeOver(into: nil)
        #expect(try await journal.openOutage(of: cluster) == written)
        written.append(try await journal.append(.noted("x"), run: run, outage: outage))
        #expect(try await journal.openOutage(of: cluster) == written)
        #expect(try await spare().newest(9) == written)
        #expect(try await primary.newest(9).count == 1)
    }

    @Test func `looking shows both and changes neither`() async throws {
        let (primary, said) = (FailingJournal(), Said())
        let journal = await process(primary, try spare(), said)
        _ = try await journal.append(Self.events[0], run: nil, outage: outage)
        await primary.fail(writes: true, reads: false)
        for event in Self.events.dropFirst() {
            _ = try await journal.append(event, run: runOf(event), outage: outage)
        }
        let left = try await spare().newest(.max)
        let look = FallbackJournal(reading: primary, left: left, wall: { noon }, report: said.say)
        #expect(try await look.openOutage(of: cluster).map(\.event) == Self.events)
        #expect(try await look.records(of: outage).map(\.event) == Self.events)
        #expect(try await look.outages(of: nil, newest: 9) == [outage])
        #expect(try await look.outage(of: run) == outage)
        #expect(try await primary.newest(99).count == 1)
        #expect(try await spare().newest(.max) == left)
    }
}
