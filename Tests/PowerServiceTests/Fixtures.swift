import Foundation
import Logging
import PowerModel
import PowerRun
import PowerService
import Synchronization

/// Remembers every call, in a form to compare.
final class RecordingHandler: OutageHandler {
    private let calls = Mutex<[String]>([])
    private let notices = Mutex<[EventNotice]>([])
    private let readings = Mutex<[FeedName]>([])
    private let firstTrigger = Mutex<Duration?>(nil)

    /// The calls so far, without those that only count time.
    var all: [String] { calls.withLock { $0 } }
    /// The notices so far.
    var noticed: [EventNotice] { notices.withLock { $0 } }
    /// The feeds that were read, reading by reading.
    var taken: [FeedName] { readings.withLock { $0 } }
    /// When the first trigger came.
    var triggeredAt: Duration? { firstTrigger.withLock { $0 } }

    private func note(_ call: String) { calls.withLock { $0.append(call) } }

    func outageBegan(_ feed: FeedName) async { note("began \(feed)") }
    func outageEnded(_ feed: FeedName) async { note("ended \(feed)") }
    func trigger(_ clusters: [ClusterSite], because causes: [OutageDecider.Cause]) async {
        firstTrigger.withLock { $0 = $0 ?? SystemTime().elapsed }
        note("trigger \(clusters.map(\.name)) \(causes)")
    }
    func took(_ reading: FeedReading, of feed: FeedName, at moment: Duration) async {
        readings.withLock { $0.append(feed) }
    }
    func hostsAtRisk(
        _ hosts: [HostName], of cluster: ClusterSite, because causes: [OutageDecider.Cause]
    ) async { note("at risk \(cluster.name) \(hosts) \(causes)") }
    func shed(
        _ tiers: [TierName], of cluster: ClusterSite, because causes: [OutageDecider.Cause]
    ) async { note("shed \(cluster.name) \(tiers) \(causes)") }
    func relieved(_ clusters: [ClusterSite]) async { note("relieved \(clusters.map(\.name))") }
    func mains(of feed: FeedName, stableFor: Duration) async {}
    func supplied(_ clusters: [ClusterSite]) async { note("supplied \(clusters.map(\.name))") }
    func staleForcedShutdown(_ feed: FeedName) async { note("stale \(feed)") }
    func unreadable(_ feed: FeedName, problem: String) async { note("unreadable \(feed)") }
    func readable(_ feed: FeedName) async { note("readable \(feed)") }
    func noticed(_ notice: EventNotice) async { notices.withLock { $0.append(notice) } }
}

/// A feed that answers what it is told to.
final class ScriptedFeed: FeedControl {
    let feed: FeedName
    private let status: Mutex<String?>
    private let hangs: Mutex<Bool>
    private let count = Mutex(0)

    init(_ feed: FeedName, status: String?, hangs: Bool = false) {
        self.feed = feed
        self.status = Mutex(status)
        self.hangs = Mutex(hangs)
    }

    var reads: Int { count.withLock { $0 } }
    func say(_ text: String?) { status.withLock { $0 = text } }

    func read() async -> FeedReading {
        count.withLock { $0 += 1 }
        if hangs.withLock({ $0 }) {
            do { try await Task.sleep(for: .seconds(3600)) } catch { return reading(nil) }
        }
        return reading(status.withLock { $0 })
    }
    func holdLogin() async throws(FeedError) {}
    func releaseLogin() async {}
    func cutOutput() async throws(FeedError) {}
    func outputDelay() async throws(FeedError) -> Duration? { nil }
    func close() async {}
}

/// Silent: the tests look at the handler.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Waits until something holds; false when it does not within the limit.
func eventually(
    within limit: Duration = .seconds(60), _ holds: () async throws -> Bool
) async throws -> Bool {
    let deadline = SystemTime().elapsed + limit
    while SystemTime().elapsed < deadline {
        if try await holds() { return true }
        try await Task.sleep(for: .milliseconds(20))
    }
    return try await holds()
}

/// A directory of one test, removed at its end.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/vpower-service-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw POSIXError(.EIO) }
        path = String(cString: made)
        try FileManager.default.createDirectory(
            atPath: spool, withIntermediateDirectories: false)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            print("cannot remove \(path): \(error)")
        }
    }

    var spool: String { path + "/spool" }
    var socket: String { path + "/notify.sock" }

    func write(_ bytes: [UInt8], spooledAs name: String) throws {
        try Data(bytes).write(to: URL(filePath: "\(spool)/\(name)"))
    }
}

/// An event of now, or as old as given.
func event(
    _ type: String, age: Duration = .zero, boot: String = SystemTime.bootMoment().boot
) -> UPSEvent {
    UPSEvent(
        boot: boot, at: SystemTime().wall - age,
        up: .milliseconds((SystemTime.bootMoment().up - age).milliseconds), type: type,
        ups: "dummy@localhost", message: "UPS dummy@localhost: \(type)")
}

extension Timestamp {
    static func - (left: Timestamp, right: Duration) -> Timestamp {
        Timestamp(millisecondsSinceEpoch: left.millisecondsSinceEpoch - right.milliseconds)
    }
}

/// The directory of the built programs.
let buildDirectory = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().path
