import Foundation
import Testing
import Transport

/// Keys with a passphrase, and keys that an agent has.
@Suite(.serialized) struct `SSH keys against OpenSSH` {
    private static let limit = Duration.seconds(15)

    private func failure(of target: SSHTarget) async -> SSHError? {
        do throws(SSHError) {
            _ = try await SSHSession(target).run("true", limit: Self.limit)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: ["locked", "locked_openssh"])
    func `a key with a passphrase logs in with that, and else no login is tried`(
        key: String
    ) async throws {
        try await SSHServer.with { server in
            try server.lock(key == "locked" ? "user" : "user_openssh", as: key)
            var target = server.target()
            let path = server.path(key)
            for wrong in [nil, SSHPassword("wrong")] {
                target.login = .key(path: path, passphrase: wrong)
                let error = await failure(of: target)
                #expect(error?.reason == .keyUnusable)
                #expect(error?.detail.contains("passphrase") == true)
            }
            #expect(!server.log.contains("Failed publickey"))
            target.login = .key(path: path, passphrase: SSHPassword(SSHServer.passphrase))
            let session = SSHSession(target)
            #expect(try await session.run("echo in", limit: Self.limit).text == "in\n")
        }
    }

    @Test func `an agent's key logs in, named or alone, and no second key is tried`() async throws {
        try await SSHServer.with { server in
            let user = try server.fingerprint(of: "user")
            try await server.withAgent(having: ["user"]) { socket in
                for name in [nil, user] {
                    var target = server.target()
                    target.login = .agent(socket: socket, fingerprint: name)
                    let session = SSHSession(target)
                    let output = try await session.run("echo in", limit: Self.limit)
                    #expect(output.text == "in\n")
                }
                #expect(server.log.components(separatedBy: "Accepted publickey").count == 3)
            }
            try await server.withAgent(having: ["stranger", "user"]) { socket in
                var target = server.target()
                target.login = .agent(socket: socket, fingerprint: nil)
                let several = await failure(of: target)
                #expect(several?.reason == .keyUnusable)
                #expect(several?.detail.contains(user) == true)
                target.login = .agent(socket: socket, fingerprint: user)
                #expect(await failure(of: target) == nil)
                target.login = .agent(
                    socket: socket, fingerprint: try server.fingerprint(of: "stranger"))
                #expect(await failure(of: target)?.reason == .loginRefused)
            }
            try await server.withAgent(having: []) { socket in
                var target = server.target()
                target.login = .agent(socket: socket, fingerprint: nil)
                #expect(await failure(of: target)?.detail.contains("ssh-add") == true)
            }
        }
    }

    @Test func `an agent that is not there, or refuses to sign, is told and not the server`()
        async throws
    {
        try await SSHServer.with { server in
            var target = server.target()
            target.login = .agent(socket: server.path("nothing"), fingerprint: nil)
            let missing = await failure(of: target)
            #expect(missing?.reason == .keyUnusable)
            #expect(missing?.description.contains("SSH agent") == true)
            // Asks a person before each signature; there is none.
            try await server.withAgent(having: ["user"], adding: ["-c"]) { socket in
                target.login = .agent(socket: socket, fingerprint: nil)
                #expect(await failure(of: target)?.reason == .keyUnusable)
            }
            #expect(!server.log.contains("Failed publickey"))
        }
    }

    @Test func `an agent that never answers costs its own limit`() async throws {
        try await SSHServer.with { server in
            let silent = try SilentSocket(server.path("silent"))
            var target = server.target()
            target.login = .agent(socket: silent.path, fingerprint: nil)
            let began = ContinuousClock.now
            #expect(await failure(of: target)?.reason == .timedOut)
            #expect(ContinuousClock.now - began < .seconds(14))
        }
    }
}

extension SSHServer {
    static let passphrase = "a passphrase with 'quotes' & blanks"

    func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

    /// A copy of a user's key with a passphrase, in the form the key has.
    func lock(_ key: String, as name: String) throws {
        try FileManager.default.copyItem(atPath: path(key), toPath: path(name))
        let form = key == "user" ? ["-m", "PEM"] : []
        try tool(
            "/usr/bin/ssh-keygen",
            ["-q", "-p", "-P", "", "-N", Self.passphrase, "-f", path(name)] + form, in: directory)
    }

    func fingerprint(of key: String) throws -> String {
        let line = try tool("/usr/bin/ssh-keygen", ["-l", "-f", path("\(key).pub")], in: directory)
        let words = line.split(separator: " ")
        guard words.count > 1 else { throw SetUpProblem("ssh-keygen said \(line)") }
        return String(words[1])
    }

    /// Starts an ssh-agent of OpenSSH with these keys, and stops it.
    func withAgent(
        having keys: [String], adding options: [String] = [],
        _ body: (String) async throws -> Void
    ) async throws {
        let socket = path("agent-\(UUID().uuidString.prefix(8))")
        let pid = try spawn("/usr/bin/ssh-agent", ["-D", "-a", socket], stdout: nil, stderr: nil)
        defer {
            kill(pid, SIGTERM)
            waitpid(pid, nil, 0)
        }
        for _ in 0..<100 where access(socket, F_OK) != 0 {
            try await Task.sleep(for: .milliseconds(20))
        }
        for key in keys {
            try tool(
                "/usr/bin/env",
                ["SSH_AUTH_SOCK=\(socket)", "/usr/bin/ssh-add", "-q"] + options + [path(key)],
                in: directory)
        }
        try await body(socket)
    }
}

/// A socket in the file system that takes connections (the kernel does) and says nothing.
private final class SilentSocket: Sendable {
    let path: String
    private let socket: Int32

    init(_ path: String) throws {
        self.path = path
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let socket = socket
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
                    ? listen(socket, 4) : -1
            }
        }
        guard code == 0 else { throw SetUpProblem("no socket at \(path)") }
    }

    deinit { close(socket) }
}
