import PowerModel
import Testing

struct RolesTests {
    private func roles(_ fixture: Fixture) throws(PlanError) -> Roles {
        try Roles(of: fixture.snapshot.inventory, in: fixture.site)
    }

    @Test func `guests are sorted into the tiers that name them`() throws {
        let names = ["app-1", "mid-1", "db-1", "dns1", "other"]
        let roles = try roles(Fixture(guests: names.map { Fixture.guest($0) }))
        #expect(roles.vcsa?.name == "vcsa")
        #expect(roles.infrastructure.map(\.name) == ["dns1"])
        #expect(roles.tiers.map(\.tier.name.rawValue) == ["apps", "middle", "data"])
        #expect(
            roles.tiers.map { $0.guests.map(\.name) } == [["app-1", "other"], ["mid-1"], ["db-1"]])
        #expect(roles.unnamed == [Fixture.id("other")])
    }

    @Test func `a guest that two tiers name is in the first`() throws {
        var fixture = Fixture(guests: [Fixture.guest("app-1")])
        fixture.site.tiers[2].choice = ["*"]
        #expect(try roles(fixture).tiers[0].guests.map(\.name) == ["app-1"])
        #expect(try roles(fixture).unnamed == [])
    }

    @Test func `vCSA is found by identity in any case and is in no other role`() throws {
        var fixture = Fixture()
        fixture.site.vcsaGuest = "ID-VCSA"
        fixture.site.infrastructure = ["*"]
        let roles = try roles(fixture)
        #expect(roles.vcsa?.id == Fixture.id("vcsa"))
        #expect(roles.infrastructure.isEmpty)
    }

    @Test func `a guest named like vCSA's identity does not hide it`() throws {
        var forger = Fixture.guest("forger")
        forger.name = "id-vcsa"
        var fixture = Fixture(guests: [forger])
        fixture.site.vcsaGuest = "id-vcsa"
        #expect(try roles(fixture).vcsa?.name == "vcsa")
    }

    @Test func `two guests of vCSA's name are refused with both identities`() {
        var second = Fixture.guest("second")
        second.name = "vcsa"
        let fixture = Fixture(guests: [second])
        let error = planError { () throws(PlanError) in try roles(fixture) }
        #expect(error?.summary.contains("vcsa (id-second), vcsa (id-vcsa)") == true)
        #expect(error?.tryThis.contains("instanceUuid") == true)
    }

    @Test(arguments: [GuestNature.vcls, .embeddedVCLS, .agent, .template, .ftSecondary, .unusable])
    func `a vCSA that is missing or no ordinary guest is refused by name`(nature: GuestNature) {
        var fixture = Fixture(guests: [Fixture.guest("vc\n2", nature: nature)])
        fixture.site.vcsaGuest = "vc\n2"
        let error = planError { () throws(PlanError) in try roles(fixture) }
        #expect(error?.summary == "cluster c: no guest is named vc\\u{a}2")
        #expect(error?.tryThis.contains("`vcsa`") == true)
    }

    @Test func `a controller that is not there is named, and so is one that is vCSA too`() {
        var fixture = Fixture()
        fixture.site.controllerGuest = "gone"
        let missing = planError { () throws(PlanError) in try roles(fixture) }
        #expect(missing?.summary.contains("gone") == true)
        #expect(missing?.tryThis.contains("`controller`") == true)
        fixture.site.controllerGuest = "vcsa"
        let both = planError { () throws(PlanError) in try roles(fixture) }
        #expect(both?.summary.contains("as vCSA and as controller") == true)
    }

    @Test func `a default tier that is none is refused only when it is needed`() throws {
        var fixture = Fixture(guests: [Fixture.guest("app-1")])
        fixture.site.defaultTier = TierName("nowhere")
        #expect(try roles(fixture).unnamed == [])
        fixture = Fixture(guests: [Fixture.guest("other")])
        fixture.site.defaultTier = TierName("nowhere")
        let error = planError { () throws(PlanError) in try roles(fixture) }
        #expect(error?.summary == "cluster c: there is no tier nowhere")
    }
}

struct ShutdownPlanTests {
    private static let usual = ["app-1", "mid-1", "db-1", "dns1"].map { Fixture.guest($0) }

    @Test func `a whole cluster goes down in this order`() throws {
        var fixture = Fixture(guests: Self.usual)
        fixture.machines = [Fixture.machine("nas")]
        let plan = try fixture.shutdown()
        #expect(plan.kind == .cluster)
        #expect(plan.cluster == ClusterName("c"))
        #expect(
            plan.names == [
                "freeze", "retreat", "ha agents", "arm", "guests: apps", "guests: middle",
                "guests: data", "vcsa", "infrastructure", "hosts", "vcsa's host", "machines",
            ])
        #expect(
            plan.phases.map { $0.needs.map(\.rawValue) } == [
                [], [], ["freeze"], ["freeze"], ["freeze"], ["guests: apps"], ["guests: middle"],
                ["guests: data", "retreat"], ["vcsa"],
                ["infrastructure", "arm", "retreat", "ha agents"], ["hosts"], ["vcsa's host"],
            ])
        #expect(plan.ids(.arm) == ["arm/h1", "arm/h2", "arm/h3"])
        #expect(plan.ids(.vcsa) == ["stop/id-vcsa"])
        #expect(plan.ids(.infrastructure) == ["stop/id-dns1"])
        #expect(plan.ids(.hosts) == ["stop-host/h2", "stop-host/h3"])
        #expect(plan.ids(.vcsaHost) == ["stop-host/h1"])
        #expect(plan.ids(.machines) == ["stop-machine/nas"])
        #expect(
            plan.phase(.guests(TierName("middle")))?.steps.map(\.action)
                == [.stopGuest(Fixture.id("mid-1"), name: "mid-1", .leave)])
        #expect(plan.phase(.guests(TierName("apps")))?.budget == .seconds(10))
    }

    @Test func `the same input gives the same plan whatever its order`() throws {
        let plan = try Fixture(guests: Self.usual).shutdown()
        #expect(try Fixture(guests: Self.usual).shutdown() == plan)
        #expect(try Fixture(guests: Self.usual.reversed()).shutdown() == plan)
        var turned = Fixture(guests: Self.usual)
        turned.site.hosts.reverse()
        #expect(try turned.shutdown() == plan)
    }

    @Test(arguments: [GuestNature.vcls, .embeddedVCLS, .agent, .template, .ftSecondary, .unusable])
    func `what is no ordinary guest is never a target`(nature: GuestNature) throws {
        for name in ["app-x", "dns-x", "other"] {
            let fixture = Fixture(guests: [Fixture.guest(name, nature: nature)])
            #expect(try fixture.shutdown().guests == [Fixture.id("vcsa")])
            #expect(try fixture.orders().flatMap(\.guests).map(\.name) == ["vcsa"])
            #expect(try fixture.restore().guests == [Fixture.id("vcsa")])
        }
    }

    @Test(arguments: [GuestPower.off, .suspended, .unknown])
    func `what is not on is no target`(power: GuestPower) throws {
        let fixture = Fixture(guests: ["app-1", "dns1"].map { Fixture.guest($0, power: power) })
        let plan = try fixture.shutdown()
        #expect(plan.guests == [Fixture.id("vcsa")])
        #expect(plan.phase(.vcsa)?.needs.map(\.rawValue) == ["freeze", "retreat"])
        #expect(try fixture.orders().flatMap(\.guests).map(\.name) == ["vcsa"])
    }

    @Test func `a vCSA that is off already holds nothing up and its host is still last`() throws {
        let plan = try Fixture(guests: Self.usual, vcsaPower: .off).shutdown()
        #expect(plan.phase(.vcsa) == nil)
        #expect(plan.ids(.vcsaHost) == ["stop-host/h1"])
        let before = plan.everythingBefore(.infrastructure)
        #expect(before.contains(.guests(TierName("data"))))
        #expect(try Fixture(vcsaPower: .off).orders().allSatisfy { !$0.waitsForVCSA })
    }

    @Test func `vCLS in retreat mode already is left alone`() throws {
        var fixture = Fixture(guests: Self.usual)
        fixture.snapshot.automation.vcls = .retreat
        let plan = try fixture.shutdown()
        #expect(plan.phase(.retreat) == nil)
        #expect(
            plan.phase(.hosts)?.needs.map(\.rawValue) == ["infrastructure", "arm", "ha agents"])
    }

    @Test func `a vCSA that is on nobody knows where is refused`() {
        var fixture = Fixture(hosts: 3)
        for index in fixture.snapshot.inventory.guests.indices
        where fixture.snapshot.inventory.guests[index].name == "vcsa" {
            fixture.snapshot.inventory.guests[index].host = nil
        }
        let error = planError { () throws(PlanError) in try fixture.shutdown() }
        #expect(error?.summary == "cluster c: vcsa is on, but nobody knows where")
    }

    @Test func `a host the site file does not have is refused by name`() {
        var fixture = Fixture(hosts: 3)
        fixture.site.hosts.removeLast()
        let error = planError { () throws(PlanError) in try fixture.shutdown() }
        #expect(error?.summary == "cluster c: the site file does not have h3")
        #expect(error?.tryThis.contains("`hosts`") == true)
    }

    @Test(arguments: [GuestPower.on, .off])
    func `the only host is stopped after it was armed and vCLS is gone`(vcsa: GuestPower) throws {
        for guests in [[], [Fixture.guest("app-1", on: "h1")]] {
            let plan = try Fixture(hosts: 1, guests: guests, vcsaPower: vcsa).shutdown()
            #expect(plan.phase(.hosts) == nil)
            #expect(plan.ids(.vcsaHost) == ["stop-host/h1"])
            let before = plan.everythingBefore(.vcsaHost)
            #expect(before == Set(plan.phases.map(\.name)).subtracting([.vcsaHost]))
        }
    }

    @Test func `maintenance mode is for hosts that were not in it`() throws {
        var fixture = Fixture()
        fixture.site.maintenanceMode = true
        fixture.snapshot.inventory.hosts[1].inMaintenance = true
        func maintained(_ plan: Plan) -> [HostName: Bool] {
            var found: [HostName: Bool] = [:]
            for step in plan.steps {
                if case .stopHost(let host, let on) = step.action { found[host] = on }
            }
            return found
        }
        let (h1, h2, h3) = (HostName("h1"), HostName("h2"), HostName("h3"))
        #expect(try maintained(fixture.shutdown()) == [h1: true, h2: false, h3: true])
        #expect(try fixture.orders().map(\.leaveMaintenance) == [true, false, true])
        // What vpower itself did in this outage is not what was before it.
        let goal = fixture.snapshot
        fixture.snapshot.inventory.hosts[0].inMaintenance = true
        #expect(try maintained(fixture.shutdown(goal: goal)) == [h1: true, h2: false, h3: true])
        fixture.site.maintenanceMode = false
        #expect(try Set(maintained(fixture.shutdown()).values) == [false])
        #expect(try fixture.orders().allSatisfy { !$0.leaveMaintenance })
    }

    @Test func `boot scripts start what was on at first where it is registered now`() throws {
        var fixture = Fixture(
            guests: [
                Fixture.guest("app-1", on: "h2"), Fixture.guest("mid-1", on: "h2"),
                Fixture.guest("db-1", on: "h3"), Fixture.guest("dns1", on: "h2"),
                Fixture.guest("app-off", on: "h2", power: .off),
            ])
        let goal = fixture.snapshot
        // Since then app-1 moved and was shut down, app-off was started, db-1 vanished.
        fixture.snapshot.inventory.guests.removeAll { $0.name == "db-1" }
        for index in fixture.snapshot.inventory.guests.indices {
            switch fixture.snapshot.inventory.guests[index].name {
            case "app-1":
                fixture.snapshot.inventory.guests[index].host = HostName("h3")
                fixture.snapshot.inventory.guests[index].power = .off
            case "app-off": fixture.snapshot.inventory.guests[index].power = .on
            default: break
            }
        }
        let orders = try fixture.orders(goal: goal)
        #expect(orders.map(\.host.rawValue) == ["h1", "h2", "h3"])
        #expect(
            orders.map { $0.guests.map(\.name) } == [
                ["vcsa"], ["dns1", "mid-1"], ["db-1", "app-1"],
            ])
        #expect(orders[1].infrastructure.map(\.vmxPath) == ["[ds] dns1.vmx"])
        // Tiers come up in reverse.
        #expect(orders[2].tiers.map { $0.map(\.name) } == [["db-1"], ["app-1"]])
        #expect(orders.map { $0.vcsa != nil } == [true, false, false])
        #expect(orders.allSatisfy { $0.waitsForVCSA })
        #expect(orders.allSatisfy { $0.run == Fixture.run && $0.armed == Fixture.wall })
        #expect(orders.allSatisfy { $0.expires - $0.armed == fixture.site.limits.armedFor })
    }
}
