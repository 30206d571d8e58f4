import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing

@testable import ESXi

/// What every `HostControl` must do: the one in memory, which the engine is tested with, and the
/// real one against a simulated host on sshd and busybox. Both on one world and a real clock.
@Suite(.serialized) struct HostContractTests {
    /// Who is under test.
    enum Kind: String, CaseIterable, CustomTestStringConvertible {
        case memory, wire
        var testDescription: String { rawValue }
    }

    struct Bench {
        let world: LabWorld
        let host: any HostControl

        /// The guest of this name as its host knows it.
        func guest(_ name: String) throws -> BootGuest {
            let spec = try #require(world.scenario.guests.first { $0.name == name })
            return BootGuest(name: spec.name, vmxPath: spec.vmxPath)
        }

        func power(_ name: String) async throws -> GuestPower? {
            try await host.guests().first { $0.name == name }?.power
        }

        /// Looks until it is so; whether it became so.
        func eventually(_ holds: () async throws -> Bool) async throws -> Bool {
            let deadline = ContinuousClock.now + .seconds(15)
            while ContinuousClock.now < deadline {
                if try await holds() { return true }
                try await Task.sleep(for: .milliseconds(100))
            }
            return false
        }
    }

    /// esx1.lab of the standard site: app-web01, mid-queue01, mid-notools, db-backup, one vCLS.
    private static let name = HostName("esx1.lab")

    private func with(
        _ kind: Kind, _ scenario: LabScenario = .standard(),
        _ body: (Bench) async throws -> Void
    ) async throws {
        var scenario = scenario
        scenario.pace.guestStops = .milliseconds(300)
        scenario.pace.hostStops = .milliseconds(200)
        scenario.pace.haRestarts = .seconds(600)
        let world = LabWorld(scenario, time: RealTime())
        if kind == .memory {
            return try await body(Bench(world: world, host: MemoryHost(Self.name, in: world)))
        }
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-host-\(UUID().uuidString.prefix(8))").path
        let lab = LabESXiHost(
            name: Self.name.rawValue, directory: directory, backend: LabWireBackend(world: world))
        let outcome: Result<Void, any Error>
        do {
            try await lab.start()
            let site = HostSite(
                name: Self.name, ssh: Endpoint(host: lab.address, port: Int(await lab.port)),
                user: lab.user, login: .key(path: lab.userKeyPath),
                hostKeys: [await lab.hostKeyFingerprint], feeds: [])
            let host = try ESXiHost(site: site, password: nil, otherPorts: [])
            try await body(Bench(world: world, host: host))
            await host.close()
            outcome = .success(())
        } catch { outcome = .failure(error) }
        await lab.powerOff(orderly: false)
        try FileManager.default.removeItem(atPath: directory)
        try outcome.get()
    }

    private func reason(
        _ body: () async throws(HostError) -> Void
    ) async -> HostError.Reason? {
        do throws(HostError) {
            try await body()
            return nil
        } catch { return error.reason }
    }

    @Test(arguments: Kind.allCases)
    func `a host lists what is registered there and nothing else`(kind: Kind) async throws {
        try await with(kind) { bench in
            #expect(bench.host.host == Self.name)
            let seen = try await bench.host.guests()
            let truth = bench.world.rows(on: Self.name)
            #expect(seen.count == 5)
            #expect(
                Set(seen)
                    == Set(
                        truth.map {
                            HostGuest(name: $0.name, vmxPath: $0.vmxPath, power: $0.power)
                        }))
        }
    }

    @Test(arguments: Kind.allCases)
    func `guests go down and up and asking twice is asking once`(kind: Kind) async throws {
        try await with(kind) { bench in
            let host = bench.host
            let web = try bench.guest("app-web01")
            try await host.shutDown(web)
            try await host.shutDown(web)
            #expect(try await bench.eventually { try await bench.power("app-web01") == .off })
            try await host.shutDown(web)
            try await host.powerOff(web)
            try await host.powerOn(web)
            #expect(try await bench.power("app-web01") == .on)
            try await host.powerOn(web)
            try await host.powerOff(web)
            try await host.powerOff(web)
            #expect(try await bench.power("app-web01") == .off)
            let kinds = bench.world.log.map(\.kind).filter { $0 != .guestAsked }
            #expect(kinds == [.guestOff, .guestOn, .guestOff])
        }
    }

    @Test(arguments: Kind.allCases)
    func `a guest without Tools cannot be asked and a stranger is not found`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let host = bench.host
            let mute = try bench.guest("mid-notools")
            #expect(
                await reason { () async throws(HostError) in try await host.shutDown(mute) }
                    == .toolsUnavailable)
            #expect(try await bench.power("mid-notools") == .on)
            try await host.powerOff(mute)
            // Off already: as wanted, Tools or not.
            try await host.shutDown(mute)
            // It runs on another host.
            let stranger = try bench.guest("app-web02")
            for act in [host.shutDown, host.powerOff, host.powerOn] {
                #expect(
                    await reason { () async throws(HostError) in try await act(stranger) }
                        == .notFound)
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `maintenance mode waits for guests and is entered and left once`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let host = bench.host
            #expect(
                await reason { () async throws(HostError) in
                    try await host.setMaintenance(true, within: .seconds(1))
                } == .refused)
            #expect(try await !host.inMaintenance())
            try await host.setMaintenance(false, within: .seconds(5))
            for row in bench.world.rows(on: Self.name) {
                try bench.world.powerOffGuest(row.id)
            }
            for _ in 1...2 { try await host.setMaintenance(true, within: .seconds(5)) }
            #expect(try await host.inMaintenance())
            let web = try bench.guest("app-web01")
            #expect(
                await reason { () async throws(HostError) in try await host.powerOn(web) }
                    == .refused)
            for _ in 1...2 { try await host.setMaintenance(false, within: .seconds(5)) }
            #expect(try await !host.inMaintenance())
            let kinds = bench.world.log.map(\.kind)
            #expect(kinds.filter { $0 == .maintenanceOn || $0 == .maintenanceOff }.count == 2)
        }
    }

    @Test(arguments: Kind.allCases)
    func `a guest is suspended and resumed and asking twice is asking once`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let host = bench.host
            let web = try bench.guest("app-web01")
            for _ in 1...2 { try await host.suspend(web) }
            #expect(try await bench.power("app-web01") == .suspended)
            for _ in 1...2 { try await host.powerOn(web) }
            #expect(try await bench.power("app-web01") == .on)
            try await host.powerOff(web)
            #expect(
                await reason { () async throws(HostError) in try await host.suspend(web) }
                    == .refused)
            #expect(try await bench.power("app-web01") == .off)
            #expect(
                bench.world.log.map(\.kind) == [.guestSuspended, .guestOn, .guestOff])
        }
    }

    @Test(arguments: Kind.allCases)
    func `the guest of a host that is gone is registered here once and can be started`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let host = bench.host
            // Its files are on esx2; the name and the path are any text.
            let lost = try bench.guest("app-two\nlines")
            let before = try await host.guests().count
            #expect(
                await reason { () async throws(HostError) in try await host.register(lost) }
                    == .refused)
            let spec = try #require(bench.world.scenario.guests.first { $0.name == lost.name })
            try bench.world.powerOffGuest(spec.id)
            for _ in 1...2 { try await host.register(lost) }
            #expect(try await host.guests().count == before + 1)
            #expect(try await bench.power(lost.name) == .off)
            try await host.powerOn(lost)
            #expect(try await bench.power(lost.name) == .on)
            // Registered here already and on: as wanted.
            try await host.register(lost)
            var nobody = lost
            nobody.vmxPath = "[datastore 1] no/such.vmx"
            #expect(
                await reason { () async throws(HostError) in try await host.register(nobody) }
                    == .notFound)
            let kinds = bench.world.log.map(\.kind)
            #expect(kinds.filter { $0 == .guestRegistered }.count == 1)
        }
    }

    @Test(arguments: Kind.allCases)
    func `a host is armed and disarmed again and again and has nothing to report`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let host = bench.host
            let run = RunID("run-1")
            let now = RealTime().wall
            let orders = BootOrders(
                host: Self.name, run: run, armed: now, expires: now + .seconds(3600),
                leaveMaintenance: false, infrastructure: [], vcsa: nil, waitsForVCSA: false,
                tiers: [[try bench.guest("app-web01")]], startGap: .zero, afterVCSA: .zero)
            try await host.disarm()
            let first = try await host.arm(orders)
            let second = try await host.arm(orders)
            #expect(first.sha256.count == 64)
            #expect(first.sha256 == second.sha256)
            #expect(try await host.bootReport(of: run) == .none)
            try await host.disarm()
            try await host.disarm()
            #expect(try await host.bootReport(of: run) == .none)
            let kinds = bench.world.log.map(\.kind)
            #expect(kinds.contains(.armed))
            #expect(kinds.last == .disarmed)
        }
    }

    @Test(arguments: Kind.allCases)
    func `HA's agent stops and starts and asking twice is asking once`(kind: Kind) async throws {
        try await with(kind) { bench in
            #expect(bench.world.runsHAAgent(Self.name))
            for _ in 1...2 { try await bench.host.stopHAAgent() }
            #expect(!bench.world.runsHAAgent(Self.name))
            for _ in 1...2 { try await bench.host.startHAAgent() }
            #expect(bench.world.runsHAAgent(Self.name))
            #expect(bench.world.log.map(\.kind) == [.haAgentStopped, .haAgentStarted])
        }
    }

    @Test(arguments: Kind.allCases)
    func `where HA is off no agent is there to stop and none can be started`(
        kind: Kind
    ) async throws {
        var scenario = LabScenario.standard()
        scenario.automation.ha = false
        try await with(kind, scenario) { bench in
            try await bench.host.stopHAAgent()
            #expect(
                await reason { () async throws(HostError) in try await bench.host.startHAAgent() }
                    == .refused)
            #expect(bench.world.log == [])
        }
    }

    @Test(arguments: Kind.allCases)
    func `a host that was told to shut down falls silent and then nothing reaches it`(
        kind: Kind
    ) async throws {
        try await with(kind) { bench in
            let host = bench.host
            #expect(await !host.isSilent())
            try await host.shutDownHost(reason: "test")
            #expect(try await bench.eventually { await host.isSilent() })
            #expect(bench.world.log.map(\.kind).contains(.hostOff))
            #expect(
                await reason { () async throws(HostError) in _ = try await host.guests() }
                    == .unreachable)
            #expect(
                await reason { () async throws(HostError) in
                    try await host.shutDownHost(reason: "again")
                } == .unreachable)
        }
    }
}

private struct RealTime: TimeSource {
    private let began = ContinuousClock.now

    var elapsed: Duration { ContinuousClock.now - began }

    var wall: Timestamp {
        Timestamp(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
    }

    func sleep(for duration: Duration) async throws(CancellationError) {
        do { try await ContinuousClock().sleep(for: duration) } catch { throw CancellationError() }
    }
}
