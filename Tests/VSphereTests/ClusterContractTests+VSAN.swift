import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing

@testable import VSphere

/// A vSAN cluster's power through vCenter: in memory, and on the wire where its release has it.
extension ClusterContractTests {
    private static let withVSAN = Kind.allCases.filter { $0.server != .v67 }

    private func powerOffGuests(_ world: LabWorld) throws {
        let guests = world.scenario.guests.filter { $0.nature == .ordinary && !$0.isVCSA }
        for guest in guests { try world.powerOffGuest(guest.id) }
    }

    /// Looks until the power is so; the last one seen when it does not become so.
    private func power(
        of cluster: any ClusterControl, becoming wanted: VSANPower
    ) async throws -> VSANPower? {
        let deadline = ContinuousClock.now + .seconds(60)
        var seen: VSANPower?
        while seen != wanted, ContinuousClock.now < deadline {
            do { seen = try await cluster.vsanPower() } catch { seen = nil }
            try await Task.sleep(for: .milliseconds(50))
        }
        return seen
    }

    @Test(arguments: withVSAN)
    func `a vSAN cluster goes down as a whole and comes back`(kind: Kind) async throws {
        try await with(kind, prepare: { $0.hasVSAN = true }) { bench in
            let cluster = bench.cluster
            let snapshot = try await cluster.snapshot()
            #expect(snapshot.hasVSAN)
            #expect(snapshot.apiVersion == bench.world.scenario.apiVersion)
            #expect(VSANWay(for: snapshot) == .wizard)
            #expect(try await cluster.vsanPower() == .on)
            #expect(
                await failure { () async throws(ClusterError) in
                    try await cluster.powerVSAN(false, reason: "guests are on")
                } != nil || !bench.world.log.contains { $0.kind == .vsanPowerOff })
            #expect(!bench.world.log.contains { $0.kind == .vsanPowerOff })
            try powerOffGuests(bench.world)
            try await cluster.powerVSAN(
                false, reason: "a \"reason\" & <more> " + String(repeating: "x", count: 600))
            let hosts = bench.world.scenario.hosts.map(\.name)
            var version: UInt64 = 0
            let deadline = ContinuousClock.now + .seconds(60)
            while hosts.contains(where: bench.world.answers), ContinuousClock.now < deadline {
                version = await bench.world.change(after: version, within: .seconds(1))
            }
            #expect(!hosts.contains(where: bench.world.answers))
            for host in hosts { bench.world.wakeHost(host) }
            // The hosts bring vCSA back, which then says that the cluster is off.
            #expect(try await power(of: cluster, becoming: .off) == .off)
            try await cluster.powerVSAN(true, reason: "")
            #expect(try await power(of: cluster, becoming: .on) == .on)
            #expect(!hosts.contains(where: bench.world.inMaintenance))
        }
    }

    @Test(arguments: [Kind.memory, .vcenter(.v67, .soap), .wire])
    func `a cluster that has no such procedure says so`(kind: Kind) async throws {
        func prepare(_ scenario: inout LabScenario) {
            scenario.hasVSAN = kind != .wire
            if kind == .memory { scenario.apiVersion = VersionNumber([7, 0, 2, 0]) }
        }
        try await with(kind, prepare: prepare) { bench in
            try powerOffGuests(bench.world)
            _ = await failure { () async throws(ClusterError) in
                try await bench.cluster.powerVSAN(false, reason: "x")
            }
            #expect(!bench.world.log.contains { $0.kind == .vsanPowerOff })
        }
    }

    @Test func `vSAN's privilege is asked for on a vSAN cluster alone`() async throws {
        for hasVSAN in [true, false] {
            try await with(.wire, prepare: { $0.hasVSAN = hasVSAN }) { bench in
                let server = try #require(bench.server)
                let cluster = try bench.client()
                let snapshot = try await cluster.snapshot()
                await server.withhold(["Host.Config.Power"])
                let missing = try await cluster.missingPrivileges(on: snapshot, suspends: false)
                #expect(missing.map(\.privilege) == (hasVSAN ? [.hostPower] : []))
                if hasVSAN {
                    #expect(
                        await failure { () async throws(ClusterError) in
                            try await cluster.powerVSAN(true, reason: "")
                        } == .notPermitted)
                }
                await cluster.close()
            }
        }
    }
}
