import FoundationEssentials
import Glibc
import PowerLab
import PowerModel
import Testing

/// A `vpower lab` in a directory of its own, and the commands run against it.
final class CommandLab: Sendable {
    let directory: String
    private let lab: Child
    private let input: Int32

    /// How long the lab may take to start, and to answer one line.
    private static let startLimit: Duration = .seconds(120)
    private static let answerLimit: Duration = .seconds(60)
    /// How long it may take to end its hosts.
    private static let stopLimit: Duration = .seconds(40)

    /// A lab that died must fail its test, not end all tests.
    private static let noSignal = Int32(MSG_NOSIGNAL)

    /// What `state` answers.
    struct State: Decodable, Equatable {
        var mainsOn: Bool
        var hostsOn: [String]
        var sshOn: [String]
        var guestsOn: [String]
        var automation: Automation
        var vcenter: String
    }

    /// Runs the body against a fresh lab, which is started with these options.
    static func with(
        _ options: String..., body: (CommandLab) async throws -> Void
    ) async throws {
        let directory = try ShortDirectory.make()
        defer { ShortDirectory.remove(directory) }
        let lab = try CommandLab(directory, options)
        do {
            try await lab.awaitStart()
            try await body(lab)
        } catch {
            try await lab.stop()
            throw error
        }
        try await lab.stop()
    }

    private init(_ directory: String, _ options: [String]) throws {
        self.directory = directory
        var ends: [Int32] = [0, 0]
        // Closed in other children, which other tests may start at this moment.
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw SetupError(description: "cannot make a socket pair")
        }
        input = ends[1]
        defer { close(ends[0]) }
        lab = try Child(
            VpowerProgram.path, ["lab", "--directory", "\(directory)/lab"] + options,
            environment: VpowerProgram.surroundings([:]), output: "\(directory)/lab.out",
            errors: "\(directory)/lab.err", input: ends[0])
    }

    private func awaitStart() async throws {
        let isUp = try await until(Self.startLimit) {
            try contents(of: "\(directory)/lab.out").hasSuffix("/lab/site.yaml\n")
                || lab.status != nil
        }
        let problem = try contents(of: "\(directory)/lab.err")
        try #require(isUp && lab.status == nil, "the lab did not start: \(problem)")
    }

    private func stop() async throws {
        let quit = Array("quit\n".utf8)
        _ = send(input, quit, quit.count, Self.noSignal)
        let status = try await lab.status(within: Self.stopLimit)
        close(input)
        try await lab.stop()
        let problem = try contents(of: "\(directory)/lab.err")
        #expect(status == 0, "the lab did not end well: \(problem)")
    }

    /// Sends one line to the lab; its answer.
    @discardableResult
    func say(_ line: String) async throws -> String {
        let path = "\(directory)/lab.out"
        let before = try contents(of: path).asLines.count
        let bytes = Array((line + "\n").utf8)
        try #require(send(input, bytes, bytes.count, Self.noSignal) == bytes.count)
        try #require(
            await until(Self.answerLimit) {
                let now = try contents(of: path)
                return now.hasSuffix("\n") && now.asLines.count > before
            }, "the lab did not answer \(line)")
        return try contents(of: path).asLines[before]
    }

    /// Stops the whole site where it stands, or lets it go on: nobody is refused, nobody answered.
    func hang(_ hangs: Bool) { lab.signal(hangs ? SIGSTOP : SIGCONT) }

    /// Everything that happened at the site.
    func log() async throws -> [LabEvent] { try decoded(await say("log")) }

    /// What is on now.
    func state() async throws -> State { try decoded(await say("state")) }

    /// The live logins at vCenter, by interface.
    func sessions() async throws -> [String: Int] { try decoded(await say("sessions")) }

    /// Waits until the logins are so; looks again at once, since some last no second.
    func untilSessions(
        _ limit: Duration = .seconds(30), _ isSo: ([String: Int]) -> Bool
    ) async throws -> Bool {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        while try await !isSo(sessions()) {
            guard clock.now < deadline else { return false }
            try await Task.sleep(for: .milliseconds(10))
        }
        return true
    }

    /// What of the site was touched since it began, by kind.
    func touched() async throws -> [LabEvent.Kind] { try await log().map(\.kind) }

    /// Cuts the UPS's output and brings the mains back: every host boots.
    func cyclePower() async throws {
        try await say("mains off")
        try await say("output off")
        let isOff = try await untilLog { $0.contains { $0.kind == .outputOff } }
        try #require(isOff, "the output did not go off")
        try await say("mains on")
    }

    /// Waits until the log is so.
    func untilLog(
        _ limit: Duration = .seconds(60), _ isSo: ([LabEvent]) -> Bool
    ) async throws -> Bool {
        let clock = ContinuousClock()
        let deadline = clock.now + limit
        while try await !isSo(log()) {
            guard clock.now < deadline else { return false }
            try await Task.sleep(for: .milliseconds(100))
        }
        return true
    }

    var sitePath: String { "\(directory)/lab/site.yaml" }

    /// What a command needs to find this lab.
    var environment: [String: String] {
        ["VPOWER_SITE": sitePath, "VPOWER_STATE": "\(directory)/state"]
    }

    /// Runs `vpower` against this lab.
    func vpower(_ arguments: String..., site: String? = nil) async throws -> VpowerProgram.Outcome {
        var environment = environment
        if let site { environment["VPOWER_SITE"] = site }
        return try await VpowerProgram.run(arguments, environment)
    }

    /// A second site file, changed; its path.
    func changedSite(_ name: String, _ change: (String) -> String) throws -> String {
        let before = try contents(of: sitePath)
        let after = change(before)
        try #require(before != after, "the lab's site file is not as this test thinks")
        try after.write(to: "\(directory)/\(name)")
        return "\(directory)/\(name)"
    }

    /// Somebody writes a host's local.sh, in place.
    func writeLocalSh(_ host: String, _ text: String) throws {
        try text.write(
            to: "\(directory)/lab/\(host)/root/etc/rc.local.d/local.sh", rights: 0o755)
    }

    /// A host's own local.sh, seen from outside.
    func localSh(_ host: String) throws -> String {
        try contents(of: "\(directory)/lab/\(host)/root/etc/rc.local.d/local.sh")
    }
}

/// Everything here starts programs and labs, and measures time: one after the other.
@Suite(.serialized) enum CommandTests {}
