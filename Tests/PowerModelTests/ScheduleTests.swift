import PowerModel
import Testing

/// When each phase runs, and whether that fits the battery.
struct ScheduleTests {
    /// A phase of guests that take so many seconds each, expected and at most.
    static func phase(
        _ name: String, needs: [String] = [], _ guests: [(name: String, expected: Int, limit: Int)],
        after: [String: [String]] = [:]
    ) -> Phase {
        let steps = guests.map { guest in
            Step(
                .stopGuest(GuestID(guest.name), name: guest.name, .powerOff),
                limit: .seconds(guest.limit),
                needs: after[guest.name, default: []].map { StepID("stop/\($0)") },
                estimate: .seconds(guest.expected))
        }
        return Phase(
            name: PhaseName(name), needs: needs.map { PhaseName($0) },
            budget: steps.map(\.limit).max() ?? .zero, steps: steps)
    }

    static func plan(_ phases: [Phase]) -> Plan {
        Plan(kind: .cluster, cluster: ClusterName("c"), phases: phases)
    }

    /// a (10 s) then b (20 s) beside c (27 s), then d (5 s).
    static let diamond = plan([
        phase("a", [("a1", 10, 100), ("a2", 3, 50)]),
        phase("b", needs: ["a"], [("b1", 20, 100)]),
        phase("c", [("c1", 27, 100)]),
        phase("d", needs: ["b", "c"], [("d1", 5, 100)]),
    ])

    @Test func `a phase starts when those it needs are over`() {
        let schedule = Schedule(Self.diamond)
        #expect(schedule.entries.map(\.start) == [0, 10, 0, 30].map { .seconds($0) })
        #expect(schedule.entries.map(\.end) == [10, 30, 27, 35].map { .seconds($0) })
        #expect(schedule.total == .seconds(35))
        #expect(schedule.worst == .seconds(300))
        #expect(schedule.criticalPath.map(\.rawValue) == ["a", "b", "d"])
        #expect(schedule.startNoLaterThan == nil)
        #expect(schedule.fits && schedule.fitsAtWorst)
    }

    @Test func `the deadline says when each phase must start`() {
        let schedule = Schedule(Self.diamond, deadline: .seconds(60))
        #expect(schedule.startNoLaterThan == .seconds(25))
        #expect(schedule.entries.map(\.latestStart) == [25, 35, 28, 55].map { .seconds($0) })
        #expect(schedule.fits && !schedule.fitsAtWorst)
        let late = Schedule(Self.diamond, deadline: .seconds(30))
        #expect(late.startNoLaterThan == .seconds(-5))
        #expect(!late.fits)
    }

    @Test func `the tier that costs most is the one without which the run is over earliest`() {
        // d is the shortest, but without a or b, c still takes 27 s: they gain 3 s.
        #expect(Schedule(Self.diamond).costliest?.phase == PhaseName("d"))
        #expect(Schedule(Self.diamond).costliest?.gain == .seconds(5))
        let beside = Self.plan([Self.phase("a", [("a1", 5, 9)]), Self.phase("b", [("b1", 5, 9)])])
        #expect(Schedule(beside).costliest == nil)
    }

    @Test func `a step starts when those it needs are over, also where they come later`() {
        let chain = Self.phase(
            "a", [("c", 5, 7), ("b", 10, 20), ("a", 20, 30), ("alone", 31, 40)],
            after: ["b": ["a"], "c": ["b", "elsewhere"]])
        #expect(Schedule(Self.plan([chain])).total == .seconds(35))
        #expect(Schedule(Self.plan([chain])).worst == .seconds(57))
        // Circles are the planner's to refuse: here they only must come to an end.
        let circle = Self.phase(
            "a", [("a", 5, 7), ("b", 10, 20)], after: ["a": ["b"], "b": ["a"]])
        #expect(Schedule(Self.plan([circle])).total >= .seconds(10))
    }

    @Test func `without past runs a step is expected to take its limit`() {
        var phase = Self.phase("a", [("a1", 10, 100)])
        phase.steps[0].estimate = nil
        #expect(Schedule(Self.plan([phase])).total == .seconds(100))
    }

    @Test func `real durations give the least time a run could have taken`() {
        let took: [StepID: Duration] = [
            StepID("stop/a1"): .seconds(1), StepID("stop/a2"): .seconds(2),
            StepID("stop/b1"): .seconds(4), StepID("stop/c1"): .seconds(3),
            StepID("stop/d1"): .seconds(130),
        ]
        #expect(Schedule(Self.diamond, taking: took).total == .seconds(136))
    }

    @Test func `twenty thousand guests are scheduled in no time`() {
        let guests = (0..<20_000).map { ("g\($0)", $0 % 60, 180) }
        let after = Dictionary(
            uniqueKeysWithValues: (1..<20_000).map { ("g\($0)", ["g\($0 / 2)"]) })
        let plan = Self.plan([Self.phase("a", guests, after: after)])
        let clock = ContinuousClock()
        let took = clock.measure { #expect(Schedule(plan).worst == .seconds(16 * 180)) }
        #expect(took < .seconds(5))
    }

    @Test func `a plan of the planner is a chain with side branches`() throws {
        let plan = try Fixture(guests: [Fixture.guest("app-1"), Fixture.guest("db-1")]).shutdown()
        let path = Schedule(plan).criticalPath.map(\.rawValue)
        #expect(
            path == [
                "freeze", "guests: apps", "guests: data", "vcsa", "hosts", "vcsa's host",
            ])
    }
}
