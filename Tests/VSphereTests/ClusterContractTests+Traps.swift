import PowerLab
import PowerModel
import PowerRun
import Testing
import VSphere

/// The contract's part on traps of section 4 of the facts that a vCenter must be there for.
extension ClusterContractTests {
    private static let esx3 = HostName("esx3.lab")

    @Test(arguments: Kind.allCases)
    func `trap 4.0: a guest is started while DRS is manual`(kind: Kind) async throws {
        try await with(kind) { scenario in
            scenario.automation.drsLevel = .manual
        } _: { bench in
            let guest = try await bench.guest("db-main")
            try await bench.cluster.powerOff(guest)
            try await bench.cluster.powerOn(guest, on: try #require(guest.host))
            #expect(bench.world.inventory().guest(guest.id)?.power == .on)
        }
    }

    @Test(arguments: Kind.allCases)
    func `trap 4.0: what the asked version does not know is unknown, and decides nothing`(
        kind: Kind
    ) async throws {
        try await with(kind) { scenario in
            scenario.automation.vclsMode = .absent
        } _: { bench in
            let automation = try await bench.cluster.automation()
            #expect(automation.vclsMode == (kind.knowsMode ? .absent : nil))
            // The newest that both know was asked: in retreat where that tells of it.
            if kind.agents > 0 { #expect(automation.keepsVCLS == !kind.knowsMode) }
        }
    }

    @Test(arguments: Kind.allCases)
    func `trap 4.1: an HA agent that vCenter could not take away is told with its fault`(
        kind: Kind
    ) async throws {
        try await with(kind) { scenario in
            scenario.faults = [PlannedFault(.haAgentSticks, Self.esx3.rawValue)]
        } _: { bench in
            try await bench.cluster.change(AutomationChange(ha: false))
            let seen = try await bench.inventory { inventory in
                inventory.hosts.count { !$0.haAgentConfigured } == 2
            }
            let stuck = seen.hosts.filter(\.haAgentConfigured)
            #expect(stuck.map(\.name) == [Self.esx3])
            #expect(stuck.map(\.haAgentFault) == ["uninitializationError"])
        }
    }

    @Test(arguments: Kind.allCases)
    func `trap 4.2: a vCLS guest that is powered off comes back, unless retreat mode ends it`(
        kind: Kind
    ) async throws {
        guard kind.agents > 0, !kind.hasEmbedded else { return }
        try await with(kind) { bench in
            let agents = bench.world.scenario.guests.filter { $0.nature == .vcls }
            let agent = try #require(agents.first).id
            try bench.world.powerOffGuest(agent)
            let back = try await bench.inventory { $0.guest(agent)?.power == .on }
            #expect(back.guest(agent)?.power == .on)
            try await bench.cluster.retreatVCLS()
            let gone = try await bench.inventory { $0.guest(agent) == nil }
            #expect(gone.guest(agent) == nil)
        }
    }

    @Test(arguments: Kind.allCases)
    func `trap 4.3: a host that DPM put to sleep is shown so, and cannot be shut down`(
        kind: Kind
    ) async throws {
        try await with(kind) { scenario in
            scenario.hosts[2].inStandby = true
            for index in scenario.guests.indices where scenario.guests[index].host == Self.esx3 {
                scenario.guests[index].host = HostName("esx1.lab")
            }
        } _: { bench in
            let hosts = try await bench.cluster.snapshot().inventory.hosts
            #expect(hosts.map(\.inStandby) == [false, false, true])
            #expect(hosts.map(\.connected) == [true, true, false])
            let followed = try await bench.inventory { $0.hosts.count == 3 }
            #expect(followed.hosts == hosts)
            bench.world.shutDownHost(Self.esx3)
            #expect(bench.world.log == [])
            bench.world.wakeHost(Self.esx3)
            let awake = try await bench.inventory { $0.host(Self.esx3)?.connected == true }
            #expect(awake.host(Self.esx3)?.inStandby == false)
        }
    }

    @Test(arguments: [VCenterTransport.soap, .json])
    func `trap 4.5: what is read again and again leaves nothing open at vCenter`(
        transport: VCenterTransport
    ) async throws {
        try await with(.vcenter(.v80u3, transport)) { bench in
            let server = try #require(bench.server)
            let cluster = try bench.client()
            for _ in 1...3 {
                _ = try await cluster.snapshot()
                _ = try await cluster.inventory(newerThan: nil, within: .seconds(5))
            }
            // The watch has one of each.
            #expect(await server.openObjects == (views: 1, collectors: 1))
            // Those of a dead session are freed with it; the next has its own.
            await server.endSessions()
            _ = try await cluster.snapshot()
            _ = try await cluster.inventory(newerThan: nil, within: .seconds(5))
            let guest = try await bench.guest("app-web01")
            try await cluster.powerOff(guest)
            let open = await server.openObjects
            #expect(open.views <= 1 && open.collectors <= 1)
            await cluster.close()
            #expect(await server.openObjects == (views: 0, collectors: 0))
            #expect(await server.sessionCount == 0)
        }
    }

    @Test(arguments: LabRelease.allCases)
    func `trap 2.1: a wrong password is sent once, so that it locks no account`(
        release: LabRelease
    ) async throws {
        try await with(.vcenter(release, .soap)) { bench in
            let account = try #require(bench.server).account
            let wrong = try bench.client(password: "wrong")
            #expect(
                await failure { () async throws(ClusterError) in
                    _ = try await wrong.snapshot()
                } == .loginRefused)
            #expect(account.refusals == 1)
            for _ in 2...5 {
                let another = try bench.client(password: "wrong")
                _ = await failure { () async throws(ClusterError) in
                    _ = try await another.logIn()
                }
            }
            #expect(account.isLocked)
            // Now the right one is refused as well.
            let right = try bench.client()
            #expect(
                await failure { () async throws(ClusterError) in _ = try await right.logIn() }
                    == .loginRefused)
            account.setLocked(false)
            let after = try bench.client()
            try await after.logIn()
            await after.close()
        }
    }
}
