import Logging
import PowerModel
import PowerRun
import PowerService
import PowerStore
import ServiceLifecycle
import Synchronization
import VSphere

/// Carries out the daemon's runs of one cluster, one after the other: down when its feeds say so,
/// back when they have power again. What comes next is the desk's to say.
final class ClusterKeeper: Service {
    /// What the keeper needs of the daemon.
    struct Callbacks: Sendable {
        /// The clusters that need this one and are going down too.
        var dependents: @Sendable (ClusterName) async -> [ClusterName]
        /// The whole cluster's way down is over, with or without gaps.
        var isOver: @Sendable (ClusterName) async -> Void
        /// Some hosts are down, and the others stay.
        var hostsAreDown: @Sendable (ClusterName) async -> Void
        /// The cluster is about to come back.
        var comesBack: @Sendable (ClusterName) async -> Void
    }

    struct State {
        var desk = ClusterDesk()
        var control: RunControl?
        var battery: ClusterBattery
        var isStopping = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    let context: SiteContext
    let cluster: ClusterSite
    let journal: FallbackJournal
    let aborts: AbortBook
    let logger: Logger
    let callbacks: Callbacks
    let state: Mutex<State>
    /// The last snapshot: for when vCenter cannot be read as an outage begins.
    let kept = Mutex<ClusterSnapshot?>(nil)

    init(
        _ context: SiteContext, cluster: ClusterSite, journal: FallbackJournal, logger: Logger,
        callbacks: Callbacks
    ) {
        self.context = context
        self.cluster = cluster
        self.journal = journal
        aborts = AbortBook(directory: context.lockDirectory, cluster: cluster.name)
        var logger = logger
        logger[metadataKey: "cluster"] = "\(cluster.name)"
        self.logger = logger
        self.callbacks = callbacks
        state = Mutex(State(battery: ClusterBattery(cluster, feeds: context.site.feeds)))
    }

    // MARK: Wishes

    /// Whether the whole cluster is going down, or about to.
    var isGoingDown: Bool { state.withLock { $0.desk.isGoingDown } }

    /// The cluster, or a part of it, loses its power. Returns at once.
    func takeDown(_ scope: PlanScope, because reason: String) {
        heedMark()
        let fate = tell { state in
            let taken = state.desk.takeDown(scope, because: reason)
            return (taken.fate, taken.signal)
        }
        switch fate {
        case .accepted, .alreadySo: break
        case .held: logger.critical("HELD, not acted on", metadata: ["why": "\(reason)"])
        case .aborted:
            logger.critical(
                "NOT acted on: this outage's run was aborted. The mains must return once, or: vpower shutdown",
                metadata: ["why": "\(reason)"])
        }
    }

    /// Enough feeds have their mains back: what can be reversed is.
    func relieve() {
        tell { state in ((), state.desk.relieve()) }
    }

    /// The mains have been back for long enough to start hosts and guests.
    func takeUp() {
        let fate = tell { state in (state.desk.takeUp(), nil) }
        if fate == .held { logger.warning("HELD, what is off is not brought back") }
    }

    /// Begins or ends a hold.
    func setHold(_ hold: Hold?) {
        let (was, released) = tell { state in
            let was = state.desk.isHeld
            let change = state.desk.setHold(hold != nil)
            return ((was, change.released), change.signal)
        }
        if let hold, !was {
            logger.warning("HOLD: watched and announced, not acted on", metadata: hold.metadata)
        }
        if hold == nil, was {
            logger.warning("the hold is over", metadata: ["now": "\(released.count) to carry out"])
        }
    }

    /// One reading of one of the cluster's feeds.
    func take(_ reading: FeedReading, of feed: FeedName, at moment: Duration) {
        let areBack = tell { state in
            state.battery.take(reading, of: feed, at: moment)
            if let control = state.control { state.battery.tell(control) }
            return (state.battery.isOnLine, nil)
        }
        if areBack { forgetAbort() }
    }

    /// Another process may have carried out the run that was aborted.
    private func heedMark() {
        do {
            if try aborts.mark(at: context.time.wall) != nil {
                tell { state in (state.desk.abort(), nil) }
            }
        } catch { report(error) }
    }

    /// Every feed of the cluster is on line power: an abort of the outage before counts no more.
    private func forgetAbort() {
        do {
            guard try aborts.mark(at: context.time.wall) != nil else { return }
            try aborts.clearMark()
            tell { state in (state.desk.forgetAbort(), nil) }
            logger.notice("the mains were back: the abort is over, outages are acted on again")
        } catch { report(error) }
    }

    /// Changes the state, tells the run that goes on, and wakes the keeper.
    @discardableResult
    func tell<Result: Sendable>(
        _ change: (inout State) -> (Result, ClusterDesk.Signal?)
    ) -> Result {
        let (result, waiter) = state.withLock { state in
            let (result, signal) = change(&state)
            switch signal {
            case .goOn: state.control?.ask(.goOn)
            case .reverse: state.control?.ask(.reverse)
            case .stop: state.control?.ask(.stop)
            case nil: break
            }
            defer { state.waiter = nil }
            return (result, state.waiter)
        }
        waiter?.resume()
        return result
    }

    // MARK: Life

    func run() async throws {
        await withGracefulShutdownHandler {
            heedEarlierAbort()
            await goOnWithWhatWasInterrupted()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.keepInventory() }
                while let job = await self.next() {
                    let result = await self.carryOut(job)
                    if result == nil, job.isWholeDown { await self.pauseBeforeRetry() }
                    self.tell { state in (state.desk.ended(result), nil) }
                }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    /// The first signal: the present step is finished and recorded.
    private func stop() {
        tell { state in
            state.isStopping = true
            return ((), .stop)
        }
    }

    /// The second signal: nothing is waited for any more.
    func abandon() { state.withLock { $0.control?.abandon() } }

    private func next() async -> ClusterDesk.Job? {
        while true {
            let (job, isStopping) = state.withLock { state in
                (state.isStopping ? nil : state.desk.begin(), state.isStopping)
            }
            if isStopping { return nil }
            if let job { return job }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if !state.desk.waiting.isEmpty || state.isStopping { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    /// Between two attempts to begin to take the cluster down.
    private static let retryEvery: Duration = .seconds(10)

    private func pauseBeforeRetry() async {
        let end = context.time.elapsed + Self.retryEvery
        while context.time.elapsed < end, !state.withLock({ $0.isStopping }) {
            do { try await context.time.sleep(for: Self.lockLook) } catch { return }
        }
    }

    // MARK: What was before

    /// A run of this outage that was aborted stays so, also when the daemon is new.
    private func heedEarlierAbort() {
        do {
            guard let mark = try aborts.mark(at: context.time.wall) else { return }
            logger.critical(
                "this outage's run was aborted: nothing is done until the mains were back",
                metadata: ["why": "\(mark.reason.onOneLine)"])
            tell { state in (state.desk.abort(), nil) }
        } catch { report(error) }
    }

    /// A daemon that was killed in the middle of an outage's run goes on with it: on battery at
    /// once, on line power when the watch says that the mains are stable. An aborted one is undone.
    private func goOnWithWhatWasInterrupted() async {
        do {
            let ledger = Ledger(try await journal.openOutage(of: cluster.name))
            if !ledger.hostsLeft.isEmpty { try await finishLeaving() }
            guard let run = ledger.interruptedRun, run.plan.kind.isWhole,
                run.cause.origin == .outage
            else { return }
            if state.withLock({ $0.desk.isAborted }) {
                tell { state in (state.desk.undo(), nil) }
                return
            }
            for feed in context.feeds(of: cluster) {
                if try await context.reading(of: feed).status?.onBattery == true {
                    let reason = "resumed: \(run.cause.reason)"
                    tell { state in (state.desk.goOn(.wholeCluster, because: reason), nil) }
                    return
                }
            }
        } catch { report(error) }
    }

    /// Its host was told to go, and the output was not: the daemon was killed in between, or the
    /// mains were back before that. Then nothing would bring that host back. Another boot of the
    /// host has ended that.
    func finishLeaving() async throws {
        if try await isLeaving() { await callbacks.isOver(cluster.name) }
    }

    /// How often the inventory is kept for the day on which vCenter is gone first.
    private static let keepEvery: Duration = .seconds(600)

    private func keepInventory() async {
        while !Task.isCancelled {
            do {
                let vcenter = try context.makeCluster(cluster)
                do {
                    let snapshot = await context.complete(
                        try await vcenter.snapshot(), of: cluster, through: vcenter)
                    kept.withLock { $0 = snapshot }
                } catch {
                    logger.info("inventory not kept", metadata: ["error": "\(error)"])
                }
                await vcenter.close()
                try await context.time.sleep(for: Self.keepEvery)
            } catch is CancellationError { return } catch {
                report(error)
                return
            }
        }
    }
}

extension PlanKind {
    /// Whether it takes everything down.
    var isWhole: Bool { self == .cluster || self == .vsan }
}

extension Hold {
    /// For the log.
    var metadata: Logger.Metadata {
        ["until": "\(HoldTime.text(until))", "why": "\(reason.onOneLine)"]
    }
}
