import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

/// What of the cluster acts on guests by itself: stopped, and put back as it was.
struct AutomationTests {
    private final class Changes: Sendable {
        private let list = Mutex<[AutomationChange]>([])
        var all: [AutomationChange] { list.withLock { $0 } }
        func add(_ change: AutomationChange) { list.withLock { $0.append(change) } }
    }

    /// Takes a cluster that is so down and brings it back; what was written, and what it ends with.
    private func outage(
        _ before: Automation, as shown: @escaping @Sendable (Automation) -> Automation = { $0 }
    ) throws -> (writes: [AutomationChange], atFreeze: Automation, after: Automation) {
        var scenario = LabScenario.standard()
        scenario.automation = before
        if before.drsOverrides == nil {
            // Nothing would hold those.
            for index in scenario.guests.indices { scenario.guests[index].drsLevel = nil }
        }
        let site = MemorySite(scenario)
        let changes = Changes()
        @Sendable func operation(_ name: String) -> Operation {
            var around = site.around(announcer: Quiet())
            var cluster = BentCluster(inner: site.cluster)
            cluster.says = shown
            cluster.changes = changes.add
            around.cluster = cluster
            return Operation(in: around, control: RunControl(), makeID: { name })
        }
        return try simulate(site) {
            site.world.failMains()
            _ = try await site.goDown(operation("down"))
            let frozen = site.world.currentAutomation()
            try await site.cycle()
            #expect(try await site.comeBack(operation("up")) == .finished)
            #expect(await site.violations() == [])
            return (changes.all, frozen, site.world.currentAutomation())
        }
    }

    private static func automation(
        ha: Bool = true, level: DRSLevel = .fullyAutomated, overrides: Bool? = true,
        dpm: Bool = false, vcls: VCLSSetting = .unset, mode: VCLSMode? = nil
    ) -> Automation {
        Automation(
            ha: ha, drsEnabled: true, drsLevel: level, drsOverrides: overrides, dpm: dpm,
            vcls: vcls, vclsMode: mode)
    }

    /// Trap (facts/vsphere.md 2.4): a guest with a level of its own moves in manual DRS.
    @Test func `DRS is manual for guests with a level of their own too, and they have it back`()
        throws
    {
        let (writes, frozen, after) = try outage(Self.automation())
        #expect(writes.first == AutomationChange(ha: false, drsLevel: .manual, drsOverrides: false))
        #expect(frozen.drsOverrides == false)
        #expect(after.drsOverrides == true)
        #expect(after.drsLevel == .fullyAutomated)
    }

    @Test func `what is as it must be already is not written, and stays as it was`() throws {
        let before = Self.automation(ha: false, level: .manual, overrides: false)
        let (writes, _, after) = try outage(before)
        #expect(writes == [])
        #expect(after.drsOverrides == false)
        #expect(after.drsLevel == .manual)
    }

    @Test func `what an older snapshot does not say is neither changed nor put back`() throws {
        let (writes, frozen, _) = try outage(Self.automation(overrides: nil))
        #expect(writes.compactMap(\.drsOverrides) == [])
        #expect(frozen.drsOverrides == nil)
    }

    @Test(arguments: [
        (VCLSSetting.unset, VCLSMode?.none), (.on, nil), (.retreat, nil),
        (.unset, .systemManaged), (.unset, .absent), (.on, .systemManaged), (.retreat, .absent),
        (.on, .absent),
    ])
    func `vCLS comes back in each of the two places as it was`(
        setting: VCLSSetting, mode: VCLSMode?
    ) throws {
        let (_, frozen, after) = try outage(Self.automation(vcls: setting, mode: mode))
        #expect(!frozen.keepsVCLS)
        #expect(after.vcls.keepsGuests == setting.keepsGuests)
        #expect((after.vclsMode == .absent) == (mode == .absent))
    }

    @Test func `retreat mode does not wait for vCLS that a host runs in its own memory`() throws {
        var scenario = LabScenario.standard()
        for index in scenario.guests.indices where scenario.guests[index].nature == .vcls {
            scenario.guests[index].nature = .embeddedVCLS
        }
        let bench = Bench(scenario)
        let (result, on) = try simulate(bench) {
            let step = Step(.retreat, limit: .seconds(30))
            let result = try await bench.carryOut([Bench.phase([step])])
            let guests = bench.site.world.inventory().guests
            return (result, guests.count { $0.nature == .embeddedVCLS && $0.power == .on })
        }
        #expect(result == .finished)
        #expect(on == 2)
    }

    /// How many vCLS guests there must be depends on the release (facts/vsphere.md 2.5).
    @Test(arguments: [
        (VCLSHealth.healthy, 0, true), (.degraded, 0, false), (.degraded, 1, true),
        (.nonhealthy, 2, false),
    ])
    func `vCLS is back when vCenter says so, however many guests it has`(
        health: VCLSHealth, guests: Int, isBack: Bool
    ) throws {
        var bench = Bench()
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.says = {
            var now = $0
            now.vclsHealth = health
            return now
        }
        cluster.shows = { inventory in
            var shown = inventory
            let agents = inventory.guests.filter { $0.nature == .vcls }.map(\.id)
            shown.guests.removeAll { agents.dropFirst(guests).contains($0.id) }
            return shown
        }
        bench.around.cluster = cluster
        let made = bench
        let result = try simulate(bench) {
            let limit = Duration.seconds(10)
            let steps = [
                Step(.retreat, limit: limit),
                Step(
                    .thawVCLS(.unset, mode: nil), limit: limit, needs: [StepID("retreat")]),
            ]
            return try await made.carryOut([Bench.phase(steps)], goal: made.site.world)
        }
        #expect((result == .finished) == isBack)
    }
}
