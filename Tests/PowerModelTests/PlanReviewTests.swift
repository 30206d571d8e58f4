import PowerModel
import Testing

/// What makes two plans the same to whoever reviewed one.
struct PlanReviewTests {
    static let fixture = Fixture(guests: [
        Fixture.guest("app-1"), Fixture.guest("app-2"), Fixture.guest("db-1"),
    ])

    @Test func `the same plan of another run at another time has the same text`() throws {
        let fixture = Self.fixture
        let one = try fixture.shutdown()
        var planner = fixture.planner
        planner.estimates = Estimates(bySteps: [StepID("freeze"): .seconds(3)])
        let other = try planner.shutdown(
            now: fixture.snapshot, goal: fixture.snapshot, run: RunID("another"),
            wall: Fixture.wall + .seconds(3600))
        #expect(one != other)
        #expect(one.reviewText == other.reviewText)
        #expect(one.reviewLines.count == 1 + one.phases.count + one.steps.count)
        #expect(!one.reviewText.contains(Fixture.run.rawValue))
    }

    @Test(
        arguments: [
            { $0.snapshot.inventory.guests.removeFirst() },
            { $0.snapshot.inventory.guests[1].name = "app-one" },
            { $0.snapshot.inventory.guests[1].power = .off },
            { $0.snapshot.inventory.guests[1].host = HostName("h3") },
            { $0.snapshot.inventory.guests[1].vmxPath = "[ds] other.vmx" },
            { $0.site.tiers[0].limit = .seconds(11) },
            { $0.site.tiers[0].onLimit = .suspend },
            { $0.site.tiers.swapAt(0, 2) },
            { $0.site.maintenanceMode = true },
            { $0.site.tiers[0].startDelay = .seconds(30) },
            { $0.site.limits.host = .seconds(601) },
            { $0.site.limits.armedFor = .seconds(60) },
            { $0.site.limits.startGap = .seconds(6) },
            { $0.site.limits.bootSettle = .seconds(6) },
            { $0.site.unarmedBoot = .infrastructureAndVCSA },
            { $0.site.extras = [BootExtra(.line("true"))] },
            { $0.site.hosts[0].extras = [BootExtra(.file(path: "/a", content: "b"))] },
            { $0.machines = [Fixture.machine("nas")] },
        ] as [@Sendable (inout Fixture) -> Void])
    func `a plan that does anything else has another text`(
        _ change: @Sendable (inout Fixture) -> Void
    ) throws {
        var changed = Self.fixture
        change(&changed)
        #expect(try changed.shutdown().reviewText != Self.fixture.shutdown().reviewText)
    }

    @Test(arguments: [true, false])
    func `a machine's delay is part of what is reviewed`(inside: Bool) throws {
        func text(delay: Duration?) throws -> String {
            var fixture = Self.fixture
            fixture.site.controllerGuest = inside ? "app-1" : nil
            fixture.machines = [Fixture.machine("nas")]
            fixture.machines[0].delay = delay
            return try fixture.shutdown().reviewText
        }
        let texts = try [nil, .seconds(480), .seconds(481)].map { try text(delay: $0) }
        #expect(Set(texts).count == texts.count)
    }

    @Test func `a name cannot look like a line of its own`() throws {
        var fixture = Self.fixture
        fixture.snapshot.inventory.guests[1].name = "app-1\"\nphase \"hosts\" budget 1ms"
        let plan = try fixture.shutdown()
        #expect(
            plan.reviewText.split(separator: "\n").count
                == 1 + plan.phases.count + plan.steps.count)
    }
}
