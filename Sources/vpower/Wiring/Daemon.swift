import Logging
import PowerModel
import PowerRun
import PowerService
import PowerStore

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
    /// Clusters whose shutdown is over, with or without gaps: there is nothing more to wait for.
    private var over: Set<ClusterName> = []
    /// Clusters of which some hosts went down and the others stay.
    private var partlyDown: Set<ClusterName> = []
    /// The feeds that have a user at upsd.
    private let feeds: [FeedName: any FeedControl]
    /// Feeds whose NUT primary may go on: everything on them is down.
    private var givenUp: Set<FeedName> = []
    private let book: HoldBook
    private var holdWatch = HoldWatch()
    /// Holds that count as none: told once.
    private var heldProblems: Set<String> = []

    /// - Parameter feeds: those that the watch reads; the login has a connection of its own.
    init(_ context: SiteContext, feeds: [any FeedControl], logger: Logger) {
        self.context = context
        self.logger = logger
        book = HoldBook(directory: context.state.directory)
        let withUser = Set(context.site.feeds.filter { $0.user != nil }.map(\.name))
        self.feeds = Dictionary(
            feeds.filter { withUser.contains($0.feed) }.map { ($0.feed, $0) },
            uniquingKeysWith: { first, _ in first })
    }

    func add(_ keeper: ClusterKeeper, for cluster: ClusterName) { keepers[cluster] = keeper }

    /// What begins before the first reading: logins at the feeds, and a look at the holds.
    func begin() {
        lookAtHolds()
        holdLogins()
    }

    // MARK: Logins

    /// Logs in at every feed; those that do not answer follow when they can be read.
    private func holdLogins() { feeds.keys.forEach(holdLogin) }

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

    // MARK: Holds

    /// Looks at the holds; at every reading of a feed, so that one that is over is over at once.
    private func lookAtHolds() {
        let time = context.time
        let page = book.read(context.site.clusters.map(\.name), at: time.wall)
        for problem in page.problems where !heldProblems.contains(problem) {
            logger.error("hold", metadata: ["problem": "\(problem)"])
        }
        heldProblems = Set(page.problems)
        let holds = HoldBook.Page(
            holds: holdWatch.stillOn(page.holds, wall: time.wall, at: time.elapsed))
        for (cluster, keeper) in keepers { keeper.setHold(holds.hold(for: cluster)) }
    }

    // MARK: What the watch sees; it has written it to the log

    func took(_ reading: FeedReading, of feed: FeedName, at moment: Duration) {
        lookAtHolds()
        for cluster in context.site.clusters where cluster.feeds.contains(feed) {
            keepers[cluster.name]?.take(reading, of: feed, at: moment)
        }
    }

    func outageBegan(_ feed: FeedName) { holdLogin(feed) }

    func outageEnded(_ feed: FeedName) {
        givenUp.remove(feed)
        holdLogin(feed)
    }

    func trigger(_ clusters: [ClusterSite], because causes: [OutageDecider.Cause]) {
        for cluster in clusters {
            keepers[cluster.name]?.takeDown(.wholeCluster, because: reason(causes))
        }
    }

    func hostsAtRisk(
        _ hosts: [HostName], of cluster: ClusterSite, because causes: [OutageDecider.Cause]
    ) {
        keepers[cluster.name]?.takeDown(.hosts(hosts), because: reason(causes))
    }

    func shed(
        _ tiers: [TierName], of cluster: ClusterSite, because causes: [OutageDecider.Cause]
    ) {
        keepers[cluster.name]?.takeDown(.tiers(tiers), because: reason(causes))
    }

    private func reason(_ causes: [OutageDecider.Cause]) -> String {
        causes.map(\.description).joined(separator: "; ")
    }

    func relieved(_ clusters: [ClusterSite]) {
        for cluster in clusters { keepers[cluster.name]?.relieve() }
    }

    func mains(of feed: FeedName, stableFor: Duration) {}

    /// What others need comes up first.
    func supplied(_ clusters: [ClusterSite]) {
        for (cluster, _) in context.site.shutdownOrder(of: clusters.map(\.name)).reversed() {
            keepers[cluster]?.takeUp()
        }
    }

    func staleForcedShutdown(_ feed: FeedName) {}

    func unreadable(_ feed: FeedName, problem: String) {}

    func readable(_ feed: FeedName) { holdLogin(feed) }

    func noticed(_ notice: EventNotice) {}

    // MARK: Several clusters

    /// The clusters that need this one and go down with it: it waits for them with vCSA and what
    /// else they need. Asked when its run begins, so after everything that was triggered at once.
    func dependents(of cluster: ClusterName) -> [ClusterName] {
        let goingDown = keepers.filter { $0.value.isGoingDown }.keys
        return context.site.dependents(of: cluster, among: Set(goingDown))
    }

    /// The second signal: no run waits for anything any more.
    func abandonRuns() { keepers.values.forEach { $0.abandon() } }

    // MARK: What the keepers did

    /// A cluster's way down is over. When that of every cluster on a feed is, and everything is
    /// proven off, the feed's output is cut, where the site file says that vpower is to do it;
    /// and as there is nothing more to wait for, the feed's NUT primary may go on.
    func clusterIsOver(_ cluster: ClusterName) async {
        over.insert(cluster)
        for feed in context.site.feeds {
            let on = clusters(on: feed)
            guard on.contains(cluster), over.isSuperset(of: on) else { continue }
            if feed.output != nil { await cut(feed, of: on) }
            // The mains may have returned meanwhile.
            guard over.isSuperset(of: on) else { continue }
            await giveUp(feed)
        }
    }

    /// Some hosts of a cluster are down, the others stay on their own feeds. A feed that nothing
    /// hangs on but what is proven off is done with, as when a whole cluster is over.
    func hostsAreDown(of cluster: ClusterName) async {
        partlyDown.insert(cluster)
        for feed in context.site.feeds {
            let on = clusters(on: feed)
            guard on.contains(cluster), await notOff(of: on, on: feed.name).isEmpty else {
                continue
            }
            // The mains may have returned meanwhile.
            guard partlyDown.contains(cluster) else { return }
            if feed.output != nil { await tellToCut(feed, of: on) }
            guard partlyDown.contains(cluster) else { return }
            await giveUp(feed)
        }
    }

    private func giveUp(_ feed: Feed) async {
        givenUp.insert(feed.name)
        await feeds[feed.name]?.releaseLogin()
    }

    /// A cluster is about to come back: its feeds have a user again.
    func clusterComesBack(_ cluster: ClusterName) {
        over.remove(cluster)
        partlyDown.remove(cluster)
        for feed in context.site.feeds where clusters(on: feed).contains(cluster) {
            givenUp.remove(feed.name)
            holdLogin(feed.name)
        }
    }

    private func clusters(on feed: Feed) -> Set<ClusterName> {
        Set(context.site.clusters.filter { $0.feeds.contains(feed.name) }.map(\.name))
    }

    private func cut(_ feed: Feed, of clusters: Set<ClusterName>) async {
        let notOff = await notOff(of: clusters)
        guard notOff.isEmpty else {
            let why = notOff.joined(separator: "; ")
            logger.critical(
                "output not cut", metadata: ["feed": "\(feed.name)", "why": "\(why)"])
            return
        }
        guard over.isSuperset(of: clusters) else { return }
        await tellToCut(feed, of: clusters)
    }

    /// What of these clusters is not proven off; of all of them, or of what hangs on one feed.
    private func notOff(
        of clusters: Set<ClusterName>, on feed: FeedName? = nil
    ) async -> [String] {
        var notOff: [String] = []
        for cluster in clusters.sorted() {
            notOff += await keepers[cluster]?.notOff(on: feed) ?? []
        }
        return notOff
    }

    private func tellToCut(_ feed: Feed, of clusters: Set<ClusterName>) async {
        do {
            var need = OutputNeed.nothing
            for cluster in clusters.sorted() {
                need = max(
                    need, try await keepers[cluster]?.outputIsNeeded(on: feed.name) ?? .nothing)
            }
            try await context.cutOutput(of: feed, neededFor: need)
            logger.notice("output told to cut", metadata: ["feed": "\(feed.name)"])
        } catch { logger.error("output not cut", metadata: ["error": "\(error)"]) }
    }
}
