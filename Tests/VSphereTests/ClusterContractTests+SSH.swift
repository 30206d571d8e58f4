import PowerLab
import PowerModel
import PowerRun
import Testing
import VSphere

/// Hosts' SSH service through vCenter.
extension ClusterContractTests {
    private static let esx2 = HostName("esx2.lab")

    private static func stopped(_ scenario: inout LabScenario) {
        for index in scenario.hosts.indices {
            scenario.hosts[index].sshRuns = false
            scenario.hosts[index].sshStartsAtBoot = false
        }
    }

    @Test(arguments: Kind.allCases)
    func `SSH on a host is started and stopped and asking twice is asking once`(
        kind: Kind
    ) async throws {
        try await with(kind, prepare: Self.stopped) { bench in
            let (cluster, world) = (bench.cluster, bench.world)
            for runs in [false, true, false] {
                for _ in 1...2 { try await cluster.setSSH(runs: runs, on: Self.esx2) }
                #expect(world.runsSSH(Self.esx2) == runs)
                let service = try await cluster.sshService(on: Self.esx2)
                #expect(service == SSHService(runs: runs, policy: "off"))
                #expect(!world.runsSSH(HostName("esx1.lab")))
            }
            #expect(world.log.map(\.kind) == [.sshStarted, .sshStopped])
            #expect(
                await failure { () async throws(ClusterError) in
                    try await cluster.setSSH(runs: true, on: HostName("esx9.lab"))
                } != nil)
        }
    }

    @Test(arguments: Kind.allCases)
    func `a host that is away is not asked for its SSH, nor believed`(kind: Kind) async throws {
        try await with(kind, prepare: Self.stopped) { bench in
            let away = HostName("esx1.lab")
            let cluster = bench.cluster
            try await cluster.setSSH(runs: true, on: away)
            for row in bench.world.rows(on: away) where row.power == .on {
                try bench.world.powerOffGuest(row.id)
            }
            bench.world.shutDownHost(away)
            let deadline = ContinuousClock.now + .seconds(10)
            while bench.world.answers(away), ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(
                await failure { () async throws(ClusterError) in
                    _ = try await cluster.sshService(on: away)
                } == .refused)
            #expect(
                await failure { () async throws(ClusterError) in
                    try await cluster.setSSH(runs: true, on: away)
                } != nil)
        }
    }

    @Test func `without the privilege SSH is only looked at, and that is found before an outage`()
        async throws
    {
        try await with(.wire, prepare: Self.stopped) { bench in
            let server = try #require(bench.server)
            let cluster = try bench.client()
            let snapshot = try await cluster.snapshot()
            await server.withhold(["Host.Config.NetService"])
            #expect(try await cluster.missingPrivileges(on: snapshot, suspends: true) == [])
            let missing = try await cluster.missingPrivileges(
                on: snapshot, suspends: true, opened: [Self.esx2])
            #expect(missing.map(\.privilege) == [.services])
            #expect(missing.map(\.objects) == [["esx2.lab"]])
            #expect(try await cluster.sshService(on: Self.esx2).runs == false)
            #expect(
                await failure { () async throws(ClusterError) in
                    try await cluster.setSSH(runs: true, on: Self.esx2)
                } == .notPermitted)
            #expect(!bench.world.runsSSH(Self.esx2))
            await cluster.close()
        }
    }
}
