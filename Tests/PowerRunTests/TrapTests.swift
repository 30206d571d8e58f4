import PowerLab
import PowerModel
import PowerRun
import Testing

/// Traps of section 4 of the facts on vSphere, as a whole outage meets them.
struct TrapTests {
    private static let esx1 = HostName("esx1.lab")
    private static let esx3 = HostName("esx3.lab")

    private func guest(_ name: String, of site: MemorySite) throws -> GuestID {
        try #require(site.world.scenario.guests.first { $0.name == name }?.id)
    }

    /// A whole outage with the mains back after it; how the site was before, meanwhile and after.
    private func outage(
        _ site: MemorySite, before: @escaping @Sendable () throws -> Void = {},
        change: @escaping @Sendable (inout ClusterSite) -> Void = { _ in },
        meanwhile: @escaping @Sendable () async throws -> Void = {}
    ) throws -> (down: RunResult, up: RunResult, run: RunLedger?) {
        try simulate(site) {
            try before()
            site.world.failMains()
            let operation = site.operation(site: change)
            let down = try await site.goDown(operation)
            let run = try await operation.ledger().lastRun
            try await meanwhile()
            try await site.cycle()
            let up = try await site.comeBack(site.operation(site: change))
            #expect(await site.violations() == [])
            return (down, up, run)
        }
    }

    // MARK: HA (4.1)

    @Test(arguments: [true, false])
    func `trap 4.1: HA starts elsewhere what went down with its host, not what was shut down`(
        isOn: Bool
    ) throws {
        var scenario = LabScenario.standard()
        scenario.automation.ha = isOn
        let site = MemorySite(scenario)
        let (clean, lost) = (
            try guest("app-web01", of: site), try guest("mid-queue01", of: site)
        )
        let after = try simulate(site) {
            try site.world.shutDownGuest(clean, by: "vCenter")
            try await site.time.sleep(for: .seconds(5))
            site.world.shutDownHost(Self.esx1)
            try await site.time.sleep(for: .seconds(20))
            return site.world.inventory()
        }
        #expect(after.guest(clean)?.power != .on)
        #expect((after.guest(lost)?.power == .on) == isOn)
        if isOn { #expect(after.guest(lost)?.host != Self.esx1) }
    }

    @Test func `trap 4.1: what HA starts after a power cut that nobody handled is taken as it is`()
        throws
    {
        var scenario = LabScenario.standard()
        scenario.haStartsAtBoot = true
        let site = MemorySite(scenario)
        let (up, log, on) = try simulate(site) {
            let world = site.world
            let (cluster, outage) = (world.scenario.cluster, OutageID("cut"))
            let before = try await site.cluster.snapshot()
            world.failMains()
            for event in [
                RunEvent.outageOpened(cluster: cluster, reason: "t"), .snapshotTaken(before),
            ] {
                _ = try await site.journal.append(event, run: nil, outage: outage)
            }
            try await site.cycle()
            let up = try await site.comeBack(site.operation())
            let on = world.inventory().guests.filter { $0.power == .on }.count
            return (up, world.log, on)
        }
        #expect(up == .finished)
        #expect(on == site.world.scenario.guests.count)
        let byHA = log.filter { $0.kind == .guestOn && $0.detail == "HA" }.map(\.object)
        #expect(byHA.count > 5)
        // Nothing was started twice.
        let starts = log.filter { $0.kind == .guestOn }.map(\.object)
        #expect(Set(starts).count == starts.count)
    }

    @Test func `trap 4.1: an HA agent that vCenter could not take away is named at the restore`()
        throws
    {
        var scenario = LabScenario.standard()
        scenario.automation.ha = false
        var bench = Bench(scenario)
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.shows = { inventory in
            var shown = inventory
            shown.hosts = inventory.hosts.map { host in
                var host = host
                if host.name == Self.esx3 { host.haAgentFault = "uninitializationError" }
                return host
            }
            return shown
        }
        bench.around.cluster = cluster
        let made = bench
        let gaps = try simulate(bench) {
            let step = Step(.thawHA(true), limit: .seconds(20))
            let result = try await made.carryOut([Bench.phase([step])], kind: .restore)
            #expect(result == .finishedWithGaps)
            return try await made.ledger().lastRun?.gaps ?? []
        }
        #expect(gaps.count == 1)
        #expect(gaps.first?.why.contains("esx3.lab (uninitializationError)") == true, "\(gaps)")
        #expect(gaps.first?.why.contains("Reconfigure for vSphere HA") == true, "\(gaps)")
    }

    @Test func `trap 4.1: a vCSA that its host has started by itself is not started again`() throws
    {
        let site = MemorySite()
        let vcsa = try guest("vcsa01", of: site)
        let host = try #require(site.world.scenario.guests.first { $0.isVCSA }?.host)
        let (up, starts) = try simulate(site) {
            site.world.failMains()
            _ = try await site.goDown(site.operation())
            // No boot script does it; the host's own autostart does.
            site.world.setOrders(nil, on: host)
            try await site.cycle()
            while !site.world.hostdReady(host) { try await site.time.sleep(for: .seconds(1)) }
            try site.world.powerOnGuest(vcsa, on: host, by: "autostart")
            let up = try await site.comeBack(site.operation())
            return (up, site.world.log.filter { $0.kind == .guestOn && $0.object == vcsa.rawValue })
        }
        // Its boot script is gone, and that is told; vCSA is there.
        #expect(up == .finished || up == .finishedWithGaps)
        #expect(starts.map(\.detail) == ["autostart"])
    }

    // MARK: vCLS (4.2)

    @Test func `trap 4.2: retreat that takes as long as vCenter may need is waited for`() throws {
        let usual = ClusterLimits().vcls
        #expect(usual >= .seconds(300))
        var pace = LabPace()
        pace.vclsFollows = .seconds(120)
        let site = MemorySite(.standard(pace: pace))
        let (down, _, run) = try outage(site, change: { $0.limits.vcls = usual })
        #expect(down == .finished)
        let ended = try #require(run?.progress[StepID("retreat")]?.ended)
        let vcsa = try #require(run?.phasesStarted[.vcsa])
        #expect(ended <= vcsa)
    }

    @Test func `trap 4.2: vCLS that a dead vCenter has left keeps no host from going down`() throws
    {
        let site = MemorySite()
        let (down, log) = try simulate(site) {
            let before = try await site.cluster.snapshot()
            try site.world.powerOffGuest(try guest("vcsa01", of: site))
            site.world.failMains()
            let around = site.around(announcer: Quiet()) { $0.maintenanceMode = true }
            let operation = Operation(
                in: around, control: RunControl(), kept: before, makeID: Counter.shared.next)
            let down = try await site.goDown(operation)
            return (down, site.world.log)
        }
        #expect(down == .finishedWithGaps)
        #expect(log.count { $0.kind == .hostOff } == 3)
        let agents = Set(
            site.world.scenario.guests.filter { $0.nature == .vcls }.map(\.id.rawValue))
        // They went with their hosts: nobody powers them off.
        let cut = log.filter { $0.kind == .guestOff && agents.contains($0.object) }
        #expect(cut == [])
        #expect(log.count { $0.kind == .guestLost && agents.contains($0.object) } == 2)
    }

    @Test func `trap 4.2: vCLS in retreat by an administrator's will alarms nobody`() throws {
        var scenario = LabScenario.standard()
        scenario.automation.vcls = .retreat
        scenario.guests.removeAll { $0.nature.rawValue == "vcls" }
        let site = MemorySite(scenario)
        let (down, up, run) = try outage(site)
        #expect(down == .finished && up == .finished)
        #expect(run?.progress[StepID("retreat")] == nil)
        #expect(site.world.currentAutomation().vcls == .retreat)
    }

    // MARK: Hosts (4.3)

    /// esx3 sleeps, and what was there is elsewhere.
    private static var asleep: LabScenario {
        var scenario = LabScenario.standard()
        scenario.automation.dpm = true
        scenario.hosts[2].inStandby = true
        for index in scenario.guests.indices where scenario.guests[index].host == esx3 {
            scenario.guests[index].host = esx1
        }
        return scenario
    }

    @Test func `trap 4.3: a host that DPM put to sleep is left as it is, and nobody waits for it`()
        throws
    {
        let site = MemorySite(Self.asleep)
        let (down, run, took, off, up) = try simulate(site) {
            site.world.failMains()
            let began = site.time.elapsed
            let operation = site.operation { $0.limits.host = .seconds(300) }
            let down = try await site.goDown(operation)
            let took = site.time.elapsed - began
            let off = try await operation.notOff()
            let run = try await operation.ledger().lastRun
            let up = try await site.comeBack(operation)
            return (down, run, took, off, up)
        }
        #expect(down == .finished)
        #expect(took < .seconds(120), "\(took)")
        // vCenter has said that it sleeps, and it is silent: the output may be cut.
        #expect(off == [])
        for step in ["arm/esx3.lab", "stop-host/esx3.lab"] {
            guard case .left(let why) = run?.outcome(of: StepID(step)) else {
                Issue.record("\(step): \(String(describing: run?.outcome(of: StepID(step))))")
                continue
            }
            #expect(why.contains("standby"))
        }
        // The others were shut down by hand, so they are woken; this one is not waited for.
        #expect(up == .finished)
        let log = site.world.log
        #expect(
            log.filter { $0.kind == .hostTold }.map(\.object).sorted() == ["esx1.lab", "esx2.lab"])
        #expect(!site.world.answers(Self.esx3))
        #expect(site.world.currentAutomation().dpm)
    }

    @Test func `trap 4.3: a host that DPM has woken since goes down like any other`() throws {
        let site = MemorySite(Self.asleep)
        let (down, log) = try simulate(site) {
            site.world.failMains()
            let operation = site.operation(
                announcer: AtGuest(1) { site.world.wakeHost(Self.esx3) })
            let down = try await site.goDown(operation)
            return (down, site.world.log)
        }
        #expect(down == .finished)
        #expect(log.count { $0.kind == .hostTold && $0.object == "esx3.lab" } == 1)
    }

    // MARK: Guests (4.4)

    @Test func `trap 4.4: a suspended guest keeps its memory through an outage`() throws {
        let site = MemorySite()
        let asleep = try guest("db-backup", of: site)
        let (down, up, run) = try outage(site, before: { try site.world.suspendGuest(asleep) })
        #expect(down == .finished && up == .finished)
        #expect(run?.outcome(of: StepID("stop/\(asleep)")) == nil)
        #expect(site.world.inventory().guest(asleep)?.power == .suspended)
        let kinds = site.world.log.filter { $0.object == asleep.rawValue }.map(\.kind)
        #expect(kinds == [.guestSuspended])
    }

    @Test func `trap 4.4: a guest whose key its host lacks is named for what it is at a restore`()
        throws
    {
        var bench = Bench()
        let locked = bench.id("db-main")
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.shows = { inventory in
            var shown = inventory
            shown.updateGuest(locked) {
                $0.power = .unknown
                $0.nature = .unusable
            }
            return shown
        }
        bench.around.cluster = cluster
        let made = bench
        let gaps = try simulate(bench) {
            _ = try await made.carryOut(
                [Bench.phase([made.start("db-main")])], kind: .restore, goal: made.site.world)
            return try await made.ledger().lastRun?.gaps ?? []
        }
        #expect(gaps.count == 1)
        #expect(gaps.first?.why.contains("unlock it in vCenter") == true, "\(gaps)")
    }

    @Test func `trap 4.4: guests of one name are told apart by their identity`() throws {
        var scenario = LabScenario.standard()
        for index in scenario.guests.indices where scenario.guests[index].name.hasPrefix("app-") {
            scenario.guests[index].name = "app-twin"
        }
        let site = MemorySite(scenario)
        let (down, up, _) = try outage(site)
        #expect(down == .finished && up == .finished)
        let twins = scenario.guests.filter { $0.name == "app-twin" }.map(\.id)
        #expect(twins.count == 4)
        for twin in twins {
            let kinds = site.world.log.filter { $0.object == twin.rawValue }.map(\.kind)
            #expect(kinds == [.guestAsked, .guestOff, .guestOn])
            #expect(site.world.inventory().guest(twin)?.power == .on)
        }
    }
}
