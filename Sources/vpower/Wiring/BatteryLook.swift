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

    /// Whether every feed of the cluster says OL now. One that cannot be read does not.
    func mainsAreThere(for cluster: ClusterSite) async throws -> Bool {
        for feed in feeds(of: cluster) {
            if try await reading(of: feed).status?.onLine != true { return false }
        }
        return true
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

    /// How often the batteries are looked at during a run.
    static let look: Duration = .seconds(5)

    init(_ context: SiteContext, cluster: ClusterSite, control: RunControl) {
        self.context = context
        self.cluster = cluster
        self.control = control
    }

    /// Reads the feeds until it is cancelled. A feed that cannot be read changes nothing: the run
    /// goes on by what is known.
    func run() async {
        var battery = ClusterBattery(cluster, feeds: context.site.feeds)
        let feeds = context.feeds(of: cluster).compactMap { feed in
            // One whose secret is missing cannot be read: the plan has said so.
            try? context.feedControl(feed)
        }
        while !Task.isCancelled {
            for feed in feeds {
                battery.take(await feed.read(), of: feed.feed, at: context.time.elapsed)
            }
            battery.tell(control)
            do { try await context.time.sleep(for: Self.look) } catch { break }
        }
        for feed in feeds { await feed.close() }
    }
}
