import ESXi
import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing
import VSphere

/// What a host's own endpoint does that the contract does not say: logins, certificates, licences,
/// answers that do not come, and what only SOAP has.
@Suite(.serialized) struct HostOverSOAPTests {
    // MARK: Trust and logins

    @Test func `another certificate than the pinned one is refused before anything is sent`()
        async throws
    {
        try await HostBench.with(.soap) { bench in
            let host = try bench.client(sha256: String(repeating: "0", count: 64))
            #expect(
                await reason { () async throws(HostError) in _ = try await host.guests() }
                    == .hostKeyRefused)
            #expect(await bench.api?.calls == [])
            // A port that answers is no silence, whatever it shows.
            #expect(await !host.isSilent())
        }
    }

    @Test func `trap 4.0.4: a refused login is never repeated by the same object`() async throws {
        try await HostBench.with(.soap) { bench in
            let host = try bench.client(password: "wrong")
            for _ in 1...3 {
                #expect(
                    await reason { () async throws(HostError) in _ = try await host.guests() }
                        == .loginRefused)
                #expect(
                    await reason { () async throws(HostError) in
                        try await host.shutDownHost(reason: "t")
                    } == .loginRefused)
            }
            await host.close()
            let last = await failure { () async throws(HostError) in
                _ = try await host.inMaintenance()
            }
            #expect(last?.reason == .loginRefused)
            #expect(last?.detail.contains("file:/secret") == true)
            #expect(last?.detail.contains("wrong") == false)
            #expect(await bench.api?.calls.count { $0 == "Login" } == 1)
            #expect(bench.account.refusals == 1)
            #expect(try await bench.host.guests().count == 5)
        }
    }

    @Test func `trap 4.3: a host in lockdown mode refuses the login, and the error says why`()
        async throws
    {
        try await HostBench.with(.soap) { bench in
            await bench.api?.setLockdown("lockdownNormal", keepsOut: true)
            for _ in 1...2 {
                let refused = await failure { () async throws(HostError) in
                    _ = try await bench.host.guests()
                }
                #expect(refused?.reason == .loginRefused)
                #expect(refused?.detail.contains("lockdown mode") == true)
            }
            #expect(await bench.api?.calls.count { $0 == "Login" } == 1)
        }
    }

    @Test func `a session that the host has forgotten is renewed with a new cookie`() async throws {
        try await HostBench.with(.soap) { bench in
            let before = try await bench.host.guests()
            await bench.api?.expireSessions()
            let after = try await bench.host.guests()
            #expect(before.count == 5)
            #expect(after == before)
            #expect(await bench.api?.calls.count { $0 == "Login" } == 2)
            #expect(bench.account.refusals == 0)
            await bench.host.close()
            #expect(await bench.api?.sessionCount == 0)
        }
    }

    @Test func `what answers there and is no host is told by its name`() async throws {
        try await HostBench.with(.soap) { bench in
            let directory = FileManager.default.temporaryDirectory
                .appendingPathComponent("vpower-vc-\(UUID().uuidString.prefix(8))").path
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true)
            let vcenter = LabVCenterServer(
                world: bench.world, user: HostBench.user, password: HostBench.password,
                directory: directory)
            let address = try await vcenter.start()
            let host = try bench.client(sha256: address.certificateSHA256, port: address.port)
            let refused = await failure { () async throws(HostError) in
                _ = try await host.guests()
            }
            await vcenter.stop()
            try FileManager.default.removeItem(atPath: directory)
            #expect(refused?.reason == .refused)
            #expect(refused?.detail.contains("this is no ESXi host but VMware vCenter") == true)
        }
    }

    // MARK: Answers that do not come

    @Test func `trap 2.10: a shutdown whose answer is cut off was taken`() async throws {
        try await HostBench.with(.soap) { bench in
            #expect(try await !bench.host.inMaintenance())
            await bench.api?.breakAfter("ShutdownHost_Task")
            try await bench.host.shutDownHost(reason: "t")
            #expect(try await bench.eventually { await bench.host.isSilent() })
            #expect(bench.world.log.map(\.kind).contains(.hostOff))
            // Nobody waits for a logout from a host that is off.
            let began = ContinuousClock.now
            await bench.host.close()
            #expect(ContinuousClock.now - began < .milliseconds(500))
        }
    }

    @Test func `trap 4.3: a host is shut down by force, in maintenance mode or not`() async throws {
        try await HostBench.with(.soap) { bench in
            // Guests are on, and it is in no maintenance mode: without force that is InvalidState.
            #expect(try await bench.power("app-web01") == .on)
            try await bench.host.shutDownHost(reason: "t")
            #expect(try await bench.eventually { await bench.host.isSilent() })
        }
    }

    @Test func `a call whose answer is cut off is made once, and its task is followed`()
        async throws
    {
        try await HostBench.with(.soap) { bench in
            let web = try bench.guest("app-web01")
            await bench.api?.breakAfter("PowerOffVM_Task")
            // libcurl sends it again, and the host says TaskInProgress.
            try await bench.host.powerOff(web)
            #expect(try await bench.power("app-web01") == .off)
            #expect(await bench.api?.calls.count { $0 == "PowerOffVM_Task" } == 2)
            #expect(bench.world.log.map(\.kind) == [.guestOff])
        }
    }

    @Test func `a host that is gone in the middle of a wait ends it`() async throws {
        try await HostBench.with(.soap) { bench in
            let began = ContinuousClock.now
            async let entering = reason { () async throws(HostError) in
                try await bench.host.setMaintenance(true, within: .seconds(30))
            }
            try await Task.sleep(for: .milliseconds(700))
            bench.world.shutDownHost(HostBench.name)
            #expect(await entering == .unreachable)
            #expect(ContinuousClock.now - began < .seconds(15))
        }
    }

    @Test func `a host that boots is not ready before hostd is, and forgets every session`()
        async throws
    {
        try await HostBench.with(
            .soap,
            prepare: {
                $0.pace.hostBoots = .milliseconds(200)
                $0.pace.hostdUp = .seconds(2)
            }
        ) { bench in
            // The trap of section 4.3: a host that went down in maintenance mode comes back in it.
            for row in bench.world.rows(on: HostBench.name) {
                try bench.world.powerOffGuest(row.id)
            }
            try await bench.host.setMaintenance(true, within: .seconds(5))
            try await bench.host.shutDownHost(reason: "t")
            #expect(try await bench.eventually { await bench.host.isSilent() })
            bench.world.wakeHost(HostBench.name)
            #expect(try await bench.eventually { await !bench.host.isSilent() })
            #expect(
                await reason { () async throws(HostError) in
                    _ = try await bench.host.inMaintenance()
                } == .notReady)
            #expect(
                try await bench.eventually {
                    await reason { () async throws(HostError) in
                        _ = try await bench.host.inMaintenance()
                    } == nil
                })
            #expect(try await bench.host.inMaintenance())
            try await bench.host.setMaintenance(false, within: .seconds(5))
            #expect(try await !bench.host.inMaintenance())
        }
    }

    @Test func `trap 2.8: a question is told with its text, and not waited for`() async throws {
        func ask(_ scenario: inout LabScenario) {
            for index in scenario.guests.indices where scenario.guests[index].name == "app-web01" {
                scenario.guests[index].hasQuestion = true
            }
        }
        try await HostBench.with(.soap, prepare: ask) { bench in
            let web = try bench.guest("app-web01")
            try await bench.host.powerOff(web)
            let began = ContinuousClock.now
            let asked = await failure { () async throws(HostError) in
                try await bench.host.powerOn(web)
            }
            #expect(asked?.reason == .refused)
            #expect(asked?.detail.contains("moved or copied") == true, "\(asked?.detail ?? "")")
            #expect(ContinuousClock.now - began < .seconds(10))
        }
    }

    // MARK: Rights

    @Test func `what the user may not do is named with its objects, before an outage`()
        async throws
    {
        try await HostBench.with(.soap) { bench in
            let soap = try #require(bench.soap)
            let good = try await soap.standing(suspends: true)
            #expect(good.missing == [])
            #expect(good.guests == 5)
            #expect(!good.inMaintenance)
            #expect(good.lockdown == .disabled)
            let withheld = [
                "Host.Config.Maintenance", "Host.Config.AutoStart",
                "VirtualMachine.Interact.PowerOn",
                "VirtualMachine.Interact.Suspend",
            ]
            await bench.api?.withhold(Set(withheld))
            await bench.api?.setLockdown("lockdownStrict", keepsOut: false)
            let bad = try await soap.standing(suspends: false)
            #expect(bad.lockdown == .strict)
            #expect(bad.missing.map(\.privilege) == [.maintenance, .autostart, .powerOn])
            #expect(bad.missing[0].objects == ["the host"])
            #expect(bad.missing[2].objects.count == 5)
            #expect(
                try await soap.standing(suspends: true).missing.map(\.privilege.rawValue)
                    == withheld)
            // As the host says it when it is too late.
            #expect(
                await reason { () async throws(HostError) in
                    try await soap.shutDownHost(reason: "t")
                } == .refused)
        }
    }

    @Test func `a licence that lets the API only read leaves SSH`() async throws {
        try await HostBench.with(.both) { bench in
            await bench.api?.setReadOnly(true)
            let soap = try #require(bench.soap)
            let web = try bench.guest("app-web01")
            #expect(
                await reason { () async throws(HostError) in try await soap.powerOff(web) }
                    == .wayUnusable)
            try await bench.host.powerOff(web)
            #expect(try await bench.power("app-web01") == .off)
        }
    }

    // MARK: Autostart

    @Test func `autostart settings are read, written and written back exactly`() async throws {
        try await HostBench.with(.soap) { bench in
            let soap = try #require(bench.soap)
            let first = try await soap.autostart()
            #expect(
                first
                    == HostAutostart(
                        defaults: HostAutostart.Defaults(
                            enabled: false, startDelaySeconds: 120, stopDelaySeconds: 120,
                            waitForHeartbeat: false, stopAction: "PowerOff"), guests: []))
            func entry(_ name: String, _ order: Int) throws -> HostAutostart.Entry {
                HostAutostart.Entry(
                    vmxPath: try bench.guest(name).vmxPath, startOrder: order,
                    startDelaySeconds: 30, waitForHeartbeat: "yes", startAction: "powerOn",
                    stopDelaySeconds: -1, stopAction: "guestShutdown")
            }
            var wanted = first
            wanted.defaults.enabled = true
            wanted.defaults.startDelaySeconds = 5
            wanted = HostAutostart(
                defaults: wanted.defaults,
                guests: [try entry("db-backup", 1), try entry("app-web01", 2)])
            try await soap.setAutostart(wanted)
            #expect(try await soap.autostart() == wanted)
            try await soap.setAutostart(wanted)
            let fewer = HostAutostart(
                defaults: first.defaults, guests: [try entry("db-backup", 1)])
            try await soap.setAutostart(fewer)
            #expect(try await soap.autostart() == fewer)
            try await soap.setAutostart(first)
            #expect(try await soap.autostart() == first)
            // Asked for what is already so, nothing is sent.
            #expect(await bench.api?.calls.count { $0 == "ReconfigureAutostart" } == 3)
            let stranger = HostAutostart(
                defaults: first.defaults, guests: [try entry("app-web02", 1)])
            #expect(
                await reason { () async throws(HostError) in
                    try await soap.setAutostart(stranger)
                } == .notFound)
            #expect(try await soap.autostart() == first)
        }
    }
}
