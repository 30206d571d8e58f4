import PowerLab
import PowerModel
import PowerRun
import Testing
import VSphere

/// Which form of vim25 is spoken, and that nothing but the form differs.
extension ClusterContractTests {
    @Test(arguments: LabRelease.allCases)
    func `JSON is used where vCenter has it, and SOAP where it has not`(
        release: LabRelease
    ) async throws {
        try await with(.vcenter(release, .json)) { bench in
            let cluster = try bench.client()
            let login = try await cluster.logIn()
            #expect(login.transport == (release.hasJSON ? .json : .soap))
            let newest = [
                LabRelease.v6_7: "6.7", .v7_0u3: "7.0.3.0", .v8_0u1: "8.0.1.0", .v8_0u2: "8.0.2.0",
                // vpower knows none newer.
                .v8_0u3: "8.0.3.0", .v9_0: "8.0.3.0",
            ]
            #expect(login.apiVersion == newest[release])
            await cluster.close()
            #expect(await bench.server?.sessionCount == 0)
        }
    }

    @Test(arguments: [VCenterTransport.soap, .json])
    func `a session that vCenter has forgotten is renewed`(
        transport: VCenterTransport
    ) async throws {
        try await with(.vcenter(.v8_0u3, transport)) { bench in
            let server = try #require(bench.server)
            let guest = try await bench.guest("app-web01")
            _ = try await bench.cluster.snapshot()
            await server.endSessions()
            #expect(await server.sessionCount == 0)
            try await bench.cluster.powerOff(guest)
            #expect(bench.world.inventory().guest(guest.id)?.power == .off)
            #expect(await server.sessionCount == 1)
            await server.endSessions()
            let seen = try await bench.inventory { $0.guest(guest.id)?.power == .off }
            #expect(seen.guest(guest.id)?.power == .off)
        }
    }
}
