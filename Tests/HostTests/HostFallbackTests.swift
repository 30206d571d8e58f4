import ESXi
import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing
import Transport
import VSphere

/// Both real ways to one simulated host, of which one is gone, or refuses.
@Suite(.serialized) struct HostFallbackTests {
    @Test func `with the endpoint gone everything goes over SSH, and with SSH gone over SOAP`()
        async throws
    {
        try await HostBench.with(.both) { bench in
            let web = try bench.guest("app-web01")
            let ssh = try #require(bench.ssh)
            #expect(try await bench.host.guests().count == 5)
            #expect(ssh.traffic.commands == 0)
            await bench.api?.stop()
            try await bench.host.powerOff(web)
            #expect(try await bench.host.guests().count == 5)
            #expect(ssh.traffic.commands > 0)
            #expect(await !bench.host.isSilent())
        }
        try await HostBench.with(.both) { bench in
            let web = try bench.guest("app-web01")
            await bench.lab?.powerOff(orderly: false)
            try await bench.host.powerOff(web)
            #expect(try await bench.power("app-web01") == .off)
            #expect(await !bench.host.isSilent())
            let control = try bench.control
            // What has SSH only fails for want of SSH, and the rest goes on.
            #expect(
                await reason { () async throws(HostError) in try await control.disarm() }
                    == .unreachable)
            #expect(try await bench.host.guests().count == 5)
        }
    }

    @Test func `a key that cannot be read is no refusal, and SOAP does what SSH cannot`()
        async throws
    {
        try await HostBench.with(.both) { bench in
            let lab = try #require(bench.lab)
            let site = HostSite(
                name: HostBench.name,
                ssh: Endpoint(host: lab.address, port: Int(await lab.port)), user: lab.user,
                login: .key(path: "/nonexistent/key"), hostKeys: [await lab.hostKeyFingerprint],
                feeds: [])
            let ssh = try ESXiHost(site: site, secret: nil, otherPorts: [])
            #expect(
                await reason { () async throws(HostError) in _ = try await ssh.guests() }
                    == .wayUnusable)
            let soap = try #require(bench.soap)
            let host = HostByTwoWays(preferred: .ssh, ssh: ssh, soap: soap)
            #expect(try await host.guests().count == 5)
            #expect(bench.account.refusals == 0)
        }
    }

    @Test func `a login that SOAP refuses ends SSH too`() async throws {
        try await HostBench.with(.both) { bench in
            let ssh = try #require(bench.ssh)
            let host = HostByTwoWays(
                preferred: .soap, ssh: ssh, soap: try bench.client(password: "wrong"))
            for _ in 1...3 {
                #expect(
                    await reason { () async throws(HostError) in _ = try await host.guests() }
                        == .loginRefused)
                #expect(
                    await reason { () async throws(HostError) in try await host.disarm() }
                        == .loginRefused)
            }
            #expect(ssh.traffic.commands == 0)
            #expect(bench.account.refusals == 1)
        }
    }

    @Test func `refused logins over SSH and SOAP lock the account together`() async throws {
        try await HostBench.with(.both) { bench in
            let ssh = try #require(bench.ssh)
            let lab = try #require(bench.lab)
            #expect(try await ssh.guests().count == 5)
            for _ in 1...2 {
                let wrong = try bench.client(password: "wrong")
                #expect(
                    await reason { () async throws(HostError) in _ = try await wrong.guests() }
                        == .loginRefused)
            }
            let other = try await otherKey(in: lab.directory)
            for _ in 1...3 {
                let site = HostSite(
                    name: HostBench.name,
                    ssh: Endpoint(host: lab.address, port: Int(await lab.port)), user: lab.user,
                    login: .key(path: other), hostKeys: [await lab.hostKeyFingerprint], feeds: [])
                let wrong = try ESXiHost(site: site, secret: nil, otherPorts: [])
                #expect(
                    await reason { () async throws(HostError) in _ = try await wrong.guests() }
                        == .loginRefused)
                await wrong.close()
            }
            #expect(try await bench.eventually { bench.account.isLocked })
            // Nobody gets in now, with the right password and the right key either.
            let right = try bench.client()
            #expect(
                await reason { () async throws(HostError) in _ = try await right.guests() }
                    == .loginRefused)
            await ssh.close()
            try await Task.sleep(for: .milliseconds(500))
            #expect(
                await reason { () async throws(HostError) in _ = try await ssh.guests() }
                    == .loginRefused)
        }
    }

    /// A key that no host knows.
    private func otherKey(in directory: String) async throws -> String {
        let path = directory + "/other-key"
        let made = try await LabProcess.run(
            try LabProcess.find("ssh-keygen"),
            ["-q", "-t", "ecdsa", "-b", "256", "-m", "PEM", "-N", "", "-f", path])
        #expect(made.status == 0)
        return path
    }
}
