import Glibc
import Synchronization

/// A child process, ended by its pid.
///
/// Not Foundation's Process: that one inherits the signal mask of whatever thread it is started
/// on, and Swift's own threads block SIGTERM, which upsd and the drivers then never see.
final class Child: Sendable {
    let pid: pid_t
    private let end = Mutex<Int32?>(nil)

    /// Starts a program with this environment, output and errors into the file `log`.
    init(
        _ path: String, _ arguments: [String], environment: [String: String], log: String
    ) throws {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
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

    var isRunning: Bool { status == nil }

    /// Sends a signal, unless it has ended: a pid that was waited for can be another's.
    func signal(_ number: Int32) {
        end.withLock { end in if end == nil { kill(pid, number) } }
    }
}
