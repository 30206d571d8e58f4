import FoundationEssentials
import PowerLab
import Templates
import Testing

@Suite struct LabESXiHostTests {
    static let nasty = "$(reboot)'\"; `x` 日本語"

    static let guests = [
        LabHostGuest(vmid: 2, name: "web", vmxPath: "[ds1] web/web.vmx", power: .on),
        LabHostGuest(
            vmid: 10, name: nasty, vmxPath: "[ds1] \(nasty)/\(nasty).vmx",
            annotation: "first\n\n2      web   [ds1] x/x.vmx   other   vmx-10   note", power: .on),
        LabHostGuest(
            vmid: 12, name: "deaf", vmxPath: "[ds1] deaf/deaf.vmx", power: .on, toolsRunning: false),
        LabHostGuest(vmid: 30, name: "late", vmxPath: "[ds2] late/late.vmx", invalid: true),
    ]

    @Test func `ssh lists guests in the order of ids as text, with their notes as they are`()
        async throws
    {
        try await LabESXiBench.with(guests: Self.guests) { bench in
            let list = try await bench.ssh("vim-cmd vmsvc/getallvms")
            #expect(list.status == 0)
            let rows = list.output.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(rows[0].hasPrefix("Vmid"))
            #expect(rows[1].hasPrefix("10     \(Self.nasty)   [ds1] "))
            #expect(rows[2] == "")
            #expect(rows[3].hasPrefix("2      web   [ds1] x/x.vmx"))
            #expect(rows[4].hasPrefix("12     deaf"))
            #expect(rows[5].hasPrefix("2      web"))
            #expect(list.errors == "Skipping invalid VM '30'\n")
        }
    }

    @Test func `arguments reach the lab byte for byte`() async throws {
        try await LabESXiBench.with { bench in
            let odd = try await bench.ssh(#"esxcli "a  b" '' "$(printf 'x\ny')" '*' '$(reboot)'"#)
            #expect(odd.output == "Error: Unknown command or namespace a  b  x\ny * $(reboot)\n\n")
            #expect(odd.status == 1)
        }
    }

    @Test func `power verbs act, and failures are printed as each generation does`() async throws {
        for text in LabHostOptions.FailureText.allCases {
            let options = LabHostOptions(failureText: text, failureStatus: text == .bare ? 0 : 1)
            try await LabESXiBench.with(guests: Self.guests, options: options) { bench in
                let asked = try await bench.ssh("vim-cmd vmsvc/power.shutdown 2")
                #expect(asked.output == "" && asked.status == 0)
                let state = try await bench.ssh("vim-cmd vmsvc/power.getstate 2")
                #expect(state.output == "Retrieved runtime info\nPowered off\n")
                let deaf = try await bench.ssh("vim-cmd vmsvc/power.shutdown 12")
                #expect(deaf.output.hasPrefix("(vim.fault.ToolsUnavailable) {\n"))
                #expect(deaf.status == options.failureStatus)
                let twice = try await bench.ssh("vim-cmd vmsvc/power.on 10")
                switch text {
                case .dump:
                    #expect(
                        twice.output.hasPrefix("Powering on VM:\n(vim.fault.InvalidPowerState) {"))
                case .bare: #expect(twice.output == "Powering on VM:\nPower on failed\n")
                case .sameLine:
                    #expect(
                        twice.output.hasPrefix(
                            "Powering on VM:\nPower on failed: (vim.fault.InvalidPowerState) {\n"))
                }
                let missing = try await bench.ssh("vim-cmd vmsvc/power.getstate 99")
                #expect(
                    missing.output.contains(#"msg = "Unable to find a VM corresponding to "99"""#))
                #expect(await bench.site.events.map(\.what) == ["shutdown web"])
            }
        }
    }

    @Test func `while hostd is not ready no command answers`() async throws {
        try await LabESXiBench.with(guests: Self.guests) { bench in
            await bench.site.setHostdReady(LabESXiBench.name, false)
            let list = try await bench.ssh("vim-cmd vmsvc/getallvms")
            #expect(list.output == "" && list.status == 1)
            #expect(list.errors == "Failed to login: Connection reset by peer\n")
            let mode = try await bench.ssh("esxcli system maintenanceMode get")
            #expect(mode.output == "Connect to localhost failed: Connection failure\n")
            await bench.site.setHostdReady(LabESXiBench.name, true)
            #expect(try await bench.ssh("esxcli system maintenanceMode get").output == "Disabled\n")
        }
    }

    @Test func `maintenance mode is entered and left, and esxcli powers off only in it`()
        async throws
    {
        try await LabESXiBench.with { bench in
            let early = try await bench.ssh("esxcli system shutdown poweroff -d 10 -r outage")
            #expect(early.status == 1)
            let entered = try await bench.ssh("esxcli system maintenanceMode set -e true -t 60")
            #expect(entered.status == 0 && entered.output == "")
            let information = try await bench.ssh("vim-cmd hostsvc/runtimeinfo")
            #expect(information.output.contains("   inMaintenanceMode = true, \n"))
            let off = try await bench.ssh("esxcli system shutdown poweroff -d 10 -r outage")
            #expect(off.status == 0, "\(off)")
            #expect(try await LabESXiBench.eventually { await !bench.host.isOn })
            #expect(
                await bench.site.events.map(\.what).suffix(3) == [
                    "entered maintenance", "host off", "power cut",
                ])
        }
    }

    @Test func `a reboot keeps a saved local.sh, loses an unsaved one, and keeps port and key`()
        async throws
    {
        try await LabESXiBench.with { bench in
            let (port, key) = (await bench.host.port, await bench.host.hostKeyFingerprint)
            let path = BootScript.localShPath
            let stock = try #require(bench.host.fileContents(path))
            #expect(stock.hasPrefix("#!/bin/sh ++group=host/vim/vmvisor/boot\n"))
            _ = try await bench.ssh("cat > \(path)", input: "#!/bin/sh\necho unsaved\nexit 0\n")
            await bench.host.powerOff(orderly: false)
            try await bench.host.start()
            #expect(bench.host.fileContents(path) == stock)

            let saved = "#!/bin/sh\necho saved > /tmp/ran\nexit 0\n"
            _ = try await bench.ssh("cat > \(path)", input: saved)
            let backup = try await bench.ssh("/sbin/auto-backup.sh")
            #expect(backup.status == 0)
            #expect(
                backup.output.contains("Saving current state in /bootbank\nClock updated.\nTime: "))
            #expect(
                try await LabESXiBench.eventually {
                    await bench.site.events.map(\.what) == ["no boot script saved"]
                })
            await bench.host.powerOff(orderly: false)
            try await bench.host.start()
            #expect(bench.host.fileContents(path) == saved)
            #expect(
                try await LabESXiBench.eventually {
                    bench.host.fileContents("/tmp/ran") == "saved\n"
                })

            let changed = "#!/bin/sh\n# changed\nexit 0\n"
            _ = try await bench.ssh("cat > \(path)", input: changed)
            let drift = try await bench.ssh("auto-backup.sh")
            #expect(drift.output.contains("\n-# changed\n+echo saved > /tmp/ran\n"), "\(drift)")
            _ = try await bench.ssh("cat > \(path)", input: saved)
            await bench.host.powerOff(orderly: true)
            try await bench.host.start()
            #expect(bench.host.fileContents(path) == saved)
            #expect(await bench.host.backupFailure == nil)
            #expect(await bench.host.port == port)
            #expect(await bench.host.hostKeyFingerprint == key)
        }
    }

    @Test func `SSH is stopped and started without a boot, and a boot may leave it stopped`()
        async throws
    {
        try await LabESXiBench.with { bench in
            _ = try await bench.ssh("echo kept > /tmp/kept")
            for _ in 1...2 { try await bench.host.setSSH(runs: false) }
            let refused = try await bench.ssh("true")
            #expect(refused.errors.contains("Connection refused"), "\(refused)")
            for _ in 1...2 { try await bench.host.setSSH(runs: true) }
            #expect(try await bench.ssh("cat /tmp/kept").output == "kept\n")
            await bench.host.powerOff(orderly: false)
            try await bench.host.start(ssh: false)
            #expect(try await bench.ssh("true").errors.contains("Connection refused"))
            try await bench.host.setSSH(runs: true)
            #expect(try await bench.ssh("cat /tmp/kept").status == 1)
        }
    }

    @Test func `with Secure Boot local.sh is not run`() async throws {
        try await LabESXiBench.with(options: LabHostOptions(secureBoot: true)) { bench in
            let asked = try await bench.ssh("/usr/lib/vmware/secureboot/bin/secureBoot.py -s")
            #expect(asked.output == "Enabled\n")
            _ = try await bench.ssh(
                "cat > \(BootScript.localShPath) && auto-backup.sh",
                input: "#!/bin/sh\necho x > /tmp/ran\n")
            await bench.host.powerOff(orderly: false)
            try await bench.host.start()
            _ = try await bench.ssh("sleep 1")
            #expect(bench.host.fileContents("/tmp/ran") == nil)
        }
    }

    @Test func `an unknown key is refused, and only ESXi's algorithms are offered`() async throws {
        try await LabESXiBench.with { bench in
            let port = await bench.host.port
            let ssh = try LabProcess.find("ssh")
            let common = [
                "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-p", "\(port)",
            ]
            let stranger = try await LabProcess.run(
                ssh,
                common + [
                    "-i", "/nonexistent", "-o", "IdentitiesOnly=yes", "root@127.0.0.1", "true",
                ])
            #expect(
                stranger.errors.contains("Permission denied (publickey,keyboard-interactive)"),
                "\(stranger)")
            let modern = try await LabProcess.run(
                ssh, common + ["-o", "KexAlgorithms=curve25519-sha256", "root@127.0.0.1", "true"])
            #expect(modern.errors.contains("no matching key exchange method found"), "\(modern)")
        }
    }
}
