import Foundation
import PowerService

/// A program that a test started. By `posix_spawn` and with files, not by Foundation's Process and
/// pipes: a daemon that another test starts meanwhile would inherit the pipe and keep it open.
struct Spawned: Sendable {
    let id: pid_t

    /// Starts it with exactly this environment; what it prints goes to the file.
    init(
        _ path: String, _ arguments: [String], environment: [String: String] = [:],
        output: String = "/dev/null"
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(
            &actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Threads of tasks block signals, and what they start would be deaf to SIGTERM.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var argv = ([path] + arguments).map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var process: pid_t = 0
        guard posix_spawn(&process, path, &actions, &attributes, &argv, &envp) == 0 else {
            throw MissingTool(name: path)
        }
        id = process
    }

    /// Waits for its end, at most this long; then it is killed. Its exit code, or 128 and the
    /// signal.
    func end(within limit: Duration = .seconds(60)) async throws -> Int32 {
        let deadline = SystemTime().elapsed + limit
        var status: Int32 = 0
        while waitpid(id, &status, WNOHANG) == 0 {
            if SystemTime().elapsed > deadline { kill(id, SIGKILL) }
            try await Task.sleep(for: .milliseconds(5))
        }
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    /// Stops it and its children, the children first; returns when it is gone. Five seconds are
    /// enough for every daemon here; then it is killed.
    func stop() {
        let bytes =
            FileManager.default.contents(atPath: "/proc/\(id)/task/\(id)/children") ?? Data()
        for child in String(decoding: bytes, as: UTF8.self).split(separator: " ") {
            if let child = Int32(child) { kill(child, SIGTERM) }
        }
        kill(id, SIGTERM)
        for _ in 0..<500 {
            if waitpid(id, nil, WNOHANG) != 0 { return }
            usleep(10_000)
        }
        kill(id, SIGKILL)
        waitpid(id, nil, 0)
    }
}

/// A program run to its end, with what it printed.
func run(_ program: String, _ arguments: [String]) async throws -> (status: Int32, output: String) {
    let found = ["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"].map { $0 + program }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
    guard let path = found else { throw MissingTool(name: program) }
    let scratch = try Scratch()
    let output = scratch.path + "/output"
    let process = try Spawned(
        path, arguments, environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], output: output)
    let status = try await process.end()
    return (status, try String(contentsOfFile: output, encoding: .utf8))
}

struct MissingTool: Error, CustomStringConvertible {
    var name: String
    var description: String { "\(name) is not installed; `make setup` installs it" }
}
