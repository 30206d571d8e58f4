import PowerModel
import Testing

/// How a host's guests come up, and what hosts are made to do for it.
struct BootChoiceTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let choice: BootChoice
        let way: BootWay
        let summary: String
        var isRefused = false
        var testDescription: String { "\(choice.policy): \(summary)" }
    }

    private static let noAPI = "its autostart is set over its `api` only, which it lacks"

    static let cases = [
        Case(choice: BootChoice(.auto), way: .localsh, summary: "boot: localsh"),
        Case(
            choice: BootChoice(.auto, secureBoot: false, hasAPI: false), way: .localsh,
            summary: "boot: localsh"),
        Case(
            choice: BootChoice(.auto, secureBoot: true), way: .autostart,
            summary: "boot: autostart, because Secure Boot is on"),
        Case(
            choice: BootChoice(.auto, secureBoot: true, hasAPI: false), way: .controller,
            summary: "boot: controller, because Secure Boot is on, and \(noAPI)"),
        Case(
            choice: BootChoice(.auto, secureBoot: true, mayHaveHA: true), way: .controller,
            summary:
                "boot: controller, because Secure Boot is on, and autostart does nothing while "
                + "HA is on"),
        Case(
            choice: BootChoice(.auto, secureBoot: true, isMaintained: true), way: .controller,
            summary: "boot: controller, because Secure Boot is on, and autostart does nothing in "
                + "maintenance mode"),
        Case(choice: BootChoice(.localsh), way: .localsh, summary: "boot: localsh"),
        Case(
            choice: BootChoice(.localsh, secureBoot: true), way: .controller,
            summary: "boot: controller, because Secure Boot is on", isRefused: true),
        Case(choice: BootChoice(.autostart), way: .autostart, summary: "boot: autostart"),
        Case(
            choice: BootChoice(.autostart, hasAPI: false), way: .controller,
            summary: "boot: controller, because \(noAPI)", isRefused: true),
        Case(
            choice: BootChoice(.controller, secureBoot: true, hasAPI: false), way: .controller,
            summary: "boot: controller"),
    ]

    @Test(arguments: cases)
    func `the first way that a host allows is taken, and why is said`(_ one: Case) {
        #expect(one.choice.way == one.way)
        #expect(one.choice.summary == one.summary)
        #expect(one.choice.isRefused == one.isRefused)
    }

    @Test func `a host's own autostart is looked at only where it must be`() {
        #expect(!BootChoice(.auto, startsByItself: false).needsAutostart)
        #expect(BootChoice(.auto, startsByItself: true).needsAutostart)
        // Nobody has said, and it can be asked.
        #expect(BootChoice(.auto).needsAutostart)
        #expect(!BootChoice(.auto, startsByItself: true, hasAPI: false).needsAutostart)
        #expect(BootChoice(.autostart, startsByItself: false).needsAutostart)
    }

    private func orders(
        infrastructure: [String] = [], vcsa: String? = nil, waits: Bool = true,
        tiers: [[String]] = []
    ) -> BootOrders {
        func guest(_ name: String) -> BootGuest {
            BootGuest(
                name: name, vmxPath: name, thenWait: name == "slow" ? .seconds(30) : .zero)
        }
        return BootOrders(
            host: HostName("h1"), run: Fixture.run, armed: Fixture.wall, expires: Fixture.wall,
            leaveMaintenance: false, infrastructure: infrastructure.map(guest),
            vcsa: vcsa.map(guest), waitsForVCSA: waits, tiers: tiers.map { $0.map(guest) },
            startGap: .seconds(5), afterVCSA: .seconds(300))
    }

    private static let waits: [([String], String?, Bool, [String])] = [
        (["dns"], "vcsa", true, ["dns 1 5", "vcsa 2 305", "slow 3 35", "app 4 5"]),
        (["dns"], nil, true, ["dns 1 305", "slow 2 35", "app 3 5"]),
        ([], "vcsa", true, ["vcsa 1 305", "slow 2 35", "app 3 5"]),
        // It cannot wait for what is on another host.
        ([], nil, true, ["slow 1 35", "app 2 5"]),
        (["dns"], nil, false, ["dns 1 5", "slow 2 35", "app 3 5"]),
    ]

    @Test(arguments: waits)
    func `autostart has the orders' guests, in their order and with their waits`(
        infrastructure: [String], vcsa: String?, waits: Bool, expected: [String]
    ) {
        let before = HostAutostart.Defaults(
            enabled: false, startDelaySeconds: 120, stopAction: "guestShutdown")
        let orders = orders(
            infrastructure: infrastructure, vcsa: vcsa, waits: waits, tiers: [["slow"], ["app"]])
        let made = HostAutostart(orders, before: before)
        #expect(
            made.guests.sorted { $0.startOrder < $1.startOrder }
                .map { "\($0.vmxPath) \($0.startOrder) \($0.startDelaySeconds)" } == expected)
        #expect(made.guests.allSatisfy { $0.startAction == "powerOn" })
        #expect(made.isOn)
        #expect(made.defaults.startDelaySeconds == 120)
        #expect(made.defaults.stopAction == "guestShutdown")
        #expect(!made.switchedOff.isOn)
        #expect(made.switchedOff.guests == made.guests)
    }

    // MARK: Plans

    private func fixture(
        _ policy: BootPolicy = .auto, secureBoot: Bool? = true, api: Bool = true
    ) -> Fixture {
        var fixture = Fixture(guests: [Fixture.guest("app-1", on: "h2")])
        fixture.site.boot = policy
        for index in fixture.site.hosts.indices where api {
            fixture.site.hosts[index].api = HostAPISite(
                endpoint: Endpoint(host: "h", port: 443), password: .environment(name: "P"),
                trust: .system)
        }
        for index in fixture.snapshot.inventory.hosts.indices {
            fixture.snapshot.inventory.hosts[index].secureBoot = secureBoot
            fixture.snapshot.inventory.hosts[index].startsByItself = false
        }
        return fixture
    }

    @Test func `a host has its own policy, or the cluster's`() throws {
        var fixture = fixture(.controller)
        fixture.site.hosts[1].boot = .auto
        let ways = fixture.planner.bootChoices(now: fixture.snapshot).map(\.choice.way)
        #expect(ways == [.controller, .autostart, .controller])
    }

    @Test func `a plan says how guests come up, and that is part of what is reviewed`() throws {
        let script = try fixture(secureBoot: false).shutdown()
        #expect(script.step("arm/h2")?.action.summary == "arm h2 (1 guest)")
        let auto = try fixture().shutdown()
        #expect(
            auto.step("arm/h2")?.action.summary
                == "arm h2 (1 guest) by its autostart, because Secure Boot is on")
        let alone = try fixture(.controller).shutdown()
        #expect(alone.step("arm/h2")?.action.summary == "leave h2 (1 guest) to vpower alone")
        #expect(Set([script, auto, alone].map(\.reviewText)).count == 3)
    }

    @Test func `hosts that go alone, in maintenance mode, have no autostart`() throws {
        let plan = try fixture().shutdown(.hosts([HostName("h2")]))
        let why =
            "because Secure Boot is on, and autostart does nothing while HA is on, and autostart "
            + "does nothing in maintenance mode"
        #expect(
            plan.step("arm/h2")?.action.summary == "leave h2 (1 guest) to vpower alone, \(why)")
    }

    @Test func `who plans is warned of hosts that only vpower starts, and of strange autostarts`()
        throws
    {
        var fixture = fixture(api: false)
        fixture.snapshot.inventory.hosts[0].secureBoot = false
        fixture.snapshot.inventory.hosts[0].startsByItself = true
        let warnings = try fixture.planner.proposal(
            .wholeCluster, now: fixture.snapshot, goal: fixture.snapshot, run: Fixture.run,
            wall: Fixture.wall
        ).warnings
        #expect(
            warnings.filter { $0.contains("autostart") } == [
                "h1: its own autostart is on, and starts guests in an order of its own: give the "
                    + "host an `api`, and vpower switches it off for the outage",
                "h2: boot: controller, because Secure Boot is on, and \(Self.noAPI): nothing but "
                    + "vpower starts its guests",
                "h3: boot: controller, because Secure Boot is on, and \(Self.noAPI): nothing but "
                    + "vpower starts its guests",
            ])
    }

    // MARK: What is put back

    private let before = HostAutostart(
        defaults: HostAutostart.Defaults(enabled: true), guests: [.some("[ds] a.vmx")])
    private let host = HostName("h2")

    /// Records of runs, each with its plan, in order.
    private func records(_ runs: [(Plan, [RunEvent])]) -> [Record] {
        var records: [Record] = []
        func add(_ event: RunEvent, _ run: RunID?) {
            records.append(
                Record(
                    number: Int64(records.count + 1), at: Fixture.wall, run: run,
                    outage: OutageID("o"), event: event))
        }
        add(.outageOpened(cluster: ClusterName("c"), reason: "t"), nil)
        for (number, (plan, events)) in runs.enumerated() {
            let run = RunID("\(number)")
            add(.runStarted(plan, RunCause(.hand, "t")), run)
            for event in events { add(event, run) }
        }
        return records
    }

    @Test func `what was found first is put back, before HA, until it was seen so`() throws {
        let fixture = fixture()
        let down = try fixture.shutdown()
        let arm = StepID("arm/h2")
        let choice = BootChoice(.auto, secureBoot: true)
        let first: [RunEvent] = [
            .bootChosen(host, choice, before: before), .asked(arm, "t"),
        ]
        // What vpower wrote is not what was there before.
        let again: [RunEvent] = [
            .bootChosen(host, choice, before: before.switchedOff), .asked(arm, "t"),
            .stepEnded(arm, .done(.asked)), .asked(StepID("stop-host/h2"), "t"),
        ]
        var runs = [(down, first), (down, again)]
        let up = try fixture.restore(records(runs))
        let restore = try #require(up.step("restore-autostart/h2"))
        #expect(restore.action == .restoreAutostart(host, before))
        #expect(up.phase(.haBack)?.needs == [.autostartBack])
        // Autostart reports nothing.
        #expect(up.ids(.bootScripts) == [])
        runs.append((up, [.stepEnded(restore.id, .gaveUp("t"))]))
        #expect(try fixture.restore(records(runs)).step("restore-autostart/h2") != nil)
        runs.append((up, [.stepEnded(restore.id, .done(.asked))]))
        #expect(try fixture.restore(records(runs)).step("restore-autostart/h2") == nil)
        runs.append((down, again))
        #expect(
            try fixture.restore(records(runs)).step("restore-autostart/h2")?.action
                == .restoreAutostart(host, before.switchedOff))
    }

    @Test func `only a boot script is waited for, whatever was planned`() throws {
        let fixture = fixture(secureBoot: nil)
        let down = try fixture.shutdown()
        let arm = StepID("arm/h2")
        let end: [RunEvent] = [
            .stepEnded(arm, .done(.asked)), .asked(StepID("stop-host/h2"), "t"),
        ]
        #expect(try fixture.restore(records([(down, end)])).ids(.bootScripts) != [])
        let learned = RunEvent.bootChosen(
            host, BootChoice(.auto, secureBoot: true), before: before)
        #expect(
            try fixture.restore(records([(down, [learned] + end)])).ids(.bootScripts) == [])
    }
}

extension HostAutostart.Entry {
    fileprivate static func some(_ path: String) -> Self {
        Self(
            vmxPath: path, startOrder: 1, startDelaySeconds: -1, waitForHeartbeat: "no",
            startAction: "powerOn", stopDelaySeconds: -1, stopAction: "systemDefault")
    }
}
