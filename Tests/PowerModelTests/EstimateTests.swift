import PowerModel
import Testing

/// What past runs tell of how long things take.
struct EstimateTests {
    static let step = Step(
        .stopGuest(Fixture.id("db"), name: "db", .powerOff), limit: .seconds(180))

    /// A past run in which the step was asked at 0 ms and ended so after this many seconds.
    static func past(_ seconds: Double?, _ outcome: StepOutcome = .done(.asked)) -> RunLedger {
        let plan = Plan(
            kind: .cluster, cluster: ClusterName("c"),
            phases: [
                Phase(name: .guests(TierName("t")), needs: [], budget: step.limit, steps: [step])
            ])
        let run = RunID("r")
        var ledger = Ledger([])
        func apply(_ event: RunEvent, _ milliseconds: Double) {
            ledger.apply(
                Record(
                    number: 1, at: Timestamp(millisecondsSinceEpoch: Int64(milliseconds)),
                    run: run, outage: OutageID("o"), event: event))
        }
        apply(.runStarted(plan, RunCause(.outage, "test")), 0)
        apply(.asked(step.id, "x"), 0)
        // Asked again: the first time counts.
        apply(.asked(step.id, "x"), 1)
        if let seconds { apply(.stepEnded(step.id, outcome), seconds * 1000) }
        return ledger.runs[0]
    }

    @Test(arguments: [
        (EstimateTests.past(30), Duration.seconds(30)),
        (past(0), .zero),
        (past(nil), nil),
        (past(30, .done(.already)), nil),
        (past(30, .left("suspended")), nil),
        (past(30, .done(.forced)), .seconds(180)),
        (past(30, .gaveUp("x")), .seconds(180)),
        (past(-1), nil),
        (past(185), .seconds(180)),
        (past(191), nil),
        (past(86_400), nil),
    ])
    func `a run tells so much of a step`(_ run: RunLedger, _ expected: Duration?) {
        #expect(Estimates(from: [run])[Self.step.id] == expected)
    }

    @Test func `nine times of ten a step took no longer than is expected of it`() {
        let runs = (1...10).map { Self.past(Double($0)) }
        #expect(Estimates(from: runs)[Self.step.id] == .seconds(9))
        #expect(Estimates(from: runs.prefix(1))[Self.step.id] == .seconds(1))
        #expect(Estimates(from: runs.prefix(2))[Self.step.id] == .seconds(2))
    }

    @Test func `only the newest samples count, and what tells nothing is none`() {
        let old = (1...5).map { _ in Self.past(150) }
        let new = (1...Estimates.samplesMax).map { _ in Self.past(20) }
        let mute = (1...30).map { _ in Self.past(30, .done(.already)) }
        #expect(Estimates(from: mute + new + old)[Self.step.id] == .seconds(20))
    }

    @Test func `a plan is made with what is expected of each step`() throws {
        let fixture = Fixture(guests: [Fixture.guest("app-1"), Fixture.guest("db-1")])
        var planner = fixture.planner
        planner.estimates = Estimates(bySteps: [StepID("stop/id-db-1"): .seconds(90)])
        let plan = try planner.shutdown(
            now: fixture.snapshot, goal: fixture.snapshot, run: Fixture.run, wall: Fixture.wall)
        let known = plan.steps.filter { $0.estimate != nil }
        #expect(known.map(\.id) == [StepID("stop/id-db-1")])
        #expect(known.map(\.estimate) == [.seconds(90)])
    }

    @Test func `one wall clock that was set does not change what is expected`() {
        let runs = (1...9).map { _ in Self.past(20) } + [Self.past(170)]
        #expect(Estimates(from: runs)[Self.step.id] == .seconds(20))
    }
}
