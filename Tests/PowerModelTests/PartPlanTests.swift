import PowerModel
import Testing

/// Plans that take a part of a cluster down.
struct PartPlanTests {
    private static let usual = [
        Fixture.guest("app-1"), Fixture.guest("mid-1", on: "h3"), Fixture.guest("db-1", on: "h1"),
        Fixture.guest("dns1", on: "h2"), Fixture.guest("other", on: "h3"),
        Fixture.guest("app-off", power: .off),
    ]
    private static let (h1, h2, h3) = (HostName("h1"), HostName("h2"), HostName("h3"))
    private static let (apps, data) = (TierName("apps"), TierName("data"))

    private func restore(_ fixture: Fixture, after plan: Plan) throws -> Plan {
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(plan, run: Fixture.run)
        for step in plan.steps {
            recorder.ask(step.id.rawValue, run: Fixture.run)
            recorder.end(step.id.rawValue, run: Fixture.run)
        }
        return try fixture.restore(recorder.records)
    }

    @Test func `tiers are shed in the site's order, their hooks around them`() throws {
        var fixture = Fixture(guests: Self.usual)
        fixture.site.tiers[0].after = [Hook(command: ["/a"])]
        fixture.site.tiers[2].before = [Hook(command: ["/b"])]
        let plan = try fixture.shutdown(.tiers([Self.data, Self.apps]))
        #expect(plan.kind == .shed)
        #expect(plan.names == ["guests: apps", "after: apps", "before: data", "guests: data"])
        #expect(
            plan.phases.map { $0.needs.map(\.rawValue) }
                == [[], ["guests: apps"], ["after: apps"], ["before: data"]])
        #expect(plan.ids(.guests(Self.apps)) == ["stop/id-app-1", "stop/id-other"])
        // Back come these and no others, with nothing thawed or awaited that was not touched.
        let back = try restore(fixture, after: plan)
        #expect(back.names == ["guests: data", "guests: apps"])
        #expect(back.ids(.guests(Self.apps)) == ["start/id-app-1", "start/id-other"])
        // Once the whole cluster went down, the whole cluster comes back.
        let whole = try restore(fixture, after: fixture.shutdown())
        #expect(whole.phase(.haBack) != nil && whole.guests.contains(Fixture.id("mid-1")))
    }

    @Test func `a tier with nothing on is no plan, and runs no hook`() throws {
        var fixture = Fixture()
        fixture.site.tiers[0].before = [Hook(command: ["/a"])]
        #expect(try fixture.shutdown(.tiers([Self.apps])).phases.isEmpty)
        #expect(try fixture.shutdown().phase(.before(Self.apps)) == nil)
    }

    @Test func `what is not there cannot be shed or stopped`() {
        let fixture = Fixture()
        func refusal(_ scope: PlanScope) -> PlanError? {
            planError { () throws(PlanError) in try fixture.shutdown(scope) }
        }
        let tier = refusal(.tiers([Self.apps, TierName("a\nb")]))
        #expect(tier?.summary == "cluster c: there is no tier a\\u{a}b")
        #expect(tier?.tryThis == "name some of these: apps, middle, data")
        let host = refusal(.hosts([Self.h1, HostName("h9")]))
        #expect(host?.summary == "cluster c: the site file does not have h9")
        #expect(host?.tryThis.hasSuffix("h1, h2, h3") == true)
        #expect(refusal(.tiers([]))?.summary == "cluster c: no tier is named to be shed")
        #expect(refusal(.hosts([]))?.summary == "cluster c: no host is named to be shut down")
    }

    @Test func `hosts go down with what is on them, vCSA's host last`() throws {
        let fixture = Fixture(guests: Self.usual)
        let plan = try fixture.shutdown(.hosts([Self.h2, Self.h1, Self.h2]))
        #expect(plan.kind == .hosts)
        #expect(
            plan.names == [
                "arm", "guests: apps", "guests: data", "vcsa", "infrastructure", "hosts",
                "vcsa's host",
            ])
        #expect(
            plan.phases.map { $0.needs.map(\.rawValue) } == [
                [], [], ["guests: apps"], ["guests: data"], ["vcsa"], ["infrastructure", "arm"],
                ["hosts"],
            ])
        #expect(plan.ids(.guests(Self.apps)) == ["stop/id-app-1"])
        // In maintenance mode, although the site does not ask for it: DRS is on.
        #expect(
            plan.phase(.hosts)?.steps.map(\.action) == [.stopHost(Self.h2, maintenance: true)])
        #expect(plan.ids(.vcsaHost) == ["stop-host/h1"])
        let back = try restore(fixture, after: plan)
        #expect(
            back.names == [
                "hosts back", "boot scripts", "vcsa back", "vcenter back", "guests: data",
                "guests: apps", "disarm",
            ])
        #expect(back.ids(.hostsBack) == ["await-host/h1", "await-host/h2"])
        #expect(back.ids(.vcsaBack) == ["start/id-dns1", "start/id-vcsa"])
    }

    /// In retreat mode DRS does nothing before 9.0, and while it is manual it only recommends.
    @Test func `trap 4.2: a plan that lets DRS move guests leaves vCLS and DRS alone`() throws {
        let fixture = Fixture(guests: Self.usual)
        for scope in [PlanScope.hosts([Self.h2]), .tiers([Self.apps])] {
            let plan = try fixture.shutdown(scope)
            let names = plan.phases.map(\.name)
            #expect(!names.isEmpty)
            #expect(Set(names).isDisjoint(with: [.freeze, .retreat, .haAgents]))
            let back = try restore(fixture, after: plan).phases.map(\.name)
            #expect(Set(back).isDisjoint(with: [.thaw, .haBack]))
        }
    }

    @Test func `a host that stays keeps vCSA, and nobody waits for it`() throws {
        let fixture = Fixture(guests: Self.usual)
        let plan = try fixture.shutdown(.hosts([Self.h3]))
        #expect(plan.names == ["arm", "guests: apps", "guests: middle", "hosts"])
        guard case .arm(_, let orders, _) = plan.step("arm/h3")?.action else {
            Issue.record("not armed")
            return
        }
        #expect(!orders.waitsForVCSA)
        #expect(orders.leaveMaintenance)
        #expect(orders.guests.map(\.name) == ["mid-1", "other"])
        // A guest that came onto it after the plan was made was cut off with it, and comes back.
        var moved = fixture
        moved.snapshot.inventory.guests[0].host = Self.h3
        let late = moved.snapshot.inventory.guests[0].id
        #expect(!plan.guests.contains(late))
        #expect(try restore(moved, after: plan).guests.contains(late))
    }

    @Test func `all hosts are the whole cluster`() throws {
        let fixture = Fixture(guests: Self.usual)
        #expect(try fixture.shutdown(.hosts([Self.h3, Self.h2, Self.h1])) == fixture.shutdown())
        #expect(try Fixture(hosts: 1).shutdown(.hosts([Self.h1])).kind == .cluster)
    }

    @Test func `a part of a vSAN cluster that holds no storage may go down`() throws {
        var fixture = Fixture(guests: Self.usual)
        fixture.snapshot.hasVSAN = true
        let error = planError { () throws(PlanError) in
            try fixture.shutdown(.hosts([Self.h3]))
        }
        #expect(error?.summary.contains("uses vSAN") == true)
        #expect(try fixture.shutdown(.tiers([Self.apps])).guests.count == 2)
    }
}

/// Clusters that need one another.
struct ClusterOrderTests {
    private func site(_ needs: [(String, [String])]) -> Site {
        Site(
            name: "s", feeds: [],
            clusters: needs.map { name, needs in
                var cluster = Fixture(hosts: 1).site
                cluster.name = ClusterName(name)
                cluster.needs = needs.map { ClusterName($0) }
                return cluster
            })
    }

    private func order(_ site: Site, _ names: [String]) -> [String] {
        site.shutdownOrder(of: names.map { ClusterName($0) }).map { cluster, scope in
            guard case .cluster(let dependents) = scope else { return "not whole" }
            return "\(cluster) after \(dependents.map(\.rawValue))"
        }
    }

    @Test func `who is needed goes down last and waits for those that need it`() {
        let site = site([("m", []), ("b", ["m"]), ("a", ["b"]), ("z", [])])
        #expect(
            order(site, ["m", "a", "z", "b", "a"])
                == ["a after []", "z after []", #"b after ["a"]"#, #"m after ["a", "b"]"#])
        // Also where the one between them stays.
        #expect(order(site, ["m", "a"]) == ["a after []", #"m after ["a"]"#])
        #expect(order(site, ["m"]) == ["m after []"])
    }

    @Test func `a circle that no site file can have ends all the same`() {
        let site = site([("a", ["b"]), ("b", ["a", "b"])])
        #expect(order(site, ["a", "b"]) == [#"a after ["b"]"#, #"b after ["a"]"#])
    }

    @Test func `vCSA and infrastructure stay until the clusters that need them are down`() throws {
        var fixture = Fixture(guests: ["app-1", "dns1"].map { Fixture.guest($0) })
        let scope = PlanScope.cluster(dependents: [ClusterName("y"), ClusterName("x")])
        let plan = try fixture.shutdown(scope)
        #expect(plan.ids(.dependents) == ["await-cluster/x", "await-cluster/y"])
        #expect(plan.phase(.dependents)?.needs == [])
        #expect(plan.phase(.dependents)?.budget == fixture.site.limits.dependents)
        #expect(
            plan.phase(.vcsa)?.needs.map(\.rawValue) == ["guests: apps", "retreat", "dependents"])
        #expect(plan.phase(.guests(TierName("apps")))?.needs == [.freeze])
        // Without a vCSA of its own, infrastructure waits.
        fixture.site.vcsaGuest = nil
        let without = try fixture.shutdown(scope)
        #expect(without.phase(.vcsa) == nil)
        #expect(without.phase(.infrastructure)?.needs.contains(.dependents) == true)
        #expect(without.phase(.vcsaHost) == nil)
        #expect(without.ids(.hosts).count == 3)
        #expect(try fixture.orders().allSatisfy { !$0.waitsForVCSA && $0.vcsa == nil })
        let back = try fixture.restore()
        #expect(back.ids(.vcsaBack) == ["start/id-dns1"])
        #expect(back.ids(.vcenterBack) == ["await-vcenter"])
    }
}
