import Foundation
import PowerLab
import PowerModel
import PowerRun

@testable import ESXi

/// One simulated host, and vpower's adapter for it.
struct ESXiBench: Sendable {
    static let password = "r\u{f6}\u{f6}t & <\"pass\">"

    let lab: LabESXiHost
    let site: LabHostMemory
    let account: LabHostAccount
    let host: ESXiHost

    /// Runs `body` with a booted host, then ends it and removes its files.
    static func with<R>(
        _ options: LabHostOptions = LabHostOptions(), name: String = "esx1",
        guests: [LabHostGuest], stores: [LabHostDatastore]? = nil, answers: [QuestionAnswer] = [],
        _ body: (ESXiBench) async throws -> R
    ) async throws -> R {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-esxi-\(UUID().uuidString.prefix(8))").path
        let site = LabHostMemory()
        if let stores {
            await site.add(name, guests: guests, datastores: stores)
        } else {
            await site.add(name, guests: guests)
        }
        let account = LabHostAccount(user: "root", password: password, time: BenchTime())
        let lab = LabESXiHost(
            name: name, directory: directory, backend: site, options: options, account: account)
        let result: Result<R, any Error>
        do {
            try await lab.start()
            let host = try await adapter(for: lab, answers: answers)
            result = .success(
                try await body(ESXiBench(lab: lab, site: site, account: account, host: host)))
            await host.close()
        } catch {
            result = .failure(error)
        }
        await lab.powerOff(orderly: false)
        try FileManager.default.removeItem(atPath: directory)
        return try result.get()
    }

    /// vpower's adapter for a host; with its own key when nothing else is said.
    static func adapter(
        for lab: LabESXiHost, login: HostLogin? = nil, secret: Secret? = nil,
        answers: [QuestionAnswer] = []
    ) async throws -> ESXiHost {
        let site = HostSite(
            name: HostName(lab.name), ssh: Endpoint(host: lab.address, port: Int(await lab.port)),
            user: lab.user, login: login ?? .key(path: lab.userKeyPath),
            hostKeys: [await lab.hostKeyFingerprint], feeds: [])
        return try ESXiHost(site: site, secret: secret, otherPorts: [], answers: answers)
    }

    /// How a call fails; nil when it does not.
    func reason<R>(_ call: (ESXiHost) async throws -> R) async -> HostError.Reason? {
        do {
            _ = try await call(host)
            return nil
        } catch { return (error as? HostError)?.reason }
    }

    /// Orders that start these guests.
    func orders(_ guests: [BootGuest], run: String = "run-1") throws -> BootOrders {
        let armed = Timestamp(
            millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
        return BootOrders(
            host: host.host, run: RunID(run), armed: armed, expires: armed + .seconds(3600),
            leaveMaintenance: false, infrastructure: [], vcsa: nil, waitsForVCSA: false,
            tiers: [guests], startGap: .zero, afterVCSA: .zero)
    }
}

/// This machine's time.
struct BenchTime: TimeSource {
    private static let start = ContinuousClock.now

    var wall: Timestamp {
        Timestamp(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
    }
    var elapsed: Duration { ContinuousClock.now - Self.start }
    func sleep(for duration: Duration) async throws(CancellationError) {
        do { try await ContinuousClock().sleep(for: duration) } catch { throw CancellationError() }
    }
}
