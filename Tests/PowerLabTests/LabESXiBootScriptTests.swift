import FoundationEssentials
import PowerLab
import Templates
import Testing

/// The boot script of Templates on a simulated host: busybox ash, no applet that ESXi lacks.
@Suite struct LabESXiBootScriptTests {
    static let nasty = "$(reboot)'\"; `x` 日本語"

    static let guests = [
        LabHostGuest(vmid: 2, name: "web", vmxPath: "[ds1] web/web.vmx"),
        LabHostGuest(vmid: 3, name: "vcsa", vmxPath: "[ds1] vcsa/vcsa.vmx"),
        LabHostGuest(
            vmid: 10, name: nasty, vmxPath: "[ds1] \(nasty)/\(nasty).vmx",
            // A note that pretends to be a row for web, with the id of a guest that was off.
            annotation: "note\n\n77     web   [ds1] web/web.vmx   ubuntu64Guest   vmx-19   x"),
        LabHostGuest(vmid: 12, name: "two\nlines", vmxPath: #"[ds1] t\wo\012 (1)/two.vmx"#),
        LabHostGuest(vmid: 13, name: "dns", vmxPath: "[ds1] dns/dns.vmx"),
        LabHostGuest(vmid: 77, name: "was off", vmxPath: "[ds1] off/off.vmx"),
    ]

    static func guest(_ vmid: Int) -> BootScriptGuest {
        let guest = guests.first { $0.vmid == vmid }
        return BootScriptGuest(name: guest?.name ?? "", vmxPath: guest?.vmxPath ?? "")
    }

    static func values(_ tiers: [[BootScriptGuest]]) -> BootScriptValues {
        BootScriptValues(
            host: LabESXiBench.name, runID: "run-1", armedEpochSeconds: 1_000_000_000,
            expiresEpochSeconds: Int(Int32.max), leaveMaintenance: false, infrastructure: [],
            vcsa: nil, waitsForVCSA: false, tiers: tiers, startGapSeconds: 0, afterVCSASeconds: 0,
            hostdLimitSeconds: 30, datastoreLimitSeconds: 30, guestStartLimitSeconds: 5)
    }

    /// Installs as vpower does, with `auto-backup.sh`.
    static func install(
        _ values: BootScriptValues, on bench: LabESXiBench,
        changing change: (String) -> String = { $0 }
    ) async throws {
        let stock = try #require(bench.host.fileContents(BootScript.localShPath))
        let file = change(BootScript.install(block: try BootScript.block(values), into: stock))
        let written = try await bench.ssh(
            "cat > \(BootScript.localShPath) && /sbin/auto-backup.sh", input: file)
        #expect(written.status == 0, "\(written)")
    }

    static func report(_ bench: LabESXiBench) throws -> BootScriptReport? {
        try bench.host.fileContents(BootScript.reportPath).map { try BootScriptReport.parse($0) }
    }

    static func finished(_ bench: LabESXiBench) async throws -> BootScriptReport {
        let done = try await LabESXiBench.eventually(within: .seconds(40)) {
            try report(bench)?.state == .done
        }
        let log = bench.host.fileContents(BootScript.logPath) ?? "no log"
        #expect(done, "\(log)")
        return try #require(try report(bench))
    }

    @Test func `after a power cut it starts infrastructure, vCSA and the tiers, and nothing else`()
        async throws
    {
        try await LabESXiBench.with(guests: Self.guests) { bench in
            var values = Self.values([[Self.guest(12)], [Self.guest(2), Self.guest(10)]])
            values.infrastructure = [Self.guest(13)]
            values.vcsa = Self.guest(3)
            values.waitsForVCSA = true
            values.afterVCSASeconds = 1
            try await Self.install(values, on: bench)
            #expect(
                try await LabESXiBench.eventually {
                    await bench.site.events.map(\.what) == ["boot script saved"]
                })
            await bench.host.powerOff(orderly: false)
            await bench.site.cutPower(LabESXiBench.name)
            await bench.site.clearEvents()
            await bench.site.setHostdReady(LabESXiBench.name, false)
            try await bench.host.start()
            #expect(
                try await LabESXiBench.eventually { try Self.report(bench)?.state == .running })
            await bench.site.setHostdReady(LabESXiBench.name, true)
            let report = try await Self.finished(bench)
            #expect(
                report
                    == BootScriptReport(
                        run: "run-1", state: .done, started: 5, of: 5, disarmed: .yes))
            #expect(
                await bench.site.events.map(\.what) == [
                    "on dns", "on vcsa", "on two\nlines", "on web", "on \(Self.nasty)",
                    "unarmed boot script saved",
                ])
            #expect(bench.host.fileContents(BootScript.localShPath).map(isArmed) == false)
            let log = try #require(bench.host.fileContents(BootScript.logPath))
            #expect(log.contains(" on: two\\012lines\n"), "\(log)")
            #expect(log.contains(" waiting for vCenter, at most 1 s\n"))
            let syslog = try #require(bench.host.fileContents("/var/log/syslog.log"))
            #expect(syslog.contains(" vpower: boot script: on: \(Self.nasty)\n"), "\(syslog)")
        }
    }

    @Test func `what is on counts, what will not start is named, a question blocks only itself`()
        async throws
    {
        var guests = Self.guests
        guests[0].power = .on
        try await LabESXiBench.with(guests: guests) { bench in
            await bench.site.setAnswer(LabESXiBench.name, vmid: 3, .question)
            await bench.site.setAnswer(LabESXiBench.name, vmid: 13, .failed("no memory"))
            let missing = BootScriptGuest(name: "gone", vmxPath: "[ds1] gone\n/gone.vmx")
            try await Self.install(
                Self.values([[3, 13].map(Self.guest) + [missing], [2, 12].map(Self.guest)]),
                on: bench
            ) { $0.replacing("vpower_start_limit=20", with: "vpower_start_limit=1") }
            let local = try await bench.ssh("time sh \(BootScript.localShPath)")
            #expect(local.status == 0 && local.output == "", "\(local)")
            #expect(local.errors.contains(/real\t0m [0-4]\./), "it must return at once: \(local)")
            let report = try await Self.finished(bench)
            #expect(report.started == 2)
            #expect(
                report.failed == [
                    .init(.question, "[ds1] vcsa/vcsa.vmx"), .init(.start, "[ds1] dns/dns.vmx"),
                    .init(.missing, "[ds1] gone\n/gone.vmx"),
                ])
            #expect(bench.host.fileContents(BootScript.localShPath).map(isArmed) == true)
        }
    }

    @Test func `a suspended guest is resumed, and guests wait as long as the one before wants`()
        async throws
    {
        var guests = Self.guests
        guests[0].power = .suspended
        try await LabESXiBench.with(guests: guests) { bench in
            await bench.site.setAnswer(LabESXiBench.name, vmid: 13, .failed("no memory"))
            var tier = [2, 13, 12, 77].map(Self.guest)
            tier[0].thenWaitSeconds = 3
            // It is not started, so nobody waits for it; after the last one nobody waits.
            tier[1].thenWaitSeconds = 600
            tier[3].thenWaitSeconds = 600
            var values = Self.values([tier])
            values.guestStartLimitSeconds = 1
            try await Self.install(values, on: bench)
            _ = try await bench.ssh("sh \(BootScript.localShPath)")
            let report = try await Self.finished(bench)
            #expect(report.started == 3)
            #expect(report.failed == [.init(.start, "[ds1] dns/dns.vmx")])
            #expect(await bench.site.guests(on: LabESXiBench.name).first?.power == .on)
            let log = try #require(bench.host.fileContents(BootScript.logPath))
            let seconds = log.split(separator: "\n").compactMap { line -> Int? in
                guard line.contains(" on: ") || line.contains(" not started: ") else { return nil }
                let clock = line.dropFirst(11).prefix(8).split(separator: ":").compactMap {
                    Int($0)
                }
                return clock.count == 3 ? clock[0] * 3600 + clock[1] * 60 + clock[2] : nil
            }
            #expect(seconds.count == 4)
            // Within a day.
            let waited = (seconds[1] - seconds[0] + 86400) % 86400
            #expect(waited >= 3, "\(log)")
        }
    }

    @Test func `a guest whose datastore is late is started when it is there`() async throws {
        try await LabESXiBench.with(guests: Self.guests) { bench in
            await bench.site.setMounted(LabESXiBench.name, datastore: "ds1", false)
            try await Self.install(Self.values([[Self.guest(2)]]), on: bench)
            _ = try await bench.ssh("sh \(BootScript.localShPath)")
            #expect(
                try await LabESXiBench.eventually {
                    await bench.site.events.contains { $0.what == "rescan" }
                })
            try await Task.sleep(for: .seconds(1))
            #expect(await !bench.site.events.contains { $0.what == "on web" })
            await bench.site.setMounted(LabESXiBench.name, datastore: "ds1", true)
            #expect(try await Self.finished(bench).started == 1)
        }
    }

    @Test func `maintenance mode is left if vpower entered it, and kept if not`() async throws {
        for leave in [true, false] {
            try await LabESXiBench.with(guests: Self.guests) { bench in
                _ = await bench.site.setMaintenance(LabESXiBench.name, on: true, limitSeconds: 0)
                var values = Self.values([[Self.guest(2)]])
                values.leaveMaintenance = leave
                try await Self.install(values, on: bench)
                _ = try await bench.ssh("sh \(BootScript.localShPath)")
                let report = try await Self.finished(bench)
                #expect(report.started == (leave ? 1 : 0))
                #expect(report.failed == (leave ? [] : [.init(.maintenance, "[ds1] web/web.vmx")]))
                #expect(await bench.site.inMaintenance(LabESXiBench.name) == !leave)
            }
        }
    }

    @Test func `past its expiry it does nothing, and a clock before its arming is not believed`()
        async throws
    {
        try await LabESXiBench.with(guests: Self.guests) { bench in
            var values = Self.values([[Self.guest(2)]])
            values.expiresEpochSeconds = values.armedEpochSeconds + 1
            try await Self.install(values, on: bench)
            _ = try await bench.ssh("sh \(BootScript.localShPath)")
            #expect(
                try await LabESXiBench.eventually {
                    let report = try Self.report(bench)
                    return report?.mode == .expired && report?.state == .done
                })
            _ = try await bench.ssh("rm \(BootScript.reportPath)")
            #expect(await !bench.site.events.contains { $0.what == "on web" })
            values.armedEpochSeconds = Int(Int32.max) - 1
            values.expiresEpochSeconds = Int(Int32.max)
            try await Self.install(values, on: bench)
            _ = try await bench.ssh("sh \(BootScript.localShPath)")
            #expect(try await Self.finished(bench).started == 1)
            let log = try #require(bench.host.fileContents(BootScript.logPath))
            #expect(log.contains("the clock is earlier than the arming: taken for not expired"))
        }
    }

    @Test func `a second copy does nothing, and the lock of a dead one does not count`()
        async throws
    {
        try await LabESXiBench.with(guests: Self.guests) { bench in
            await bench.site.setHostdReady(LabESXiBench.name, false)
            try await Self.install(Self.values([[Self.guest(2)]]), on: bench)
            _ = try await bench.ssh(
                "mkdir /tmp/vpower-boot.lock; echo 4000000 > /tmp/vpower-boot.lock/pid; "
                    + "sh \(BootScript.localShPath)")
            #expect(
                try await LabESXiBench.eventually { try Self.report(bench)?.state == .running })
            _ = try await bench.ssh("sh \(BootScript.localShPath)")
            #expect(
                try await LabESXiBench.eventually {
                    bench.host.fileContents(BootScript.logPath)?
                        .contains("another copy is running: this one does nothing") == true
                })
            await bench.site.setHostdReady(LabESXiBench.name, true)
            #expect(try await Self.finished(bench).started == 1)
            #expect(await bench.site.events.filter { $0.what == "on web" }.count == 1)
            let left = try await bench.ssh("ls /tmp")
            #expect(!left.output.contains("vpower-boot.lock"), "\(left)")
            #expect(!left.output.contains("vpower-boot.out"), "\(left)")
        }
    }

    @Test func `the log never grows beyond its limit`() async throws {
        try await LabESXiBench.with(guests: Self.guests) { bench in
            try await Self.install(Self.values([[Self.guest(2)]]), on: bench)
            _ = try await bench.ssh(
                "dd if=/dev/zero of=\(BootScript.logPath) bs=70000 count=1; sh \(BootScript.localShPath)"
            )
            _ = try await Self.finished(bench)
            let size = try await bench.ssh(
                "wc -c < \(BootScript.logPath); wc -c < \(BootScript.logPath).1")
            let sizes = size.output.split(separator: "\n").compactMap { Int($0) }
            #expect(sizes.count == 2 && sizes[0] < BootScript.logLimitBytes && sizes[1] == 70000)
        }
    }

    @Test func `disarming is lost with the power unless it was saved; then nothing starts again`()
        async throws
    {
        try await LabESXiBench.with(guests: Self.guests) { bench in
            try await Self.install(Self.values([[Self.guest(2)]]), on: bench)
            // It cannot save what it has done.
            _ = try await bench.ssh("mv /sbin/auto-backup.sh /tmp/kept; rm /bin/backup.sh")
            _ = try await bench.ssh("sh \(BootScript.localShPath)")
            #expect(try await Self.finished(bench).disarmed == .failed)
            #expect(bench.host.fileContents(BootScript.localShPath).map(isArmed) == false)
            for isFirst in [true, false] {
                await bench.host.powerOff(orderly: false)
                await bench.site.cutPower(LabESXiBench.name)
                await bench.site.clearEvents()
                try await bench.host.start()
                let report = try await Self.finished(bench)
                #expect(report.mode == (isFirst ? .armed : .unarmed))
                #expect(report.started == (isFirst ? 1 : 0))
                #expect(await bench.site.events.contains { $0.what == "on web" } == isFirst)
            }
        }
    }

    @Test func `a stop file calls it off, and a call that hangs ends at its limit`() async throws {
        try await LabESXiBench.with(guests: Self.guests) { bench in
            await bench.site.setAnswer(LabESXiBench.name, vmid: 2, .question)
            try await Self.install(
                Self.values([[Self.guest(2)], [Self.guest(12)]]), on: bench
            ) { $0.replacing("vpower_start_limit=20", with: "vpower_start_limit=3") }
            _ = try await bench.ssh("sh \(BootScript.localShPath)")
            #expect(
                try await LabESXiBench.eventually { try Self.report(bench)?.state == .running })
            _ = try await bench.ssh("touch \(BootScript.stopPath)")
            #expect(
                try await LabESXiBench.eventually { try Self.report(bench)?.state == .calledOff })
            #expect(await !bench.site.events.contains { $0.what == "on two\nlines" })
        }
    }

    /// Whether this local.sh would act at the next boot.
    private func isArmed(_ local: String) -> Bool {
        BootScript.installed(in: local)?.isArmed == true
    }
}
