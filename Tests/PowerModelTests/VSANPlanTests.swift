import PowerModel
import Testing

/// Plans of a vSAN cluster.
struct VSANPlanTests {
    private static func fixture(vcenter: String? = "8.0.3.0", hosts: String? = "8.0.3.0") -> Fixture
    {
        var fixture = Fixture(guests: [
            Fixture.guest("app-1"), Fixture.guest("mid-1"), Fixture.guest("dns1"),
        ])
        fixture.snapshot.hasVSAN = true
        fixture.snapshot.apiVersion = vcenter.flatMap(VersionNumber.init)
        for index in fixture.snapshot.inventory.hosts.indices {
            fixture.snapshot.inventory.hosts[index].apiVersion = hosts.flatMap(VersionNumber.init)
        }
        return fixture
    }

    private func way(_ fixture: Fixture) throws -> VSANWay? {
        for step in try fixture.shutdown().steps {
            if case .stopVSAN(let way, _, _) = step.action { return way }
        }
        return nil
    }

    private static let releases: [(String?, String?, VSANWay)] = [
        ("8.0.3.0", "8.0.3.0", .wizard), ("7.0.3.0", "7.0.3", .wizard),
        ("7.0.3.0", "7.0.2.0", .manual), ("7.0.2.0", "7.0.2.0", .manual),
        ("9.0.0.0", nil, .manual), (nil, "8.0.3.0", .manual), ("6.7.3", "6.7.3", .manual),
    ]

    @Test(arguments: releases)
    func `vCenter does it where it and every host can`(
        vcenter: String?, hosts: String?, expected: VSANWay
    ) throws {
        #expect(try way(Self.fixture(vcenter: vcenter, hosts: hosts)) == expected)
    }

    @Test func `by vCenter, infrastructure goes first and vCSA stops itself`() throws {
        let plan = try Self.fixture().shutdown()
        #expect(plan.kind == .vsan)
        #expect(plan.phase(.vcsa) == nil)
        #expect(plan.phase(.arm) == nil)
        #expect(plan.phase(.vsan)?.needs == [.infrastructure])
        #expect(plan.everythingBefore(.infrastructure).contains(.retreat))
        #expect(plan.phase(.hosts)?.needs == [.vsan])
        #expect(plan.step("stop-vsan")?.action.summary.contains("itself too") == true)
        #expect(plan.ids(.hosts).count == Self.fixture().site.hosts.count)
    }

    @Test func `by hand, vCSA goes first`() throws {
        let plan = try Self.fixture(vcenter: "7.0.2.0").shutdown()
        #expect(plan.phase(.infrastructure)?.needs == [.vcsa])
        #expect(plan.phase(.vsan)?.needs == [.infrastructure])
        #expect(
            plan.phase(.hosts)?.steps.allSatisfy {
                if case .stopHost(_, maintenance: true) = $0.action { true } else { false }
            } == true)
    }

    @Test func `what policy would leave on is powered off, and that is told`() throws {
        let fixture = Self.fixture()
        let (plan, warnings) = try fixture.planner.proposal(
            .wholeCluster, now: fixture.snapshot, goal: fixture.snapshot, run: Fixture.run,
            wall: Fixture.wall)
        let stop = try #require(plan.step("stop/id-mid-1"))
        #expect(stop.action == .stopGuest(Fixture.id("mid-1"), name: "mid-1", .powerOff))
        #expect(warnings.contains { $0.contains("mid-1") && $0.contains("vSAN") })
        #expect(warnings.contains { $0.contains("dns1") && $0.contains("infrastructure") })
    }

    @Test func `hosts that have no helper are refused by name`() {
        let error = planError { () throws(PlanError) in
            try Self.fixture(vcenter: "6.7.2", hosts: "6.7.2").shutdown()
        }
        #expect(error?.summary.contains("6.7U3") == true)
        #expect(error?.summary.contains("h1") == true)
        // So does `check`, which makes no plan.
        let old = Self.fixture(vcenter: "6.7.2", hosts: "6.7.2")
        #expect(
            planError { () throws(PlanError) in
                try old.planner.warnings(now: old.snapshot)
            }?.summary == error?.summary)
    }

    @Test func `no host of it has a boot script`() {
        let error = planError { () throws(PlanError) in try Self.fixture().orders() }
        #expect(error?.summary.contains("no boot script") == true)
    }

    @Test func `tiers of it may be shed`() throws {
        #expect(try Self.fixture().shutdown(.tiers([TierName("apps")])).kind == .shed)
    }

    @Test func `it comes back the way it went down`() throws {
        let fixture = Self.fixture()
        let plan = try fixture.shutdown()
        var records = Recorder()
        records.begin(fixture)
        records.start(plan, run: Fixture.run)
        func way() throws -> VSANWay? {
            let step = try fixture.planner.restore(goal: fixture.snapshot, ledger: records.ledger)
                .step("start-vsan")
            if case .startVSAN(let way, _) = step?.action { return way }
            return nil
        }
        // What nobody asked for is found by looking.
        #expect(try way() == .manual)
        records.ask("power-off-vsan", run: Fixture.run)
        #expect(try way() == .wizard)
        records.start(plan, run: RunID("second"))
        records.ask("prepare-vsan", run: RunID("second"))
        #expect(try way() == .manual)
        let restore = try fixture.restore(records.records)
        #expect(restore.phase(.vcsaBack)?.needs == [.vsanBack])
    }

    @Test(arguments: ["", "8.", "8.x", "-1", "1.2.3.4.5.6.7.8.9", "٣.٠"])
    func `what is no version is none`(text: String) {
        #expect(VersionNumber(text) == nil)
    }

    @Test func `versions compare by their numbers`() throws {
        let texts = ["6.7", "6.7.3", "6.10", "7.0.2.1", "7.0.3.0", "8.0", "10.0"]
        let versions = texts.compactMap(VersionNumber.init)
        #expect(versions.count == texts.count)
        #expect(versions == versions.sorted())
        let (short, long) = (try #require(VersionNumber("7.0.3")), VersionNumber([7, 0, 3, 0]))
        #expect(!(short < long) && !(long < short))
    }

    @Test(arguments: [
        ("clusterPoweredOn", VSANPower.on), ("clusterPoweredOff", .off), ("", .unknown),
        ("hostsInMM", .changing("hostsInMM", problem: "x")),
    ])
    func `what vCenter calls its power is understood`(status: String, expected: VSANPower) {
        #expect(VSANPower(status: status, problem: "x") == expected)
    }
}
