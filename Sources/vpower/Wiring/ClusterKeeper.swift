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
        /// A run has taken the whole cluster down, with how it ended; with nil when the cluster is
        /// about to come back.
        var whenDown: @Sendable (ClusterName, RunResult?) async -> Void
    }

    private struct State {
        var desk = ClusterDesk()
        var control: RunControl?
        var battery: ClusterBattery
        var isStopping = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let context: SiteContext
    private let cluster: ClusterSite
    private let journal: FallbackJournal
    private let aborts: AbortBook
    private let logger: Logger
    private let callbacks: Callbacks
    private let state: Mutex<State>
    private let kept = Mutex<ClusterSnapshot?>(nil)

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
    private func tell<Result: Sendable>(
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

    // MARK: Runs

    /// Carries a job out with the cluster's lock held, and reports what is thrown.
    private func carryOut(_ job: ClusterDesk.Job) async -> RunResult? {
        defer { state.withLock { $0.control = nil } }
        do {
            let lock = try await takeLock()
            let around = try context.surroundings(
                cluster, journal: journal, announcer: LogAnnouncer(logger: logger))
            var result: RunResult?
            do {
                switch job {
                case .down(let scope, let reason):
                    result = try await goDown(scope, reason, around)
                case .up: result = try await comeBack(around)
                }
            } catch { report(error) }
            await around.close()
            _ = consume lock
            return result
        } catch {
            report(error)
            return nil
        }
    }

    /// An operation with a control of its own, which the keeper's wishes go to from now on.
    private func begin(
        _ around: Surroundings
    ) async -> (operation: Operation, control: RunControl) {
        let estimates = await context.estimates(for: cluster, from: journal)
        let control = RunControl()
        state.withLock { state in
            state.control = control
            state.battery.tell(control)
            if state.isStopping { control.ask(.stop) }
        }
        let operation = Operation(
            in: around, machines: context.machines(of: cluster), estimates: estimates,
            control: control, kept: kept.withLock { $0 }, makeID: { [context] in context.makeID() })
        return (operation, control)
    }

    /// How long the daemon waits for a run that a person began: as long as a long one takes.
    private static let lockLimit: Duration = .seconds(3600)
    private static let lockLook: Duration = .milliseconds(500)

    private func takeLock() async throws -> RunLock {
        let deadline = context.time.elapsed + Self.lockLimit
        var isTold = false
        while true {
            do {
                return try RunLock(directory: context.lockDirectory, cluster: cluster.name)
            } catch {
                let mayWait = error.reason == .locked && context.time.elapsed < deadline
                guard mayWait, !state.withLock({ $0.isStopping }) else { throw error }
                if !isTold { logger.warning("waiting", metadata: ["why": "\(error)"]) }
                isTold = true
                try await context.time.sleep(for: Self.lockLook)
            }
        }
    }

    private func report(_ error: any Error) {
        logger.error("not carried out", metadata: ["error": "\(error)"])
    }

    private func goDown(
        _ scope: PlanScope, _ reason: String, _ around: Surroundings
    ) async throws -> RunResult? {
        let (operation, control) = await begin(around)
        let watch = AbortWatch(
            book: aborts, cluster: cluster.name, journal: journal, time: context.time,
            tell: { [logger] in logger.critical("abort", metadata: ["what": "\($0)"]) },
            whenTaken: { self.tell { state in (state.desk.abort(), nil) } })
        let scope = await widened(scope)
        let (result, isAborted) = try await watch.during(control) {
            try await self.shutDown(operation, scope, reason)
        }
        logger.notice("shutdown ended", metadata: ["result": "\(result.rawValue)"])
        if isAborted {
            _ = try await undo(around)
            return result
        }
        tell { state in (state.desk.forgetAbort(), nil) }
        if result == .interrupted { tellHowToGoOn() }
        let isWhole = try await operation.ledger().lastRun?.plan.kind.isWhole == true
        // A reversed run is undone when the watch says that the mains are stable.
        if isWhole, result == .finished || result == .finishedWithGaps {
            await callbacks.whenDown(cluster.name, result)
        }
        return result
    }

    /// What an aborted run had done is undone at once: a person has said that there is power.
    private func undo(_ around: Surroundings) async throws -> RunResult? {
        logger.critical(
            "aborted: undone now, and not triggered again in this outage. The mains must return once, or: vpower shutdown"
        )
        return try await restore(await begin(around).operation, because: "the shutdown was aborted")
    }

    private func tellHowToGoOn() {
        guard state.withLock({ $0.isStopping }) else { return }
        logger.warning(
            "stopped after the present step; the daemon's next start goes on, or: vpower resume")
    }

    /// The scope with what is known only now: who else goes down, and whether vCSA is on a host
    /// that is at risk: then the whole cluster goes.
    private func widened(_ scope: PlanScope) async -> PlanScope {
        switch scope {
        case .tiers: return scope
        case .cluster: break
        case .hosts(let hosts):
            guard let inventory = kept.withLock({ $0?.inventory }) else { return scope }
            do {
                let vcsa = try Roles(of: inventory, in: cluster).vcsa
                guard let host = vcsa?.host, hosts.contains(host) else { return scope }
                logger.critical("vCSA is at risk: the whole cluster goes down")
            } catch {
                logger.error("vCSA's host is not known", metadata: ["error": "\(error)"])
                return scope
            }
        }
        return .cluster(dependents: await callbacks.dependents(cluster.name))
    }

    private func shutDown(
        _ operation: Operation, _ scope: PlanScope, _ reason: String
    ) async throws -> RunResult {
        if case .cluster = scope, let run = try await operation.ledger().interruptedRun,
            run.plan.kind.isWhole
        {
            return switch try await operation.resume(mainsAreBack: false) {
            case .continued(_, let result), .reversed(let result): result
            }
        }
        let prepared = try await prepare(operation, scope)
        return await operation.shutDown(prepared, because: RunCause(.outage, reason))
    }

    /// Plans the scope; the whole cluster where some hosts of it cannot be taken down alone.
    private func prepare(
        _ operation: Operation, _ scope: PlanScope
    ) async throws -> Operation.Prepared {
        do { return try await operation.prepareShutdown(scope) } catch OperationError.plan(
            let error)
        {
            guard case .hosts = scope else { throw OperationError.plan(error) }
            logger.critical(
                "hosts cannot go down alone: the whole cluster does", metadata: ["why": "\(error)"])
            return try await operation.prepareShutdown(
                .cluster(dependents: await callbacks.dependents(cluster.name)))
        }
    }

    private func comeBack(_ around: Surroundings) async throws -> RunResult? {
        let (operation, _) = await begin(around)
        let ledger = try await operation.ledger()
        guard ledger.outage != nil else { return nil }
        guard ledger.runs.last(where: { $0.plan.kind != .restore })?.cause.origin == .outage
        else {
            logger.notice("the cluster was shut down by hand: it is left so")
            return nil
        }
        await callbacks.whenDown(cluster.name, nil)
        // Tiers and hosts that were not done are simply brought back.
        if let run = ledger.interruptedRun, run.plan.kind.isWhole || run.plan.kind == .restore {
            let resumed = try await operation.resume(mainsAreBack: true)
            switch resumed {
            case .continued(let kind, .finished), .continued(let kind, .finishedWithGaps):
                // Gaps in the way down are no reason to leave the cluster down.
                guard kind.isWhole else { return nil }
            case .continued(_, let result), .reversed(let result):
                // It was a way back already, or was told to stop.
                if result == .interrupted { tellHowToGoOn() }
                return result
            }
        }
        return try await restore(operation, because: "the mains are back")
    }

    private func restore(
        _ operation: Operation, because reason: String
    ) async throws -> RunResult {
        let prepared = try await operation.prepareRestore()
        let result = await operation.restore(prepared, because: RunCause(.outage, reason))
        logger.notice("cluster restore ended", metadata: ["result": "\(result.rawValue)"])
        if result == .interrupted { tellHowToGoOn() }
        return result
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

    /// How often the inventory is kept for the day on which vCenter is gone first.
    private static let keepEvery: Duration = .seconds(600)

    private func keepInventory() async {
        while !Task.isCancelled {
            do {
                let vcenter = try context.makeCluster(cluster)
                do {
                    let snapshot = try await vcenter.snapshot()
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
