import ArgumentParser
import Foundation
import PowerModel
import Subprocess
import SystemPackage

/// `vpower keys`: SSH keys that ESXi accepts and this machine's libssh2 can use.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make SSH keys that ESXi accepts.",
        discussion: """
            EXAMPLE
              vpower keys generate /etc/vpower/keys/esx

            EXIT CODES
              0 done   1 failed   64 wrong use
            """,
        subcommands: [Generate.self])

    /// `vpower keys generate`: one key, by OpenSSH's own ssh-keygen.
    struct Generate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "generate", abstract: "Make one key for logging in to the hosts.",
            discussion: """
                An ECDSA key: ESXi 8 refuses Ed25519, and this machine's libssh2 may not
                be able to use RSA. The private half is written to <file>, for this user
                alone, the public half to <file>.pub; both must not be there yet. It has no
                passphrase: `ssh-keygen -p -f <file>` gives it one, which `passphrase` in
                the site file then names.

                EXAMPLE
                  vpower keys generate /etc/vpower/keys/esx

                EXIT CODES
                  0 done   1 failed   64 wrong use
                """)

        @Argument(help: "Where to write the private half, e.g. /etc/vpower/keys/esx.")
        var file: String

        /// An ECDSA key is made in milliseconds.
        private static let limit: Duration = .seconds(30)
        private static let outputLimitBytes = 16 * 1024

        func run() async throws {
            try await Problem.report {
                try demandRoom()
                try await make()
                try await show()
                return .done
            }
        }

        private var publicFile: String { file + ".pub" }

        private func demandRoom() throws {
            guard file.hasPrefix("/") else {
                throw Problem(
                    summary: "\(file) is not an absolute path",
                    tryThis: "vpower keys generate /etc/vpower/keys/esx", code: .usage)
            }
            for path in [file, publicFile] where FileManager.default.fileExists(atPath: path) {
                throw Problem(
                    summary: "\(path) is there already, and hosts may know it",
                    tryThis: "give another name, or move it away first", code: .failed)
            }
            do {
                try FileManager.default.createDirectory(
                    atPath: FilePath(file).removingLastComponent().string,
                    withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            } catch {
                throw Problem(
                    summary: "the folder of \(file) cannot be made: \(error.localizedDescription)",
                    tryThis: "run it as root, or choose a folder of your own", code: .failed)
            }
        }

        private func make() async throws {
            // Nothing secret is among the arguments: the passphrase is empty.
            _ = try await keygen(
                ["-q", "-t", "ecdsa", "-b", "256", "-N", "", "-C", "vpower", "-f", file])
        }

        private func show() async throws {
            let shown = try await keygen(["-l", "-f", publicFile])
            let line: String
            do {
                line = try String(contentsOfFile: publicFile, encoding: .utf8)
            } catch {
                throw Problem(
                    summary: "\(publicFile) cannot be read: \(error.localizedDescription)",
                    code: .failed)
            }
            Terminal.out("private half  \(file)")
            Terminal.out("fingerprint   \(shown.split(separator: " ").dropFirst().first ?? "")")
            Terminal.out("")
            Terminal.out("On each host, add this line to /etc/ssh/keys-root/authorized_keys, and")
            Terminal.out("then run /sbin/auto-backup.sh, or the next boot forgets it:")
            Terminal.out("")
            // One line, to be copied whole.
            Terminal.out(line.trimmingCharacters(in: .whitespacesAndNewlines))
        }

        private func keygen(_ arguments: [String]) async throws -> String {
            let made: Made?
            do {
                made = try await Self.run(arguments)
            } catch {
                throw Problem(
                    summary: "ssh-keygen does not run: \(error)",
                    tryThis: "install OpenSSH's client (Debian package openssh-client)",
                    code: .failed)
            }
            guard let made, made.isDone else {
                throw Problem(
                    summary: "ssh-keygen failed",
                    detail: [made?.output.onOneLine ?? "it did not end within \(Self.limit)"],
                    code: .failed)
            }
            return made.output
        }

        private struct Made: Sendable {
            var isDone: Bool
            var output: String
        }

        /// What it said; nil where it did not end in time.
        private static func run(_ arguments: [String]) async throws -> Made? {
            try await withThrowingTaskGroup(of: Made?.self) { group in
                group.addTask {
                    let result = try await Subprocess.run(
                        .name("ssh-keygen"), arguments: .init(arguments), input: .none,
                        output: .string(limit: outputLimitBytes), error: .combinedWithOutput)
                    return Made(
                        isDone: result.terminationStatus.isSuccess,
                        output: result.standardOutput)
                }
                group.addTask {
                    try await Task.sleep(for: limit)
                    return nil
                }
                defer { group.cancelAll() }
                return try await group.next() ?? nil
            }
        }
    }
}
