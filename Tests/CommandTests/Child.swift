import Glibc
import Synchronization

/// What a test needs and does not have.
struct SetupError: Error, CustomStringConvertible {
    var description: String
}

/// A child process with its output in files, ended by its pid.
///
/// Not Foundation's Process: that one inherits the signal mask of whatever thread it is started
/// on, and Swift's own threads block SIGTERM.
final class Child: Sendable {
    let pid: pid_t
    private let end = Mutex<Int32?>(nil)

    /// Starts a program with exactly this environment. `input` is an open file to read from;
    /// without one there is nothing to read, and no terminal.
    init(
        _ path: String, _ arguments: [String], environment: [String: String], output: String,
        errors: String, input: Int32? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        let fresh = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 1, output, fresh, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, fresh, 0o600)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        let words = ([path] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var started: pid_t = 0
        let code = posix_spawn(&started, path, &actions, &attributes, words, variables)
        guard code == 0 else {
            let why = String(cString: strerror(code))
            throw SetupError(description: "cannot start \(path): \(why)")
        }
        pid = started
    }

    /// Its wait status once it has ended; 0 for success.
    var status: Int32? {
        end.withLock { end in
            if end == nil {
                var status: Int32 = 0
                if waitpid(pid, &status, WNOHANG) == pid { end = status }
            }
            return end
        }
    }

    /// Sends a signal, unless it has ended: a pid that was waited for can be another's.
    func signal(_ number: Int32) {
        end.withLock { end in if end == nil { kill(pid, number) } }
    }

    /// Waits for its end, at most so long; nil when it has not ended.
    func status(within limit: Duration) async throws -> Int32? {
        try await until(limit) { self.status != nil }
        return status
    }

    /// Ends it if it has not ended, first kindly.
    func stop() async throws {
        for number in [SIGTERM, SIGKILL] where status == nil {
            signal(number)
            try await until(.seconds(5)) { self.status != nil }
        }
    }
}

/// Looks every 50 ms until it is so, at most so long; whether it is so.
@discardableResult
func until(_ limit: Duration, _ isSo: () throws -> Bool) async throws -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while try isSo() == false {
        guard clock.now < deadline else { return false }
        try await Task.sleep(for: .milliseconds(50))
    }
    return true
}
