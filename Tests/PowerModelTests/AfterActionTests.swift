import PowerModel
import Testing

@Suite struct AfterActionTests {
    private static let run = RunID("run-1")
    private static let outage = OutageID("outage-1")
    private static let host = HostName("esx1")

    /// Freeze, then three guests side by side (the third after the second), then a host.
    private static let plan = Plan(
        kind: .cluster, cluster: ClusterName("c"),
        phases: [
            Phase(
                name: .freeze, needs: [], budget: .seconds(120),
                steps: [Step(.freeze, limit: .seconds(120), estimate: .seconds(5))]),
            Phase(
                name: .guests(TierName("apps")), needs: [.freeze], budget: .seconds(90),
                steps: [
                    stop("a", estimate: .seconds(20)), stop("b"),
                    stop("c", needs: [StepID("stop/b")]),
                ]),
            Phase(
                name: .hosts, needs: [.guests(TierName("apps"))], budget: .seconds(600),
                steps: [Step(.stopHost(host, maintenance: false), limit: .seconds(600))]),
        ])

    private static func stop(
        _ name: String, needs: [StepID] = [], estimate: Duration? = nil
    ) -> Step {
        Step(
            .stopGuest(GuestID(name), name: name, .powerOff), limit: .seconds(60), needs: needs,
            estimate: estimate)
    }

    private static let apps = PhaseName.guests(TierName("apps"))

    /// Records at these seconds; those that open and close the outage belong to no run.
    private func report(_ events: [(Int64, RunEvent)]) throws -> AfterAction {
        let opening: [(Int64, RunEvent)] = [
            (0, .outageOpened(cluster: ClusterName("c"), reason: "x")),
            (0, .noted("before it began")),
            (0, .runStarted(Self.plan, RunCause(.outage, "on battery"))),
        ]
        let records = (opening + events).enumerated().map { place, moment in
            let isOfOutage =
                switch moment.1 {
                case .outageOpened, .outageClosed: true
                case .noted("before it began"): true
                default: false
                }
            return Record(
                number: Int64(place + 1),
                at: Timestamp(millisecondsSinceEpoch: moment.0 * 1000),
                run: isOfOutage ? nil : Self.run, outage: Self.outage, event: moment.1)
        }
        return try #require(AfterAction(of: Self.run, in: records))
    }

    private func at(_ seconds: Int64) -> Timestamp {
        Timestamp(millisecondsSinceEpoch: seconds * 1000)
    }

    private let freeze: [(Int64, RunEvent)] = [
        (1, .phaseStarted(.freeze)), (1, .asked(StepID("freeze"), "x")),
        (5, .stepEnded(StepID("freeze"), .done(.asked))), (5, .phaseEnded(.freeze)),
    ]

    private let guests: [(Int64, RunEvent)] = [
        (5, .phaseStarted(apps)), (6, .asked(StepID("stop/b"), "x")),
        (7, .asked(StepID("stop/a"), "x")), (40, .stepEnded(StepID("stop/a"), .done(.asked))),
        (66, .stepEnded(StepID("stop/b"), .done(.forced))),
        (66, .stepEnded(StepID("stop/c"), .left("policy"))), (66, .phaseEnded(apps)),
    ]

    private let hosts: [(Int64, RunEvent)] = [
        (66, .phaseStarted(.hosts)), (67, .asked(StepID("stop-host/esx1"), "x")),
        (67, .pointOfNoReturn("esx1 was told to stop")),
        (667, .stepEnded(StepID("stop-host/esx1"), .gaveUp("it answers"))),
        (667, .phaseEnded(.hosts)), (667, .runEnded(.finishedWithGaps)),
    ]

    @Test func `expected and observed stand side by side, in the order in which it went`() throws {
        let report = try report(freeze + guests + hosts + [(668, .outageClosed)])
        #expect(report.outage == Self.outage && report.outageIsClosed)
        #expect(report.run.cause.reason == "on battery")
        #expect(report.took == .seconds(667))
        #expect(report.phases.map(\.phase.name) == [.freeze, Self.apps, .hosts])
        #expect(report.phases.map(\.took) == [.seconds(4), .seconds(61), .seconds(601)])
        #expect(report.phases.map(\.expectedStart) == [.zero, .seconds(5), .seconds(125)])
        #expect(
            report.phases.map(\.expected) == [
                .estimate(.seconds(5)), .limit(.seconds(90)), .limit(.seconds(600)),
            ])
        let steps = report.phases[1].steps
        #expect(steps.map(\.step.id.rawValue) == ["stop/b", "stop/a", "stop/c"])
        #expect(steps.map(\.took) == [.seconds(60), .seconds(33), nil])
        #expect(
            steps.map(\.expected) == [
                .limit(.seconds(60)), .estimate(.seconds(20)), .limit(.seconds(60)),
            ])
        #expect(report.inversions == [])
        #expect(report.resumed == [])
    }

    @Test func `what was forced, left or gave up is named, with why`() throws {
        let report = try report(freeze + guests + hosts)
        #expect(report.drastic.map(\.step.id.rawValue) == ["stop/b"])
        #expect(report.drastic.map(\.means) == [.forced])
        #expect(report.left.map(\.step.id.rawValue) == ["stop/c"])
        #expect(report.left.map(\.why) == ["policy"])
        #expect(report.gaveUp.map(\.why) == ["it answers"])
        #expect(report.pointOfNoReturn?.text == "esx1 was told to stop")
        #expect(report.pointOfNoReturn?.at == at(67))
    }

    @Test func `budgets and notes are told with their moments, those of the outage too`() throws {
        let report = try report(
            freeze + [
                (5, .budgetChanged(Self.apps, from: .seconds(90), to: .seconds(30), why: "late")),
                (6, .noted("vCenter is gone")),
            ])
        let change = try #require(report.budgetChanges.first)
        #expect(report.budgetChanges.count == 1)
        #expect(change.at == at(5) && change.phase == Self.apps && change.why == "late")
        #expect(change.from == .seconds(90) && change.to == .seconds(30))
        #expect(report.notes.map(\.text) == ["before it began", "vCenter is gone"])
        #expect(report.notes.map(\.at) == [at(0), at(6)])
    }

    @Test func `what was said of the run before is not said again of the next one`() throws {
        let plan = Plan(kind: .restore, cluster: ClusterName("c"), phases: [])
        let cause = RunCause(.outage, "the mains are back")
        let (first, second) = (RunID("first"), RunID("second"))
        let written: [(RunID?, RunEvent)] = [
            (nil, .noted("of the first")), (first, .runStarted(plan, cause)),
            (first, .noted("in the first")), (first, .runEnded(.finished)),
            (nil, .noted("between them")), (second, .runStarted(plan, cause)),
            (second, .runEnded(.finished)), (nil, .noted("after it")),
        ]
        let records = written.enumerated().map { place, entry in
            Record(
                number: Int64(place + 1), at: at(Int64(place)), run: entry.0,
                outage: Self.outage, event: entry.1)
        }
        func notes(_ run: RunID) -> [String]? {
            AfterAction(of: run, in: records)?.notes.map(\.text)
        }
        #expect(notes(first) == ["of the first", "in the first", "between them"])
        #expect(notes(second) == ["between them", "after it"])
    }

    @Test func `a run that was killed is told as far as it got`() throws {
        let report = try report(freeze + guests.prefix(4))
        #expect(report.ended == nil && report.took == nil && report.run.result == nil)
        #expect(report.lastRecord == at(40))
        #expect(report.phases.map(\.phase.name) == [.freeze, Self.apps, .hosts])
        #expect(report.phases.map(\.took) == [.seconds(4), nil, nil])
        #expect(report.phases[2].began == nil)
        #expect(report.phases[1].steps.map(\.outcome) == [nil, .done(.asked), nil])
    }

    @Test func `each time it went on is told once, after an end and after a kill`() throws {
        let again: [(Int64, RunEvent)] = [(50, .phaseStarted(Self.apps)), (50, .noted("x"))]
        let killed = try report(freeze + guests.prefix(4) + again + guests.suffix(2) + hosts)
        #expect(killed.resumed == [at(50)])
        #expect(killed.took == .seconds(667))
        let ended = try report(
            freeze + guests.prefix(4) + [(41, .runEnded(.interrupted))] + again
                + guests.suffix(2) + hosts)
        #expect(ended.resumed == [at(50)])
        #expect(ended.run.result == .finishedWithGaps)
        let twice = try report(freeze + guests.prefix(4) + again + again)
        #expect(twice.resumed == [at(50), at(50)])
        #expect(twice.ended == nil)
    }

    @Test func `a phase or a step that began too early is named with what it had to wait for`()
        throws
    {
        let early: [(Int64, RunEvent)] = [
            (1, .phaseStarted(Self.apps)), (2, .asked(StepID("stop/c"), "x")),
            (3, .asked(StepID("stop/b"), "x")),
            (4, .stepEnded(StepID("stop/b"), .done(.asked))),
            (4, .stepEnded(StepID("stop/c"), .done(.asked))), (4, .phaseEnded(Self.apps)),
        ]
        let report = try report(early + freeze)
        #expect(report.inversions.map(\.early) == ["guests: apps", "shut down guest c"])
        #expect(report.inversions.map(\.late) == ["freeze", "shut down guest b"])
        #expect(report.phases.map(\.phase.name) == [Self.apps, .freeze, .hosts])
    }

    @Test func `a clock that was set back gives no duration, and no other order`() throws {
        let report = try report(
            freeze + [
                (-100, .phaseStarted(Self.apps)), (-100, .asked(StepID("stop/a"), "x")),
                (-200, .stepEnded(StepID("stop/a"), .done(.asked))),
                (-90, .phaseEnded(Self.apps)), (-90, .runEnded(.finished)),
            ])
        #expect(report.took == nil)
        #expect(report.phases[1].steps.first?.took == nil)
        #expect(report.phases.map(\.phase.name).prefix(2) == [.freeze, Self.apps])
        #expect(report.inversions == [])
    }

    @Test func `there is no report of a run that the outage does not have`() {
        #expect(AfterAction(of: Self.run, in: []) == nil)
    }
}
