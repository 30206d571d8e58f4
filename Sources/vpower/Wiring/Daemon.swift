import Logging
import PowerModel
import PowerRun
import PowerService

/// Turns what the watch loop sees into wishes of the clusters' keepers, and cuts a feed's output
/// when everything on it is down.
///
/// It is logged in at every feed from its start, not from the trigger: a NUT primary that sees
/// `OB LB` counts the logins at that moment, and one that counts its own alone halts and cuts the
/// output at once (facts/nut.md 1.6). The login is given up when everything on the feed is down.
actor Daemon: OutageHandler {
    private let context: SiteContext
    private let logger: Logger
    private var keepers: [ClusterName: ClusterKeeper] = [:]
    /// Clusters that are down in whole.
    private var down: Set<ClusterName> = []
    /// Clusters whose shutdown is over, with or without gaps: there is nothing more to wait for.
    private var over: Set<ClusterName> = []
    /// The feeds that have a user at upsd.
    private let feeds: [FeedName: any FeedControl]
    /// Feeds whose NUT primary may go on: everything on them is down.
    private var givenUp: Set<FeedName> = []

    /// - Parameter feeds: those that the watch reads; the login has a connection of its own.
    init(_ context: SiteContext, feeds: [any FeedControl], logger: Logger) {
        self.context = context
        self.logger = logger
        let withUser = Set(context.site.feeds.filter { $0.user != nil }.map(\.name))
        self.feeds = Dictionary(
            feeds.filter { withUser.contains($0.feed) }.map { ($0.feed, $0) },
            uniquingKeysWith: { first, _ in first })
    }

    func add(_ keeper: ClusterKeeper, for cluster: ClusterName) { keepers[cluster] = keeper }

    // MARK: Logins

    /// Logs in at every feed; those that do not answer follow when they can be read.
    func holdLogins() { feeds.keys.forEach(holdLogin) }

    /// Beside whatever goes on: an upsd that is slow to log in must not hold a decision up.
    private func holdLogin(_ feed: FeedName) { Task { await logIn(feed) } }

    private func logIn(_ name: FeedName) async {
        guard let feed = feeds[name], !givenUp.contains(name) else { return }
        do { try await feed.holdLogin() } catch {
            // It goes on without: a NUT primary elsewhere may cut the output early.
            logger.warning("no login held at upsd", metadata: ["error": "\(error)"])
        }
        if givenUp.contains(name) { await feed.releaseLogin() }
    }

    // MARK: What the watch sees

    func outageBegan(_ feed: FeedName) {
        holdLogin(feed)
        logger.notice("on battery: the wait has begun", metadata: ["feed": "\(feed)"])
    }

    func outageEnded(_ feed: FeedName) {
        givenUp.remove(feed)
        holdLogin(feed)
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
        holdLogin(feed)
        logger.notice("feed can be read again", metadata: ["feed": "\(feed)"])
    }

    /// The watch loop has written it to the log; nothing is decided from an event.
    func noticed(_ notice: EventNotice) {}

    // MARK: What the keepers did

    /// A cluster's shutdown is over, or (nil) it is about to come back. When everything on a feed
    /// is down its output is cut, where the site file says that vpower is to do it; and when there
    /// is nothing more to wait for, the feed's NUT primary may go on.
    func clusterIsDown(_ cluster: ClusterName, _ result: RunResult?) async {
        guard let result else {
            down.remove(cluster)
            over.remove(cluster)
            for feed in context.site.feeds where clusters(on: feed).contains(cluster) {
                givenUp.remove(feed.name)
                holdLogin(feed.name)
            }
            return
        }
        over.insert(cluster)
        if result == .finished { down.insert(cluster) }
        for feed in context.site.feeds {
            let on = clusters(on: feed)
            guard on.contains(cluster), over.isSuperset(of: on) else { continue }
            if feed.output != nil, down.isSuperset(of: on) { await cut(feed) }
            givenUp.insert(feed.name)
            await feeds[feed.name]?.releaseLogin()
        }
    }

    private func clusters(on feed: Feed) -> Set<ClusterName> {
        Set(
            context.site.clusters.filter { cluster in
                cluster.hosts.contains { $0.feeds.contains(feed.name) }
            }.map(\.name))
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
