import Foundation
import PowerLab
import PowerModel
import PowerRun
import Templates
import Testing
import Transport

@testable import ESXi

/// The adapter against a simulated host on real parts: sshd, busybox ash, a fence.
@Suite(.serialized) struct `A host over SSH` {
    static let nasty = #"$(reboot)'"; `x` 日本語"#
    static let guests = [
        LabHostGuest(
            vmid: 2, name: "web", vmxPath: "[ds1] web/web.vmx",
            annotation: "first\n\n9      a   [ds1] db/db.vmx   otherGuest   vmx-13\nlast",
            power: .on),
        LabHostGuest(vmid: 10, name: "db", vmxPath: "[ds1] db/db.vmx", power: .on),
        LabHostGuest(
            vmid: 11, name: nasty, vmxPath: "[ds1] \(nasty)/x.vmx", power: .on),
        LabHostGuest(
            vmid: 12, name: "two\nlines", vmxPath: "[ds1] two/two.vmx", power: .on,
            toolsRunning: false),
        LabHostGuest(
            vmid: 13, name: "forger", vmxPath: "[ds1] forger/forger.vmx",
            annotation: "x\n2      web   [ds1] forger/other.vmx   otherGuest   vmx-13"),
        LabHostGuest(vmid: 14, name: "asleep", vmxPath: "[ds1] asleep/a.vmx", power: .suspended),
        LabHostGuest(vmid: 15, name: "late", vmxPath: "[ds2] late/late.vmx", invalid: true),
    ]

    private struct Bench {
        let lab: LabESXiHost
        let site: LabHostMemory
        let host: ESXiHost
        func names(_ power: GuestPower) async throws -> [String] {
            try await host.guests().filter { $0.power == power }.map(\.name)
        }
    }

    private func withHost<R>(
        _ options: LabHostOptions = LabHostOptions(), limits: ESXiLimits = ESXiLimits(),
        otherPorts: [Int] = [], guests: [LabHostGuest] = guests,
        _ body: (Bench) async throws -> R
    ) async throws -> R {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-esxi-\(UUID().uuidString.prefix(8))").path
        let site = LabHostMemory()
        await site.add("esx1", guests: guests)
        let lab = LabESXiHost(name: "esx1", directory: directory, backend: site, options: options)
        let result: Result<R, any Error>
        do {
            try await lab.start()
            let description = HostSite(
                name: HostName("esx1"), ssh: Endpoint(host: lab.address, port: Int(await lab.port)),
                user: lab.user, login: .key(path: lab.userKeyPath),
                hostKeys: [await lab.hostKeyFingerprint], feeds: [])
            let host = try ESXiHost(
                site: description, secret: nil, limits: limits, otherPorts: otherPorts)
            result = .success(try await body(Bench(lab: lab, site: site, host: host)))
        } catch {
            result = .failure(error)
        }
        await lab.powerOff(orderly: false)
        try? FileManager.default.removeItem(atPath: directory)
        return try result.get()
    }

    private func guest(_ name: String) throws -> BootGuest {
        let found = try #require(Self.guests.first { $0.name == name })
        return BootGuest(name: found.name, vmxPath: found.vmxPath)
    }

    private func reason<R>(_ body: () async throws(HostError) -> R) async -> HostError.Reason? {
        do throws(HostError) {
            _ = try await body()
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `all guests and their power come in one command and forged rows are none`()
        async throws
    {
        try await withHost { bench in
            let guests = try await bench.host.guests()
            #expect(
                guests.map(\.name) == ["web", "db", Self.nasty, "two\nlines", "forger", "asleep"])
            #expect(guests.map(\.power) == [.on, .on, .on, .on, .off, .suspended])
            #expect(
                guests.map(\.vmxPath)
                    == Self.guests.filter { !$0.invalid }.map(\.vmxPath))
            // One for the round, one to settle the two rows that claim id 2 each.
            #expect(bench.host.traffic.commands == 3)
            #expect(await bench.site.events.isEmpty)
        }
    }

    @Test(
        // Every text, and a failure with either status: which one hosts give is not known.
        arguments: [
            (LabHostOptions.FailureText.dump, Int32(0)), (.bare, 1), (.sameLine, 0),
        ])
    func `guests go down and up in every generation of failure texts`(
        text: LabHostOptions.FailureText, status: Int32
    ) async throws {
        try await withHost(LabHostOptions(failureText: text, failureStatus: status)) { bench in
            let host = bench.host
            try await host.shutDown(guest("web"))
            try await host.shutDown(guest("web"))
            try await host.shutDown(guest(Self.nasty))
            #expect(
                await reason { () async throws(HostError) in
                    try await host.shutDown(BootGuest(name: "x", vmxPath: "[ds1] two/two.vmx"))
                } == .toolsUnavailable)
            try await host.powerOff(guest("two\nlines"))
            try await host.powerOff(guest("two\nlines"))
            #expect(try await bench.names(.on) == ["db"])
            try await host.powerOn(guest("web"))
            try await host.powerOn(guest("web"))
            try await host.powerOn(guest(Self.nasty))
            #expect(try await bench.names(.on) == ["web", "db", Self.nasty])
            #expect(
                await reason { () async throws(HostError) in
                    try await host.powerOn(BootGuest(name: "x", vmxPath: "[ds1] forger/other.vmx"))
                } == .notFound)
            #expect(
                await reason { () async throws(HostError) in
                    try await host.powerOn(BootGuest(name: "late", vmxPath: "[ds2] late/late.vmx"))
                } == .notFound)
        }
    }

    @Test(arguments: [
        (LabHostOptions.FailureText.dump, Int32(0)), (.bare, 1), (.sameLine, 0),
    ])
    func `a guest is suspended in every generation of failure texts`(
        text: LabHostOptions.FailureText, status: Int32
    ) async throws {
        try await withHost(LabHostOptions(failureText: text, failureStatus: status)) { bench in
            try await bench.host.suspend(guest(Self.nasty))
            try await bench.host.suspend(guest(Self.nasty))
            try await bench.host.suspend(guest("asleep"))
            #expect(try await bench.names(.suspended) == [Self.nasty, "asleep"])
            let off = try guest("forger")
            #expect(
                await reason { () async throws(HostError) in try await bench.host.suspend(off) }
                    == .refused)
            try await bench.host.powerOn(guest(Self.nasty))
            #expect(try await bench.names(.suspended) == ["asleep"])
        }
    }

    @Test func `a question ends a long wait early and is part of the error`() async throws {
        var limits = ESXiLimits()
        limits.suspend = .seconds(40)
        try await withHost(limits: limits) { bench in
            await bench.site.setAnswer("esx1", vmid: 2, .question)
            let start = ContinuousClock.now
            do throws(HostError) {
                try await bench.host.suspend(BootGuest(name: "web", vmxPath: "[ds1] web/web.vmx"))
                Issue.record("it was suspended")
            } catch {
                #expect(error.reason == .refused)
                #expect(error.detail.contains("msg.uuid.altered"))
            }
            #expect(ContinuousClock.now - start < .seconds(20))
        }
    }

    @Test func `guests with any name are registered, and what stands in the way is said`()
        async throws
    {
        try await withHost { bench in
            let other = [
                LabHostGuest(vmid: 1, name: Self.nasty, vmxPath: "[ds1] moved '$(x)/m.vmx"),
                LabHostGuest(vmid: 2, name: "far", vmxPath: "[ds 9] far/far.vmx"),
            ]
            await bench.site.add("esx2", guests: other)
            let moved = BootGuest(name: Self.nasty, vmxPath: "[ds1] moved '$(x)/m.vmx")
            for _ in 1...2 { try await bench.host.register(moved) }
            try await bench.host.powerOn(moved)
            #expect(
                await bench.site.events.map(\.what) == [
                    "registered \(Self.nasty)", "on \(Self.nasty)",
                ])
            for path in ["[ds 9] far/far.vmx", "[ds1] none/none.vmx"] {
                #expect(
                    await reason { () async throws(HostError) in
                        try await bench.host.register(BootGuest(name: "x", vmxPath: path))
                    } == .notFound)
            }
            for path in ["[] /var/run/crx/a.vmx", "web/web.vmx", "[ds1] ../etc/x.vmx"] {
                #expect(
                    await reason { () async throws(HostError) in
                        try await bench.host.register(BootGuest(name: "x", vmxPath: path))
                    } == .refused)
            }
            // Registered, but invalid: its datastore was late.
            do throws(HostError) {
                await bench.site.add(
                    "esx1",
                    guests: [
                        LabHostGuest(
                            vmid: 15, name: "late", vmxPath: "[ds1] late/late.vmx", invalid: true)
                    ])
                try await bench.host.register(
                    BootGuest(name: "late", vmxPath: "[ds1] late/late.vmx"))
                Issue.record("it was registered")
            } catch {
                #expect(error.reason == .refused)
                #expect(error.detail.contains("vim-cmd vmsvc/reload 15"))
            }
        }
    }

    @Test func `a start that fails says why and one that asks ends at its limit`() async throws {
        var limits = ESXiLimits()
        limits.power = .seconds(2)
        try await withHost(limits: limits) { bench in
            let host = bench.host
            await bench.site.setAnswer("esx1", vmid: 13, .failed("no memory"))
            do throws(HostError) {
                try await host.powerOn(BootGuest(name: "f", vmxPath: "[ds1] forger/forger.vmx"))
                Issue.record("it started")
            } catch {
                #expect(error.reason == .refused)
                #expect(error.detail == "GenericVmConfigFault: no memory")
            }
            await bench.site.setAnswer("esx1", vmid: 13, .question)
            let start = ContinuousClock.now
            #expect(
                await reason { () async throws(HostError) in
                    try await host.powerOn(BootGuest(name: "f", vmxPath: "[ds1] forger/forger.vmx"))
                } == .refused)
            #expect(ContinuousClock.now - start < .seconds(15))
            // The session still works, and nothing was answered for the operator.
            let off = try await bench.names(.off)
            #expect(off == ["forger"])
        }
    }

    @Test func `a hostd that is not up is not ready and never an empty list`() async throws {
        try await withHost { bench in
            await bench.site.setHostdReady("esx1", false)
            let host = bench.host
            #expect(
                await reason { () async throws(HostError) in try await host.guests() } == .notReady)
            #expect(
                await reason { () async throws(HostError) in try await host.inMaintenance() }
                    == .notReady)
            let web = try guest("web")
            #expect(
                await reason { () async throws(HostError) in try await host.shutDown(web) }
                    == .notReady)
            await bench.site.setHostdReady("esx1", true)
            #expect(try await host.guests().count == 6)
        }
    }

    @Test func `maintenance mode is entered and left and repeated`() async throws {
        try await withHost(guests: []) { bench in
            #expect(try await !bench.host.inMaintenance())
            try await bench.host.setMaintenance(true, within: .seconds(5))
            try await bench.host.setMaintenance(true, within: .seconds(5))
            #expect(try await bench.host.inMaintenance())
            try await bench.host.setMaintenance(false, within: .seconds(5))
            #expect(try await !bench.host.inMaintenance())
            #expect(
                await bench.site.events.map(\.what) == ["entered maintenance", "left maintenance"])
        }
    }

    @Test func `a host with running guests does not enter maintenance mode and says so`()
        async throws
    {
        try await withHost { bench in
            let host = bench.host
            #expect(
                await reason { () async throws(HostError) in
                    try await host.setMaintenance(true, within: .seconds(1))
                } == .refused)
        }
    }

    @Test func `a host that is handed over shuts the guest and then itself down`() async throws {
        try await withHost { bench in
            let orders = LeaveOrders(
                host: HostName("esx1"), run: RunID("run-1"), controller: try guest(Self.nasty),
                limit: .seconds(20))
            #expect(try await !bench.host.isLeaving())
            try await bench.host.leave(orders)
            #expect(try await bench.host.isLeaving())
            // Told twice, it is at it once.
            try await bench.host.leave(orders)
            await bench.host.close()
            let start = ContinuousClock.now
            while await !bench.host.isSilent() {
                try #require(ContinuousClock.now - start < .seconds(40))
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(
                await bench.site.events.map(\.what).prefix(2)
                    == ["shutdown \(Self.nasty)", "host off"])
        }
    }

    @Test func `a guest that does not go holds its host only for its limit`() async throws {
        try await withHost { bench in
            await bench.site.setAnswer("esx1", vmid: 11, .toolsUnavailable)
            let orders = LeaveOrders(
                host: HostName("esx1"), run: RunID("run-1"), controller: try guest(Self.nasty),
                limit: .seconds(20))
            try await bench.host.leave(orders)
            let start = ContinuousClock.now
            while await !bench.host.isSilent() {
                try #require(ContinuousClock.now - start < .seconds(40))
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(ContinuousClock.now - start > .seconds(10))
            let events = await bench.site.events.map(\.what)
            #expect(events.first?.hasPrefix("shutdown \(Self.nasty) answered") == true)
            #expect(events.dropFirst().first == "host off")
        }
    }

    @Test(arguments: [true, false])
    func `a host that is told to shut down falls silent`(maintenance: Bool) async throws {
        try await withHost(guests: []) { bench in
            if maintenance { try await bench.host.setMaintenance(true, within: .seconds(5)) }
            #expect(await !bench.host.isSilent())
            try await bench.host.shutDownHost(reason: "\(Self.nasty)\nsecond line")
            let start = ContinuousClock.now
            while await !bench.host.isSilent() {
                try #require(ContinuousClock.now - start < .seconds(20))
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(await bench.site.events.map(\.what).contains("host off"))
            #expect(
                await reason { () async throws(HostError) in try await bench.host.guests() }
                    == .unreachable)
        }
    }

    @Test func `one open port is enough not to be silent`() async throws {
        try await withHost(guests: []) { bench in
            let sshPort = Int(await bench.lab.port)
            // A second host's view: its own SSH port is closed, its other port answers.
            let site = HostSite(
                name: HostName("esx2"), ssh: Endpoint(host: "127.0.0.1", port: 1),
                login: .key(path: "/none"),
                hostKeys: [], feeds: [])
            let open = try ESXiHost(site: site, secret: nil, otherPorts: [sshPort])
            let silent = try ESXiHost(site: site, secret: nil, otherPorts: [])
            #expect(await !open.isSilent())
            #expect(await silent.isSilent())
        }
    }

    @Test func `a login with a password needs one`() async {
        let site = HostSite(
            name: HostName("esx2"), ssh: Endpoint(host: "127.0.0.1", port: 1),
            login: .password(.environment(name: "ESX_PASSWORD")), hostKeys: [], feeds: [])
        #expect(
            await reason { () async throws(HostError) in
                try ESXiHost(site: site, secret: nil)
            } == .loginRefused)
    }

    // MARK: - Boot script

    private func orders(run: String = "run-1") throws -> BootOrders {
        let armed = Timestamp(
            millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
        return BootOrders(
            host: HostName("esx1"), run: RunID(run), armed: armed,
            expires: armed + .seconds(3600), leaveMaintenance: false,
            infrastructure: [], vcsa: try guest("db"), waitsForVCSA: false,
            tiers: [[try guest(Self.nasty), try guest("two\nlines")], [try guest("web")]],
            startGap: .zero, afterVCSA: .zero)
    }

    @Test func `the boot script is installed and saved and taken out again`() async throws {
        try await withHost { bench in
            let path = BootScript.localShPath
            let stock = try #require(bench.lab.fileContents(path))
            // The first save finds files that were never saved before: that is drift.
            let orders = try orders()
            let first = try await bench.host.arm(orders)
            let text = try #require(bench.lab.fileContents(path))
            #expect(!first.unchanged)
            #expect(first.sha256 == SHA256.hexadecimal(Array(text.utf8)))
            #expect(!first.drift.isEmpty)
            #expect(BootScript.remove(text) == stock)
            #expect(text.hasPrefix("#!/bin/sh ++group=host/vim/vmvisor/boot\n"))
            #expect(text.hasSuffix("\(BootScript.endMarker)\nexit 0\n"))
            let second = try await bench.host.arm(orders)
            #expect(second.unchanged)
            #expect(second.drift == [])
            #expect(second.sha256 == first.sha256)
            try await bench.host.disarm()
            try await bench.host.disarm()
            #expect(bench.lab.fileContents(path) == stock)
            #expect(
                await bench.site.events.map(\.what) == [
                    "boot script saved", "no boot script saved", "no boot script saved",
                ])
        }
    }

    @Test func `after a power cut the host starts its guests and reports it`() async throws {
        try await withHost { bench in
            let orders = try orders()
            _ = try await bench.host.arm(orders)
            #expect(try await bench.host.bootReport(of: orders.run) == .none)
            await bench.lab.powerOff(orderly: false)
            await bench.site.cutPower("esx1")
            await bench.site.setAnswer("esx1", vmid: 2, .failed("no memory"))
            await bench.site.clearEvents()
            try await bench.lab.start()
            var report = BootReport.none
            let start = ContinuousClock.now
            while ContinuousClock.now - start < .seconds(20) {
                report = try await bench.host.bootReport(of: orders.run)
                if try await bench.names(.on).count == 3 { break }
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(report == .running || report == .none)
            #expect(try await bench.names(.on) == ["db", Self.nasty, "two\nlines"])
            #expect(
                await bench.site.events.map(\.what).filter { $0.hasPrefix("on ") }.prefix(3)
                    == ["on db", "on \(Self.nasty)", "on two\nlines"])
            #expect(try await bench.host.bootReport(of: RunID("another run")) == .none)
            await bench.site.setAnswer("esx1", vmid: 2, nil)
            while ContinuousClock.now - start < .seconds(40), report != .done(failed: []) {
                report = try await bench.host.bootReport(of: orders.run)
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(report == .done(failed: []))
        }
    }

    @Test func `an installation that would not hold is an error and says why`() async throws {
        try await withHost(guests: []) { bench in
            let orders = try orders()
            let path = BootScript.localShPath
            func shell(_ command: String) async throws {
                let output = try await bench.host.session.run(command, limit: .seconds(20))
                try #require(output.status == 0, "\(command): \(output.errorText)")
            }
            func failure() async -> HostError? {
                do throws(HostError) {
                    _ = try await bench.host.arm(orders)
                    return nil
                } catch {
                    return error
                }
            }
            try await shell("chmod a-x \(path)")
            let stopped = await failure()
            #expect(stopped?.reason == .refused)
            #expect(stopped?.detail.contains("chmod 755") == true)
            try await shell("chmod 755 \(path); printf '# caf\\351\\n' >>\(path)")
            let latin = await failure()
            #expect(latin?.reason == .badAnswer)
            #expect(latin?.detail.contains("UTF-8") == true)
            try await shell("sed '/caf/d' \(path) >/tmp/clean; cat /tmp/clean >\(path)")
            #expect(await failure() == nil)

            // Somebody else's change comes to light when it is saved.
            try await shell("echo '# mine' >>/etc/ssh/keys-root/authorized_keys")
            let drift = try await bench.host.arm(self.orders(run: "run-2")).drift
            #expect(drift.contains("-# mine"))

            try await shell("cp /sbin/auto-backup.sh /tmp/good; mkdir /tmp/old")
            try await shell("mv /sbin/auto-backup.sh /tmp/old/")
            try await shell(
                "printf '#!/bin/sh\\necho \"# odd\" >>\(path)\\n' >/sbin/auto-backup.sh")
            try await shell("chmod 755 /sbin/auto-backup.sh")
            #expect(await failure()?.reason == .notAsWritten)
            try await shell("printf '#!/bin/sh\\necho no space\\nexit 1\\n' >/sbin/auto-backup.sh")
            let unsaved = await failure()
            #expect(unsaved?.reason == .refused)
            #expect(unsaved?.detail.contains("no space") == true)
            try await shell("rm /sbin/auto-backup.sh")
            #expect(await failure()?.reason == .refused)
            try await shell("rm \(path)")
            #expect(await failure()?.detail.contains("is missing") == true)
            try await bench.host.disarm()
        }
    }

    @Test func `Secure Boot refuses the boot script with a reason`() async throws {
        try await withHost(LabHostOptions(secureBoot: true)) { bench in
            let orders = try orders()
            do throws(HostError) {
                _ = try await bench.host.arm(orders)
                Issue.record("it was installed")
            } catch {
                #expect(error.reason == .secureBoot)
                #expect(error.detail.contains("Secure Boot"))
            }
            #expect(try await bench.host.survey().secureBoot == .enabled)
            #expect(await bench.site.events.isEmpty)
        }
    }
}
