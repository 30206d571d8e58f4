import PowerLab
import PowerModel
import PowerRun
import Testing

/// What the rule about the way up asks of boot scripts.
struct OrderUpTests {
    /// What becomes of vCSA's host, while another host boots into a script that does not wait.
    enum VCSAHost: CaseIterable {
        case bootsArmed, isArmedAfterItsBoot, staysOn
    }

    @Test(arguments: VCSAHost.allCases)
    func `only a vCSA that its own host's boot script starts can be overtaken by another's`(
        _ case: VCSAHost
    ) throws {
        var scenario = LabScenario.standard()
        // HA would start vCSA by itself.
        scenario.automation.ha = false
        let site = MemorySite(scenario)
        let log = try SerialExecutor.simulate(time: site.time, limit: MemorySite.limit) {
            () async -> Result<[LabEvent], any Error> in
            do { return .success(try await Self.live(site, `case`)) } catch {
                return .failure(error)
            }
        }
        let result = try #require(log)
        let violations = LabChecker.violations(
            in: try result.get(), of: scenario, restoredTo: nil)
        let overtaken = violations.filter { $0.hasSuffix("was started before vCSA") }
        #expect(overtaken.isEmpty == (`case` != .bootsArmed))
    }

    private static func live(_ site: MemorySite, _ case: VCSAHost) async throws -> [LabEvent] {
        let world = site.world
        let guests = world.scenario.guests.filter { $0.nature == .ordinary }
        let vcsa = try #require(guests.first { $0.isVCSA })
        let hostNames = world.scenario.hosts.map(\.name)
        let other = try #require(hostNames.first { $0 != vcsa.host })
        // Two guests, one after the other, are enough not to wait for vCSA, which comes third.
        let before = guests.filter { $0.host == vcsa.host && !$0.isVCSA }.prefix(2)
        let own = orders(vcsa.host, before: `case` == .staysOn ? [] : before, vcsa)
        let others = orders(other, before: guests.filter { $0.host == other }.prefix(2), nil)
        world.setOrders(others, on: other)
        if `case` != .isArmedAfterItsBoot { world.setOrders(own, on: vcsa.host) }
        if `case` == .staysOn {
            world.shutDownHost(vcsa.host)
            try await site.time.sleep(for: world.scenario.pace.hostStops)
            world.wakeHost(vcsa.host)
            try await site.time.sleep(for: .seconds(20))
        }
        try world.powerOffGuest(vcsa.id)
        let hosts = `case` == .staysOn ? [other] : [other, vcsa.host]
        for host in hosts { world.shutDownHost(host) }
        try await site.time.sleep(for: world.scenario.pace.hostStops)
        for host in hosts { world.wakeHost(host) }
        try await site.time.sleep(for: world.scenario.pace.hostBoots)
        if `case` == .isArmedAfterItsBoot { world.setOrders(own, on: vcsa.host) }
        try await site.time.sleep(for: .seconds(20))
        // What had to happen by now has: looking makes it so.
        #expect(world.answers(other))
        return world.log
    }

    private static func orders(
        _ host: HostName, before: ArraySlice<LabGuestSpec>, _ vcsa: LabGuestSpec?
    ) -> BootOrders {
        func start(_ guest: LabGuestSpec) -> BootGuest {
            BootGuest(name: guest.name, vmxPath: guest.vmxPath)
        }
        return BootOrders(
            host: host, run: RunID("1"), armed: Timestamp(millisecondsSinceEpoch: 0),
            expires: Timestamp(millisecondsSinceEpoch: .max), leaveMaintenance: false,
            infrastructure: before.map(start), vcsa: vcsa.map(start), waitsForVCSA: false,
            tiers: [], startGap: .seconds(1), afterVCSA: .zero)
    }
}
