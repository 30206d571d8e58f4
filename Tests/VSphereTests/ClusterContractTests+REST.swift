import PowerLab
import PowerModel
import PowerRun
import Testing
import VSphere

/// The REST Automation API: guests' power where the site file says so, and vCSA's own shutdown.
extension ClusterContractTests {
    /// What of vim25's power methods was sent.
    private func vimPower(_ bench: Bench) async throws -> Set<String> {
        let power: Set = [
            "ShutdownGuest", "PowerOffVM_Task", "SuspendVM_Task", "PowerOnVM_Task", "TerminateVM",
        ]
        let server = try #require(bench.server)
        return power.intersection(await server.requests.keys)
    }

    private func off(_ guest: Guest, _ bench: Bench) async throws -> Bool {
        let seen = try await bench.inventory { $0.guest(guest.id)?.power == .off }
        return seen.guest(guest.id)?.power == .off
    }

    /// Whether a call waits for what it starts is not known (facts/vsphere.md 7).
    @Test(arguments: [LabRelease.v67, .v70u3, .v80u3, .v90], [true, false])
    func `guests are stopped, suspended and started over REST alone`(
        release: LabRelease, waits: Bool
    ) async throws {
        try await with(.rest(release)) { bench in
            let cluster = bench.cluster
            await bench.server?.setRESTAwaitsPower(waits)
            let asked = try await bench.guest("app-web01")
            try await cluster.shutDown(asked)
            #expect(try await off(asked, bench))
            let guest = try await bench.guest("db-main")
            #expect(try await cluster.powerOff(guest) == .asked)
            #expect(bench.world.inventory().guest(guest.id)?.power == .off)
            try await cluster.powerOn(guest, on: try #require(guest.host))
            #expect(bench.world.inventory().guest(guest.id)?.power == .on)
            try await cluster.suspend(guest)
            let seen = try await bench.inventory { $0.guest(guest.id)?.power == .suspended }
            #expect(seen.guest(guest.id)?.power == .suspended)
            #expect(try await vimPower(bench) == [])
            #expect(await bench.server?.restSessionCount == 1)
            await cluster.close()
            #expect(await bench.server?.restSessionCount == 0)
        }
    }

    /// Trap (facts/vsphere.md 2.0.3, 4.0): 503 is not only a vCenter that starts.
    @Test(arguments: [LabRelease.v67, .v80u3])
    func `a service that is not available is Tools that do not run, and a proxy's 503 is not`(
        release: LabRelease
    ) async throws {
        try await with(.rest(release)) { bench in
            let (cluster, server) = (bench.cluster, try #require(bench.server))
            let mute = try await bench.guest("mid-notools")
            #expect(
                await failure { () async throws(ClusterError) in try await cluster.shutDown(mute) }
                    == .toolsUnavailable)
            #expect(try await vimPower(bench) == [])
            // Nothing but a proxy: what is asked says nothing of the guest, so vim25 is asked.
            await server.setRESTUp(false)
            let guest = try await bench.guest("app-web01")
            try await cluster.shutDown(guest)
            #expect(try await off(guest, bench))
            #expect(try await vimPower(bench) == ["ShutdownGuest"])
        }
    }

    @Test func `what is already so is success, and what a suspended guest cannot do is told`()
        async throws
    {
        try await with(.rest(.v80u3)) { bench in
            let cluster = bench.cluster
            let guest = try await bench.guest("app-web01")
            let host = try #require(guest.host)
            try await cluster.powerOn(guest, on: host)
            try await cluster.powerOff(guest)
            try await cluster.powerOff(guest)
            try await cluster.shutDown(guest)
            let other = try await bench.guest("db-main")
            try await cluster.suspend(other)
            try await cluster.suspend(other)
            #expect(
                await failure { () async throws(ClusterError) in try await cluster.shutDown(other) }
                    == .wrongState)
            #expect(try await vimPower(bench) == [])
        }
    }

    @Test func `the host that a guest starts on is named, which takes vim25`() async throws {
        try await with(.rest(.v80u3)) { bench in
            let guest = try await bench.guest("app-web01")
            let other = try #require(
                bench.world.scenario.hosts.map(\.name).first { $0 != guest.host })
            try await bench.cluster.powerOff(guest)
            try await bench.cluster.powerOn(guest, on: other)
            #expect(bench.world.inventory().guest(guest.id)?.host == other)
            #expect(try await vimPower(bench) == ["PowerOnVM_Task"])
        }
    }

    @Test func `a REST session that vCenter has forgotten is renewed once`() async throws {
        try await with(.rest(.v80u3)) { bench in
            let server = try #require(bench.server)
            let guests = bench.world.inventory().guests.filter { $0.name.hasPrefix("app-") }
            try await bench.cluster.shutDown(guests[0])
            await server.endRESTSessions()
            let cluster = bench.cluster
            try await withThrowingTaskGroup(of: Void.self) { group in
                for guest in guests { group.addTask { try await cluster.shutDown(guest) } }
                try await group.waitForAll()
            }
            #expect(await server.restSessionCount == 1)
            #expect(await server.restLogins == 2)
            #expect(try await vimPower(bench) == [])
        }
    }

    /// vCenter locks the account after five refusals, and vim25 logs in with the same one.
    @Test func `a REST login that is refused is not repeated, and no outage depends on it`()
        async throws
    {
        try await with(.rest(.v80u3)) { bench in
            let server = try #require(bench.server)
            await server.refuseRESTLogins(true)
            for guest in bench.world.inventory().guests where guest.name.hasPrefix("app-") {
                try await bench.cluster.shutDown(guest)
                #expect(try await off(guest, bench))
            }
            #expect(await server.restLogins == 1)
        }
    }

    @Test func `a privilege that is missing is told as such`() async throws {
        try await with(.rest(.v80u3)) { bench in
            let guest = try await bench.guest("app-web01")
            await bench.server?.withhold(["VirtualMachine.Interact.PowerOff"])
            #expect(
                await failure { () async throws(ClusterError) in
                    try await bench.cluster.shutDown(guest)
                } == .notPermitted)
        }
    }

    // MARK: vCSA itself

    @Test(arguments: [Kind.memory] + LabRelease.allCases.map { .vcenter($0, .soap) })
    func `vCSA powers itself off without Tools, and says who may have it do so`(
        kind: Kind
    ) async throws {
        try await with(kind) { scenario in
            for index in scenario.guests.indices where scenario.guests[index].isVCSA {
                scenario.guests[index].hasTools = false
            }
        } _: { bench in
            if let server = bench.server {
                let group = VCenterCluster.applianceGroup
                await server.withhold([group])
                do throws(ClusterError) {
                    try await bench.cluster.shutDownAppliance(reason: "x")
                    Issue.record("it was let")
                } catch {
                    #expect(error.reason == .notPermitted)
                    #expect(error.detail.contains(group))
                }
                #expect(try await bench.client().mayLookAtAppliance() == false)
                await server.withhold([])
                #expect(try await bench.client().mayLookAtAppliance())
            }
            #expect(bench.world.vcenterState() == .up)
            try await bench.cluster.shutDownAppliance(reason: "power \"loss\" <&>")
            let vcsa = try await bench.guest("vcsa01")
            let deadline = ContinuousClock.now + .seconds(60)
            while bench.world.vcenterState() != .down, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(bench.world.inventory().guest(vcsa.id)?.power == .off)
            #expect(
                bench.world.log.contains { $0.kind == .guestOff && $0.detail != "forced" })
            if let server = bench.server {
                #expect(await server.applianceReasons == ["power \"loss\" <&>"])
            }
        }
    }

    @Test func `a scenario in which nobody may is one in memory too`() async throws {
        try await with(.memory) {
            $0.mayShutDownAppliance = false
        } _: { bench in
            #expect(
                await failure { () async throws(ClusterError) in
                    try await bench.cluster.shutDownAppliance(reason: "x")
                } == .notPermitted)
        }
    }
}
