import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing

@testable import VSphere

/// Every request that vpower can send, compared with pyvmomi's types.
@Suite(.serialized) struct RequestTests {
    @Test func `every request that can be sent has pyvmomi's names, order and types`() async throws
    {
        var sent = try await atVCenter(.v80u3)
        // Before 8.0U2 vCLS goes by vCenter's advanced settings.
        sent.merge(try await atVCenter(.v80u1)) { first, _ in first }
        sent.merge(try await atHost()) { first, _ in first }
        #expect(Set(sent.keys) == Set(VimMethod.allCases.map(\.rawValue)))
        #expect(try wrong(sent) == [:])
    }

    @Test func `a request with a field in the wrong place is found out`() async throws {
        let sent = try await atHost()
        let login = try #require(sent["Login"])
        let user = "<userName>\(HostBench.user)</userName>"
        let late = login.replacing(user, with: "").replacing("</Login>", with: user + "</Login>")
        #expect(try wrong(["Login": late])["Login"]?.contains("userName") == true)
        let half = login.replacing(user, with: "")
        #expect(try wrong(["Login": half])["Login"]?.contains("missing") == true)
    }

    private func wrong(_ requests: [String: String]) throws -> [String: String] {
        let top = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let tool = top.appending(path: "Tests/PowerLabTests/Tools/vim_types.py").path
        let process = Process()
        process.executableURL = top.appending(path: ".build/venv/bin/python")
        process.arguments = [tool, "requests"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try input.fileHandleForWriting.write(
            contentsOf: try JSONSerialization.data(withJSONObject: requests))
        try input.fileHandleForWriting.close()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return try JSONDecoder().decode([String: String].self, from: answer)
    }

    /// Whether an act is done or refused is not asked here: its request is sent.
    private func send(_ act: () async throws -> Void) async {
        do { try await act() } catch {}
    }

    // MARK: Everything that is done at a vCenter

    private func atVCenter(_ release: LabRelease) async throws -> [String: String] {
        let scratch = FileManager.default.temporaryDirectory
            .appending(path: "vpower-requests-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(
            atPath: scratch, withIntermediateDirectories: true)
        var scenario = LabScenario.standard()
        scenario.suit(release)
        scenario.hasVSAN = true
        for index in scenario.guests.indices {
            switch scenario.guests[index].name {
            case "mid-queue01": scenario.guests[index].hangsAtPowerOff = true
            case "mid-noisy": scenario.guests[index].hasQuestion = true
            default: break
            }
        }
        let world = LabWorld(scenario, time: RealTime())
        let server = LabVCenterServer(
            world: world, user: HostBench.user, password: HostBench.password, directory: scratch,
            pageSize: 5, release: release)
        let address = try await server.start()
        var limits = VCenterLimits()
        limits.powerOff = .seconds(1)
        let cluster = VCenterCluster(
            cluster: scenario.cluster,
            site: VCenterSite(
                endpoint: Endpoint(host: "127.0.0.1", port: address.port), user: HostBench.user,
                password: .file(path: "/secret"),
                trust: .pinned(sha256: address.certificateSHA256)),
            password: Secret(HostBench.password), labels: .all, limits: limits)
        await steer(cluster)
        await cluster.close()
        let requests = await server.requests.mapValues { String(decoding: $0, as: UTF8.self) }
        await server.stop()
        try FileManager.default.removeItem(atPath: scratch)
        return requests
    }

    private func steer(_ cluster: VCenterCluster) async {
        await send {
            let snapshot = try await cluster.snapshot()
            let seen = try await cluster.inventory(newerThan: nil, within: .seconds(10))
            _ = try await cluster.missingPrivileges(on: snapshot, suspends: true, answers: true)
            func guest(_ name: String) throws -> Guest {
                try #require(seen.guests.first { $0.name == name })
            }
            await send {
                try await cluster.change(
                    AutomationChange(ha: false, drsLevel: .manual, drsOverrides: false, dpm: true))
            }
            await send { try await cluster.retreatVCLS() }
            await send { _ = try await cluster.vsanPower() }
            await send { try await cluster.powerVSAN(false, reason: "test") }
            let web = try guest("app-web01")
            await send { try await cluster.shutDown(web) }
            await send { _ = try await cluster.powerOff(try guest("mid-queue01")) }
            await send { try await cluster.suspend(try guest("db-main")) }
            let stopped = try guest("app-web02")
            await send { _ = try await cluster.powerOff(stopped) }
            await send { try await cluster.powerOn(stopped, on: try #require(stopped.host)) }
            for runs in [false, true] {
                await send { try await cluster.setSSH(runs: runs, on: HostName("esx1.lab")) }
            }
            await send { _ = try await cluster.sshService(on: HostName("esx1.lab")) }
            let noisy = try guest("mid-noisy")
            if let question = noisy.question, let choice = question.choices.first {
                await send { try await cluster.answer(question, of: noisy, with: choice) }
            }
            try await cluster.vim.withSession { session throws(CallFailure) in
                let collector = Reference(kind: "PropertyCollector", id: "none")
                await cluster.vim.discard(
                    collector, with: .destroyPropertyCollector, in: session)
            }
        }
    }

    // MARK: Everything that is done at a host

    private func atHost() async throws -> [String: String] {
        var requests: [String: String] = [:]
        try await HostBench.with(.soap) { bench in
            let host = try #require(bench.soap)
            let guest = try bench.guest("app-web01")
            await send { _ = try await host.guests() }
            await send { try await host.shutDown(guest) }
            await send { try await host.powerOff(try bench.guest("mid-queue01")) }
            await send { try await host.suspend(try bench.guest("db-backup")) }
            await send { try await host.powerOn(try bench.guest("mid-queue01")) }
            await send {
                try await host.register(BootGuest(name: "x", vmxPath: "[datastore 1] x/x.vmx"))
            }
            await send { _ = try await host.standing(suspends: true) }
            for runs in [false, true] { await send { try await host.setSSH(runs: runs) } }
            await send { try await host.setMaintenance(true, within: .seconds(1)) }
            await send {
                var settings = try await host.autostart()
                settings.defaults.enabled = true
                settings.defaults.startDelaySeconds = 17
                try await host.setAutostart(settings)
            }
            // In maintenance mode there is a way out.
            _ = bench.world.setMaintenance(HostBench.name, on: true)
            bench.world.inventory().guests.filter { $0.host == HostBench.name }.forEach { guest in
                do { try bench.world.powerOffGuest(guest.id) } catch {}
            }
            await send { try await host.setMaintenance(true, within: .seconds(5)) }
            await send { try await host.setMaintenance(false, within: .seconds(5)) }
            await host.close()
            await send { try await host.shutDownHost(reason: "test") }
            let api = try #require(bench.api)
            requests = await api.requests.mapValues { String(decoding: $0, as: UTF8.self) }
        }
        return requests
    }
}
