import PowerLab
import PowerModel
import PowerRun
import Testing

struct OutageTests {
    @Test func `an outage takes the cluster down in order and brings it back as it was`() throws {
        let site = MemorySite()
        let (down, up, violations) = try simulate(site) {
            site.world.failMains()
            let down = try await site.goDown(site.operation())
            try await site.cycle()
            let up = try await site.comeBack(site.operation())
            return (down, up, await site.violations())
        }
        #expect(down == .finished)
        #expect(up == .finished)
        #expect(violations == [])
    }

    @Test func `the same seedless run gives the same log twice`() throws {
        func log() throws -> [LabEvent] {
            let site = MemorySite()
            return try simulate(site) {
                site.world.failMains()
                _ = try await site.goDown(site.operation())
                return site.world.log
            }
        }
        #expect(try log() == log())
    }

    @Test func `a guest without Tools and one that ignores its request are powered off`() throws {
        let site = MemorySite()
        let forced = try simulate(site) {
            _ = try await site.goDown(site.operation())
            return site.world.log.filter { $0.kind == .guestOff && $0.detail == "forced" }
        }
        let names = Set(
            forced.compactMap { event in
                site.world.scenario.guests.first { $0.id.rawValue == event.object }?.name
            })
        #expect(names == ["mid-noisy", "mid-notools"])
    }

    @Test func `a guest whose policy is leave goes down with its host and is no violation`() throws
    {
        let site = MemorySite()
        let (result, outcome) = try simulate(site) {
            let operation = site.operation(site: { site in
                for index in site.tiers.indices { site.tiers[index].onLimit = .leave }
            })
            let result = try await site.goDown(operation)
            let ledger = try await operation.ledger()
            let noisy = site.world.scenario.guests.first { $0.name == "mid-noisy" }
            return (result, noisy.flatMap { ledger.lastRun?.outcome(of: StepID("stop/\($0.id)")) })
        }
        #expect(result == .finished)
        guard case .left = outcome else {
            Issue.record("it was not left: \(String(describing: outcome))")
            return
        }
    }

    @Test func `every act is recorded before it happens`() throws {
        let site = MemorySite()
        let (asked, done) = try simulate(site) {
            let watched = WatchedJournal(site.journal, world: site.world)
            _ = try await site.goDown(site.operation(journal: watched))
            return (await watched.asks, site.world.log.filter { $0.kind == .guestAsked })
        }
        for event in done {
            let recorded = asked[StepID("stop/\(event.object)")]
            #expect(recorded.map { $0 < event.number } == true, "\(event)")
        }
        #expect(done.count >= 10)
    }

    @Test func `mains that return before the first host goes reverse the run`() throws {
        let site = MemorySite()
        let (down, up, violations, told) = try simulate(site) {
            site.world.failMains()
            let control = RunControl()
            let operation = site.operation(
                announcer: AtGuest(3) { control.ask(.reverse) }, control: control)
            let down = try await site.goDown(operation)
            site.world.returnMains()
            let up = try await site.comeBack(site.operation())
            let told = site.world.log.contains { $0.kind == .hostTold }
            return (down, up, await site.violations(), told)
        }
        #expect(down == .reversed)
        #expect(up == .finished)
        #expect(violations == [])
        #expect(!told)
    }

    @Test func `a second outage in the middle of the restore keeps the first values`() throws {
        let site = MemorySite()
        let (results, violations, automation) = try simulate(site) {
            site.world.failMains()
            var results = [try await site.goDown(site.operation())]
            try await site.cycle()
            // HA and DRS are half back when the mains fail again.
            let control = RunControl()
            let halfway = site.operation(
                announcer: AtPhaseEnd(.thaw) { control.ask(.stop) }, control: control)
            results.append(try await site.comeBack(halfway))
            site.world.failMains()
            results.append(try await site.goDown(site.operation()))
            try await site.cycle()
            results.append(try await site.comeBack(site.operation()))
            return (results, await site.violations(), site.world.currentAutomation())
        }
        #expect(results == [.finished, .interrupted, .finished, .finished])
        #expect(violations == [])
        #expect(automation.ha)
        #expect(automation.drsLevel == .fullyAutomated)
        #expect(automation.vcls.keepsGuests)
    }

    @Test func `a plan that leaves HA on is a violation`() throws {
        let site = MemorySite()
        let violations = try simulate(site) {
            let operation = site.operation()
            var prepared = try await operation.prepareShutdown()
            prepared.plan.phases.removeAll { $0.name == .freeze }
            _ = await operation.shutDown(prepared, because: RunCause(.hand, "test"))
            return LabChecker.violations(
                in: site.world.log, of: site.world.scenario, restoredTo: nil)
        }
        #expect(violations.contains { $0.contains("while HA was on") })
    }

    @Test func `a vCenter that is gone is found out once, not by every tier`() throws {
        var bench = Bench()
        let asked = Tally()
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.refuses = { call in
            if call == .inventory { asked.add() }
            return .timedOut
        }
        bench.around.cluster = cluster
        let made = bench
        let (result, run) = try simulate(bench) {
            let result = try await made.carryOut([
                Bench.phase([made.stop("app-web01")], name: "a"),
                Bench.phase([made.stop("mid-queue01")], name: "m", needs: ["a"]),
                Bench.phase([made.stop("db-main")], name: "d", needs: ["m"]),
            ])
            return (result, try await made.ledger().lastRun)
        }
        #expect(result == .finished)
        #expect(asked.count == 1)
        #expect(run?.notes.count == 1)
    }

    @Test func `without vCenter the guests are stopped through their hosts`() throws {
        let site = MemorySite()
        let (down, on) = try simulate(site) {
            let operation = site.operation(
                announcer: AtGuest(1) { [world = site.world] in
                    let vcsa = world.scenario.guests.first { $0.isVCSA }
                    if let vcsa { try? world.powerOffGuest(vcsa.id) }
                })
            let down = try await site.goDown(operation)
            let rows = site.world.log.filter { $0.kind == .guestLost }
            return (down, rows.filter { $0.object.hasSuffix("0c") }.count)
        }
        #expect(down == .finished || down == .finishedWithGaps)
        #expect(on == 0)
    }
}

/// Does something when the n-th guest was asked.
actor AtGuest: Announcer {
    private var left: Int
    private let act: @Sendable () async -> Void
    init(_ count: Int, _ act: @escaping @Sendable () async -> Void) {
        left = count
        self.act = act
    }
    func announce(_ record: Record) async {
        guard case .asked(let step, _) = record.event, step.rawValue.hasPrefix("stop/") else {
            return
        }
        left -= 1
        if left == 0 { await act() }
    }
}

/// Does something when a phase ends.
struct AtPhaseEnd: Announcer {
    let phase: PhaseName
    let act: @Sendable () -> Void
    init(_ phase: PhaseName, _ act: @escaping @Sendable () -> Void) {
        self.phase = phase
        self.act = act
    }
    func announce(_ record: Record) async {
        if record.event == .phaseEnded(phase) { act() }
    }
}

/// Remembers how far the world was when each step was first announced.
actor WatchedJournal: Journal {
    private let inner: MemoryJournal
    private let world: LabWorld
    var asks: [StepID: Int] = [:]
    init(_ inner: MemoryJournal, world: LabWorld) {
        self.inner = inner
        self.world = world
    }
    func append(_ event: RunEvent, run: RunID?, outage: OutageID)
        async throws(JournalError) -> Record
    {
        if case .asked(let step, _) = event, asks[step] == nil {
            asks[step] = world.log.count
        }
        return try await inner.append(event, run: run, outage: outage)
    }
    func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record] {
        try await inner.openOutage(of: cluster)
    }
    func newest(_ limit: Int) async throws(JournalError) -> [Record] {
        try await inner.newest(limit)
    }
}
