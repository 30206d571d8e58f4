import Foundation
import Glibc
import PowerLab
import PowerModel
import Synchronization
import Testing

/// Why a real part could not be had, or what did not come to pass in time.
struct SetupError: Error, CustomStringConvertible {
    var description: String
}

/// Looks again and again until it is so; an error that names it when the limit has passed.
func eventually(
    _ what: String, within limit: Duration, every pause: Duration = .milliseconds(100),
    _ isSo: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while clock.now < deadline {
        if try await isSo() { return }
        try await Task.sleep(for: pause)
    }
    throw SetupError(description: "not within \(limit): \(what)")
}

// MARK: - Processes

/// A child process, ended by its pid; `posix_spawn` with no signal blocked (Swift's own threads
/// block SIGTERM, and Foundation's Process hands that down).
final class Child: Sendable {
    let pid: pid_t
    private let end = Mutex<Int32?>(nil)

    /// - Parameters:
    ///   - input: becomes its standard input; nil is /dev/null.
    ///   - descriptor3: becomes its descriptor 3, as systemd hands sockets over.
    init(
        _ path: String, _ arguments: [String], environment: [String: String], output: String,
        errors: String, input: Int32? = nil, descriptor3: Int32? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // First, since another action may need its number.
        if let descriptor3 { posix_spawn_file_actions_adddup2(&actions, descriptor3, 3) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, flags, 0o600)
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
            throw SetupError(description: "cannot start \(path): \(why); run `make setup`")
        }
        pid = started
    }

    /// Its wait status once it has ended.
    private var status: Int32? {
        end.withLock { end in
            if end == nil {
                var status: Int32 = 0
                if waitpid(pid, &status, WNOHANG) == pid { end = status }
            }
            return end
        }
    }

    var isRunning: Bool { status == nil }

    /// Its exit code, or less than zero for the signal that ended it; nil while it runs.
    var exitCode: Int32? {
        status.map { $0 & 0x7f == 0 ? ($0 >> 8) & 0xff : -($0 & 0x7f) }
    }

    /// Sends a signal, unless it has ended: a pid that was waited for can be another's.
    func signal(_ number: Int32) {
        end.withLock { end in if end == nil { kill(pid, number) } }
    }
}

// MARK: - The stage

/// Everything one test has: a short temporary directory (Unix sockets are in it), and processes
/// that are all stopped by pid at its end.
final class Stage {
    static let startLimit: Duration = .seconds(60)
    /// A run down or up takes 25 s on a calm machine; other work may share the two cores.
    static let runLimit: Duration = .seconds(240)
    private static let stopLimit: Duration = .seconds(60)

    let directory: String
    private var children: [(name: String, child: Child)] = []
    private var labs: [Lab] = []

    private init(_ directory: String) { self.directory = directory }

    /// Runs a test on a new stage; whatever happens, everything is stopped and removed. When the
    /// test fails, what the daemon and the commands said is printed.
    static func run(_ body: (Stage) async throws -> Void) async throws {
        var template = Array("/tmp/vpe-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SetupError(description: "no mkdtemp") }
        let stage = Stage(
            String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
        do {
            try stage.makeFolder("spool")
            try await body(stage)
            await stage.clean()
        } catch {
            print(stage.everythingSaid())
            await stage.clean()
            throw error
        }
    }

    func makeFolder(_ name: String) throws {
        try FileManager.default.createDirectory(
            atPath: path(name), withIntermediateDirectories: false)
    }

    /// A path in the stage's directory.
    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// A file's text; empty when there is none.
    func text(_ name: String) -> String {
        let data = FileManager.default.contents(atPath: path(name))
        return String(decoding: data ?? Data(), as: UTF8.self)
    }

    var socket: String { path("notify.sock") }
    var spool: String { path("spool") }

    /// The environment of every process, and nothing else of ours.
    var environment: [String: String] {
        [
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
            "TMPDIR": "/tmp", "VPOWER_SITE": path("lab/site.yaml"),
            "VPOWER_STATE": path("state"),
        ]
    }

    /// Starts a program; its output goes to `name.out`, its errors to `name.err`.
    func launch(
        _ name: String, _ program: String, _ arguments: [String],
        with more: [String: String] = [:], input: Int32? = nil, descriptor3: Int32? = nil
    ) throws -> Child {
        let child = try Child(
            program, arguments, environment: environment.merging(more) { _, new in new },
            output: path("\(name).out"), errors: path("\(name).err"), input: input,
            descriptor3: descriptor3)
        children.append((name, child))
        return child
    }

    /// Waits until a program has ended and returns its exit code.
    func end(of name: String, _ child: Child, within limit: Duration = runLimit) async throws
        -> Int32
    {
        try await eventually("\(name) ends", within: limit) { !child.isRunning }
        return child.exitCode ?? -1
    }

    // MARK: vpower

    /// A product of this package, in the directory of the test bundle.
    static func product(_ name: String) -> String {
        let bundle = CommandLine.arguments[0].split(
            separator: "/", omittingEmptySubsequences: false)
        return bundle.dropLast().joined(separator: "/") + "/\(name)"
    }

    /// Starts a command of vpower.
    func start(_ name: String, _ arguments: String...) throws -> Child {
        try launch(name, Self.product("vpower"), arguments)
    }

    /// Starts a command of vpower and waits for its end.
    func vpower(_ name: String, _ arguments: String...) async throws -> Int32 {
        try await end(of: name, launch(name, Self.product("vpower"), arguments))
    }

    /// Starts the daemon; returns when its socket is there.
    func startDaemon() async throws -> Child {
        let daemon = try start("daemon", "watch", "--socket", socket, "--spool", spool)
        try await eventually("the daemon binds its socket", within: Self.startLimit) {
            guard daemon.isRunning else {
                throw SetupError(description: "the daemon ended: \(text("daemon.err"))")
            }
            return access(socket, F_OK) == 0
        }
        return daemon
    }

    /// Waits until the daemon's log has a line with all of these words.
    func daemonSays(_ words: String..., within limit: Duration = startLimit) async throws {
        try await eventually("the daemon's log has \(words)", within: limit) {
            text("daemon.err").split(separator: "\n").contains { line in
                words.allSatisfy { line.contains($0) }
            }
        }
    }

    /// Starts the lab; its site file is `lab/site.yaml`.
    func startLab() async throws -> Lab { try await startLabs([ClusterName("Lab")])[0] }

    /// Starts a lab for each of these clusters, each with a site file of its own; commands read
    /// that of cluster Lab.
    func startLabs(_ clusters: [ClusterName]) async throws -> [Lab] {
        for cluster in clusters { labs.append(try Lab(on: self, cluster)) }
        for lab in labs { try await lab.awaitStart() }
        return labs
    }

    /// Changes the lab's site file.
    func editSite(_ edit: (inout String) -> Void) throws {
        var text = text("lab/site.yaml")
        let before = text
        edit(&text)
        guard text != before else { throw SetupError(description: "the site file is the same") }
        try text.write(toFile: path("lab/site.yaml"), atomically: false, encoding: .utf8)
    }

    // MARK: The end

    private func everythingSaid() -> String {
        children.map(\.name).reduce(into: [String]()) { names, name in
            if !names.contains(name), !name.contains("-upsc-") { names.append(name) }
        }.map { name in
            "--- \(name)\n\(text("\(name).out").suffix(3000))\n\(text("\(name).err").suffix(9000))"
        }.joined(separator: "\n")
    }

    private func clean() async {
        // A lab ends by itself and takes its hosts along: it comes last, and is asked.
        for (name, child) in children.reversed() where !labs.contains(where: { $0.child === child })
        {
            await stop(name, child)
        }
        for lab in labs {
            lab.hangUp()
            await stop(lab.folder, lab.child, asked: true)
        }
        do { try FileManager.default.removeItem(atPath: directory) } catch {
            Issue.record("\(directory) is left: \(error)")
        }
    }

    private func stop(_ name: String, _ child: Child, asked: Bool = false) async {
        if !asked { child.signal(SIGTERM) }
        do {
            try await eventually("\(name) ends", within: Self.stopLimit) { !child.isRunning }
        } catch {
            Issue.record("\(name) (process \(child.pid)) does not end when it is told to")
            child.signal(SIGKILL)
            for _ in 0..<100 where child.isRunning { usleep(10_000) }
        }
    }
}

// MARK: - The lab

/// `vpower lab` in a process of its own, spoken to over its standard input and output.
final class Lab {
    /// What `state` says.
    struct State: Decodable {
        var mainsOn: Bool
        var hostsOn: [String]
        var guestsOn: [String]
        var automation: Automation
        var vcenter: String
    }

    private static let answerLimit: Duration = .seconds(60)

    /// The site it simulates.
    let scenario: LabScenario
    let child: Child
    /// Where its files are, on the stage.
    let folder: String
    private let stage: Stage
    private var input: Int32
    private var linesRead = 0
    private var offset = 0

    fileprivate init(on stage: Stage, _ cluster: ClusterName) throws {
        self.stage = stage
        folder = cluster.rawValue.lowercased()
        scenario = .standard(named: cluster)
        // A socket, not a pipe: writing to a lab that has died is then an error, not SIGPIPE.
        var ends: [Int32] = [-1, -1]
        guard
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0
        else { throw SetupError(description: "no socketpair") }
        input = ends[0]
        defer { close(ends[1]) }
        child = try stage.launch(
            folder, Stage.product("vpower"),
            ["lab", "--directory", stage.path(folder), "--cluster", cluster.rawValue],
            input: ends[1])
    }

    fileprivate func awaitStart() async throws {
        let site = try await nextLine(within: Stage.startLimit)
        guard site == stage.path("\(folder)/site.yaml") else {
            throw SetupError(description: "the lab says \(site)")
        }
    }

    /// Stops the whole site where it stands, or lets it go on: nobody is refused, nobody answered.
    func hang(_ hangs: Bool) { child.signal(hangs ? SIGSTOP : SIGCONT) }

    /// Ends its standard input: it stops by itself, also when it hangs.
    fileprivate func hangUp() {
        hang(false)
        if input >= 0 { close(input) }
        input = -1
    }

    private func nextLine(within limit: Duration) async throws -> String {
        var line: String?
        try await eventually("the lab answers", within: limit, every: .milliseconds(20)) {
            line = try takeLine()
            if line == nil, !child.isRunning {
                throw SetupError(description: "the lab ended: \(stage.text("\(folder).err"))")
            }
            return line != nil
        }
        return line ?? ""
    }

    /// The next whole line of its output file, if it is there.
    private func takeLine() throws -> String? {
        let file = try FileHandle(forReadingFrom: URL(filePath: stage.path("\(folder).out")))
        defer { do { try file.close() } catch { Issue.record("\(folder).out: \(error)") } }
        try file.seek(toOffset: UInt64(offset))
        let rest = try file.readToEnd() ?? Data()
        guard let end = rest.firstIndex(of: 0x0A) else { return nil }
        let line = rest[rest.startIndex..<end]
        offset += line.count + 1
        return String(decoding: line, as: UTF8.self)
    }

    /// Gives it one command and returns its answer.
    func ask(_ command: String) async throws -> String {
        let bytes = Array("\(command)\n".utf8)
        guard send(input, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw SetupError(description: "the lab is gone: \(stage.text("\(folder).err"))")
        }
        return try await nextLine(within: Self.answerLimit)
    }

    /// Gives it a command that is answered with `ok`.
    func tell(_ command: String) async throws {
        let answer = try await ask(command)
        guard answer == "ok" else {
            throw SetupError(description: "the lab says \(answer) to \(command)")
        }
    }

    func state() async throws -> State {
        try JSONDecoder().decode(State.self, from: Data(try await ask("state").utf8))
    }

    func history() async throws -> History {
        let text = try await ask("log")
        return History(
            scenario: scenario,
            events: try JSONDecoder().decode([LabEvent].self, from: Data(text.utf8)))
    }

    /// Cuts the output and lets the mains return, as at the end of an outage.
    func cyclePower() async throws {
        try await tell("mains off")
        try await cutOutput()
        try await tell("mains on")
    }

    /// Cuts the output; returns when it is off.
    func cutOutput() async throws {
        let before = try await history().count(.outputOff)
        try await tell("output off")
        try await eventually("the output is off", within: Stage.startLimit) {
            try await history().count(.outputOff) > before
        }
    }
}

/// The lab's own log, to assert the order of things from.
struct History {
    var scenario: LabScenario
    var events: [LabEvent]

    /// What was violated of DESIGN 5; with `final` also what is not back.
    func violations(restoredTo final: Automation? = nil) -> [String] {
        LabChecker.violations(in: events, of: scenario, restoredTo: final)
    }

    /// Only what happened after this many events.
    func since(_ count: Int) -> History {
        History(scenario: scenario, events: Array(events.dropFirst(count)))
    }

    func count(_ kind: LabEvent.Kind) -> Int { events.count { $0.kind == kind } }

    /// Where in the log these happened.
    func places(
        of kind: LabEvent.Kind, where matches: (LabEvent) -> Bool = { _ in true }
    ) -> [Int] {
        events.indices.filter { events[$0].kind == kind && matches(events[$0]) }
    }

    /// The identity of the guest of this name.
    func guest(_ name: String) -> String {
        scenario.guests.first { $0.name == name }?.id.rawValue ?? "no guest \(name)"
    }

    /// Ordinary guests that went off, vCSA among them.
    var guestsOff: Int {
        let ordinary = Set(scenario.guests.filter { $0.nature == .ordinary }.map(\.id.rawValue))
        return Set(events.filter { $0.kind == .guestOff }.map(\.object)).intersection(ordinary)
            .count
    }
}

// MARK: - NUT

/// Debian's own dummy-ups, upsd and upsmon on a free port of 127.0.0.1. All of them run as the
/// tester, so that nothing has to be given to user nut.
final class NUTChain {
    private static let stepLimit: Duration = .seconds(60)

    let port: Int
    /// Where its files are, on the stage; its programs' names begin with it.
    private let folder: String
    private let stage: Stage
    private let variables: [String: String]
    private var servers: [Child] = []

    /// Starts driver and server with this status.
    init(
        on stage: Stage, folder: String = "nut", status: String = "OL CHRG"
    ) async throws {
        for tool in ["/lib/nut/dummy-ups", "/lib/nut/upsd", "/lib/nut/upsmon", "/bin/upsrw"]
        where access(tool, X_OK) != 0 {
            throw SetupError(description: "\(tool) is missing: run `make setup`")
        }
        self.stage = stage
        self.folder = folder
        port = try LabPort.free()
        let path = stage.path(folder)
        variables = [
            "NUT_CONFPATH": path, "NUT_STATEPATH": path, "NUT_ALTPIDPATH": path,
            "NUT_QUIET_INIT_SSL": "true",
        ]
        try stage.makeFolder(folder)
        try writeFiles()
        try await startServers(status)
    }

    private func startServers(_ status: String) async throws {
        try Data("ups.status: \(status)\nbattery.charge: 90\nups.load: 12\n".utf8)
            .write(to: URL(filePath: stage.path("\(folder)/ups1.dev")))
        let user = geteuid() == 0 ? ["-u", "root"] : []
        let driver = try launch("driver", "/lib/nut/dummy-ups", user + ["-F", "-a", "ups1"])
        try await eventually("dummy-ups listens", within: Self.stepLimit) {
            access(stage.path("\(folder)/dummy-ups-ups1"), F_OK) == 0
        }
        servers = [try launch("upsd", "/lib/nut/upsd", user + ["-F"]), driver]
        try await waitForStatus(status)
    }

    /// Stops upsd and the driver and starts them with this status, as a boot does. Both: a driver
    /// of 2.8.0 dies when upsd alone is restarted (facts/nut.md 4.4).
    func restart(_ status: String) async throws {
        for server in servers {
            server.signal(SIGTERM)
            _ = try await stage.end(of: "a server of NUT", server, within: Self.stepLimit)
        }
        try await startServers(status)
    }

    private func launch(
        _ name: String, _ program: String, _ arguments: [String],
        with more: [String: String] = [:]
    ) throws -> Child {
        try stage.launch(
            "\(folder)-\(name)", program, arguments,
            with: variables.merging(more) { _, new in new })
    }

    private func writeFiles() throws {
        let flags = ["ONLINE", "ONBATT", "LOWBATT", "FSD", "COMMOK", "COMMBAD", "SHUTDOWN"]
            .map { "NOTIFYFLAG \($0) EXEC\n" }.joined()
        let password = stage.text("lab/ups.secret").map { character in
            "\"\\#".contains(character) ? "\\\(character)" : "\(character)"
        }.joined()
        let files = [
            "upsd.conf": "LISTEN 127.0.0.1 \(port)\nMAXAGE 15\n",
            "ups.conf": """
            maxretry = 1
            pollinterval = 1
            [ups1]
            \tdriver = dummy-ups
            \tport = ups1.dev
            \tmode = dummy-once

            """,
            "upsd.users": """
            [admin]
            \tpassword = adminpass
            \tactions = SET
            [primary]
            \tpassword = primarypass
            \tupsmon primary
            [vpower]
            \tpassword = "\(password)"
            \tupsmon secondary

            """,
            "upsmon.conf": """
            MONITOR ups1@127.0.0.1:\(port) 1 primary primarypass primary
            MINSUPPLIES 1
            POLLFREQ 1
            POLLFREQALERT 1
            HOSTSYNC 120
            DEADTIME 9
            FINALDELAY 0
            POWERDOWNFLAG \(stage.path("\(folder)/killpower"))
            SHUTDOWNCMD "/usr/bin/touch \(stage.path("halted"))"
            NOTIFYCMD \(Stage.product("vpower-notify"))
            \(flags)
            """,
        ]
        for (name, content) in files {
            let path = stage.path("\(folder)/\(name)")
            try Data(content.utf8).write(to: URL(filePath: path))
            chmod(path, 0o600)
        }
    }

    /// Starts upsmon, the primary, with vpower-notify as its NOTIFYCMD; returns when it has logged
    /// in.
    func startMonitor() async throws -> Child {
        // As root upsmon has one fixed pid file; that directory is its own here.
        let alone = "! [ -d /run/nut ] || mount -t tmpfs none /run/nut; exec \"$@\""
        let command = ["/lib/nut/upsmon", "-p", "-F"]
        let whole =
            geteuid() == 0
            ? ["/usr/bin/unshare", "-m", "/bin/sh", "-c", alone, "sh"] + command : command
        let monitor = try launch(
            "upsmon", whole[0], Array(whole.dropFirst()),
            with: ["VPOWER_NOTIFY_SOCKET": stage.socket, "VPOWER_SPOOL": stage.spool])
        try await eventually("upsmon logs in at upsd", within: Self.stepLimit) {
            guard monitor.isRunning else {
                throw SetupError(description: "upsmon ended: \(stage.text("\(folder)-upsmon.err"))")
            }
            return logins(of: "primary") > 0
        }
        return monitor
    }

    /// How often upsd has said that this user logged in.
    private func logins(of user: String) -> Int {
        let line = "User \(user)@127.0.0.1 logged into UPS [ups1]"
        return stage.text("\(folder)-upsd.err").split(separator: "\n").count { $0.contains(line) }
    }

    /// Waits until this user has logged in at upsd so many times.
    func waitForLogin(of user: String, times: Int = 1) async throws {
        try await eventually("login \(times) of \(user) at upsd", within: Self.stepLimit) {
            logins(of: user) >= times
        }
    }

    /// Sets the UPS's status with NUT's own tool; returns when upsd shows it.
    func set(_ status: String) async throws {
        let tool = try launch(
            "upsrw", "/bin/upsrw",
            [
                "-s", "ups.status=\(status)", "-u", "admin", "-p", "adminpass",
                "ups1@127.0.0.1:\(port)",
            ])
        let code = try await stage.end(of: "upsrw", tool, within: Self.stepLimit)
        guard code == 0 else {
            throw SetupError(description: "upsrw: \(stage.text("\(folder)-upsrw.err"))")
        }
        try await waitForStatus(status)
    }

    /// Waits until upsd shows a status; FSD may stand before it.
    func waitForStatus(_ status: String) async throws {
        try await eventually("upsd shows \(status)", within: Self.stepLimit) {
            let name = "upsc-\(UInt32.random(in: 0...UInt32.max))"
            let tool = try launch(name, "/bin/upsc", ["ups1@127.0.0.1:\(port)", "ups.status"])
            _ = try await stage.end(of: "upsc", tool, within: Self.stepLimit)
            let shown = stage.text("\(folder)-\(name).out")
            return shown == "\(status)\n" || shown == "FSD \(status)\n"
        }
    }
}

extension Stage {
    /// Makes the lab's site file name this upsd. dummy-ups has no `shutdown.return`, so the output
    /// is left to the test.
    func pointFeed(at nut: NUTChain, onBatteryFor: String = "2s") throws {
        try editSite { text in
            text = text.split(separator: "\n", omittingEmptySubsequences: false).compactMap {
                line -> String? in
                if line.hasPrefix("    server: ") { return "    server: 127.0.0.1:\(nut.port)" }
                if line == "    output:" || line == "      command: shutdown.return" { return nil }
                if line.hasPrefix("      onBatteryFor:") {
                    return "      onBatteryFor: \(onBatteryFor)"
                }
                return String(line)
            }.joined(separator: "\n")
        }
    }
}

// MARK: - systemd's part

/// Holds the notify socket and starts the daemon when there is data for it, as systemd does with
/// vpower.socket. (`systemd-socket-activate` becomes the daemon at the first datagram: the
/// socket would die with it.)
final class SocketUnit {
    private let stage: Stage
    private let descriptor: Int32
    private(set) var daemon: Child?
    /// How often it has started the daemon.
    private(set) var starts = 0

    /// Binds the socket; no daemon is started.
    init(on stage: Stage) throws {
        self.stage = stage
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor > 3 else { throw SetupError(description: "no socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: stage.socket.utf8) }
        let bound = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0 else { throw SetupError(description: "cannot bind \(stage.socket)") }
    }

    deinit { close(descriptor) }

    /// Whether a datagram waits.
    var hasData: Bool {
        var look = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&look, 1, 0) == 1
    }

    /// Waits for a datagram and starts the daemon for it.
    func startAtNextEvent(within limit: Duration) async throws -> Child {
        try await eventually("upsmon's event is at the socket", within: limit) { hasData }
        // LISTEN_PID is the daemon's own: the shell becomes it.
        let script = "LISTEN_PID=$$ exec \"$0\" watch --spool \"$1\""
        let started = try stage.launch(
            "daemon", "/bin/sh", ["-c", script, Stage.product("vpower"), stage.spool],
            with: ["LISTEN_FDS": "1", "LISTEN_FDNAMES": "notify"], descriptor3: descriptor)
        starts += 1
        daemon = started
        return started
    }
}
