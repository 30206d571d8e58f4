import Foundation
import PowerLab
import Testing
import Transport

@Suite(.serialized) struct `SSH against OpenSSH` {
    private static let limit = Duration.seconds(15)

    private func failure(of target: SSHTarget, limit: Duration = limit) async -> SSHError? {
        await failure(of: SSHSession(target), limit: limit)
    }

    private func failure(
        of session: SSHSession, command: String = "true", limit: Duration = limit,
        outputLimitBytes: Int = SSHSession.outputLimitBytesDefault
    ) async -> SSHError? {
        do throws(SSHError) {
            _ = try await session.run(command, limit: limit, outputLimitBytes: outputLimitBytes)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: ["user", "user_openssh"])
    func `a key logs in and a command's status and both outputs come back`(key: String) async throws
    {
        try await SSHServer.with { server in
            let session = SSHSession(server.target(key: key))
            let output = try await session.run(
                "echo out; echo err >&2; exit 7", limit: Self.limit)
            #expect(output.status == 7)
            #expect(output.text == "out\n")
            #expect(output.errorText == "err\n")
            let second = try await session.run("kill -TERM $$", limit: Self.limit)
            #expect(second.signal == "TERM")
            #expect(session.traffic.commands == 2)
            #expect(session.traffic.bytesIn == 8)
            #expect(server.log.components(separatedBy: "Accepted publickey").count == 2)
        }
    }

    @Test func `a megabyte goes each way at the same time`() async throws {
        try await SSHServer.with { server in
            let session = SSHSession(server.target())
            let bytes = (0..<1_048_576).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let output = try await session.run(
                "cat; echo done >&2", input: bytes, limit: Self.limit)
            #expect(output.stdout == bytes)
            #expect(output.errorText == "done\n")
        }
    }

    @Test func `input that nobody reads does not hold the command`() async throws {
        try await SSHServer.with { server in
            let session = SSHSession(server.target())
            let bytes = [UInt8](repeating: 65, count: 8_388_608)
            let output = try await session.run("echo bye", input: bytes, limit: Self.limit)
            #expect(output.text == "bye\n")
            #expect(try await session.run("echo next", limit: Self.limit).text == "next\n")
        }
    }

    @Test func `an unknown host key is refused and no login is tried`() async throws {
        try await SSHServer.with { server in
            let error = await failure(of: server.target(trusting: []))
            #expect(error?.reason == .hostKeyUnknown)
            #expect(error?.detail.contains(server.fingerprint) == true)
            #expect(!server.sawLogin)
        }
    }

    @Test func `a changed host key is refused and no login is tried`() async throws {
        try await SSHServer.with { server in
            let other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            let error = await failure(of: server.target(trusting: [other]))
            #expect(error?.reason == .hostKeyChanged)
            #expect(!server.sawLogin)
            // The test can fail: a login does leave this in the log.
            #expect(await failure(of: server.target()) == nil)
            #expect(server.sawLogin)
        }
    }

    @Test func `a probe shows the key that a login compares and tries no login`() async throws {
        try await SSHServer.with(hostKeys: ["rsa", "ecdsa"]) { server in
            let key = try await SSHSession.probe(
                host: "127.0.0.1", port: server.process.port, limit: Self.limit)
            #expect(key.fingerprint == server.fingerprint)
            #expect(key.algorithm == "ecdsa-sha2-nistp256")
            #expect(!server.sawLogin)
        }
    }

    @Test func `a refused key is final and the second try does not even connect`() async throws {
        try await SSHServer.with { server in
            let session = SSHSession(server.target(key: "stranger"))
            #expect(await failure(of: session)?.reason == .loginRefused)
            let connections = server.log.components(separatedBy: "Connection from").count
            #expect(await failure(of: session)?.reason == .loginRefused)
            #expect(server.log.components(separatedBy: "Connection from").count == connections)
        }
    }

    @Test func `a key file that is missing or no key is said so and nothing is tried`() async throws
    {
        try await SSHServer.with { server in
            let missing = await failure(of: server.target(key: "nothing"))
            #expect(missing?.reason == .keyUnusable)
            let noKey = await failure(of: server.target(key: "config"))
            #expect(noKey?.reason == .keyUnusable)
            #expect(!server.log.contains("Failed publickey"))
        }
    }

    @Test func `a server with an RSA host key only is told apart and the sentence names why`()
        async throws
    {
        try await SSHServer.with(hostKeys: ["rsa"]) { server in
            let error = await failure(of: server.target(trusting: ["SHA256:x"]))
            #expect(error?.reason == .noCommonAlgorithm)
            #expect(error?.detail.contains("ECDSA host key") == true)
            #expect(error?.detail.contains("1.11") == true)
        }
    }

    @Test func `a command that hangs ends at its limit and the next one works`() async throws {
        try await SSHServer.with { server in
            let session = SSHSession(server.target())
            _ = try await session.run("true", limit: Self.limit)
            let start = ContinuousClock.now
            let error = await failure(of: session, command: "sleep 60", limit: .seconds(1))
            #expect(error?.reason == .timedOut)
            #expect(ContinuousClock.now - start < .seconds(10))
            #expect(try await session.run("echo here", limit: Self.limit).text == "here\n")
        }
    }

    @Test func `a cancelled caller gets its answer at once`() async throws {
        try await SSHServer.with { server in
            let session = SSHSession(server.target())
            _ = try await session.run("true", limit: Self.limit)
            let start = ContinuousClock.now
            let waiting = Task { await failure(of: session, command: "sleep 60") }
            try await Task.sleep(for: .milliseconds(300))
            waiting.cancel()
            #expect(await waiting.value?.reason == .cancelled)
            #expect(ContinuousClock.now - start < .seconds(10))
        }
    }

    @Test func `output above the cap is an error and not a part`() async throws {
        try await SSHServer.with { server in
            let session = SSHSession(server.target())
            let error = await failure(
                of: session, command: "head -c 100000 /dev/zero", outputLimitBytes: 65_536)
            #expect(error?.reason == .outputTooLarge)
            let fits = try await session.run(
                "head -c 65536 /dev/zero", limit: Self.limit, outputLimitBytes: 65_536)
            #expect(fits.stdout.count == 65_536)
            #expect(fits.stderr.isEmpty)
        }
    }

    @Test func `a command with a NUL or too long is refused before anything is sent`() async throws
    {
        try await SSHServer.with { server in
            let session = SSHSession(server.target())
            let connections = server.log.components(separatedBy: "Connection from").count
            #expect(await failure(of: session, command: "a\0b")?.reason == .commandRefused)
            let long = "true " + String(repeating: "é", count: 15_000)
            #expect(await failure(of: session, command: long)?.reason == .commandRefused)
            #expect(server.log.components(separatedBy: "Connection from").count == connections)
            let longest = "true " + String(repeating: "é", count: 14_990)
            #expect(await failure(of: session, command: longest) == nil)
        }
    }

    @Test func `a connection that died while idle is made anew`() async throws {
        try await SSHServer.with { server in
            let session = SSHSession(server.target())
            // The command's parent is the sshd process of this one connection.
            _ = try await session.run("echo $PPID", limit: Self.limit)
            let pid = try await session.run("echo $PPID", limit: Self.limit).text
            let parent = try #require(Int32(pid.trimmingCharacters(in: .whitespacesAndNewlines)))
            kill(parent, SIGKILL)
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await session.run("echo again", limit: Self.limit).text == "again\n")
            #expect(server.log.components(separatedBy: "Accepted publickey").count == 3)
        }
    }
}

@Suite(.serialized) struct `SSH against peers that are not well` {
    private func failure(port: Int, limit: Duration) async -> SSHError? {
        do throws(SSHError) {
            _ = try await SSHSession.probe(host: "127.0.0.1", port: port, limit: limit)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [nil, "SSH-2.0-Op", "SSH-2.0-OpenSSH_8.3\r\n"])
    func `a peer that falls silent is given up at the limit`(text: String?) async throws {
        let listener = try LabMutePort(saying: text)
        let start = ContinuousClock.now
        let error = await failure(port: listener.port, limit: .seconds(1))
        #expect(error?.reason == .timedOut)
        let took = ContinuousClock.now - start
        #expect(took > .milliseconds(900) && took < .seconds(10))
    }

    @Test func `a peer that speaks another protocol is no SSH server`() async throws {
        let listener = try LabMutePort(
            saying: String(repeating: "HTTP/1.1 400 Bad Request\r\n", count: 400))
        let error = await failure(port: listener.port, limit: .seconds(2))
        #expect(error?.reason == .broken || error?.reason == .timedOut)
    }

    @Test(arguments: ["", "SSH-2.0-OpenSSH_8.3\r\n", "SSH-2.0-OpenSSH_8.3\r\n\0\0\0\u{0c}\n"])
    func `a peer that hangs up is broken and not without a common algorithm`(text: String)
        async throws
    {
        let listener = try LabMutePort(saying: text, thenHangingUp: true)
        let error = await failure(port: listener.port, limit: .seconds(5))
        #expect(error?.reason == .broken)
    }

    @Test func `a closed port and a name that does not resolve are unreachable`() async throws {
        let port = try LabPort.free()
        #expect(await failure(port: port, limit: .seconds(2))?.reason == .unreachable)
        #expect(await !Reachability.answers(host: "127.0.0.1", port: port, within: .seconds(1)))
        do throws(SSHError) {
            _ = try await SSHSession.probe(
                host: "no such name", port: port, limit: .seconds(10))
            Issue.record("it resolved")
        } catch {
            #expect(error.reason == .unreachable || error.reason == .timedOut)
        }
    }

    @Test func `many silent hosts wait side by side and hold nobody else`() async throws {
        let listeners = try (0..<8).map { _ in try LabMutePort() }
        let order = await withTaskGroup(of: String.self) { group in
            for listener in listeners {
                group.addTask {
                    let error = await failure(port: listener.port, limit: .seconds(3))
                    return error?.reason == .timedOut ? "silent" : "odd"
                }
            }
            // Started last, with more hosts before it than there are cores.
            group.addTask {
                for _ in 0..<10 { await Task.yield() }
                return "other work"
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(order == ["other work"] + Array(repeating: "silent", count: 8))
    }
}
