import Foundation
import PowerModel
import Synchronization
import Testing
import Transport
import VSphere

/// Something that a test needs on this machine is not there.
struct Missing: Error, CustomStringConvertible {
    var description: String
}

/// Folders of the repository, and a temporary one per test.
enum Places {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    static let tools = root.appending(path: "Tests/Tools")
}

/// A temporary folder that goes with the value.
final class Scratch: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "vpower-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        do {
            try FileManager.default.removeItem(at: url)
        } catch {
            Issue.record("cannot remove \(url.path): \(error)")
        }
    }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: url.appending(path: name))
    }
}

/// A child process. `Foundation.Process` leaks its pipes into children that are started at the
/// same time, so that no end of input is ever seen; these pipes close on exec.
struct Child {
    /// No child starts between the making of another's pipes and their closing on exec.
    private static let spawning = NSLock()

    let pid: pid_t
    /// Our ends: what the child reads from, and what it writes to.
    let input: Int32
    let output: Int32

    init(
        _ program: String, _ arguments: [String], in folder: URL,
        environment: [String: String] = [:],
        joinErrors: Bool = false
    ) throws {
        var toChild: [Int32] = [0, 0]
        var fromChild: [Int32] = [0, 0]
        Self.spawning.lock()
        defer { Self.spawning.unlock() }
        guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else {
            throw Missing(description: "no pipe: errno \(errno)")
        }
        for end in toChild + fromChild { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        if joinErrors {
            posix_spawn_file_actions_adddup2(&actions, fromChild[1], 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        }
        // A pool thread blocks every signal, and its child would inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        sigemptyset(&noSignals)
        posix_spawnattr_setsigmask(&attributes, &noSignals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        variables["LC_ALL"] = "C"
        var argv: [UnsafeMutablePointer<CChar>?] =
            (["env", "-C", folder.path, program]
            + arguments).map { strdup($0) }
        var environ: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0)=\($1)") }
        argv.append(nil)
        environ.append(nil)
        defer { for pointer in argv + environ { free(pointer) } }
        var pid: pid_t = 0
        let failed = posix_spawn(&pid, "/usr/bin/env", &actions, &attributes, argv, environ)
        close(toChild[0])
        close(fromChild[1])
        self.pid = pid
        input = toChild[1]
        output = fromChild[0]
        guard failed == 0 else {
            close(input)
            close(output)
            throw Missing(description: "\(program) does not start; run `make setup`")
        }
    }

    /// Waits for its end; gives its exit status, or 256 and more for a signal.
    func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 256 + (status & 0x7f)
    }
}

/// Runs a program to its end and gives what it printed.
@discardableResult
func run(
    _ program: String, _ arguments: [String], in folder: URL, environment: [String: String] = [:]
) throws -> String {
    let child = try Child(
        program, arguments, in: folder, environment: environment, joinErrors: true)
    close(child.input)
    let reader = LineReader(child.output)
    var text = ""
    while let line = reader.next() { text += line + "\n" }
    close(child.output)
    guard child.wait() == 0 else {
        throw Missing(description: "\(program) failed (run `make setup`?): \(text)")
    }
    return text
}

/// A self-signed certificate for localhost and 127.0.0.1, and its SHA-256.
struct Certificate {
    let scratch: Scratch
    let sha256: String
    var pem: String { scratch.url.appending(path: "certificate.pem").path }
    var key: String { scratch.url.appending(path: "key.pem").path }

    init(expired: Bool = false) throws {
        scratch = try Scratch()
        try run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=vcenter.test",
                "-days", "2", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            ], in: scratch.url)
        if expired { try Self.expire(scratch) }
        let text = try run(
            "openssl", ["x509", "-in", "certificate.pem", "-noout", "-fingerprint", "-sha256"],
            in: scratch.url)
        let value = text.split(separator: "=").last ?? ""
        sha256 = value.filter(\.isHexDigit).lowercased()
    }

    /// Signs the same key again, for a day in 2020: only `openssl ca` takes dates.
    private static func expire(_ scratch: Scratch) throws {
        let configuration = """
            [ca]
            default_ca = own
            [own]
            new_certs_dir = .
            database = index.txt
            serial = serial
            default_md = sha256
            policy = names
            x509_extensions = names_in_it
            [names]
            commonName = supplied
            [names_in_it]
            subjectAltName = DNS:localhost,IP:127.0.0.1

            """
        try scratch.write("ca.conf", configuration)
        try scratch.write("index.txt", "")
        try scratch.write("serial", "01\n")
        try run(
            "openssl",
            ["req", "-new", "-key", "key.pem", "-out", "r.pem", "-subj", "/CN=vcenter.test"],
            in: scratch.url)
        try run(
            "openssl",
            [
                "ca", "-batch", "-selfsign", "-config", "ca.conf", "-in", "r.pem", "-keyfile",
                "key.pem", "-notext", "-startdate", "20200101000000Z", "-enddate",
                "20200102000000Z", "-out", "certificate.pem",
            ], in: scratch.url)
    }
}

/// A child process that prints {"port": N} first and ends when its standard input does.
final class LocalServer: Sendable {
    let port: Int
    private let child: Child
    private let lines: Mutex<[String]>
    private let isRunning = Mutex(true)

    init(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws {
        child = try Child(program, arguments, in: Places.root, environment: environment)
        let reader = LineReader(child.output)
        guard let first = reader.next() else {
            throw Missing(description: "\(program) said nothing (run `make setup`)")
        }
        struct Greeting: Decodable { var port: Int }
        port = try JSONDecoder().decode(Greeting.self, from: Data(first.utf8)).port
        lines = Mutex([])
        Thread.detachNewThread { [weak self] in
            while let line = reader.next() { self?.lines.withLock { $0.append(line) } }
            close(reader.descriptor)
        }
    }

    deinit { stop() }

    /// Ends the process: by the end of its input, and by a signal to its own id.
    func stop() {
        isRunning.withLock { running in
            guard running else { return }
            running = false
            close(child.input)
            kill(child.pid, SIGTERM)
            _ = child.wait()
        }
    }

    func tell(_ line: String) throws {
        let bytes = Array((line + "\n").utf8)
        guard write(child.input, bytes, bytes.count) == bytes.count else {
            throw Missing(description: "the server does not listen any more")
        }
    }

    /// Lets it end by itself, with whatever it has started.
    func endInput() {
        isRunning.withLock { running in
            guard running else { return }
            running = false
            close(child.input)
            _ = child.wait()
        }
    }

    /// What it has printed since the greeting, one JSON object a line.
    var said: [String] { lines.withLock { $0 } }

    /// Waits until it has said something that fits.
    func says(_ fits: @Sendable (String) -> Bool) async throws -> Bool {
        for _ in 0..<100 {
            if said.contains(where: fits) { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    /// Tells it something that it ends with "ok"; gives what it says before that. One at a time.
    func ask(_ line: String) async throws -> [String] {
        let before = said.count
        try tell(line)
        for _ in 0..<200 {
            let now = said.dropFirst(before)
            if now.last == "ok" { return now.dropLast() }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw Missing(description: "the server does not answer \(line)")
    }

    static func https(_ certificate: Certificate, folder: URL? = nil) throws -> LocalServer {
        let script = Places.tools.appending(path: "https-server.py").path
        return try LocalServer(
            "python3",
            [script, certificate.pem, certificate.key] + (folder.map { [$0.path] } ?? []))
    }

    static let password = "pass & <word>"

    /// The simulator, built on its first use.
    static func vcsim(
        _ certificate: Certificate, idle: String? = nil, guests: Int = 8,
        delayMilliseconds: Int = 0, isCrowd: Bool = false, names: String? = nil,
        password: String = "pass & <word>"
    ) throws -> LocalServer {
        try built.get()
        var arguments = ["-certificate", certificate.pem, "-key", certificate.key]
        arguments += ["-user", "vpower@vsphere.local", "-guests", "\(guests)"]
        arguments += ["-delay", "\(delayMilliseconds)"]
        if isCrowd { arguments += ["-crowd"] }
        if let idle { arguments += ["-idle", idle] }
        if let names { arguments += ["-names", names] }
        return try LocalServer(
            Places.root.appending(path: ".build/tools/vcsim").path, arguments,
            environment: ["VCSIM_PASSWORD": password])
    }

    private static let built: Result<Void, any Error> = Result {
        try run("scripts/build-vcsim", [], in: Places.root)
    }
}

/// Reads lines from a pipe; blocks, so it is only used on a thread of its own or for a greeting.
final class LineReader: @unchecked Sendable {
    let descriptor: Int32
    private var buffer: [UInt8] = []

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    func next() -> String? {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffer.removeFirst(end + 1) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }
}
