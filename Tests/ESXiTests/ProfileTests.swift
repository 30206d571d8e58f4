import Foundation
import PowerLab
import PowerModel
import PowerRun
import Testing

@testable import ESXi
@testable import Transport

/// vpower's SSH client against the sshd of each release.
@Suite(.serialized) struct `The sshd of a release` {
    private static let word = HostLogin.password(.environment(name: "ESX_PASSWORD"))

    /// A host of this profile that knows an RSA key, too; and that key.
    private func withHost(
        _ profile: LabSSHProfile, _ body: (ESXiBench, _ rsaKey: String) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-rsa-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let key = "\(directory)/rsa"
        let made = try await LabProcess.run(
            LabProcess.find("ssh-keygen"),
            ["-q", "-t", "rsa", "-b", "3072", "-m", "PEM", "-N", "", "-f", key])
        try #require(made.status == 0, "\(made.errors)")
        let line = try String(contentsOfFile: "\(key).pub", encoding: .utf8)
        let options = LabHostOptions(
            sshProfile: profile, authorizedKeys: [line.filter { $0 != "\n" }])
        try await ESXiBench.with(options, guests: []) { try await body($0, key) }
    }

    private func failure(_ host: ESXiHost) async -> HostError? {
        do throws(HostError) {
            _ = try await host.guests()
            return nil
        } catch { return error }
    }

    @Test(arguments: LabSSHProfile.allCases)
    func `takes an ECDSA key and the password, and each refusal is one attempt`(
        profile: LabSSHProfile
    ) async throws {
        try await withHost(profile) { bench, rsaKey in
            #expect(try await bench.host.guests().isEmpty)
            let right = try await ESXiBench.adapter(
                for: bench.lab, login: Self.word, secret: Secret(ESXiBench.password))
            #expect(try await right.guests().isEmpty)
            await right.close()
            #expect(bench.account.refusals == 0)

            let wrong = try await ESXiBench.adapter(
                for: bench.lab, login: Self.word, secret: Secret("wrong"))
            for _ in 1...3 { #expect(await failure(wrong)?.reason == .loginRefused) }
            #expect(bench.account.refusals == 1)

            let rsa = try await ESXiBench.adapter(for: bench.lab, login: .key(path: rsaKey))
            if SSHConnection.knowsRSAWithSHA2 || profile == .v67 {
                #expect(await failure(rsa) == nil)
            } else {
                for _ in 1...3 {
                    let error = await failure(rsa)
                    #expect(error?.reason == .loginRefused)
                    #expect(error?.detail.contains("libssh2 1.") == true, "\(error as Any)")
                    #expect(error?.detail.contains("vpower keys generate") == true)
                }
                // Two connections have ended without a login: the wrong password's, and this.
                let log = "\(bench.lab.directory)/sshd.log"
                let refusals = { () throws -> Int in
                    try String(contentsOfFile: log, encoding: .utf8)
                        .split(whereSeparator: \.isNewline)
                        .count { $0.contains(" authenticating user ") }
                }
                #expect(try await eventually { try refusals() >= 2 })
                #expect(try refusals() == 2)
            }
            await rsa.close()
        }
    }

    @Test func `locks the account after five refusals, and says so`() async throws {
        try await withHost(.v802) { bench, _ in
            for _ in 1...LabHostAccount.refusalsMax {
                let wrong = try await ESXiBench.adapter(
                    for: bench.lab, login: Self.word, secret: Secret("wrong"))
                #expect(await failure(wrong)?.reason == .loginRefused)
            }
            #expect(bench.account.isLocked)
            let right = try await ESXiBench.adapter(
                for: bench.lab, login: Self.word, secret: Secret(ESXiBench.password))
            let error = try #require(await failure(right))
            #expect(error.reason == .loginRefused)
            #expect(error.detail.contains("locks an account for 15 minutes after five refused"))
            #expect(!error.description.contains(ESXiBench.password))
            // A key is no way around it.
            let keyed = try await ESXiBench.adapter(for: bench.lab)
            #expect(
                try await eventually { await failure(keyed)?.reason == .loginRefused })
            bench.account.setLocked(false)
            let again = try await ESXiBench.adapter(
                for: bench.lab, login: Self.word, secret: Secret(ESXiBench.password))
            #expect(await failure(again) == nil)
            await again.close()
        }
    }

    @Test func `offers nothing that its release does not`() async throws {
        try await withHost(.v802) { bench, rsaKey in
            let port = await bench.lab.port
            let common = [
                "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes", "-p", "\(port)",
            ]
            func ssh(_ more: [String]) async throws -> String {
                try await LabProcess.run(
                    LabProcess.find("ssh"), common + more + ["root@127.0.0.1", "true"]
                ).errors
            }
            #expect(try await ssh(["-i", "/none"]).contains("(publickey,keyboard-interactive)"))
            for (option, refusal) in [
                ("KexAlgorithms=curve25519-sha256", "no matching key exchange method"),
                ("Ciphers=chacha20-poly1305@openssh.com", "no matching cipher"),
                ("MACs=hmac-sha2-256-etm@openssh.com", "no matching MAC"),
                ("HostKeyAlgorithms=ssh-ed25519", "no matching host key type"),
            ] {
                // A MAC is only looked for beside a cipher without one.
                let said = try await ssh(
                    option.hasPrefix("MACs")
                        ? ["-o", option, "-o", "Ciphers=aes256-ctr"]
                        : ["-o", option])
                #expect(said.contains(refusal), "\(option): \(said)")
            }
            // SHA-1 signatures are refused though the key is known.
            let old = try await ssh(
                ["-i", rsaKey, "-o", "PubkeyAcceptedAlgorithms=ssh-rsa"])
            #expect(old.contains("Permission denied") || old.contains("no mutual signature"))
        }
    }

    private func eventually(_ isSo: () async throws -> Bool) async throws -> Bool {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(10) {
            if try await isSo() { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }
}
