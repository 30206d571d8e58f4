import Foundation
import Logging
import PowerModel
import PowerService
import Testing

/// A daemon of this package's services in a process of its own: the test program started again
/// with one test of it, which is the daemon.
@Suite struct DaemonTests {
    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["VPOWER_TEST_DAEMON"] != nil,
            "it is the daemon that the next test starts, not a test"))
    func `the daemon that another test starts`() async throws {
        let environment = ProcessInfo.processInfo.environment
        let path = try #require(environment["VPOWER_TEST_DAEMON"])
        let descriptor = try #require(
            NotifySocket.inheritedDescriptor(environment: environment, process: getpid()))
        let inbox = EventInbox()
        let loop = WatchLoop(
            site: site(feeds: [FeedName("a")], clusters: [:]),
            feeds: [ScriptedFeed(FeedName("a"), status: "OL")], inbox: inbox,
            handler: FileHandler(path: path), logger: quiet)
        let runner = ServiceRunner(
            services: [
                try NotifySocket(inherited: descriptor, inbox: inbox),
                SpoolReader(
                    spool: EventSpool(directory: path + ".spool"), inbox: inbox, logger: quiet),
                loop,
            ],
            environment: environment, logger: quiet)
        try await runner.run()
        try append("stopped gracefully", to: path)
    }

    @Test func `an event starts a dead daemon, which receives it and stops on SIGTERM`()
        async throws
    {
        let scratch = try Scratch()
        let log = scratch.path + "/log"
        let manager = EventInbox()
        let managerSocket = try NotifySocket(path: scratch.path + "/manager", inbox: manager)
        let states = Collector(manager)
        let listening = Task { try await managerSocket.run() }
        let variables = [
            "VPOWER_TEST_DAEMON": log, "NOTIFY_SOCKET": scratch.path + "/manager",
            "PATH": "/usr/bin:/bin",
        ]
        let activator = try Spawned(
            "/usr/bin/systemd-socket-activate",
            ["--datagram", "--listen=\(scratch.socket)", "--fdname=notify"]
                + variables.map { "--setenv=\($0)=\($1)" }
                + [
                    CommandLine.arguments[0], "--testing-library", "swift-testing", "--filter",
                    "daemon that another test",
                ],
            environment: ["PATH": "/usr/bin:/bin"], output: scratch.path + "/output")
        defer { activator.stop() }
        #expect(
            try await eventually { FileManager.default.fileExists(atPath: scratch.socket) })
        #expect(!FileManager.default.fileExists(atPath: log))

        // The real program, since it is what upsmon runs.
        let notify = try Spawned(
            buildDirectory + "/vpower-notify", ["UPS is on battery"],
            environment: [
                "NOTIFYTYPE": "ONBATT", "UPSNAME": "ups@localhost",
                "VPOWER_NOTIFY_SOCKET": scratch.socket, "VPOWER_SPOOL": scratch.spool,
            ])
        #expect(try await notify.end() == 0)
        let received = try await eventually(within: .seconds(20)) {
            lines(of: log) == ["ONBATT ups@localhost UPS is on battery"]
        }
        #expect(received, "\(lines(of: scratch.path + "/output"))")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.spool) == [])
        // READY=1 is no event, which is how it shows here.
        #expect(try await eventually { states.all == [.unreadable(.cutShort)] })

        kill(activator.id, SIGTERM)
        #expect(try await eventually { lines(of: log).last == "stopped gracefully" })
        // STOPPING=1, which may be read a little later.
        #expect(try await eventually { states.all.count == 2 })
        listening.cancel()
        try await listening.value
        states.stop()
    }

    private func lines(of path: String) -> [String] {
        let bytes = FileManager.default.contents(atPath: path) ?? Data()
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

private func append(_ line: String, to path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    defer { close(file) }
    let bytes = Array("\(line)\n".utf8)
    guard write(file, bytes, bytes.count) == bytes.count else { throw POSIXError(.EIO) }
}

/// Writes live events down for another process to read.
private struct FileHandler: OutageHandler {
    var path: String

    func noticed(_ notice: EventNotice) async {
        guard case .live(let event) = notice else { return }
        do {
            try append("\(event.type) \(event.ups) \(event.message)", to: path)
        } catch {
            Issue.record(error)
        }
    }
    func outageBegan(_ feed: FeedName) async {}
    func outageEnded(_ feed: FeedName) async {}
    func trigger(_ clusters: [ClusterSite], because causes: [OutageDecider.Cause]) async {}
    func relieved(_ clusters: [ClusterSite]) async {}
    func mains(of feed: FeedName, stableFor: Duration) async {}
    func supplied(_ clusters: [ClusterSite]) async {}
    func staleForcedShutdown(_ feed: FeedName) async {}
    func unreadable(_ feed: FeedName, problem: String) async {}
    func readable(_ feed: FeedName) async {}
}
