import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing
import VSphere

/// govmomi's simulator of a host as a bench of the contract, and which cases it is no bench for.
enum VcsimHost {
    /// The cases that it can be asked.
    static let runs: Set = [
        "a host lists what is registered there and nothing else",
        "guests go down and up and asking twice is asking once",
        "a guest is suspended and resumed and asking twice is asking once",
    ]

    /// Why each other case is skipped (facts/vsphere.md section 5).
    static let skipped = [
        "a guest without Tools cannot be asked and a stranger is not found":
            "ShutdownGuest is never ToolsUnavailable",
        "maintenance mode waits for guests and is entered and left once":
            "it enters maintenance mode at once, whatever runs there",
        "the guest of a host that is gone is registered here once and can be started":
            "there is one host only, and no file that is not registered",
        "a host that was told to shut down falls silent and then nothing reaches it":
            "ShutdownHost_Task is not implemented",
    ]

    private static let names = [
        "app-web01", "mid-queue01", "mid-notools", "db-backup", "app-$(reboot)'\"; `x` 日本語",
    ]

    /// Tries the case that runs now, unless it is skipped.
    static func with(
        _ account: LabHostAccount, _ body: (HostBench) async throws -> Void
    ) async throws {
        let name = Test.current?.displayName ?? ""
        guard runs.contains(name) else {
            #expect(skipped[name] != nil, "say in VcsimHost whether it can be asked this: \(name)")
            return
        }
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-vcsim-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        let outcome: Result<Void, any Error>
        do {
            try await start(in: directory, account, body)
            outcome = .success(())
        } catch { outcome = .failure(error) }
        try FileManager.default.removeItem(atPath: directory)
        try outcome.get()
    }

    private static func start(
        in directory: String, _ account: LabHostAccount, _ body: (HostBench) async throws -> Void
    ) async throws {
        let openssl = try LabProcess.find("openssl")
        let (certificate, key) = ("\(directory)/certificate.pem", "\(directory)/key.pem")
        try await LabProcess.run(
            openssl,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", certificate, "-subj", "/CN=esx1", "-days", "2",
                "-addext", "subjectAltName=IP:127.0.0.1",
            ])
        let printed = try await LabProcess.run(
            openssl, ["x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"]
        ).output
        let sha256 = (printed.split(separator: "=").last ?? "").filter(\.isHexDigit).lowercased()
        try JSONEncoder().encode(names).write(to: URL(filePath: "\(directory)/names"))
        let top = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().path
        try await LabProcess.run(
            "\(top)/scripts/build-vcsim",
            environment: ProcessInfo.processInfo.environment, within: .seconds(300))
        let server = try LabProcess(
            "\(top)/.build/tools/vcsim",
            [
                "-certificate", certificate, "-key", key, "-user", HostBench.user, "-guests",
                "\(names.count)", "-names", "\(directory)/names", "-esx", "-stay",
            ], environment: ["VCSIM_PASSWORD": HostBench.password])
        let outcome: Result<Void, any Error>
        do {
            try await body(try await bench(server, sha256, account))
            outcome = .success(())
        } catch { outcome = .failure(error) }
        await server.stop()
        try outcome.get()
    }

    private static func bench(
        _ server: LabProcess, _ sha256: String, _ account: LabHostAccount
    ) async throws -> HostBench {
        struct Greeting: Decodable { var port: Int }
        let deadline = ContinuousClock.now + .seconds(60)
        while !server.output.hasSuffix("\n"), server.isRunning, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(50))
        }
        let port = try JSONDecoder().decode(Greeting.self, from: Data(server.output.utf8)).port
        let host = HostOverSOAP(
            HostBench.name,
            site: HostAPISite(
                endpoint: Endpoint(host: "127.0.0.1", port: port), user: HostBench.user,
                password: .file(path: "/secret"), trust: .pinned(sha256: sha256)),
            password: Secret(HostBench.password))
        var bench = HostBench(world: nil, host: host, soap: host, account: account)
        bench.firstRows = names.enumerated().map { place, name in
            let folder = "ha-host_VM\(place)"
            return HostGuest(
                name: name, vmxPath: "[LocalDS_0] \(folder)/\(folder).vmx", power: .on)
        }
        return bench
    }
}

@Suite struct VcsimHostTests {
    @Test func `what the simulated host cannot be asked is told with its reason`() {
        #expect(VcsimHost.runs.isDisjoint(with: VcsimHost.skipped.keys))
        for (name, reason) in VcsimHost.skipped.sorted(by: { $0.key < $1.key }) {
            #expect(!reason.isEmpty)
            print("vcsim as a host is not asked \"\(name)\": \(reason)")
        }
        print(
            "vcsim as a host is asked \(VcsimHost.runs.count) cases, and not \(VcsimHost.skipped.count)"
        )
    }
}
