import PowerModel
import Testing

struct GuestRuleTests {
    private static let apps = TierName("apps")

    private func fixture(_ names: [String], _ rules: [GuestRule]) -> Fixture {
        var fixture = Fixture(guests: names.map { Fixture.guest($0) })
        fixture.site.guestRules = rules
        return fixture
    }

    private func rule(_ names: GuestPattern, after: GuestChoice) -> GuestRule {
        GuestRule(choice: GuestChoice(names: [names]), after: after)
    }

    @Test func `the first rule that says it decides, else the tier`() throws {
        let fixture = fixture(
            ["app-1", "app-2", "mid-1", "dns1"],
            [
                GuestRule(choice: ["app-1"], onLimit: .suspend),
                GuestRule(
                    choice: ["app-*", "mid-1", "dns1"], limit: .seconds(77), onLimit: .leave),
                GuestRule(choice: ["*"], limit: .seconds(99), onLimit: .powerOff),
            ])
        let plan = try fixture.shutdown()
        let found = plan.steps.compactMap { step -> String? in
            switch step.action {
            case .stopGuest(_, let name, let policy):
                "\(name) \(step.limit.components.seconds) \(policy)"
            case .stopGuestOnHost(_, let name, _): "\(name) \(step.limit.components.seconds)"
            default: nil
            }
        }
        // vCSA has no rules.
        #expect(
            found == [
                "app-1 77 suspend", "app-2 77 leave", "mid-1 77 leave", "vcsa 600", "dns1 77",
            ])
    }

    @Test func `a guest goes down after others of its tier and comes up before them`() throws {
        let names = ["app-a", "app-b", "app-c", "app-d"]
        let fixture = fixture(
            names,
            [rule("app-a", after: ["app-c"]), rule("app-c", after: ["app-d", "app-c", "db-1"])])
        let plan = try fixture.shutdown()
        let phase = PhaseName.guests(Self.apps)
        // In an order in which they can go; the whole takes as long as its chain.
        #expect(
            plan.ids(phase) == ["app-b", "app-d", "app-c", "app-a"].map { "stop/id-\($0)" })
        #expect(
            plan.needs(phase) == [
                "id-app-b": [], "id-app-d": [], "id-app-c": ["id-app-d"],
                "id-app-a": ["id-app-c"],
            ])
        #expect(plan.phase(phase)?.budget == .seconds(30))
        let back = try fixture.restore()
        #expect(
            back.ids(phase) == ["app-a", "app-b", "app-c", "app-d"].map { "start/id-\($0)" })
        #expect(
            back.needs(phase) == [
                "id-app-a": [], "id-app-b": [], "id-app-c": ["id-app-a"],
                "id-app-d": ["id-app-c"],
            ])
        #expect(back.phase(phase)?.budget == .seconds(900))
    }

    @Test func `who is off holds nobody up`() throws {
        var fixture = fixture(["app-a", "app-c"], [rule("app-a", after: ["app-b", "app-c"])])
        fixture.snapshot.inventory.guests.append(Fixture.guest("app-b", power: .off))
        let phase = PhaseName.guests(Self.apps)
        #expect(try fixture.shutdown().needs(phase)["id-app-a"] == ["id-app-c"])
        #expect(try fixture.restore().needs(phase)["id-app-c"] == ["id-app-a"])
    }

    @Test func `infrastructure guests wait for one another too, and vCSA for all of them`() throws {
        let fixture = fixture(["dns-a", "dns-b"], [rule("dns-a", after: ["dns-b"])])
        #expect(
            try fixture.shutdown().needs(.infrastructure)
                == ["id-dns-b": [], "id-dns-a": ["id-dns-b"]])
        #expect(
            try fixture.restore().needs(.vcsaBack) == [
                "id-dns-a": [], "id-dns-b": ["id-dns-a"], "id-vcsa": ["id-dns-a", "id-dns-b"],
            ])
        #expect(
            try fixture.orders()[1].infrastructure.map(\.name) == ["dns-a", "dns-b"])
        let turned = self.fixture(["dns-a", "dns-b"], [rule("dns-b", after: ["dns-a"])])
        #expect(try turned.orders()[1].infrastructure.map(\.name) == ["dns-b", "dns-a"])
    }

    @Test func `guests that wait for one another in a circle are named`() {
        let fixture = fixture(
            ["app-1", "app-2", "app-3", "app-4"],
            [
                rule("app-1", after: ["app-2"]), rule("app-2", after: ["app-3"]),
                rule("app-3", after: ["app-1", "app-2"]), rule("app-4", after: ["app-1"]),
            ])
        for error in [
            planError { () throws(PlanError) in try fixture.shutdown() },
            planError { () throws(PlanError) in try fixture.restore() },
        ] {
            #expect(
                error?.summary
                    == "cluster c: these guests wait for one another: "
                    + "app-1 after app-2 after app-3 after app-1")
        }
    }

    @Test func `dependencies inside a tier have a limit`() {
        let names = (0..<400).map { "app-\($0)" }
        var rules = [rule("app-1*", after: ["app-2*"])]
        #expect(throws: Never.self) { try fixture(names, rules).shutdown() }
        rules = [rule("*", after: ["*"])]
        let error = planError { () throws(PlanError) in try fixture(names, rules).shutdown() }
        #expect(error?.summary.contains("more than 100000 dependencies") == true)
    }

    @Test func `an order that tiers forbid is told, and one that they keep is not`() throws {
        let fixture = fixture(
            ["app-1", "mid-1", "db-1", "dns1", "other"],
            [
                rule("app-1", after: ["db-*"]), rule("db-1", after: ["app-*"]),
                rule("mid-1", after: ["vcsa"]),
            ])
        #expect(
            try fixture.planner.warnings(now: fixture.snapshot) == [
                "in no tier, so in apps: other",
                "app-1 is to go down after db-1, but that is in a later tier: it goes down before it",
                "mid-1 is to go down after vcsa, but that is in a later tier: it goes down before it",
            ])
        #expect(throws: Never.self) { try fixture.shutdown() }
        #expect(try Fixture().planner.warnings(now: Fixture().snapshot) == [])
    }

    @Test func `a rule that fits no guest is told, and so is one that waits for none`() throws {
        let fixture = fixture(
            ["app-1"],
            [
                rule("app-1", after: ["db-*"]), rule("app-01", after: ["app-1"]),
                GuestRule(choice: GuestChoice(folders: ["Prod/Web"], tags: ["tier/web"])),
            ])
        #expect(
            try fixture.planner.warnings(now: fixture.snapshot) == [
                "a rule under `guests` fits no guest: db-*",
                "a rule under `guests` fits no guest: app-01",
                "a rule under `guests` fits no guest: folder Prod/Web, tag tier/web",
            ])
    }

    @Test func `what is to stay off is not started, by anybody`() throws {
        var fixture = fixture(
            ["app-1", "app-2", "db-1", "dns1", "dns2"],
            [
                GuestRule(choice: ["app-2", "vcsa"], keepOff: false),
                GuestRule(choice: ["dns1", "vcsa"], keepOff: true),
            ])
        fixture.site.tiers[0].keepOff = true
        let started = ["app-2", "db-1", "dns2", "vcsa"]
        #expect(try fixture.restore().guests == Set(started.map { Fixture.id($0) }))
        #expect(try fixture.orders().flatMap(\.guests).map(\.name).sorted() == started)
        #expect(try fixture.shutdown().guests.count == 6)
    }

    @Test func `starts have the terms of their tier, and the time for them`() throws {
        var fixture = fixture(
            ["app-1", "app-2", "dns1"],
            [GuestRule(choice: ["app-2"], startDelay: .zero, waitForTools: false)])
        fixture.site.tiers[0].startDelay = .seconds(40)
        fixture.site.tiers[0].waitForTools = true
        fixture.site.adoptGuests = true
        let limits = fixture.site.limits
        let plan = try fixture.restore()
        func terms(_ name: String) -> StartTerms? {
            switch plan.step("start/id-\(name)")?.action {
            case .startGuest(_, _, _, let terms), .startGuestOnHost(_, _, _, let terms): terms
            default: nil
            }
        }
        #expect(terms("app-1") == StartTerms(toolsWithin: limits.tools, delay: .seconds(40)))
        #expect(terms("app-2") == StartTerms())
        #expect(terms("dns1") == StartTerms(mayAdopt: true))
        #expect(terms("vcsa") == StartTerms(mayAdopt: true))
        #expect(
            plan.step("start/id-app-1")?.limit == limits.start + limits.tools + .seconds(40))
        #expect(plan.step("start/id-app-2")?.limit == limits.start)
        // Boot scripts wait as long, and are waited for as much longer.
        #expect(
            try fixture.orders()[1].guests.map(\.thenWait) == [.zero, .seconds(40), .zero])
        var recorder = Recorder()
        recorder.begin(fixture)
        recorder.start(try fixture.shutdown(), run: Fixture.run)
        for host in ["h1", "h2"] {
            recorder.end("arm/\(host)", run: Fixture.run)
            recorder.ask("stop-host/\(host)", run: Fixture.run)
        }
        let back = try fixture.restore(recorder.records)
        #expect(back.step("await-boot-script/h2")?.limit == limits.bootScript + .seconds(40))
        #expect(back.step("await-boot-script/h1")?.limit == limits.bootScript)
    }

    @Test func `hooks run in order around their tier, and hold the next one up`() throws {
        var fixture = fixture(["app-1", "db-1"], [])
        fixture.site.tiers[0].before = ["/a", "/b"].map {
            Hook(command: [$0], limit: .seconds(20))
        }
        fixture.site.tiers[0].after = [Hook(command: ["/c"])]
        let plan = try fixture.shutdown()
        #expect(
            plan.names.prefix(8) == [
                "freeze", "retreat", "ha agents", "arm", "before: apps", "guests: apps",
                "after: apps", "guests: data",
            ])
        #expect(
            plan.phases.prefix(8).map { $0.needs.map(\.rawValue) } == [
                [], [], ["freeze"], ["freeze"], ["freeze"], ["before: apps"], ["guests: apps"],
                ["after: apps"],
            ])
        let before = try #require(plan.phase(.before(Self.apps)))
        #expect(before.steps.map(\.id.rawValue) == ["hook/before/apps/1", "hook/before/apps/2"])
        #expect(before.steps.map(\.needs) == [[], [before.steps[0].id]])
        #expect(before.steps.map(\.limit) == [.seconds(20), .seconds(20)])
        #expect(before.budget == .seconds(40))
    }

    @Test func `a step is expected to take what it took before`() throws {
        var fixture = fixture(["app-1", "app-2"], [])
        let estimates = [
            StepID("stop/id-app-1"): Duration.seconds(3), StepID("freeze"): .seconds(1),
            StepID("start/id-app-1"): .seconds(2), StepID("arm/h1"): .seconds(4),
        ]
        fixture.estimates = Estimates(bySteps: estimates)
        let plans = [try fixture.shutdown(), try fixture.restore()]
        let found = plans.flatMap(\.steps).filter { $0.estimate != nil }
        #expect(found.count == 4)
        for step in found { #expect(step.estimate == estimates[step.id]) }
    }
}
