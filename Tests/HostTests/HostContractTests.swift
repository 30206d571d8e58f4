import ESXi
import PowerLab
import PowerModel
import PowerRun
import Testing

/// What every host must do: the one in memory, which the engine is tested with, and the real ones
/// against a simulated host, over SSH, over its own SOAP endpoint, and over both. All on one world
/// and a real clock.
@Suite(.serialized) struct HostContractTests {
    @Test(arguments: HostKind.allCases)
    func `a host lists what is registered there and nothing else`(kind: HostKind) async throws {
        try await HostBench.with(kind) { bench in
            #expect(bench.host.host == HostBench.name)
            let seen = try await bench.host.guests()
            #expect(seen.count == 5)
            #expect(Set(seen) == Set(bench.rows))
        }
    }

    @Test(arguments: HostKind.allCases)
    func `guests go down and up and asking twice is asking once`(kind: HostKind) async throws {
        try await HostBench.with(kind) { bench in
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
            let kinds = bench.log?.filter { $0 != .guestAsked }
            if let kinds { #expect(kinds == [.guestOff, .guestOn, .guestOff]) }
        }
    }

    @Test(arguments: HostKind.allCases)
    func `a guest without Tools cannot be asked and a stranger is not found`(
        kind: HostKind
    ) async throws {
        try await HostBench.with(kind) { bench in
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

    @Test(arguments: HostKind.allCases)
    func `maintenance mode waits for guests and is entered and left once`(
        kind: HostKind
    ) async throws {
        try await HostBench.with(kind) { bench in
            let host = bench.host
            #expect(
                await reason { () async throws(HostError) in
                    try await host.setMaintenance(true, within: .seconds(1))
                } == .refused)
            #expect(try await !host.inMaintenance())
            try await host.setMaintenance(false, within: .seconds(5))
            for row in bench.world.rows(on: HostBench.name) {
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

    @Test(arguments: HostKind.allCases)
    func `a guest is suspended and resumed and asking twice is asking once`(
        kind: HostKind
    ) async throws {
        try await HostBench.with(kind) { bench in
            let host = bench.host
            let web = try bench.guest("app-web01")
            for _ in 1...2 { try await host.suspend(web) }
            #expect(try await bench.power("app-web01") == .suspended)
            for _ in 1...2 { try await host.powerOn(web) }
            #expect(try await bench.power("app-web01") == .on)
            try await host.powerOff(web)
            // The simulator suspends what is off.
            if kind != .vcsim {
                #expect(
                    await reason { () async throws(HostError) in try await host.suspend(web) }
                        == .refused)
                #expect(try await bench.power("app-web01") == .off)
            }
            if let log = bench.log { #expect(log == [.guestSuspended, .guestOn, .guestOff]) }
        }
    }

    @Test(arguments: HostKind.allCases)
    func `the guest of a host that is gone is registered here once and can be started`(
        kind: HostKind
    ) async throws {
        try await HostBench.with(kind) { bench in
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

    @Test(arguments: HostKind.allCases.filter(\.hasScript))
    func `a host is armed and disarmed again and again and has nothing to report`(
        kind: HostKind
    ) async throws {
        try await HostBench.with(kind) { bench in
            let host = try bench.control
            let run = RunID("run-1")
            let now = RealTime().wall
            let orders = BootOrders(
                host: HostBench.name, run: run, armed: now, expires: now + .seconds(3600),
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

    @Test(arguments: HostKind.allCases.filter(\.hasScript))
    func `HA's agent stops and starts and asking twice is asking once`(kind: HostKind) async throws
    {
        try await HostBench.with(kind) { bench in
            #expect(bench.world.runsHAAgent(HostBench.name))
            for _ in 1...2 { try await bench.control.stopHAAgent() }
            #expect(!bench.world.runsHAAgent(HostBench.name))
            for _ in 1...2 { try await bench.control.startHAAgent() }
            #expect(bench.world.runsHAAgent(HostBench.name))
            #expect(bench.world.log.map(\.kind) == [.haAgentStopped, .haAgentStarted])
        }
    }

    @Test(arguments: HostKind.allCases.filter(\.hasScript))
    func `vSAN is prepared once every host keeps its members, and is recovered`(
        kind: HostKind
    ) async throws {
        try await HostBench.with(kind, prepare: { $0.hasVSAN = true }) { bench in
            let host = try bench.control
            #expect(try await !host.keepsVSANMembers())
            #expect(
                await reason { () async throws(HostError) in
                    try await host.prepareVSAN(within: .seconds(20))
                } == .refused)
            for other in bench.world.scenario.hosts where other.name != HostBench.name {
                bench.world.keepVSANMembers(other.name, true)
            }
            for _ in 1...2 { try await host.keepVSANMembers(true) }
            #expect(try await host.keepsVSANMembers())
            for _ in 1...2 { try await host.prepareVSAN(within: .seconds(20)) }
            #expect(try await !host.vsanMembership().isHealthy)
            for row in bench.world.rows(on: HostBench.name) where row.power == .on {
                try bench.world.powerOffGuest(row.id)
            }
            // Not first making sure that others have what it stores.
            for on in [true, false] {
                try await host.setMaintenance(on, within: .seconds(10))
                #expect(bench.world.inMaintenance(HostBench.name) == on)
            }
            try await host.recoverVSAN(within: .seconds(20))
            try await host.keepVSANMembers(false)
            #expect(try await !host.keepsVSANMembers())
            #expect(
                try await host.vsanMembership()
                    == VSANMembership(members: 3, isHealthy: true))
        }
    }

    @Test(arguments: HostKind.allCases.filter(\.hasScript))
    func `where HA is off no agent is there to stop and none can be started`(
        kind: HostKind
    ) async throws {
        try await HostBench.with(kind, prepare: { $0.automation.ha = false }) { bench in
            let host = try bench.control
            try await host.stopHAAgent()
            #expect(
                await reason { () async throws(HostError) in try await host.startHAAgent() }
                    == .refused)
            #expect(bench.world.log == [])
        }
    }

    @Test(arguments: HostKind.allCases)
    func `a host that was told to shut down falls silent and then nothing reaches it`(
        kind: HostKind
    ) async throws {
        try await HostBench.with(kind) { bench in
            let host = bench.host
            #expect(await !host.isSilent())
            try await bench.followPower {
                try await host.shutDownHost(reason: "test")
                #expect(try await bench.eventually { await host.isSilent() })
            }
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

    // MARK: Autostart

    @Test(arguments: HostKind.allCases.filter { $0 != .vcsim && $0 != .ssh })
    func `what a host is to start by itself is set exactly, and started at its next boot`(
        kind: HostKind
    ) async throws {
        let prepare = { (scenario: inout LabScenario) in
            scenario.automation.ha = false
            for index in scenario.hosts.indices { scenario.hosts[index].hasAPI = true }
        }
        try await HostBench.with(kind, prepare: prepare) { bench in
            let (world, host) = (bench.world, bench.host)
            let before = try await host.autostart()
            #expect(before == LabHostSpec.noAutostart)
            let names = ["db-backup", "app-web01"]
            let guests = try names.map { try bench.guest($0) }
            let orders = BootOrders(
                host: HostBench.name, run: RunID("r"),
                armed: Timestamp(millisecondsSinceEpoch: 0),
                expires: Timestamp(millisecondsSinceEpoch: 0), leaveMaintenance: false,
                infrastructure: [guests[0]], vcsa: nil, waitsForVCSA: false,
                tiers: [[guests[1]]], startGap: .seconds(1), afterVCSA: .zero)
            let wanted = HostAutostart(orders, before: before.defaults)
            for _ in 1...2 { try await host.setAutostart(wanted) }
            #expect(try await host.autostart() == wanted)
            for row in world.rows(on: HostBench.name) where row.power == .on {
                try world.powerOffGuest(row.id)
            }
            let seen = world.log.count
            world.shutDownHost(HostBench.name)
            #expect(try await bench.eventually { !world.answers(HostBench.name) })
            world.wakeHost(HostBench.name)
            func started() -> [String] {
                world.log.dropFirst(seen).filter { $0.kind == .guestOn }.map { event in
                    let name = world.scenario.guests.first { $0.id.rawValue == event.object }?.name
                    return "\(name ?? "?") by \(event.detail)"
                }
            }
            #expect(try await bench.eventually { started().count == 2 })
            #expect(started() == names.map { "\($0) by autostart" })
            try await host.setAutostart(before)
            #expect(try await host.autostart() == before)
            let stranger = HostAutostart(
                defaults: before.defaults,
                guests: [
                    HostAutostart.Entry(
                        vmxPath: "[ds] no/no.vmx", startOrder: 1, startDelaySeconds: 1,
                        waitForHeartbeat: "no", startAction: "powerOn", stopDelaySeconds: -1,
                        stopAction: "systemDefault")
                ])
            #expect(
                await reason { () async throws(HostError) in
                    try await host.setAutostart(stranger)
                } == .notFound)
            #expect(try await host.autostart() == before)
        }
    }

    @Test(arguments: [HostKind.memory, .ssh])
    func `without its own endpoint a host's autostart is left alone`(kind: HostKind) async throws {
        try await HostBench.with(kind) { bench in
            let host = bench.host
            #expect(
                await reason { () async throws(HostError) in _ = try await host.autostart() }
                    == .wayUnusable)
            #expect(
                await reason { () async throws(HostError) in
                    try await host.setAutostart(LabHostSpec.noAutostart)
                } == .wayUnusable)
        }
    }

    @Test(arguments: HostKind.allCases.filter { $0 != .vcsim && $0 != .ssh })
    func `SSH is started and stopped and asking twice is asking once`(kind: HostKind) async throws {
        func prepare(_ scenario: inout LabScenario) {
            for index in scenario.hosts.indices {
                scenario.hosts[index].hasAPI = true
                scenario.hosts[index].sshRuns = false
                scenario.hosts[index].sshStartsAtBoot = false
            }
        }
        try await HostBench.with(kind, prepare: prepare) { bench in
            let (world, host) = (bench.world, bench.host)
            for runs in [false, true, false] {
                for _ in 1...2 { try await host.setSSH(runs: runs) }
                #expect(world.runsSSH(HostBench.name) == runs)
                #expect(try await host.sshService() == SSHService(runs: runs, policy: "off"))
            }
            #expect(bench.log == [.sshStarted, .sshStopped])
            await bench.api?.withhold(["Host.Config.NetService"])
            if bench.api != nil {
                let refused = await reason { () async throws(HostError) in
                    try await host.setSSH(runs: true)
                }
                #expect(refused == .refused)
                #expect(try await host.sshService().runs == false)
            }
        }
    }

    @Test(arguments: [HostKind.memory, .ssh])
    func `over SSH alone SSH is not steered`(kind: HostKind) async throws {
        try await HostBench.with(kind) { bench in
            let host = bench.host
            #expect(
                await reason { () async throws(HostError) in _ = try await host.sshService() }
                    == .wayUnusable)
            #expect(
                await reason { () async throws(HostError) in try await host.setSSH(runs: false) }
                    == .wayUnusable)
        }
    }

    @Test func `where SSH is for a run only, a shut port says so`() async throws {
        try await HostBench.with(.ssh) { bench in
            let lab = try #require(bench.lab)
            var site = HostSite(
                name: HostBench.name, ssh: Endpoint(host: lab.address, port: Int(await lab.port)),
                user: lab.user, login: .key(path: lab.userKeyPath),
                hostKeys: [await lab.hostKeyFingerprint], feeds: [])
            site.sshPolicy = .run
            let ssh = try ESXiHost(site: site, secret: nil, otherPorts: [])
            #expect(try await ssh.guests().count == 5)
            await ssh.close()
            try await lab.setSSH(runs: false)
            let stopped = await failure { () async throws(HostError) in _ = try await ssh.guests() }
            #expect(stopped?.reason == .unreachable)
            #expect(stopped?.detail.hasPrefix("SSH is stopped on esx1.lab (TSM-SSH), or") == true)
            try await lab.setSSH(runs: true)
            #expect(try await ssh.guests().count == 5)
            await ssh.close()
        }
    }
}
