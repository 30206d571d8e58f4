import PowerModel
import Testing

/// A cluster of any shape, the same for the same seed.
private struct Drawn {
    var fixture: Fixture
    var dependents: [ClusterName]
    /// Some of its hosts, sorted; never all of them, and none of a cluster of one.
    var someHosts: [HostName]
    var someTiers: [TierName]
    private var numbers: Seeded

    init(_ seed: Int) {
        numbers = Seeded(UInt64(seed))
        dependents = []
        someHosts = []
        someTiers = []
        fixture = Fixture()
        let hosts = draw(1...5)
        fixture = Fixture(
            hosts: hosts, guests: drawGuests(hosts: hosts),
            vcsaPower: pick([.on, .on, .off, .unknown]))
        drawCluster()
        drawTiers()
        drawRules()
        let names = fixture.site.hosts.map(\.name)
        someHosts = Array(names.filter { _ in draw(1...2) == 1 }.prefix(hosts - 1))
        someTiers = fixture.site.tiers.map(\.name).filter { _ in draw(1...2) == 1 }
    }

    private mutating func draw(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &numbers)
    }

    private mutating func pick<T>(_ values: [T]) -> T { values[draw(0...values.count - 1)] }

    private mutating func drawGuests(hosts: Int) -> [Guest] {
        (0..<draw(0...25)).map { number in
            let natures: [GuestNature] = [
                .ordinary, .ordinary, .ordinary, .vcls, .agent, .template, .ftSecondary, .unusable,
                .embeddedVCLS,
            ]
            return Fixture.guest(
                "\(pick(["app-", "mid-", "db-", "dns", "other"]))\(number)",
                on: "h\(draw(1...hosts))", power: pick([.on, .on, .off, .suspended, .unknown]),
                nature: pick(natures))
        }
    }

    private mutating func drawCluster() {
        fixture.site.maintenanceMode = pick([true, false])
        fixture.site.adoptGuests = pick([true, false])
        if draw(1...4) == 1 { fixture.site.vcsaGuest = nil }
        fixture.snapshot.automation = Automation(
            ha: pick([true, false]), drsEnabled: true,
            drsLevel: pick([.manual, .partiallyAutomated, .fullyAutomated]),
            dpm: pick([true, false]), vcls: pick([.unset, .on, .retreat]))
        for index in fixture.snapshot.inventory.hosts.indices {
            fixture.snapshot.inventory.hosts[index].inMaintenance = draw(1...4) == 1
        }
        if pick([true, false]) { fixture.machines = [Fixture.machine("nas")] }
        dependents = ["x", "y"].filter { _ in draw(1...3) == 1 }.map { ClusterName($0) }
    }

    private mutating func drawTiers() {
        for index in fixture.site.tiers.indices {
            let hooks = (0..<draw(0...3)).map { Hook(command: ["/bin/\($0)"], limit: .seconds(7)) }
            fixture.site.tiers[index].before = Array(hooks.prefix(2))
            fixture.site.tiers[index].after = Array(hooks.dropFirst(2))
            fixture.site.tiers[index].keepOff = draw(1...4) == 1
            fixture.site.tiers[index].startDelay = .seconds(draw(0...2))
            fixture.site.tiers[index].waitForTools = pick([true, false])
        }
    }

    /// Rules of single guests; each goes down after some that were drawn before it, so none wait
    /// in a circle.
    private mutating func drawRules() {
        let names = fixture.snapshot.inventory.guests.map(\.name).sorted()
        for (place, name) in names.enumerated() where draw(1...2) == 1 {
            let after = names.prefix(place).filter { _ in draw(1...3) == 1 }
            fixture.site.guestRules.append(
                GuestRule(
                    choice: [GuestPattern(name)], limit: .seconds(draw(1...500)),
                    keepOff: pick([nil, nil, true, false]),
                    after: GuestChoice(names: after.map { GuestPattern($0) })))
        }
    }

    var onAndOrdinary: [Guest] {
        fixture.snapshot.inventory.guests.filter { $0.nature == .ordinary && $0.power == .on }
    }

    /// Whether a restore leaves a guest off: what the first rule says, else its tier; vCSA never.
    func keepsOff(_ guest: Guest) -> Bool {
        if guest.name == fixture.site.vcsaGuest { return false }
        let rule = fixture.site.guestRules.first { $0.choice.names == [GuestPattern(guest.name)] }
        if let says = rule?.keepOff { return says }
        if guest.name.hasPrefix("dns") { return false }
        let tiers = fixture.site.tiers
        return (tiers.first { $0.choice.matches(guest) } ?? tiers[0]).keepOff
    }

    /// The records of a run that did all that was planned.
    func carriedOut(_ plan: Plan) -> [Record] {
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(plan, run: Fixture.run)
        for step in plan.steps {
            recorder.ask(step.id.rawValue, run: Fixture.run)
            if case .stopHost(let host, maintenance: true) = step.action {
                recorder.ask("maintenance/\(host)", run: Fixture.run)
            }
            recorder.end(step.id.rawValue, run: Fixture.run)
        }
        return recorder.records
    }
}

/// Properties over many inventories: the design's section 5, numbers 3 to 5.
struct PlanPropertyTests {
    /// What holds for every plan.
    private func check(_ plan: Plan) {
        #expect(Set(plan.steps.map(\.id)).count == plan.steps.count)
        #expect(Set(plan.phases.map(\.name)).count == plan.phases.count)
        for phase in plan.phases {
            #expect(!phase.steps.isEmpty)
            // Needs are there, and shown above: so there is no circle.
            let above = plan.phases.prefix { $0.name != phase.name }.map(\.name)
            #expect(Set(phase.needs).isSubset(of: above), "\(phase.name)")
            #expect(Set(phase.needs).count == phase.needs.count)
            var ends: [StepID: Duration] = [:]
            for step in phase.steps {
                #expect(step.needs.allSatisfy { ends[$0] != nil }, "\(step.id)")
                ends[step.id] = step.limit + (step.needs.compactMap { ends[$0] }.max() ?? .zero)
            }
            #expect(phase.budget == ends.values.max())
        }
    }

    /// Each of these phases that is there comes after all those before it.
    private func checkOrder(_ plan: Plan, _ order: [PhaseName]) {
        let present = order.filter { plan.phase($0) != nil }
        for (index, name) in present.enumerated() {
            let before = plan.everythingBefore(name)
            #expect(Set(present.prefix(index)).isSubset(of: before), "\(name)")
        }
    }

    /// A guest is asked after those its rule names, where they are asked in the same tier; and
    /// comes up before them.
    private func checkAfter(_ plan: Plan, _ drawn: Drawn, _ verb: String) {
        for rule in drawn.fixture.site.guestRules {
            let name = rule.choice.names[0].text
            guard let phase = plan.phase(of: "\(verb)/id-\(name)") else { continue }
            for other in rule.after?.names.map(\.text) ?? [] {
                guard plan.phase(of: "\(verb)/id-\(other)") == phase, phase != .vcsaBack else {
                    continue
                }
                let (first, second) = verb == "stop" ? (other, name) : (name, other)
                #expect(plan.needs(phase)["id-\(second)"]?.contains("id-\(first)") == true)
            }
        }
    }

    private func tierPhases(_ site: ClusterSite) -> [PhaseName] {
        site.tiers.flatMap { [.before($0.name), .guests($0.name), .after($0.name)] }
    }

    @Test(arguments: 0..<300)
    func `a shutdown takes all that is on, in order, and nothing else`(seed: Int) throws {
        let drawn = Drawn(seed)
        let site = drawn.fixture.site
        let plan = try drawn.fixture.shutdown(.cluster(dependents: drawn.dependents))
        check(plan)
        checkAfter(plan, drawn, "stop")
        #expect(plan.kind == .cluster)
        #expect(plan.guests == Set(drawn.onAndOrdinary.map(\.id)))
        let hosts = site.hosts.map { "stop-host/\($0.name)" }
        #expect(Set(hosts).isSubset(of: Set(plan.steps.map(\.id.rawValue))))
        checkOrder(
            plan,
            [.freeze] + tierPhases(site) + [.vcsa, .infrastructure, .hosts, .vcsaHost, .machines])
        checkOrder(plan, [.dependents, .vcsa, .infrastructure, .hosts, .vcsaHost])
        checkOrder(plan, [.retreat, .vcsa])
        checkOrder(plan, [.arm, .hosts, .vcsaHost])
        checkOrder(plan, [.retreat, .hosts, .vcsaHost])
        for tier in site.tiers {
            #expect(!plan.everythingBefore(.guests(tier.name)).contains(.dependents))
            #expect(plan.phase(.before(tier.name))?.steps.count ?? 0 <= tier.before.count)
        }
        #expect((plan.phase(of: "stop-host/h1") == .vcsaHost) == (site.vcsaGuest != nil))
        #expect((plan.phase(.dependents)?.steps.count ?? 0) == drawn.dependents.count)
    }

    @Test(arguments: 0..<300)
    func `some tiers go down alone, in order, and nothing else`(seed: Int) throws {
        let drawn = Drawn(seed)
        if drawn.someTiers.isEmpty { return }
        let site = drawn.fixture.site
        // In any order: the site file's decides.
        let plan = try drawn.fixture.shutdown(.tiers(drawn.someTiers.reversed()))
        check(plan)
        checkAfter(plan, drawn, "stop")
        #expect(plan.kind == .shed)
        let whole = try drawn.fixture.shutdown()
        let phases = site.tiers.filter { drawn.someTiers.contains($0.name) }
            .flatMap { [.before($0.name), .guests($0.name), .after($0.name)] }
            .filter { whole.phase($0) != nil }
        #expect(plan.phases.map(\.name) == phases)
        for (phase, needed) in zip(plan.phases, [[]] + plan.phases.map { [$0.name] }) {
            #expect(phase.needs == needed)
            #expect(phase.steps == whole.phase(phase.name)?.steps)
        }
    }

    @Test(arguments: 0..<300)
    func `some hosts go down with what is on them, and nothing else`(seed: Int) throws {
        let drawn = Drawn(seed)
        if drawn.someHosts.isEmpty { return }
        let fixture = drawn.fixture
        let plan = try fixture.shutdown(.hosts(drawn.someHosts))
        check(plan)
        checkAfter(plan, drawn, "stop")
        #expect(plan.kind == .hosts)
        let here = drawn.onAndOrdinary.filter { drawn.someHosts.contains($0.host ?? HostName("")) }
        #expect(plan.guests == Set(here.map(\.id)))
        checkOrder(
            plan, tierPhases(fixture.site) + [.vcsa, .infrastructure, .hosts, .vcsaHost])
        checkOrder(plan, [.arm, .hosts, .vcsaHost])
        let others: [PhaseName] = [.freeze, .retreat, .machines, .dependents]
        #expect(others.allSatisfy { plan.phase($0) == nil })
        var stopped: [HostName: Bool] = [:]
        var started: [String] = []
        for step in plan.steps {
            switch step.action {
            case .stopHost(let host, let maintenance): stopped[host] = maintenance
            case .arm(let host, let orders, _):
                #expect(orders.host == host && drawn.someHosts.contains(host))
                #expect(orders.leaveMaintenance == !wasMaintained(host, fixture))
                started += orders.guests.map(\.name)
            case .runHook: Issue.record("a hook")
            default: break
            }
        }
        #expect(stopped.keys.sorted() == drawn.someHosts)
        for (host, maintenance) in stopped {
            #expect(maintenance == !wasMaintained(host, fixture))
        }
        #expect(started.sorted() == here.filter { !drawn.keepsOff($0) }.map(\.name).sorted())
    }

    private func wasMaintained(_ host: HostName, _ fixture: Fixture) -> Bool {
        fixture.snapshot.inventory.host(host)?.inMaintenance == true
    }

    @Test(arguments: 0..<300)
    func `a restore puts back what was on and as it was, and nothing else`(seed: Int) throws {
        let drawn = Drawn(seed)
        let fixture = drawn.fixture
        let down = try fixture.shutdown()
        // Nobody shut anything down, or vpower did.
        for records in [[], drawn.carriedOut(down)] {
            let plan = try fixture.restore(records)
            check(plan)
            checkAfter(plan, drawn, "start")
            let back = drawn.onAndOrdinary.filter { !drawn.keepsOff($0) }
            #expect(plan.guests == Set(back.map(\.id)))
            let actions = plan.steps.map(\.action)
            let automation = fixture.snapshot.automation
            #expect(actions.contains(.thawVCLS(automation.vcls, mode: automation.vclsMode)))
            #expect(
                actions.contains(
                    .thawDRS(
                        automation.drsLevel, overrides: automation.drsOverrides,
                        dpm: automation.dpm)))
            #expect(actions.contains(.thawHA(automation.ha)))
            for host in fixture.site.hosts.map(\.name) {
                // Out of maintenance mode where vpower put it there.
                let leaves = !records.isEmpty && maintains(host, down)
                #expect(actions.contains(.awaitHost(host, leaveMaintenance: leaves)))
                #expect(actions.contains(.disarm(host)))
            }
            // One after the other, HA and then the boot scripts last.
            for (index, phase) in plan.phases.enumerated() {
                let above = Set(plan.phases.prefix(index).map(\.name))
                #expect(plan.everythingBefore(phase.name) == above)
            }
            #expect(plan.names.suffix(2) == ["ha back", "disarm"])
            #expect(plan.phase(.vcenterBack) != nil)
        }
        try checkOrders(drawn)
    }

    private func maintains(_ host: HostName, _ plan: Plan) -> Bool {
        plan.step("stop-host/\(host)")?.action == .stopHost(host, maintenance: true)
    }

    /// What boot scripts start is what was on, once, each on its own host.
    private func checkOrders(_ drawn: Drawn) throws {
        let orders = try drawn.fixture.orders()
        let on = drawn.onAndOrdinary.filter { !drawn.keepsOff($0) }
        #expect(orders.flatMap(\.guests).map(\.vmxPath).sorted() == on.map(\.vmxPath).sorted())
        for order in orders {
            let here = Set(on.filter { $0.host == order.host }.map(\.vmxPath))
            #expect(Set(order.guests.map(\.vmxPath)) == here)
            #expect(!(order.leaveMaintenance && wasMaintained(order.host, drawn.fixture)))
        }
    }

    @Test(arguments: 0..<300)
    func `what went down in parts comes back, and nothing else is touched`(seed: Int) throws {
        let drawn = Drawn(seed)
        let fixture = drawn.fixture
        for scope in [PlanScope.tiers(drawn.someTiers), .hosts(drawn.someHosts)] {
            if scope == .tiers([]) || scope == .hosts([]) { continue }
            let down = try fixture.shutdown(scope)
            let plan = try fixture.restore(drawn.carriedOut(down))
            check(plan)
            let back = drawn.onAndOrdinary
                .filter { down.guests.contains($0.id) && !drawn.keepsOff($0) }
            #expect(plan.guests == Set(back.map(\.id)))
            let stopped = scope == .hosts(drawn.someHosts) ? drawn.someHosts : []
            #expect(plan.ids(.hostsBack) == stopped.map { "await-host/\($0)" })
            #expect(plan.ids(.disarm) == stopped.map { "disarm/\($0)" })
            #expect((plan.phase(.vcenterBack) != nil) == (down.kind == .hosts))
            let others: [PhaseName] = [.thaw, .haBack, .machinesBack]
            #expect(others.allSatisfy { plan.phase($0) == nil })
        }
    }
}
