import Foundation
import PowerLab
import Transport

/// A problem of the test's own making: a tool is missing, or does not start.
struct SetUpProblem: Error, CustomStringConvertible {
    var description: String
    init(_ text: String) { description = text }
}

/// A directory that is gone when the test is over.
func withDirectory<R>(_ body: (URL) async throws -> R) async throws -> R {
    let directory = FileManager.default.temporaryDirectory
        .appendingPathComponent("vpower-ssh-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
        at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory)
}

/// Starts a program. Not Foundation's Process: that one takes a child which closes its inherited
/// descriptors, as sshd does, for ended, and then blocks every other Process in the program.
func spawn(_ path: String, _ arguments: [String], stdout: String?, stderr: String?) throws -> pid_t
{
    guard access(path, X_OK) == 0 else {
        throw SetUpProblem("\(path) is missing: run `make setup`")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    // What other tests have open stays theirs: a script held open for writing cannot be run.
    for descriptor in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
    for (descriptor, file) in [(Int32(1), stdout), (Int32(2), stderr)] {
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, descriptor, file ?? "/dev/null", flags, 0o600)
    }
    // The threads tests run on block signals, and a child would inherit that: it must hear TERM.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var words = ([path] + arguments).map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    var pid: pid_t = 0
    guard posix_spawn(&pid, path, &actions, &attributes, &words, environ) == 0 else {
        throw SetUpProblem("\(path) does not start")
    }
    return pid
}

/// Runs what blocks where it does not take one of the two threads all tests share.
func offPool<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue(label: "test.off-pool").async {
            continuation.resume(with: Result { try body() })
        }
    }
}

/// Runs a tool to its end and gives its output.
@discardableResult
func tool(_ path: String, _ arguments: [String], in directory: URL) throws -> String {
    let output = directory.appendingPathComponent("tool-\(UUID().uuidString)").path
    let pid = try spawn(path, arguments, stdout: output, stderr: output)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    let text = try String(contentsOfFile: output, encoding: .utf8)
    guard status == 0 else { throw SetUpProblem("\(path) failed: \(text)") }
    return text
}

/// A server program that listens on a port of 127.0.0.1 and is stopped after the test.
final class ServerProcess: Sendable {
    let port: Int
    private let logFile: URL
    private let pid: pid_t

    var log: String {
        (try? Data(contentsOf: logFile)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    init(_ path: String, _ arguments: [String], port: Int, log: URL) throws {
        self.port = port
        logFile = log
        pid = try spawn(path, arguments, stdout: nil, stderr: log.path)
    }

    private func stop() {
        kill(pid, SIGTERM)
        // Two seconds, then without asking.
        for _ in 0..<200 {
            if waitpid(pid, nil, WNOHANG) != 0 { return }
            usleep(10_000)
        }
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    /// Waits until it listens, does the test, stops it.
    func whileItRuns<R>(_ body: () async throws -> R) async throws -> R {
        let result: Result<R, any Error>
        do {
            try await waitUntilItListens()
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        try await offPool { self.stop() }
        return try result.get()
    }

    private func waitUntilItListens() async throws {
        for _ in 0..<200 {
            if await Reachability.answers(host: "127.0.0.1", port: port, within: .seconds(1)) {
                return
            }
            guard kill(pid, 0) == 0 else { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw SetUpProblem("a server does not listen on port \(port):\n\(log)")
    }
}

/// An sshd of the test's own user, with the algorithm lists of ESXi 8.0.2
/// (facts/esxi-samples/sshd_config-8.0.2.txt), keys in a directory of its own.
struct SSHServer {
    static let algorithms = """
        Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr
        HostKeyAlgorithms ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,\
        rsa-sha2-256,rsa-sha2-512
        KexAlgorithms ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,\
        diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,\
        diffie-hellman-group18-sha512,diffie-hellman-group14-sha256
        MACs hmac-sha2-256,hmac-sha2-512
        """

    let process: ServerProcess
    let directory: URL
    /// The ECDSA host key's fingerprint, as ssh-keygen prints it.
    let fingerprint: String

    var log: String { process.log }
    /// Whether any client has asked to log in, in vain or not, as sshd's log shows it.
    var sawLogin: Bool {
        ["authenticating user", "Accepted ", "Failed "].contains { log.contains($0) }
    }

    func target(key: String = "user", trusting hostKeys: [String]? = nil) -> SSHTarget {
        SSHTarget(
            host: "127.0.0.1", port: process.port, user: NSUserName(),
            login: .key(path: directory.appendingPathComponent(key).path),
            hostKeys: hostKeys ?? [fingerprint])
    }

    static func with<R>(
        hostKeys: [String] = ["ecdsa"], _ body: (SSHServer) async throws -> R
    ) async throws -> R {
        try await withDirectory { directory in
            let server = try await offPool { try start(in: directory, hostKeys: hostKeys) }
            return try await server.process.whileItRuns { try await body(server) }
        }
    }

    private static func start(in directory: URL, hostKeys: [String]) throws -> SSHServer {
        func path(_ name: String) -> String { directory.appendingPathComponent(name).path }
        for type in hostKeys { try makeKey(path("host_\(type)"), type: type) }
        // PEM for one user key and OpenSSH's own form for the other: both are in use.
        try makeKey(path("user"), type: "ecdsa", form: ["-m", "PEM"])
        try makeKey(path("user_openssh"), type: "ecdsa")
        try makeKey(path("stranger"), type: "ecdsa")
        let known = try ["user.pub", "user_openssh.pub"].map {
            try String(contentsOfFile: path($0), encoding: .utf8)
        }
        try known.joined().write(toFile: path("known"), atomically: true, encoding: .utf8)
        // ESXi shows /etc/issue before the login.
        try "\u{1b}[0m\nWelcome\n".write(
            toFile: path("issue"), atomically: true, encoding: .utf8)
        let port = try LabPort.free()
        let configuration = """
            ListenAddress 127.0.0.1
            Port \(port)
            PidFile none
            Banner \(path("issue"))
            UsePAM no
            StrictModes no
            PermitRootLogin yes
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            AuthorizedKeysFile \(path("known"))
            LogLevel VERBOSE
            \(algorithms)
            \(hostKeys.map { "HostKey \(path("host_\($0)"))" }.joined(separator: "\n"))
            """
        try configuration.write(toFile: path("config"), atomically: true, encoding: .utf8)
        // sshd run by root insists on its directory; by anybody else it does without.
        if getuid() == 0 { mkdir("/run/sshd", 0o755) }
        let process = try ServerProcess(
            "/usr/sbin/sshd", ["-D", "-e", "-f", path("config")], port: port,
            log: directory.appendingPathComponent("log"))
        let print =
            hostKeys.contains("ecdsa")
            ? try tool("/usr/bin/ssh-keygen", ["-l", "-f", path("host_ecdsa")], in: directory) : ""
        let words = print.split(separator: " ")
        return SSHServer(
            process: process, directory: directory,
            fingerprint: words.count > 1 ? String(words[1]) : "")
    }

    private static func makeKey(_ path: String, type: String, form: [String] = []) throws {
        try tool(
            "/usr/bin/ssh-keygen", ["-q", "-t", type, "-N", "", "-C", "test", "-f", path] + form,
            in: URL(fileURLWithPath: path).deletingLastPathComponent())
    }
}
