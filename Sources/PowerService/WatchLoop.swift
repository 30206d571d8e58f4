public import Logging
public import PowerModel
public import PowerRun
public import ServiceLifecycle
import Synchronization

/// How fast the watch loop looks.
public struct WatchPace: Hashable, Sendable {
    /// Between two readings of a feed on line power: upsd's own driver polls every 2 s.
    public var interval: Duration = .seconds(2)
    /// Between two readings of a feed on battery: a second counts there.
    public var intervalOnBattery: Duration = .seconds(1)
    /// Between two readings at least, however many events come in: a flood of them must not
    /// become a flood at upsd.
    public var gap: Duration = .milliseconds(100)
    /// How long a reading may take before the feed counts as silent. A healthy upsd answers in
    /// 0.1 s at most (facts/nut.md section 6).
    public var readLimit: Duration = .seconds(5)

    /// The defaults.
    public init() {}
}

/// Reads every feed at its pace, decides, and tells the handler.
///
/// Each feed has a reader of its own, so that one that does not answer holds no other up; one
/// place decides, in the order in which the readings come in. Events only make the readers look at
/// once; several of them at a time make them look once.
public final class WatchLoop: Service {
    private let feeds: [any FeedControl]
    private let site: Site
    private let inbox: EventInbox
    private let handler: any OutageHandler
    private let time: any TimeSource
    private let pace: WatchPace
    private let logger: Logger
    private let bells: [FeedName: Bell]
    private let decider: Mutex<OutageDecider>

    /// How many readings wait for the decision; older ones go first, since only the newest matter.
    static let readingsLimit = 256

    /// Watches these feeds of this site.
    public init(
        site: Site, feeds: [any FeedControl], inbox: EventInbox, handler: any OutageHandler,
        time: any TimeSource = SystemTime(), pace: WatchPace = WatchPace(), logger: Logger
    ) {
        self.site = site
        self.feeds = feeds
        self.inbox = inbox
        self.handler = handler
        self.time = time
        self.pace = pace
        self.logger = logger
        bells = Dictionary(feeds.map { ($0.feed, Bell()) }) { first, _ in first }
        decider = Mutex(OutageDecider(site: site))
    }

    /// What is known of the feeds and clusters now.
    public var state: OutageDecider { decider.withLock { $0 } }

    /// Makes every reader look at once.
    public func lookNow() { bells.values.forEach { $0.ring() } }

    /// Watches until a graceful shutdown or cancellation.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await self.watch() }
    }

    private struct Observation: Sendable {
        var feed: FeedName
        var reading: FeedReading
        var at: Duration
    }

    private func watch() async {
        let (readings, sink) = AsyncStream.makeStream(
            of: Observation.self, bufferingPolicy: .bufferingNewest(Self.readingsLimit))
        await withTaskGroup(of: Void.self) { group in
            for feed in feeds {
                guard let bell = bells[feed.feed] else { continue }
                group.addTask { await self.follow(feed, bell: bell, sink: sink) }
            }
            group.addTask { await self.heed() }
            for await observation in readings { await decide(observation) }
            group.cancelAll()
        }
    }

    // MARK: Reading

    private func follow(
        _ feed: any FeedControl, bell: Bell, sink: AsyncStream<Observation>.Continuation
    ) async {
        var onBattery = false
        while !Task.isCancelled {
            let reading = await read(feed, sink: sink)
            sink.yield(Observation(feed: feed.feed, reading: reading, at: time.elapsed))
            if let status = reading.status { onBattery = status.onBattery }
            await pause(onBattery ? pace.intervalOnBattery : pace.interval, or: bell)
        }
    }

    /// One reading; while it takes longer than its limit the feed is reported as silent.
    private func read(
        _ feed: any FeedControl, sink: AsyncStream<Observation>.Continuation
    ) async -> FeedReading {
        let limit = pace.readLimit
        let time = time
        let silence = FeedReading(status: nil, problem: "no answer from upsd within \(limit.short)")
        return await withTaskGroup(of: FeedReading?.self) { group in
            group.addTask { await feed.read() }
            group.addTask {
                while await self.sleep(limit) {
                    sink.yield(Observation(feed: feed.feed, reading: silence, at: time.elapsed))
                }
                return nil
            }
            for await case let reading? in group {
                group.cancelAll()
                return reading
            }
            return silence
        }
    }

    private func pause(_ interval: Duration, or bell: Bell) async {
        guard await sleep(pace.gap) else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await self.sleep(interval - self.pace.gap) }
            group.addTask { await bell.wait() }
            await group.next()
            group.cancelAll()
        }
    }

    /// Whether it slept to the end.
    private func sleep(_ duration: Duration) async -> Bool {
        do throws(CancellationError) {
            try await time.sleep(for: duration)
            return true
        } catch {
            return false
        }
    }

    // MARK: Events

    private func heed() async {
        for await notice in inbox.notices {
            switch notice {
            case .live(let event):
                log(.info, "UPS event", event)
                lookNow()
            case .history(let event, let age):
                log(.notice, "UPS event of the past, not acted on (\(age))", event)
            case .unreadable(let error):
                logger.warning("a UPS event cannot be read: \(error)")
            }
            await handler.noticed(notice)
        }
    }

    private func log(_ level: Logger.Level, _ message: Logger.Message, _ event: UPSEvent) {
        logger.log(
            level: level, message,
            metadata: [
                "type": "\(event.type)", "ups": "\(event.ups)", "message": "\(event.message)",
            ])
    }

    // MARK: Deciding

    private func decide(_ observation: Observation) async {
        let decisions = decider.withLock {
            $0.take(observation.reading, of: observation.feed, at: observation.at)
        }
        await handler.took(
            observation.reading, of: observation.feed, at: observation.at)
        for decision in decisions {
            log(decision, status: observation.reading.status)
            await carryOut(decision)
        }
    }

    private func carryOut(_ decision: OutageDecider.Decision) async {
        switch decision {
        case .outageBegan(let feed): await handler.outageBegan(feed)
        case .outageEnded(let feed): await handler.outageEnded(feed)
        case .readAgain(let names): names.forEach { bells[$0]?.ring() }
        case .notConfirmed, .disagree, .waitsForCharge, .chargeOverdue: break
        case .trigger(let names, let causes):
            await handler.trigger(clusters(names), because: causes)
        case .hostsAtRisk(let name, let hosts, let causes):
            guard let cluster = site.cluster(name) else { break }
            await handler.hostsAtRisk(hosts, of: cluster, because: causes)
        case .shed(let name, let tiers, let causes):
            guard let cluster = site.cluster(name) else { break }
            await handler.shed(tiers, of: cluster, because: causes)
        case .relieved(let names): await handler.relieved(clusters(names))
        case .mains(let feed, let stable): await handler.mains(of: feed, stableFor: stable)
        case .supplied(let names): await handler.supplied(clusters(names))
        case .staleForcedShutdown(let feed): await handler.staleForcedShutdown(feed)
        case .unreadable(let feed, let problem):
            await handler.unreadable(feed, problem: problem)
        case .readable(let feed): await handler.readable(feed)
        }
    }

    private func clusters(_ names: [ClusterName]) -> [ClusterSite] {
        names.compactMap(site.cluster)
    }

    private func log(_ decision: OutageDecider.Decision, status: UPSStatus?) {
        logger.log(
            level: decision.level, "\(decision)",
            metadata: ["status": "\(status?.description ?? "-")"])
    }
}
