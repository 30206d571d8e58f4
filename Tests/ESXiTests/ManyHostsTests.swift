import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing

@testable import ESXi

/// Many hosts at the same time: each has its own session and its own deadline.
@Suite(.serialized) struct ManyHostsTests {
    /// Hosts of the normal suite; `VPOWER_HOSTS` asks for another number.
    private static let usualCount = 8
    private static var count: Int {
        ProcessInfo.processInfo.environment["VPOWER_HOSTS"].flatMap { Int($0) } ?? usualCount
    }
    /// What the silent host's calls may take.
    private static let silence: Duration = .seconds(2)

    private static let guests = (1...4).map { number in
        LabHostGuest(
            vmid: number, name: "g\(number)", vmxPath: "[ds1] g\(number)/g.vmx", power: .on)
    }

    /// Keys for all of them: making a pair for each takes longer than the test.
    private func shareKeys(_ labs: [LabESXiHost]) async throws {
        try await labs[0].prepare()
        for lab in labs.dropFirst() {
            try FileManager.default.createDirectory(
                atPath: lab.directory, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: "\(labs[0].directory)/ssh", toPath: "\(lab.directory)/ssh")
        }
    }

    @Test func `many hosts are snapshotted and armed at once, and a silent one holds up nobody`()
        async throws
    {
        let root = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-many-\(UUID().uuidString.prefix(8))").path
        let site = LabHostMemory()
        let labs = (1...Self.count).map { number in
            LabESXiHost(name: "esx\(number)", directory: "\(root)/esx\(number)", backend: site)
        }
        for lab in labs { await site.add(lab.name, guests: Self.guests) }
        let result: Result<Void, any Error>
        do {
            try await shareKeys(labs)
            for lab in labs { try await lab.start() }
            result = .success(try await expectAllArmed(labs))
        } catch { result = .failure(error) }
        for lab in labs { await lab.powerOff(orderly: false) }
        try FileManager.default.removeItem(atPath: root)
        try result.get()
    }

    private struct Done: Sendable {
        var host: HostName
        var guests: [HostGuest] = []
        var isArmed = false
        var took: Duration = .zero
        var error: HostError?
    }

    private func expectAllArmed(_ labs: [LabESXiHost]) async throws {
        let silent = try LabMutePort()
        var hosts: [ESXiHost] = []
        for lab in labs { hosts.append(try await ESXiBench.adapter(for: lab)) }
        var limits = ESXiLimits()
        limits.list = Self.silence
        let nobody = try ESXiHost(
            site: HostSite(
                name: HostName("silent"), ssh: Endpoint(host: "127.0.0.1", port: silent.port),
                login: .key(path: labs[0].userKeyPath),
                hostKeys: [await labs[0].hostKeyFingerprint], feeds: []),
            secret: nil, limits: limits, otherPorts: [])
        let start = ContinuousClock.now
        let done = await withTaskGroup(of: Done.self) { group in
            for host in hosts + [nobody] {
                group.addTask { await Self.snapshotAndArm(host) }
            }
            return await group.reduce(into: [Done]()) { $0.append($1) }
        }
        let took = ContinuousClock.now - start
        for one in done where one.host.rawValue != "silent" {
            #expect(one.error == nil)
            #expect(one.guests.map(\.name) == Self.guests.map(\.name), "\(one.host)")
            #expect(one.isArmed, "\(one.host)")
        }
        let alone = try #require(done.first { $0.host.rawValue == "silent" })
        #expect(alone.error?.reason == .timedOut)
        // Its own deadline, whatever the others took.
        #expect(alone.took < Self.silence * 2, "\(alone.took)")
        var sessions = 0
        for lab in labs {
            let log = try String(contentsOfFile: "\(lab.directory)/sshd.log", encoding: .utf8)
            let logins = log.split(whereSeparator: \.isNewline).count { $0.contains("Accepted ") }
            #expect(logins == 1, "\(lab.name)")
            sessions += logins
            #expect(lab.fileContents("/etc/rc.local.d/local.sh")?.contains("vpower_boot") == true)
        }
        for host in hosts { await host.close() }
        if Self.count > Self.usualCount {
            let figures =
                "\(labs.count) hosts snapshotted and armed in \(took) over \(sessions) sessions; "
                + "a silent one gave up after \(alone.took)"
            FileHandle.standardError.write(Data((figures + "\n").utf8))
        }
    }

    private static func snapshotAndArm(_ host: ESXiHost) async -> Done {
        var done = Done(host: host.host)
        let start = ContinuousClock.now
        do throws(HostError) {
            done.guests = try await host.guests()
            let armed = Timestamp(
                millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
            let guests = done.guests.map { BootGuest(name: $0.name, vmxPath: $0.vmxPath) }
            _ = try await host.arm(
                BootOrders(
                    host: host.host, run: RunID("many"), armed: armed,
                    expires: armed + .seconds(3600), leaveMaintenance: false, infrastructure: [],
                    vcsa: nil, waitsForVCSA: false, tiers: [guests], startGap: .zero,
                    afterVCSA: .zero))
            done.isArmed = true
        } catch { done.error = error }
        done.took = ContinuousClock.now - start
        return done
    }
}
