import Foundation
import Testing
import Transport

/// Passwords against asyncssh, an independent server: OpenSSH would need the machine's PAM.
@Suite(.serialized) struct `SSH passwords against asyncssh` {
    /// argv: port, host key file, mode, the expected password. It reports each login on stderr.
    private static let program = #"""
        import asyncio, sys, asyncssh

        port, key, mode, password = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]

        def say(text):
            print(text, file=sys.stderr, flush=True)

        class Server(asyncssh.SSHServer):
            def begin_auth(self, user): return True
            def public_key_auth_supported(self): return False
            def password_auth_supported(self): return mode in ('password', 'both')
            def kbdint_auth_supported(self): return mode != 'password'
            def get_kbdint_challenge(self, user, lang, submethods):
                if mode == 'both': return False
                if mode == 'second-factor': return ('', '', '', [('Password: ', False), ('Code: ', False)])
                if mode == 'visible': return ('', '', '', [('Favourite colour: ', True)])
                return ('', '', '', [('Password: ', False)])
            def validate_kbdint_response(self, user, responses):
                say('kbdint ' + repr(list(responses)))
                if mode == 'hang':
                    return asyncio.sleep(60, False)
                if list(responses) == [password]:
                    return True
                if mode == 'again':
                    return ('', '', '', [('Password again: ', False)])
                return False
            def validate_password(self, user, given):
                say('password ' + repr(given))
                return given == password

        async def client(process):
            process.stdout.write('in as ' + process.get_extra_info('username') + '\n')
            process.exit(0)

        async def main():
            await asyncssh.create_server(Server, '127.0.0.1', port, server_host_keys=[key],
                                         process_factory=client)
            await asyncio.Event().wait()

        asyncio.run(main())
        """#

    private func withServer<R>(
        mode: String, password: String, _ body: (SSHSession, ServerProcess) async throws -> R,
        given: String
    ) async throws -> R {
        try await withDirectory { directory in
            let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
            let server = try await offPool {
                let setUp = root.appendingPathComponent("scripts/setup-python").path
                let python = try tool("/bin/sh", [setUp], in: directory)
                    .trimmingCharacters(in: .whitespacesAndNewlines)
                let key = directory.appendingPathComponent("host").path
                try tool(
                    "/usr/bin/ssh-keygen", ["-q", "-t", "ecdsa", "-N", "", "-f", key],
                    in: directory)
                let port = try freePort()
                return try ServerProcess(
                    python, ["-c", Self.program, String(port), key, mode, password], port: port,
                    log: directory.appendingPathComponent("log"))
            }
            return try await server.whileItRuns {
                let port = server.port
                let shown = try await SSHSession.probe(
                    host: "127.0.0.1", port: port, limit: .seconds(10))
                let target = SSHTarget(
                    host: "127.0.0.1", port: port, user: "root",
                    login: .password(SSHPassword(given)),
                    hostKeys: [shown.fingerprint])
                return try await body(SSHSession(target), server)
            }
        }
    }

    private func failure(_ session: SSHSession) async -> SSHError? {
        do throws(SSHError) {
            _ = try await session.run("whoami", limit: .seconds(15))
            return nil
        } catch {
            return error
        }
    }

    @Test(
        arguments: ["", "pässwörd-日本語"].flatMap { password in
            ["kbdint", "password", "both"].map { (password, $0) }
        })
    func `a password logs in whole whatever its characters`(password: String, mode: String)
        async throws
    {
        try await withServer(
            mode: mode, password: password,
            { session, _ in
                let output = try await session.run("whoami", limit: .seconds(15))
                #expect(output.text == "in as root\n")
            }, given: password)
    }

    @Test(arguments: ["kbdint", "password", "both", "again"])
    func `a wrong password is sent once and never again`(mode: String) async throws {
        try await withServer(
            mode: mode, password: "right",
            { session, server in
                let error = await failure(session)
                #expect(error?.reason == .loginRefused)
                #expect("\(error.map { "\($0)" } ?? "")".contains("wrong") == false)
                #expect(await failure(session)?.reason == .loginRefused)
                let tries = server.log.split(separator: "\n").filter {
                    $0.hasPrefix("kbdint") || $0.hasPrefix("password")
                }
                #expect(tries.count == 1)
            }, given: "wrong")
    }

    @Test func `a server that takes the password and falls silent is not asked for ever`()
        async throws
    {
        try await withServer(
            mode: "hang", password: "secret",
            { session, server in
                for expected in [SSHError.Reason.timedOut, .timedOut, .loginRefused] {
                    do throws(SSHError) {
                        _ = try await session.run("whoami", limit: .seconds(3))
                        Issue.record("it logged in")
                    } catch {
                        #expect(error.reason == expected)
                    }
                }
                #expect(server.log.components(separatedBy: "kbdint").count == 3)
            }, given: "secret")
    }

    @Test(arguments: ["second-factor", "visible"])
    func `any other question than one hidden prompt is not answered`(mode: String) async throws {
        try await withServer(
            mode: mode, password: "secret",
            { session, server in
                #expect(await failure(session)?.reason == .loginRefused)
                #expect(!server.log.contains("kbdint"))
            }, given: "secret")
    }
}
