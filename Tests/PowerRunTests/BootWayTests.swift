import PowerLab
import PowerModel
import PowerRun
import Testing

/// Hosts that do not run a boot script, and hosts that start guests by themselves.
struct BootWayTests {
    private static let esx2 = HostName("esx2.lab")

    /// The drill's site, whose hosts have Secure Boot and endpoints of their own.
    private static func scenario(
        secureBoot: Bool = true, api: Bool = true,
        _ change: (inout LabScenario) -> Void = { _ in }
    ) -> LabScenario {
        var scenario = LabScenario.standard()
        for index in scenario.hosts.indices {
            scenario.hosts[index].secureBoot = secureBoot
            scenario.hosts[index].hasAPI = api
        }
        change(&scenario)
        return scenario
    }

    /// Autostart that an administrator has set: of what is on esx2, in another order.
    private static func own(_ scenario: LabScenario, _ names: [String]) -> HostAutostart {
        var defaults = LabHostSpec.noAutostart.defaults
        defaults.enabled = true
        defaults.startDelaySeconds = 1
        let entries = names.enumerated().map { place, name in
            HostAutostart.Entry(
                vmxPath: scenario.guests.first { $0.name == name }?.vmxPath ?? name,
                startOrder: place + 1, startDelaySeconds: -1, waitForHeartbeat: "systemDefault",
                startAction: "powerOn", stopDelaySeconds: -1, stopAction: "systemDefault")
        }
        return HostAutostart(defaults: defaults, guests: entries)
    }

    private struct End {
        var down: RunResult
        var up: RunResult
        var violations: [String]
        var starters: [String: Set<String>]
        var autostarts: [LabEvent]
        var ledger: Ledger
    }

    /// An outage of this site, down and back.
    private func outage(
        _ scenario: LabScenario, bend: (inout Surroundings) -> Void = { _ in },
        site change: (inout ClusterSite) -> Void = { _ in }
    ) throws -> End {
        var bench = Bench(scenario, site: change)
        bend(&bench.around)
        let made = bench
        return try simulate(made) {
            let site = made.site
            site.world.failMains()
            let down = try await site.goDown(made.operation())
            let ledger = try await made.operation().ledger()
            let before = site.world.log.count
            try await site.cycle()
            let up = try await site.comeBack(made.operation())
            var starters: [String: Set<String>] = [:]
            for event in site.world.log.dropFirst(before) where event.kind == .guestOn {
                starters[event.detail, default: []].insert(event.object)
            }
            return End(
                down: down, up: up, violations: await site.violations(), starters: starters,
                autostarts: site.world.log.filter { $0.kind == .autostartSet }, ledger: ledger)
        }
    }

    @Test(arguments: [true, false])
    func `with Secure Boot hosts start their guests by autostart, which is put back`(
        isKnown: Bool
    ) throws {
        let end = try outage(Self.scenario { $0.showsBootState = isKnown })
        #expect(end.down == .finished)
        #expect(end.up == .finished)
        #expect(end.violations == [])
        // vpower waits for nobody: what a host has not come to yet, it starts.
        #expect(end.starters["autostart"].map { $0.count > 3 } == true)
        #expect(end.starters["boot script"] == nil)
        #expect(
            end.autostarts.map(\.detail).sorted() == [
                "as before", "as before", "as before", "on", "on", "on",
            ])
        let choice = end.ledger.lastRun?.bootChoices[Self.esx2]
        #expect(choice?.summary == "boot: autostart, because Secure Boot is on")
    }

    @Test func `without an endpoint of theirs vpower starts the guests of such hosts`() throws {
        let end = try outage(Self.scenario(api: false))
        #expect(end.down == .finished)
        #expect(end.up == .finished)
        #expect(end.violations == [])
        #expect(end.autostarts == [])
        // vCSA by its host; the others by vCenter.
        #expect(end.starters.keys.sorted() == ["esx2.lab", "vcenter"])
        guard case .left(let why)? = end.ledger.lastRun?.outcome(of: StepID("arm/esx2.lab")) else {
            Issue.record("it was not left")
            return
        }
        #expect(why.hasPrefix("boot: controller, because Secure Boot is on"))
    }

    @Test func `guests that only vpower starts come up by their hosts when vCenter does not`()
        throws
    {
        let end = try outage(
            Self.scenario(api: false) { $0.pace.vcenterUp = .seconds(2000) })
        #expect(end.up == .finishedWithGaps)
        let on = end.starters.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        #expect(on.count == 12)
        #expect(end.starters["vcenter"] == nil)
    }

    @Test func `a localsh that Secure Boot forbids is a gap, and vpower starts the guests`() throws
    {
        let end = try outage(Self.scenario(), site: { $0.boot = .localsh })
        #expect(end.down == .finishedWithGaps)
        #expect(end.up == .finished)
        #expect(end.violations == [])
        #expect(end.autostarts == [])
    }

    @Test func `where HA is not seen off, nothing is left to autostart`() throws {
        let end = try outage(
            Self.scenario(),
            bend: { around in
                guard let inner = around.cluster as? MemoryCluster else { return }
                around.cluster = BentCluster(
                    inner: inner, refuses: { $0 == .change ? .refused : nil })
            })
        #expect(end.down == .finishedWithGaps)
        #expect(end.autostarts == [])
        let choice = end.ledger.lastRun?.bootChoices[Self.esx2]
        #expect(choice?.way == .controller)
        #expect(choice?.why?.contains("while HA is on") == true)
    }

    @Test(arguments: [true, false])
    func `a host's own autostart is off while a script starts its guests, and on again after`(
        isKnown: Bool
    ) throws {
        let scenario = Self.scenario(secureBoot: false) { scenario in
            scenario.showsBootState = isKnown
            scenario.guests[4].isOn = false
            scenario.hosts[1].autostart = Self.own(scenario, ["db-main", "vcsa01"])
        }
        let end = try outage(scenario)
        #expect(end.down == .finished)
        #expect(end.up == .finished)
        #expect(end.violations == [])
        #expect(end.starters.keys.sorted() == ["boot script"])
        #expect(
            end.autostarts.map { "\($0.object) \($0.detail)" } == [
                "esx2.lab off", "esx2.lab as before",
            ])
        #expect(end.ledger.autostartBefore == [Self.esx2: scenario.hosts[1].autostart])
    }

    @Test func `nothing is asked of autostart where vCenter says that it is off`() throws {
        let counted = Tally()
        let end = try outage(
            Self.scenario(secureBoot: false),
            bend: { around in
                around.bend("esx2.lab") { call in
                    if call == .autostart || call == .setAutostart { counted.add() }
                    return nil
                }
            })
        #expect(end.down == .finished)
        #expect(counted.count == 0)
        #expect(end.ledger.lastRun?.bootChoices.isEmpty == true)
    }

    @Test func `a host whose autostart cannot be switched off is armed all the same, and told of`()
        throws
    {
        let scenario = Self.scenario(secureBoot: false) { scenario in
            scenario.hosts[1].autostart = Self.own(scenario, ["db-main"])
        }
        let end = try outage(
            scenario,
            bend: { $0.bend("esx2.lab") { $0 == .autostart ? .unreachable : nil } })
        #expect(end.down == .finished)
        #expect(end.ledger.lastRun?.outcome(of: StepID("arm/esx2.lab")) == .done(.asked))
        #expect(
            end.ledger.lastRun?.notes.contains {
                $0.hasPrefix("esx2.lab: its own autostart may start guests too: ")
            } == true)
        #expect(end.starters["boot script"]?.count == 11)
        #expect(end.starters["autostart"]?.count == 1)
    }

    @Test func `a guest that left a host is left out when its autostart is put back`() throws {
        let scenario = Self.scenario { scenario in
            scenario.hosts[1].autostart = Self.own(scenario, ["db-main", "app-web02"])
        }
        let bench = Bench(scenario)
        let before = scenario.hosts[1].autostart
        let (result, now, notes) = try simulate(bench) {
            let step = Step(.restoreAutostart(Self.esx2, before), limit: .seconds(10))
            var changed = before
            changed.defaults.enabled = false
            changed.guests = []
            bench.site.world.setAutostart(changed, on: Self.esx2)
            try bench.site.world.powerOffGuest(bench.id("app-web02"))
            try bench.site.world.registerGuest(
                at: scenario.guests[1].vmxPath, on: HostName("esx1.lab"))
            let result = try await bench.carryOut([Bench.phase([step])])
            return (
                result, bench.site.world.autostart(of: Self.esx2),
                try await bench.ledger().lastRun?.notes
            )
        }
        #expect(result == .finished)
        #expect(now?.isOn == true)
        #expect(now?.guests.map(\.vmxPath) == [scenario.guests[8].vmxPath])
        #expect(
            notes == [
                "esx2.lab: autostart without what is not registered there: [datastore 1] guest2/guest2.vmx"
            ])
    }
}
