import Foundation
import PowerLab
import Testing
import Transport

/// Passwords against asyncssh, an independent server: OpenSSH would need the machine's PAM.
@Suite(.serialized) struct `SSH passwords against asyncssh` {
    /// argv: port, host key file. A user's name is `MODE.PASSWORD`, the password in hexadecimal,
    /// so that one server does for many cases. Each try is a line on stderr.
    private static let program = #"""
        import asyncio, sys, asyncssh

        class Server(asyncssh.SSHServer):
            def connection_made(self, connection):
                self.connection = connection
            def begin_auth(self, user):
                self.connection.send_auth_banner('Welcome\n')
                self.mode, given = user.split('.')
                self.password = bytes.fromhex(given).decode()
                return True
            def say(self, text):
                print(self.mode, text, file=sys.stderr, flush=True)
            def public_key_auth_supported(self):
                return False
            def password_auth_supported(self):
                return self.mode in ('password', 'both')
            def kbdint_auth_supported(self):
                return self.mode != 'password'
            def get_kbdint_challenge(self, user, lang, submethods):
                if self.mode == 'both':
                    return False
                if self.mode == 'second-factor':
                    return ('', '', '', [('Password: ', False), ('Code: ', False)])
                if self.mode == 'visible':
                    return ('', '', '', [('Favourite colour: ', True)])
                return ('', '', '', [('Password: ', False)])
            def validate_kbdint_response(self, user, responses):
                self.say('tried')
                if self.mode == 'hang':
                    return asyncio.sleep(60, False)
                if list(responses) == [self.password]:
                    return True
                if self.mode == 'again':
                    return ('', '', '', [('Password again: ', False)])
                return False
            def validate_password(self, user, given):
                self.say('tried')
                return given == self.password

        async def client(process):
            process.stdout.write('in\n')
            process.exit(0)

        async def main():
            await asyncssh.create_server(Server, '127.0.0.1', int(sys.argv[1]),
                                         server_host_keys=[sys.argv[2]], process_factory=client)
            await asyncio.Event().wait()

        asyncio.run(main())
        """#

    private struct Server {
        let process: ServerProcess
        let hostKey: String

        func session(_ mode: String, password: String, given: String) -> SSHSession {
            let digits = password.utf8.map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
            return SSHSession(
                SSHTarget(
                    host: "127.0.0.1", port: process.port, user: "\(mode).\(digits.joined())",
                    login: .password(SSHPassword(given)), hostKeys: [hostKey]))
        }

        /// How often a password arrived.
        func tries(_ mode: String) -> Int {
            process.log.split(separator: "\n").count { $0 == "\(mode) tried" }
        }
    }

    private func withServer<R>(_ body: (Server) async throws -> R) async throws -> R {
        try await withDirectory { directory in
            let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
            let process = try await offPool {
                let setUp = root.appendingPathComponent("scripts/setup-python").path
                let python = try tool("/bin/sh", [setUp], in: directory)
                    .trimmingCharacters(in: .whitespacesAndNewlines)
                let key = directory.appendingPathComponent("host").path
                try tool(
                    "/usr/bin/ssh-keygen", ["-q", "-t", "ecdsa", "-N", "", "-f", key],
                    in: directory)
                let port = try LabPort.free()
                return try ServerProcess(
                    python, ["-c", Self.program, String(port), key], port: port,
                    log: directory.appendingPathComponent("log"))
            }
            return try await process.whileItRuns {
                let shown = try await SSHSession.probe(
                    host: "127.0.0.1", port: process.port, limit: .seconds(15))
                return try await body(Server(process: process, hostKey: shown.fingerprint))
            }
        }
    }

    private func failure(_ session: SSHSession, limit: Duration = .seconds(60)) async -> SSHError? {
        do throws(SSHError) {
            _ = try await session.run("whoami", limit: limit)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a password logs in whole whatever its characters`() async throws {
        try await withServer { server in
            for mode in ["kbdint", "password", "both"] {
                for password in ["secret", "", "é", "pässwörd-日本語"] {
                    let session = server.session(mode, password: password, given: password)
                    let output = try await session.run("whoami", limit: .seconds(15))
                    #expect(output.text == "in\n", "\(mode) \(password)")
                }
            }
        }
    }

    @Test func `a wrong password is sent once and never again`() async throws {
        try await withServer { server in
            for mode in ["kbdint", "password", "both", "again"] {
                let session = server.session(mode, password: "right", given: "wrong")
                let error = await failure(session)
                #expect(error?.reason == .loginRefused, "\(mode)")
                #expect(error?.description.contains("wrong") == false)
                #expect(await failure(session)?.reason == .loginRefused)
                #expect(server.tries(mode) == 1, "\(mode)")
            }
        }
    }

    @Test func `any other question than one hidden prompt is not answered`() async throws {
        try await withServer { server in
            for mode in ["second-factor", "visible"] {
                let session = server.session(mode, password: "secret", given: "secret")
                #expect(await failure(session)?.reason == .loginRefused)
                #expect(server.tries(mode) == 0)
            }
        }
    }

    @Test func `a server that takes the password and falls silent is not asked for ever`()
        async throws
    {
        try await withServer { server in
            let session = server.session("hang", password: "secret", given: "secret")
            for expected in [SSHError.Reason.timedOut, .timedOut, .loginRefused] {
                #expect(await failure(session, limit: .seconds(3))?.reason == expected)
            }
            #expect(server.tries("hang") == 2)
        }
    }

    @Test func `a password never shows`() {
        let target = SSHTarget(
            host: "h", port: 22, user: "u", login: .password(SSHPassword("hunter2")), hostKeys: [])
        var dumped = ""
        dump(target, to: &dumped)
        for text in ["\(target)", String(reflecting: target), dumped] {
            #expect(!text.contains("hunter2"))
        }
    }
}
