import Logging
import PowerModel
import PowerRun
import PowerService

/// Turns what the watch loop sees into wishes of the clusters' keepers, and cuts a feed's output
/// when everything on it is down.
actor Daemon: OutageHandler {
    private let context: SiteContext
    private let logger: Logger
    private var keepers: [ClusterName: ClusterKeeper] = [:]
    private var down: Set<ClusterName> = []

    init(_ context: SiteContext, logger: Logger) {
        self.context = context
        self.logger = logger
    }

    func add(_ keeper: ClusterKeeper, for cluster: ClusterName) { keepers[cluster] = keeper }

    func outageBegan(_ feed: FeedName) {
        logger.notice("on battery: the wait has begun", metadata: ["feed": "\(feed)"])
    }

    func outageEnded(_ feed: FeedName) {
        logger.notice("on line power again", metadata: ["feed": "\(feed)"])
    }

    func trigger(_ clusters: [ClusterSite], because causes: [OutageDecider.Cause]) {
        let reason = causes.map(\.description).joined(separator: "; ")
        logger.notice("trigger", metadata: ["why": "\(reason)"])
        for cluster in clusters { keepers[cluster.name]?.post(.down(reason)) }
    }

    func relieved(_ clusters: [ClusterSite]) {
        for cluster in clusters { keepers[cluster.name]?.post(.relieved) }
    }

    func mains(of feed: FeedName, stableFor: Duration) {}

    func supplied(_ clusters: [ClusterSite]) {
        for cluster in clusters { keepers[cluster.name]?.post(.up) }
    }

    func staleForcedShutdown(_ feed: FeedName) {
        logger.warning(
            "FSD is set while on line power: not obeyed; only restarting upsd clears it",
            metadata: ["feed": "\(feed)"])
    }

    func unreadable(_ feed: FeedName, problem: String) {
        logger.warning("feed cannot be read", metadata: ["feed": "\(feed)", "why": "\(problem)"])
    }

    func readable(_ feed: FeedName) {
        logger.notice("feed can be read again", metadata: ["feed": "\(feed)"])
    }

    func noticed(_ notice: EventNotice) {
        logger.info("event", metadata: ["notice": "\(notice)"])
    }

    /// A cluster is down in whole, or no longer. When everything on a feed is, its output is cut,
    /// where the site file says that vpower is to do it.
    func clusterIsDown(_ cluster: ClusterName, _ isDown: Bool) async {
        if !isDown {
            down.remove(cluster)
            return
        }
        down.insert(cluster)
        for feed in context.site.feeds where feed.output != nil {
            let on = context.site.clusters.filter { cluster in
                cluster.hosts.contains { $0.feeds.contains(feed.name) }
            }
            guard !on.isEmpty, on.allSatisfy({ down.contains($0.name) }) else { continue }
            await cut(feed)
        }
    }

    private func cut(_ feed: Feed) async {
        do {
            let control = try context.feedControl(feed)
            do {
                try await control.cutOutput()
                logger.notice("output told to cut", metadata: ["feed": "\(feed.name)"])
            } catch {
                logger.error("output not cut", metadata: ["error": "\(error)"])
            }
            await control.close()
        } catch { logger.error("output not cut", metadata: ["error": "\(error)"]) }
    }
}
