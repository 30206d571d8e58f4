import Glibc
import PowerService

/// The built `vpower-notify`, run as upsmon runs it.
struct NotifyProgram {
    /// Beside the test bundle, in the build directory.
    static let path: String = {
        let bundle = CommandLine.arguments[0]
        let folder = bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        return folder.joined(separator: "/") + "/vpower-notify"
    }()

    /// How one run ended.
    struct Outcome: Equatable {
        var status: Int32
        var output: String
        var milliseconds: Double
        /// What it computed, whatever else the machine does.
        var processorMilliseconds: Double
    }

    /// A process that was started.
    struct Running {
        var process: pid_t
        var outputPath: String
        var startedAt: Duration

        /// Waits for its end.
        func outcome() throws -> Outcome {
            var status: Int32 = 0
            var usage = rusage()
            guard wait4(process, &status, 0, &usage) == process else {
                throw Failure(doing: "wait for \(process)", number: errno)
            }
            let elapsed = SystemTime().elapsed - startedAt
            return Outcome(
                status: status,
                output: String(decoding: try contents(of: outputPath), as: UTF8.self),
                milliseconds: elapsed / .milliseconds(1),
                processorMilliseconds: Self.milliseconds(usage.ru_utime)
                    + Self.milliseconds(usage.ru_stime))
        }

        private static func milliseconds(_ time: timeval) -> Double {
            Double(time.tv_sec) * 1000 + Double(time.tv_usec) / 1000
        }
    }

    struct Failure: Error, CustomStringConvertible {
        var doing: String
        var number: Int32
        var description: String {
            "cannot \(doing): \(String(cString: strerror(number))); `make test` builds it"
        }
    }

    /// Starts it with exactly this environment and these arguments, as bytes.
    static func start(
        _ arguments: [[UInt8]], environment: [String], outputPath: String,
        program: String = path
    ) throws -> Running {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(
            &actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var argv = ([Array(program.utf8)] + arguments).map(cString) + [nil]
        var envp = environment.map { cString(Array($0.utf8)) } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var process: pid_t = 0
        let startedAt = SystemTime().elapsed
        let result = posix_spawn(&process, program, &actions, nil, &argv, &envp)
        guard result == 0 else { throw Failure(doing: "start \(program)", number: result) }
        return Running(process: process, outputPath: outputPath, startedAt: startedAt)
    }

    private static func cString(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar>? {
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
        for (place, byte) in bytes.enumerated() { copy[place] = CChar(bitPattern: byte) }
        copy[bytes.count] = 0
        return copy
    }
}

/// A directory of one test, removed at its end.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/vpower-notify-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw NotifyProgram.Failure(doing: "make a directory", number: errno)
        }
        path = String(cString: made)
        guard mkdir(spool, 0o700) == 0 else {
            throw NotifyProgram.Failure(doing: "make \(spool)", number: errno)
        }
    }

    deinit { remove(path) }

    var spool: String { path + "/spool" }
    var socket: String { path + "/notify.sock" }

    /// Runs it once here.
    func run(
        _ arguments: [String] = ["UPS ups@localhost on battery"],
        type: String? = "ONBATT", ups: String? = "ups@localhost"
    ) throws -> NotifyProgram.Outcome {
        try start(arguments.map { Array($0.utf8) }, type: type, ups: ups).outcome()
    }

    /// Starts it here.
    func start(
        _ arguments: [[UInt8]], type: String? = "ONBATT", ups: String? = "ups@localhost",
        name: String = "output"
    ) throws -> NotifyProgram.Running {
        var environment = ["VPOWER_NOTIFY_SOCKET=\(socket)", "VPOWER_SPOOL=\(spool)"]
        if let type { environment.append("NOTIFYTYPE=\(type)") }
        if let ups { environment.append("UPSNAME=\(ups)") }
        return try NotifyProgram.start(
            arguments, environment: environment, outputPath: "\(path)/\(name)")
    }

    /// The files in the spool, sorted.
    func spooled() throws -> [String] { try names(in: spool) }

    /// The events in the spool, in their order, and the spool is empty then.
    func takeSpooled() throws -> [UPSEvent] {
        try EventSpool(directory: spool).takeAll(at: SystemTime.bootMoment()).map(liveEvent)
    }

    private func remove(_ path: String) {
        if let names = try? names(in: path) { names.forEach { remove("\(path)/\($0)") } }
        Glibc.remove(path)
    }
}

/// The event of a notice that says it is of now.
func liveEvent(_ notice: EventNotice) throws -> UPSEvent {
    guard case .live(let event) = notice else { throw NotLive(notice: notice) }
    return event
}

struct NotLive: Error { var notice: EventNotice }

/// A datagram socket of the test's own.
final class Receiver {
    private let descriptor: Int32

    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw NotifyProgram.Failure(doing: "bind \(path)", number: errno) }
    }

    deinit { close(descriptor) }

    /// The datagrams that wait, in their order.
    func waiting() -> [[UInt8]] {
        var datagrams: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count >= 0 else { return datagrams }
            datagrams.append(Array(buffer.prefix(count)))
        }
    }
}

/// The names in a directory, sorted, without `.` and `..`.
func names(in path: String) throws -> [String] {
    guard let stream = opendir(path) else {
        throw NotifyProgram.Failure(doing: "list \(path)", number: errno)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
                String(cString: $0)
            }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// The bytes of a file.
func contents(of path: String) throws -> [UInt8] {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { throw NotifyProgram.Failure(doing: "open \(path)", number: errno) }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = read(file, &bytes, bytes.count)
    return Array(bytes.prefix(max(count, 0)))
}
