import PowerModel
import Testing

/// Machines that go by themselves, some time after they were told.
struct MachinePlanTests {
    private static let one = RunID("one")
    private static let nas = MachineName("nas")

    private static func machine(_ name: String, delay: Duration?) -> MachineSite {
        var machine = Fixture.machine(name)
        machine.delay = delay
        machine.limit = .seconds(60)
        return machine
    }

    /// Of two machines only `nas` can wait; vpower runs on h2, or elsewhere.
    private static func fixture(inside: Bool) -> Fixture {
        var fixture = Fixture(guests: [Fixture.guest("app-1"), Fixture.guest("vpower")])
        fixture.site.controllerGuest = inside ? "vpower" : nil
        fixture.machines = [machine("nas", delay: .seconds(480)), machine("tape", delay: nil)]
        return fixture
    }

    @Test func `where vpower stays on, a machine that waits is seen down that much later`() throws {
        let plan = try Self.fixture(inside: false).shutdown()
        let stop = try #require(plan.step("stop-machine/nas"))
        #expect(stop.action == .stopMachine(Self.nas, delay: .seconds(480)))
        #expect(stop.limit == .seconds(540))
        #expect(stop.estimate ?? .zero >= .seconds(480))
        #expect(plan.step("stop-machine/tape")?.limit == .seconds(60))
        #expect(plan.phase(.machines)?.budget == .seconds(540))
        #expect(plan.phases.last?.name == .machines)
    }

    @Test func `where vpower goes too, it is told last, right before vpower's own host`() throws {
        let fixture = Self.fixture(inside: true)
        let plan = try fixture.shutdown()
        #expect(plan.ids(.machines) == ["stop-machine/tape", "stop-machine/nas"])
        let tell = try #require(plan.step("stop-machine/nas"))
        #expect(
            tell.action
                == .tellMachine(Self.nas, delay: .seconds(480), goneWithin: .seconds(540)))
        // Its time runs from then on: what takes long comes before.
        #expect(tell.needs == [StepID("stop-machine/tape")])
        #expect(tell.limit == fixture.site.limits.arm)
        #expect(plan.phase(.controllerHost)?.needs == [.machines])
    }

    @Test func `budgets never cut a machine's delay off`() throws {
        let plan = try Self.fixture(inside: false).shutdown()
        let budgets = Budgets(of: plan).allotted(Budgets.Progress(), deadline: .seconds(30))
        #expect(budgets[.machines] ?? .zero >= .seconds(480))
    }

    // MARK: The way back

    /// The outage's records, with what became of the machine's own step.
    private static func records(
        inside: Bool, handedOver: StepOutcome?? = nil, _ outcome: StepOutcome?
    ) throws -> Recorder {
        let fixture = fixture(inside: inside)
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: one)
        recorder.ask("stop-machine/nas", run: one)
        if let outcome { recorder.end("stop-machine/nas", outcome, run: one) }
        if let handedOver {
            recorder.ask("stop-host/h2", run: one)
            if let handedOver { recorder.end("stop-host/h2", handedOver, run: one) }
        }
        return recorder
    }

    @Test(arguments: [true, false])
    func `a machine that was told and not seen down may be about to go`(inside: Bool) throws {
        let recorder = try Self.records(inside: inside, inside ? .done(.asked) : nil)
        let going = try #require(recorder.ledger.departures[Self.nas])
        #expect(going.goneBy - going.goesAt == .seconds(60))
        #expect(going.goesAt - going.told == .seconds(480))
        #expect(going.isCertain == inside && !going.isHandedOver)
        let plan = try Self.fixture(inside: inside).restore(recorder.records)
        let start = try #require(plan.step("start-machine/nas"))
        #expect(start.action == .startMachine(Self.nas, going: going))
        #expect(start.limit == .seconds(600))
    }

    @Test func `one that was seen down is only woken, and one that is back is forgotten`() throws {
        var recorder = try Self.records(inside: false, .done(.asked))
        #expect(recorder.ledger.departures == [:])
        let fixture = Self.fixture(inside: false)
        let back = try fixture.restore(recorder.records)
        #expect(
            back.step("start-machine/nas")?.action == .startMachine(Self.nas, going: nil))
        recorder = try Self.records(inside: true, .done(.asked))
        recorder.start(back, run: RunID("two"))
        recorder.end("start-machine/nas", run: RunID("two"))
        #expect(recorder.ledger.departures == [:])
    }

    @Test(
        arguments: [
            (.none, false), (.some(.none), true), (.some(.done(.asked)), true),
            (.some(.gaveUp("no")), false),
        ] as [(StepOutcome??, Bool)])
    func `after vpower's host was handed over nobody calls it off`(
        handedOver: StepOutcome??, isSo: Bool
    ) throws {
        let recorder = try Self.records(inside: true, handedOver: handedOver, .done(.asked))
        #expect(recorder.ledger.departures[Self.nas]?.isHandedOver == isSo)
    }

    @Test func `the last time it was told counts`() throws {
        var recorder = try Self.records(inside: true, .done(.asked))
        let first = try #require(recorder.ledger.departures[Self.nas])
        recorder.ask("stop-machine/nas", run: Self.one)
        recorder.end("stop-machine/nas", run: Self.one)
        let last = try #require(recorder.ledger.departures[Self.nas])
        #expect(last.told > first.told)
        #expect(last.isCertain)
    }

    @Test func `a call-off that was cut short opens its phase again`() throws {
        var recorder = try Self.records(inside: true, .done(.asked))
        recorder.add(.phaseEnded(.machines), run: Self.one)
        func isOpen() throws -> Bool {
            var run = try #require(recorder.ledger.lastRun)
            run.reopenUntold()
            return run.phasesEnded[.machines] == nil
        }
        #expect(try isOpen() == false)
        recorder.ask("stop-machine/nas", run: Self.one)
        #expect(try isOpen())
    }

    // MARK: Whose machine it is

    /// One cluster hangs on the machine's feed `a`, the other on this one; and whether the first
    /// needs the other, which then goes down later.
    @Test(arguments: [
        ("a", true, [[], ["nas"]]), ("a", false, [["nas"], ["nas"]]), ("b", true, [["nas"], []]),
    ])
    func `a machine goes down with the cluster that goes last of those on its feeds`(
        feed: String, isNeeded: Bool, expected: [[String]]
    ) {
        func cluster(_ name: String, on feed: String, needs: [ClusterName] = []) -> ClusterSite {
            var site = Fixture().site
            site.name = ClusterName(name)
            site.needs = needs
            for index in site.hosts.indices { site.hosts[index].feeds = [FeedName(feed)] }
            return site
        }
        var machine = Fixture.machine("nas")
        machine.feeds = [FeedName("a")]
        let other = cluster("two", on: feed)
        let one = cluster("one", on: "a", needs: isNeeded ? [other.name] : [])
        let site = Site(name: "s", feeds: [], clusters: [one, other], machines: [machine])
        #expect([one, other].map { site.machines(of: $0).map(\.name.rawValue) } == expected)
    }
}
