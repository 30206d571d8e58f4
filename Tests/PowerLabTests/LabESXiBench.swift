import FoundationEssentials
import PowerLab
import Testing

/// One simulated host in a directory of its own, and the system's ssh to talk to it.
struct LabESXiBench: Sendable {
    static let name = "esx1"

    let directory: String
    let site: LabHostMemory
    let host: LabESXiHost

    /// Runs `body` with a booted host, then ends the host and removes its directory.
    static func with(
        guests: [LabHostGuest] = [], options: LabHostOptions = LabHostOptions(),
        _ body: (LabESXiBench) async throws -> Void
    ) async throws {
        let directory = "/tmp/vpower-esxi-test-\(UInt64.random(in: .min ... .max))"
        let site = LabHostMemory()
        await site.add(name, guests: guests)
        let host = LabESXiHost(name: name, directory: directory, backend: site, options: options)
        let bench = LabESXiBench(directory: directory, site: site, host: host)
        do {
            try await host.start()
            try await body(bench)
        } catch {
            await bench.end()
            throw error
        }
        await bench.end()
    }

    private func end() async {
        await host.powerOff(orderly: false)
        do {
            try FileManager.default.removeItem(atPath: directory)
        } catch {
            Issue.record("\(directory) cannot be removed: \(error)")
        }
    }

    /// Runs a command on the host as an administrator would, with nothing of the machine's own
    /// ssh configuration. The host key is checked.
    func ssh(
        _ command: String, input: String = "", within limit: Duration = .seconds(60)
    ) async throws -> LabProcess.Exit {
        let port = await host.port
        let known = directory + "/known_hosts"
        let key = try String(
            contentsOf: URL(filePath: directory + "/ssh/host_ecdsa.pub"), encoding: .utf8)
        try Data("[127.0.0.1]:\(port) \(key)".utf8).write(to: URL(filePath: known))
        return try await LabProcess.run(
            LabProcess.find("ssh"),
            [
                "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
                "-o", "UserKnownHostsFile=\(known)", "-o", "IdentitiesOnly=yes", "-i",
                host.userKeyPath, "-p", "\(port)", "root@127.0.0.1", command,
            ], input: input, within: limit)
    }

    /// Waits until `condition` holds.
    static func eventually(
        within limit: Duration = .seconds(60), _ condition: () async throws -> Bool
    ) async throws -> Bool {
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: limit)
        while clock.now < deadline {
            if try await condition() { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }
}
