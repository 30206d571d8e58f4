import Foundation
import PowerLab
import PowerModel
import PowerRun
import Templates
import Testing
import Transport

@testable import ESXi

/// What a host says of its boot script, and how it is to look whether vCSA answers.
@Suite struct BootStateTests {
    private struct Bench {
        let lab: LabESXiHost
        let site: LabHostMemory
        let host: ESXiHost

        func shell(_ command: String) async throws {
            let ran = try await host.session.run(command, limit: .seconds(20))
            try #require(ran.status == 0, "\(command): \(ran.errorText)")
        }
    }

    private func withHost(_ body: (Bench) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-esxi-\(UUID().uuidString.prefix(8))").path
        let site = LabHostMemory()
        await site.add(
            "esx1", guests: [LabHostGuest(vmid: 2, name: "web", vmxPath: "[ds1] web/web.vmx")])
        let lab = LabESXiHost(name: "esx1", directory: directory, backend: site)
        let result: Result<Void, any Error>
        do {
            try await lab.start()
            let description = HostSite(
                name: HostName("esx1"), ssh: Endpoint(host: lab.address, port: Int(await lab.port)),
                user: lab.user, login: .key(path: lab.userKeyPath),
                hostKeys: [await lab.hostKeyFingerprint], feeds: [])
            let host = try ESXiHost(site: description, secret: nil)
            result = .success(try await body(Bench(lab: lab, site: site, host: host)))
        } catch { result = .failure(error) }
        await lab.powerOff(orderly: false)
        try FileManager.default.removeItem(atPath: directory)
        try result.get()
    }

    private static let orders = BootOrders(
        host: HostName("esx1"), run: RunID("run-1"),
        armed: Timestamp(millisecondsSinceEpoch: 1_790_000_000_000),
        expires: Timestamp(millisecondsSinceEpoch: 2_000_000_000_000), leaveMaintenance: false,
        infrastructure: [], vcsa: nil, waitsForVCSA: true,
        tiers: [[BootGuest(name: "web", vmxPath: "[ds1] web/web.vmx")]], startGap: .zero,
        afterVCSA: .seconds(1))

    @Test func `what stands in local.sh and what ran at the last boot are told`() async throws {
        try await withHost { bench in
            #expect(
                try await bench.host.bootScriptState()
                    == BootScriptState(installed: .none, lastBoot: nil))
            var orders = Self.orders
            orders.standing = orders.tiers[0]
            _ = try await bench.host.arm(orders)
            #expect(
                try await bench.host.bootScriptState().installed
                    == .armed(orders.run, until: orders.expires))
            await bench.site.setAnswer("esx1", vmid: 2, .failed("no memory"))
            try await bench.shell(
                "sed s/vpower_guest_limit=.300./vpower_guest_limit=1/ \(BootScript.localShPath) "
                    + ">/tmp/short; sh /tmp/short")
            let start = ContinuousClock.now
            var state = try await bench.host.bootScriptState()
            while ContinuousClock.now - start < .seconds(30), state.lastBoot?.progress != .done {
                try await Task.sleep(for: .milliseconds(200))
                state = try await bench.host.bootScriptState()
            }
            #expect(
                state.lastBoot
                    == .init(
                        run: orders.run, mode: .armed, progress: .done, started: 0, of: 1,
                        failed: ["web (it did not start)"]))
            #expect(
                try await bench.host.bootReport(of: orders.run)
                    == .done(failed: ["web (it did not start)"]))
            try await bench.host.disarm()
            #expect(try await bench.host.bootScriptState().installed == .unarmed)
            try await bench.host.removeBootScript()
            #expect(try await bench.host.bootScriptState().installed == .none)
        }
    }

    @Test func `the host looks for vCSA with what got through when it was armed`() async throws {
        try await withHost { bench in
            var orders = Self.orders
            orders.vcenter = [
                Endpoint(host: "192.0.2.1", port: 443), Endpoint(host: "fe80::1", port: 443),
            ]
            func probe() async throws -> [Substring] {
                _ = try await bench.host.arm(orders)
                let text = bench.lab.fileContents(BootScript.localShPath) ?? ""
                return text.split(separator: "\n").map { $0.drop { $0 == " " } }
                    .filter { $0.hasPrefix("vpower_probe") && $0.contains("='") }
            }
            let none = ["vpower_probe='none'", "vpower_probe_address=''", "vpower_probe_port='0'"]
            #expect(try await probe() == none.map { $0[...] })
            // A wget that gets through to the second address, and an nc that hangs.
            for (name, text) in [
                ("nc", "sleep 100"), ("wget", #"[ "$5" = 'https://[fe80::1]:443/' ]"#),
            ] {
                try await bench.shell(
                    "printf '%s\\n' '#!/bin/sh' \(ShellWord.quoted(text)) >/bin/\(name); "
                        + "chmod 755 /bin/\(name)")
            }
            let start = ContinuousClock.now
            #expect(
                try await probe() == [
                    "vpower_probe='wget'", "vpower_probe_address='[fe80::1]'",
                    "vpower_probe_port='443'",
                ])
            #expect(ContinuousClock.now - start < .seconds(15))
            #expect(try await bench.host.arm(orders).unchanged)
        }
    }
}
