import Dispatch
import FoundationEssentials
import Glibc
import Synchronization

/// Why a real part of the lab could not be started or did not answer.
public struct LabProcessError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The program.
    public var program: String
    /// What happened, and what to do about it.
    public var detail: String

    /// An error.
    public init(program: String, detail: String) {
        self.program = program
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "\(program): \(detail)" }
}

/// One real program that the lab or a test runs: started with nothing inherited but what is
/// stated, known by its pid, stopped by its pid.
///
/// What it prints goes to nameless temporary files, so it never blocks on a full pipe and
/// can be read at any time. All programs are started by one thread that lives as long as the
/// process: Linux ties "dies with its parent" (bubblewrap's `--die-with-parent`) to the thread.
public final class LabProcess: Sendable {
    /// How a program ended.
    public struct Exit: Hashable, Sendable {
        /// The exit status; 128 + the signal's number when a signal ended it.
        public var status: Int32
        /// What it wrote to its standard output, at most `outputLimit` bytes.
        public var output: String
        /// What it wrote to its standard error, at most `outputLimit` bytes.
        public var errors: String
    }

    /// The most that `output` gives back: no part of the lab prints as much.
    public static let outputLimit = 4 << 20
    /// How long a program has after TERM before it is killed: they all end within milliseconds.
    public static let stopLimit = Duration.seconds(5)
    /// How long `run` waits when nothing else is said: for commands that take a second at most.
    public static let runLimit = Duration.seconds(30)

    /// The program's path.
    public let program: String
    /// Its process id.
    public let pid: Int32

    private let outputFile: Int32
    private let errorFile: Int32
    private let state = Mutex<State>(State())

    private struct State {
        var status: Int32?
        var nextWaiter = 0
        var waiters: [Int: CheckedContinuation<Int32?, Never>] = [:]
    }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - program: its absolute path.
    ///   - arguments: without the program's own name.
    ///   - environment: the whole of it; `PATH` of a plain system by default.
    ///   - directory: where it runs; nil: where this process does.
    ///   - input: what it reads from its standard input.
    public init(
        _ program: String, _ arguments: [String] = [],
        environment: [String: String] = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"],
        directory: String? = nil, input: String = ""
    ) throws(LabProcessError) {
        let inputFile = try Self.temporaryFile(for: program)
        defer { close(inputFile) }
        let bytes = Array(input.utf8)
        guard write(inputFile, bytes, bytes.count) == bytes.count,
            lseek(inputFile, 0, SEEK_SET) == 0
        else { throw LabProcessError(program: program, detail: "cannot write its input") }
        let outputFile = try Self.temporaryFile(for: program)
        let errorFile: Int32
        do {
            errorFile = try Self.temporaryFile(for: program)
        } catch {
            close(outputFile)
            throw error
        }
        var words = [program] + arguments
        if let directory {
            // The C library's own way is not visible to Swift. exec keeps the pid.
            words = ["/bin/sh", "-c", #"cd -- "$0" && exec "$@""#, directory] + words
        }
        let (code, pid) = Self.spawner.sync { [words] in
            Self.spawn(
                words, environment: environment, descriptors: [inputFile, outputFile, errorFile])
        }
        self.program = program
        self.pid = pid
        self.outputFile = outputFile
        self.errorFile = errorFile
        guard code == 0 else {
            throw LabProcessError(
                program: program,
                detail: "cannot be started: \(String(cString: strerror(code))); run make setup")
        }
        startReaper()
    }

    deinit {
        close(outputFile)
        close(errorFile)
    }

    /// Runs a program to its end; killed at the limit, which is an error.
    @discardableResult
    public static func run(
        _ program: String, _ arguments: [String] = [],
        environment: [String: String] = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"],
        directory: String? = nil, input: String = "", within limit: Duration = runLimit
    ) async throws(LabProcessError) -> Exit {
        let process = try LabProcess(
            program, arguments, environment: environment, directory: directory, input: input)
        if let exit = await process.exit(within: limit) { return exit }
        await process.stop()
        throw LabProcessError(
            program: program, detail: "did not end within \(limit): \(process.errors)")
    }

    /// The path of a program of the system; the error names the way to install it.
    public static func find(_ name: String) throws(LabProcessError) -> String {
        for directory in ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/lib/nut"] {
            let path = "\(directory)/\(name)"
            if access(path, X_OK) == 0 { return path }
        }
        throw LabProcessError(program: name, detail: "is not installed; run make setup")
    }

    /// Whether it has not ended yet.
    public var isRunning: Bool { state.withLock { $0.status == nil } }

    /// What it has written to its standard output so far, at most `outputLimit` bytes.
    public var output: String { Self.contents(of: outputFile) }

    /// What it has written to its standard error so far, at most `outputLimit` bytes.
    public var errors: String { Self.contents(of: errorFile) }

    /// Waits for its end; nil when the limit passes first.
    public func exit(within limit: Duration) async -> Exit? {
        guard let status = await status(within: limit) else { return nil }
        return Exit(status: status, output: output, errors: errors)
    }

    /// Sends it a signal; nothing happens when it has ended.
    public func signal(_ number: Int32) {
        // Under the lock, so that the reaper cannot free the pid in between.
        state.withLock { state in
            if state.status == nil { _ = kill(pid, number) }
        }
    }

    /// Ends it: TERM, and KILL when the limit has passed. Returns when it is gone.
    public func stop(within limit: Duration = stopLimit) async {
        signal(SIGTERM)
        if await status(within: limit) != nil { return }
        signal(SIGKILL)
        _ = await status(within: Self.stopLimit)
    }

    private func status(within limit: Duration) async -> Int32? {
        await withCheckedContinuation { continuation in
            let waiter: Int? = state.withLock { state in
                if let status = state.status {
                    continuation.resume(returning: status)
                    return nil
                }
                state.nextWaiter += 1
                state.waiters[state.nextWaiter] = continuation
                return state.nextWaiter
            }
            guard let waiter else { return }
            let deadline = DispatchTime.now() + .milliseconds(Int(limit / .milliseconds(1)))
            DispatchQueue.global().asyncAfter(deadline: deadline) { [self] in
                state.withLock { $0.waiters.removeValue(forKey: waiter) }?.resume(returning: nil)
            }
        }
    }

    /// One thread waits for its end. The pid stays taken (a zombie) until the state says so.
    private func startReaper() {
        DispatchQueue(label: "vpower.lab.reaper.\(pid)").async { [self] in
            var information = siginfo_t()
            while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
            let waiters = state.withLock { state in
                var raw: Int32 = 0
                while waitpid(pid, &raw, 0) < 0, errno == EINTR {}
                let signal = raw & 0x7f
                let status = signal == 0 ? (raw >> 8) & 0xff : 128 + signal
                state.status = status
                defer { state.waiters = [:] }
                return state.waiters.values.map { ($0, status) }
            }
            for (waiter, status) in waiters { waiter.resume(returning: status) }
        }
    }

    private static func temporaryFile(for program: String) throws(LabProcessError) -> Int32 {
        let path = "/tmp/vpower-lab-\(UInt64.random(in: .min ... .max))"
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw LabProcessError(
                program: program, detail: "no temporary file: \(String(cString: strerror(errno)))")
        }
        unlink(path)
        return file
    }

    private static func contents(of file: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count < outputLimit {
            let count = pread(file, &buffer, buffer.count, off_t(bytes.count))
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: - The thread that starts everything

    private static let spawner = Spawner()

    private static func spawn(
        _ words: [String], environment: [String: String], descriptors: [Int32]
    ) -> (code: Int32, pid: Int32) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, file) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, file, Int32(number))
        }
        // A listening socket that a child keeps would stay open after the lab closed it.
        for file in openDescriptors() where file >= descriptors.count {
            posix_spawn_file_actions_addclose(&actions, file)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        // A group of its own: Ctrl-C at the drill is for the drill, which then stops its parts.
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
        var pid: Int32 = 0
        let code = withCStrings(words) { arguments in
            withCStrings(environment.map { "\($0.key)=\($0.value)" }) { variables in
                posix_spawn(&pid, words[0], &actions, &attributes, arguments, variables)
            }
        }
        return (code, pid)
    }

    /// What is open in this process now. One that closes meanwhile does no harm.
    private static func openDescriptors() -> [Int32] {
        guard let directory = opendir("/proc/self/fd") else { return [] }
        defer { closedir(directory) }
        var found: [Int32] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let number = Int32(name) { found.append(number) }
        }
        return found
    }

    private static func withCStrings<R>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R
    ) -> R {
        let pointers = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}

/// A thread that never ends and does one thing after the other.
private final class Spawner: Sendable {
    private let work = Mutex<[@Sendable () -> Void]>([])
    private let signal = DispatchSemaphore(value: 0)

    init() {
        // A block that never returns keeps its thread.
        DispatchQueue(label: "vpower.lab.spawner").async { [self] in
            while true {
                signal.wait()
                let next = work.withLock { $0.isEmpty ? nil : $0.removeFirst() }
                next?()
            }
        }
    }

    /// Does it on that thread and waits: starting a program takes about a millisecond.
    func sync<R: Sendable>(_ body: @escaping @Sendable () -> R) -> R {
        let result = Mutex<R?>(nil)
        let done = DispatchSemaphore(value: 0)
        work.withLock {
            $0.append {
                let value = body()
                result.withLock { $0 = value }
                done.signal()
            }
        }
        signal.signal()
        while true {
            done.wait()
            if let value = result.withLock({ $0 }) { return value }
        }
    }
}
