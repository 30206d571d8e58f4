import PowerModel
import Testing

/// Plans of a cluster that vpower itself runs in.
struct LeavePlanTests {
    private static let h2 = HostName("h2")

    /// vCSA on h1, vpower on `host`.
    private static func fixture(
        _ host: String = "h2", power: GuestPower = .on
    ) -> Fixture {
        var fixture = Fixture(guests: [
            Fixture.guest("app-1"), Fixture.guest("dns1"),
            Fixture.guest("vpower", on: host, power: power),
        ])
        fixture.site.controllerGuest = "vpower"
        fixture.machines = [Fixture.machine("nas")]
        return fixture
    }

    @Test func `the controller's host is told last, after the machines, and vpower goes with it`()
        throws
    {
        let plan = try Self.fixture().shutdown()
        #expect(plan.ids(.hosts) == ["stop-host/h3"])
        #expect(plan.ids(.vcsaHost) == ["stop-host/h1"])
        let last = try #require(plan.phases.last)
        #expect(last.name == .controllerHost)
        #expect(
            last.steps.map(\.action)
                == [.leaveHost(Self.h2, controller: Fixture.id("vpower"), name: "vpower")])
        let others = Set(plan.phases.map(\.name)).subtracting([.controllerHost])
        #expect(plan.everythingBefore(.controllerHost) == others)
        #expect(!plan.guests.contains(Fixture.id("vpower")) || last.steps.count == 1)
        #expect(plan.step("stop/id-vpower") == nil)
    }

    @Test func `on vCSA's host there is one last host`() throws {
        let plan = try Self.fixture("h1").shutdown()
        #expect(plan.ids(.hosts) == ["stop-host/h2", "stop-host/h3"])
        #expect(plan.phase(.vcsaHost) == nil)
        #expect(plan.ids(.controllerHost) == ["stop-host/h1"])
        #expect(plan.phase(.controllerHost)?.needs == [.machines])
    }

    @Test func `its host is never put in maintenance mode, which it could not enter`() throws {
        var fixture = Self.fixture()
        fixture.site.maintenanceMode = true
        let plan = try fixture.shutdown()
        #expect(plan.step("stop-host/h3")?.action == .stopHost(HostName("h3"), maintenance: true))
        let orders = try fixture.orders()
        #expect(orders.filter(\.leaveMaintenance).map(\.host.rawValue) == ["h1", "h3"])
    }

    @Test func `its host starts it before all others`() throws {
        let orders = try Self.fixture().orders()
        let own = try #require(orders.first { $0.host == Self.h2 })
        #expect(own.guests.map(\.name) == ["vpower", "dns1", "app-1"])
        #expect(
            orders.filter { $0.host != Self.h2 }.allSatisfy { order in
                !order.guests.contains { $0.name == "vpower" }
            })
    }

    @Test func `a restore waits first until its host has gone, as long as nobody saw it back`()
        throws
    {
        let fixture = Self.fixture()
        let plan = try fixture.shutdown()
        let before = Afterwards(plan, done: plan.steps.map(\.id)).records
        let back = try fixture.restore(before)
        #expect(back.phases.first?.name == .left)
        #expect(back.ids(.left) == ["await-leave/h2"])
        #expect(back.everythingBefore(.machinesBack) == [.left])
        #expect(back.everythingBefore(.hostsBack).contains(.left))
        #expect(back.ids(.bootScripts).contains("await-boot-script/h2"))
        #expect(back.step("start/id-vpower") == nil)
        #expect(Ledger(before).hostsLeft == [Self.h2])
        #expect(Ledger(before).hostsSeenDown == [HostName("h1"), HostName("h3")])
        let seenBack = Afterwards(back, run: "run-2", done: back.steps.map(\.id), from: 500)
        #expect(Ledger(before + seenBack.records).hostsLeft == [])
    }

    @Test func `vSAN with the controller inside is refused`() throws {
        var fixture = Self.fixture()
        fixture.snapshot.hasVSAN = true
        let error = planError { () throws(PlanError) in try fixture.shutdown() }
        #expect(error?.summary.contains("controller vpower") == true)
        #expect(error?.tryThis.contains("outside of the cluster") == true)
    }

    @Test func `where only some hosts go, its own stays, and that is said`() throws {
        let fixture = Self.fixture()
        let h3 = HostName("h3")
        let (plan, warnings) = try fixture.planner.proposal(
            .hosts([Self.h2, h3]), now: fixture.snapshot, goal: fixture.snapshot,
            run: Fixture.run, wall: Fixture.wall)
        #expect(plan.ids(.hosts) == ["stop-host/h3"])
        #expect(warnings.contains { $0.hasPrefix("h2 stays on") })
        let only = planError { () throws(PlanError) in try fixture.shutdown(.hosts([Self.h2])) }
        #expect(only?.summary.contains("vpower itself runs on") == true)
    }
}

/// The records of a run in which some steps were asked and done.
private struct Afterwards {
    var records: [Record]

    init(_ plan: Plan, run: String = "run-1", done: [StepID], from first: Int64 = 1) {
        let run = RunID(run)
        var events: [RunEvent] = [.runStarted(plan, RunCause(.outage, "test"))]
        if first == 1 { events.insert(.outageOpened(cluster: plan.cluster, reason: "test"), at: 0) }
        for step in done {
            events += [.asked(step, "asked"), .stepEnded(step, .done(.asked))]
        }
        records = events.enumerated().map { index, event in
            Record(
                number: first + Int64(index), at: Fixture.wall, run: run,
                outage: OutageID("outage-1"), event: event)
        }
    }
}
