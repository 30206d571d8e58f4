import PowerModel
import Testing

struct RestorePlanTests {
    private static let guests = [
        Fixture.guest("app-1"), Fixture.guest("mid-1", on: "h3"), Fixture.guest("db-1"),
        Fixture.guest("dns1", on: "h3"), Fixture.guest("app-off", power: .off),
    ]
    private static let one = RunID("one")
    private static let two = RunID("two")

    /// The steps of a phase.
    private func actions(_ plan: Plan, _ phase: PhaseName) -> [Action] {
        plan.phase(phase)?.steps.map(\.action) ?? []
    }

    @Test func `everything comes back in this order`() throws {
        var fixture = Fixture(guests: Self.guests)
        fixture.machines = [Fixture.machine("nas")]
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: Self.one)
        for host in ["h1", "h2", "h3"] {
            recorder.ask("arm/\(host)", run: Self.one)
            recorder.end("arm/\(host)", run: Self.one)
            recorder.ask("stop-host/\(host)", run: Self.one)
            recorder.end("stop-host/\(host)", run: Self.one)
        }
        recorder.ask("stop-machine/nas", run: Self.one)
        let plan = try fixture.restore(recorder.records)
        #expect(plan.kind == .restore)
        #expect(
            plan.names == [
                "machines back", "hosts back", "boot scripts", "vcsa back", "vcenter back", "thaw",
                "guests: data", "guests: middle", "guests: apps", "ha back", "disarm",
            ])
        #expect(plan.ids(.machinesBack) == ["start-machine/nas"])
        #expect(actions(plan, .bootScripts).count == 3)
        #expect(plan.ids(.vcsaBack) == ["start/id-dns1", "start/id-vcsa"])
        #expect(
            actions(plan, .guests(TierName("middle"))) == [
                .startGuest(Fixture.id("mid-1"), name: "mid-1", HostName("h3"), StartTerms())
            ])
        #expect(plan.ids(.guests(TierName("apps"))) == ["start/id-app-1"])
        #expect(plan.ids(.disarm) == ["disarm/h1", "disarm/h2", "disarm/h3"])
    }

    @Test func `nothing that nobody stopped is woken or waited for`() throws {
        let fixture = Fixture(guests: Self.guests)
        let plan = try fixture.restore()
        #expect(plan.names.first == "hosts back")
        #expect(plan.phase(.bootScripts) == nil)
        #expect(plan.phase(.vcsaBack)?.needs == [.hostsBack])
    }

    @Test(arguments: [GuestPower.on, .off])
    func `a vCSA that was off comes back only where somebody started it and vpower stopped it`(
        _ later: GuestPower
    ) throws {
        let before = Fixture(guests: Self.guests, vcsaPower: .off)
        let now = Fixture(guests: Self.guests, vcsaPower: later)
        var recorder = Recorder()
        recorder.begin(before)
        recorder.start(try now.shutdown(goal: before.snapshot), run: Self.one)
        let isBack = later == .on
        let plan = try before.restore(recorder.records)
        #expect(plan.ids(.vcsaBack).contains("start/id-vcsa") == isBack)
        // Its host's boot script starts it, and the others wait for it, or neither.
        let orders = try now.orders(goal: before.snapshot)
        #expect(orders.contains { $0.vcsa != nil } == isBack)
        #expect(orders.allSatisfy { $0.waitsForVCSA == isBack })
        // Not so a guest of a tier: it was off.
        #expect(plan.step("start/id-app-off") == nil)
    }

    @Test func `a boot script is awaited only of a host told to stop after it was armed`() throws {
        let fixture = Fixture(hosts: 4)
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: Self.one)
        recorder.end("arm/h1", run: Self.one)
        recorder.ask("stop-host/h1", run: Self.one)
        recorder.end("arm/h2", run: Self.one)
        recorder.end("arm/h3", .gaveUp("no answer"), run: Self.one)
        recorder.ask("stop-host/h3", run: Self.one)
        recorder.ask("stop-host/h4", run: Self.one)
        #expect(recorder.ledger.bootsAwaited == [HostName("h1"): Self.one])
        let plan = try fixture.restore(recorder.records)
        #expect(actions(plan, .bootScripts) == [.awaitBootScript(HostName("h1"), Self.one)])
        // A second run arms anew, and cannot at h1: what the first saved is still there.
        recorder.start(try fixture.shutdown(), run: Self.two)
        recorder.end("arm/h1", .gaveUp("no answer"), run: Self.two)
        recorder.ask("stop-host/h1", run: Self.two)
        recorder.end("arm/h2", run: Self.two)
        recorder.ask("stop-host/h2", run: Self.two)
        #expect(
            recorder.ledger.bootsAwaited
                == [HostName("h1"): Self.one, HostName("h2"): Self.two])
    }

    @Test func `a boot script that was taken out is not awaited`() throws {
        let fixture = Fixture(hosts: 2)
        let three = RunID("three")
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: Self.one)
        for host in ["h1", "h2"] {
            recorder.end("arm/\(host)", run: Self.one)
            recorder.ask("stop-host/\(host)", run: Self.one)
        }
        recorder.start(try fixture.restore(recorder.records), run: Self.two)
        recorder.end("disarm/h1", run: Self.two)
        recorder.end("disarm/h2", .gaveUp("no answer"), run: Self.two)
        #expect(recorder.ledger.bootsAwaited == [HostName("h2"): Self.one])
        recorder.start(try fixture.shutdown(), run: three)
        recorder.end("arm/h1", .gaveUp("no answer"), run: three)
        recorder.ask("stop-host/h1", run: three)
        #expect(recorder.ledger.bootsAwaited == [HostName("h2"): Self.one])
    }

    @Test func `maintenance mode is left only where vpower put the host`() throws {
        var fixture = Fixture(hosts: 3)
        fixture.site.maintenanceMode = true
        fixture.snapshot.inventory.hosts[1].inMaintenance = true
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: Self.one)
        // h2 was in it before, so even a record of that name says nothing; h3 was not asked.
        recorder.ask("maintenance/h1", run: Self.one)
        recorder.ask("maintenance/h2", run: Self.one)
        #expect(recorder.ledger.hostsPutInMaintenance == [HostName("h1")])
        let plan = try fixture.restore(recorder.records)
        #expect(
            actions(plan, .hostsBack) == [
                .awaitHost(HostName("h1"), leaveMaintenance: true),
                .awaitHost(HostName("h2"), leaveMaintenance: false),
                .awaitHost(HostName("h3"), leaveMaintenance: false),
            ])
        // Seen out of it: what is in it later was put there by somebody else.
        recorder.start(plan, run: Self.two)
        recorder.end("await-host/h1", .gaveUp("no answer"), run: Self.two)
        #expect(recorder.ledger.hostsPutInMaintenance == [HostName("h1")])
        recorder.end("await-host/h1", run: Self.two)
        #expect(recorder.ledger.hostsPutInMaintenance == [])
    }

    @Test func `a guest that may still obey an earlier request is waited out`() throws {
        let fixture = Fixture(guests: Self.guests)
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: Self.one)
        for guest in ["app-1", "mid-1", "db-1", "vcsa", "dns1"] where guest != "mid-1" {
            recorder.ask("stop/id-\(guest)", run: Self.one)
        }
        recorder.end("stop/id-app-1", run: Self.one)
        recorder.end("stop/id-db-1", .gaveUp("still on"), run: Self.one)
        let waiting = ["db-1", "vcsa", "dns1"].map { Fixture.id($0) }
        #expect(recorder.ledger.guestsThatMayStillStop == Set(waiting))
        let plan = try fixture.restore(recorder.records)
        func settle(_ name: String) -> Duration? {
            for step in plan.steps {
                switch step.action {
                case .startGuest(Fixture.id(name), _, _, let terms),
                    .startGuestOnHost(Fixture.id(name), _, _, let terms):
                    #expect(step.limit == fixture.site.limits.start + terms.mayStopFor)
                    return terms.mayStopFor
                default: break
                }
            }
            return nil
        }
        #expect(settle("app-1") == .zero)
        #expect(settle("mid-1") == .zero)
        #expect(settle("db-1") == TierSite.limitDefault)
        #expect(settle("vcsa") == fixture.site.limits.vcsa)
        #expect(settle("dns1") == fixture.site.limits.infrastructure)
        // Those that were started since were asked again, or for the first time.
        recorder.ask("stop/id-app-1", run: Self.one)
        recorder.ask("stop/id-new-1", run: Self.one)
        let late = ["app-1", "new-1"].map { Fixture.id($0) }
        #expect(recorder.ledger.guestsThatMayStillStop == Set(waiting + late))
        // A host that stays on may hold any of them; what was on the others went with them.
        recorder.add(.pointOfNoReturn("h1 is told to stop"), run: Self.one)
        let hosts = fixture.site.hosts.map { "stop-host/\($0.name)" }
        for host in hosts.dropLast() { recorder.end(host, run: Self.one) }
        recorder.end(hosts[hosts.count - 1], .gaveUp("guests are still on"), run: Self.one)
        #expect(recorder.ledger.guestsThatMayStillStop == Set(waiting + late))
        recorder.end(hosts[hosts.count - 1], run: Self.one)
        #expect(recorder.ledger.guestsThatMayStillStop == [])
    }
}

struct LedgerTests {
    private static let one = RunID("one")
    private static let two = RunID("two")

    @Test func `the first snapshot of an outage stays its snapshot`() {
        let first = Fixture()
        var second = Fixture(guests: [Fixture.guest("app-1")])
        second.snapshot.automation.ha = false
        var recorder = Recorder()
        recorder.begin(first)
        recorder.add(.snapshotTaken(second.snapshot))
        let ledger = recorder.ledger
        #expect(ledger.snapshot == first.snapshot)
        #expect(ledger.outage == recorder.outage)
        #expect(ledger.cluster == ClusterName("c"))
        #expect(!ledger.isClosed)
        recorder.add(.outageClosed)
        #expect(recorder.ledger.isClosed)
    }

    @Test func `nothing is known from no records`() {
        let ledger = Ledger([])
        #expect(ledger.snapshot == nil)
        #expect(ledger.lastRun == nil)
        #expect(ledger.interruptedRun == nil)
        #expect(ledger.bootsAwaited.isEmpty)
    }

    @Test(arguments: [
        (RunResult?.none, true), (.interrupted, true), (.finished, false),
        (.finishedWithGaps, false), (.reversed, false),
    ])
    func `a run is interrupted until it has come to an end`(
        result: RunResult?, interrupted: Bool
    ) throws {
        let fixture = Fixture()
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: Self.one)
        if let result { recorder.add(.runEnded(result), run: Self.one) }
        #expect((recorder.ledger.interruptedRun?.id == Self.one) == interrupted)
        // Only the last run can be resumed.
        recorder.start(try fixture.restore(), run: Self.two)
        recorder.add(.runEnded(.finished), run: Self.two)
        #expect(recorder.ledger.interruptedRun == nil)
        #expect(recorder.ledger.runs.map(\.id) == [Self.one, Self.two])
    }

    @Test func `a resumed run goes on where it was and ends as it ended last`() throws {
        let fixture = Fixture(guests: [Fixture.guest("app-1")])
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: Self.one)
        recorder.add(.phaseStarted(.freeze), run: Self.one)
        recorder.ask("freeze", run: Self.one)
        recorder.end("stop/id-app-1", .gaveUp("killed"), run: Self.one)
        recorder.add(.runEnded(.interrupted), run: Self.one)
        // Resumed, and killed again: still interrupted.
        recorder.add(.phaseStarted(.freeze), run: Self.one)
        let interrupted = try #require(recorder.ledger.interruptedRun)
        #expect(interrupted.progress.keys.filter(interrupted.hasAsked) == [StepID("freeze")])
        recorder.end("stop/id-app-1", run: Self.one)
        recorder.add(.phaseEnded(.freeze), run: Self.one)
        recorder.add(.noted("x"), run: Self.one)
        recorder.add(.runEnded(.finished), run: Self.one)
        let run = try #require(recorder.ledger.lastRun)
        #expect(run.result == .finished)
        #expect(run.progress.keys.sorted() == [StepID("freeze"), StepID("stop/id-app-1")])
        #expect(run.outcome(of: StepID("freeze")) == nil)
        #expect(run.outcome(of: StepID("stop/id-app-1")) == .done(.asked))
        #expect(run.gaps.isEmpty)
        #expect(run.notes == ["x"])
        // A phase began when it began first.
        #expect(run.phasesStarted[.freeze]?.millisecondsSinceEpoch == 3)
        #expect(run.phasesEnded[.freeze] != nil)
        #expect(recorder.ledger.runs.count == 1)
    }

    @Test func `gaps are named in order with their reasons`() throws {
        let fixture = Fixture()
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: Self.one)
        recorder.end("stop-host/h2", .gaveUp("b"), run: Self.one)
        recorder.end("arm/h1", .gaveUp("a"), run: Self.one)
        recorder.end("arm/h2", .left("c"), run: Self.one)
        recorder.end("arm/h3", run: Self.one)
        let gaps = try #require(recorder.ledger.lastRun).gaps
        #expect(gaps.map(\.step.rawValue) == ["arm/h1", "stop-host/h2"])
        #expect(gaps.map(\.why) == ["a", "b"])
    }

    @Test func `records of runs that never began and of no run change no run`() throws {
        let fixture = Fixture()
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: Self.one)
        let before = recorder.ledger.runs
        recorder.ask("freeze", run: RunID("stranger"))
        recorder.add(.noted("a warning"))
        recorder.add(.runEnded(.finished), run: RunID("stranger"))
        #expect(recorder.ledger.runs == before)
        #expect(recorder.ledger.notes == ["a warning"])
    }
}
