import PowerModel
import PowerRun
import PowerService

/// What the feeds of a cluster say of their batteries, looked at once: for a plan or a check.
struct BatteryLook: Sendable {
    /// When the battery is expected to end, less the margin, counted from the look; nil when nobody
    /// knows.
    var deadline: Duration?
    /// Whether a feed is on battery now; if none is, the deadline is that of mains that fail now.
    var isOnBattery = false
    /// Feeds that could not be read.
    var warnings: [String] = []
}

extension SiteContext {
    /// Reads the feeds that a cluster hangs on. One that cannot be read is a warning.
    func lookAtBattery(of cluster: ClusterSite) async -> BatteryLook {
        var outlook = BatteryOutlook(of: cluster, feeds: site.feeds, ifMainsFailNow: true)
        var look = BatteryLook()
        for feed in feeds(of: cluster) {
            do {
                let reading = try await reading(of: feed)
                outlook.take(reading, of: feed.name, at: .zero)
                look.isOnBattery = look.isOnBattery || reading.status?.onBattery == true
                if reading.status == nil {
                    look.warnings.append(reading.problem ?? "feed \(feed.name): no status")
                }
            } catch { look.warnings.append("feed \(feed.name): \(error)") }
        }
        look.deadline = outlook.deadline
        return look
    }

    /// Why the mains are not taken to be there, feed by feed; empty when every feed of the cluster
    /// says OL now. One that cannot be read does not.
    func missingMains(for cluster: ClusterSite) async -> [String] {
        var missing: [String] = []
        for feed in feeds(of: cluster) {
            do {
                let reading = try await reading(of: feed)
                guard reading.status?.onLine != true else { continue }
                let said = reading.status.map { "feed \(feed.name) says \($0)" }
                missing.append(said ?? reading.problem ?? "feed \(feed.name): no status")
            } catch { missing.append("feed \(feed.name): \(error)") }
        }
        return missing
    }

    /// One look at a feed, over a connection of its own.
    func reading(of feed: Feed) async throws -> FeedReading {
        let control = try feedControl(feed)
        let reading = await control.read()
        await control.close()
        return reading
    }

    /// The feeds that a cluster's hosts hang on.
    func feeds(of cluster: ClusterSite) -> [Feed] {
        cluster.feeds.compactMap(site.feed)
    }
}

/// Follows the batteries of a cluster while a run goes on, and tells the run when they will end.
struct BatteryWatch: Sendable {
    private let context: SiteContext
    private let cluster: ClusterSite
    private let control: RunControl
    private let tell: @Sendable (String) async -> Void

    /// How often the batteries are looked at during a run.
    static let look: Duration = .seconds(5)

    /// - Parameter tell: says what a person must know: a feed that cannot be read, once,
    ///   and when it is read again.
    init(
        _ context: SiteContext, cluster: ClusterSite, control: RunControl,
        tell: @escaping @Sendable (String) async -> Void
    ) {
        self.context = context
        self.cluster = cluster
        self.control = control
        self.tell = tell
    }

    /// Reads the feeds until it is cancelled. A feed that cannot be read changes nothing: the run
    /// goes on by what is known.
    func run() async {
        var battery = ClusterBattery(cluster, feeds: context.site.feeds)
        var feeds: [any FeedControl] = []
        for feed in context.feeds(of: cluster) {
            do { feeds.append(try context.feedControl(feed)) } catch {
                await tell("feed \(feed.name) is not followed: \(error)")
            }
        }
        var lost: Set<FeedName> = []
        while !Task.isCancelled {
            for feed in feeds {
                let reading = await feed.read()
                battery.take(reading, of: feed.feed, at: context.time.elapsed)
                if reading.status != nil {
                    if lost.remove(feed.feed) != nil {
                        await tell("feed \(feed.feed) is read again")
                    }
                } else if !Task.isCancelled, lost.insert(feed.feed).inserted {
                    await tell(reading.problem ?? "feed \(feed.feed): no status")
                }
            }
            battery.tell(control)
            do { try await context.time.sleep(for: Self.look) } catch { break }
        }
        for feed in feeds { await feed.close() }
    }
}
