import Logging
import PowerModel
import PowerRun
import PowerService
import PowerStore
import ServiceLifecycle
import Synchronization
import VSphere

/// Carries out the daemon's runs of one cluster, one after the other: down when its feeds say so,
/// back when they have power again. The watch loop only posts what it sees; this decides nothing.
final class ClusterKeeper: Service {
    /// What the feeds ask for.
    enum Wish: Sendable, Hashable {
        /// The cluster loses its power, for this reason.
        case down(String)
        /// The mains are back: what can be reversed may be.
        case relieved
        /// The mains have been back for long enough to start hosts and guests.
        case up
    }

    private struct State {
        var wishes: [Wish] = []
        var control: RunControl?
        var running: PlanKind?
        var isStopping = false
        var isDown = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let context: SiteContext
    private let cluster: ClusterSite
    private let journal: FallbackJournal
    private let logger: Logger
    private let state = Mutex(State())
    private let kept = Mutex<ClusterSnapshot?>(nil)
    /// Called when a run has taken the cluster down, with how it ended; with nil when the cluster
    /// is about to come back.
    private let whenDown: @Sendable (ClusterName, RunResult?) async -> Void

    /// How often the inventory is kept for the day on which vCenter is gone first.
    static let keepEvery: Duration = .seconds(600)

    init(
        _ context: SiteContext, cluster: ClusterSite, journal: FallbackJournal, logger: Logger,
        whenDown: @escaping @Sendable (ClusterName, RunResult?) async -> Void
    ) {
        self.context = context
        self.cluster = cluster
        self.journal = journal
        self.logger = logger
        self.whenDown = whenDown
    }

    /// Takes a wish in; returns at once. A run that is going on is told when the wish is against
    /// it: a shutdown is reversed by the mains' return, a restore is stopped by their failure.
    func post(_ wish: Wish) {
        let waiter = state.withLock { state in
            switch (wish, state.running) {
            case (.relieved, .cluster): state.control?.ask(.reverse)
            case (.down, .restore): state.control?.ask(.stop)
            case (.down, .cluster): state.control?.ask(.goOn)
            default: break
            }
            // Only the newest of each kind matters.
            if case .relieved = wish {
            } else {
                state.wishes.removeAll()
                state.wishes.append(wish)
            }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// The battery is at its end: what still waits for guests waits no longer.
    private func reachDeadline() { state.withLock { $0.control?.reachDeadline() } }

    func run() async throws {
        await withGracefulShutdownHandler {
            await goOnWithWhatWasInterrupted()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.keepInventory() }
                while let wish = await self.next() { await self.carryOut(wish) }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    private func stop() {
        let waiter = state.withLock { state in
            state.isStopping = true
            state.control?.ask(.stop)
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    private func next() async -> Wish? {
        while true {
            let (wish, isStopping) = state.withLock { state in
                (state.wishes.isEmpty ? nil : state.wishes.removeFirst(), state.isStopping)
            }
            if isStopping { return nil }
            if let wish { return wish }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if !state.wishes.isEmpty || state.isStopping { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    // MARK: Runs

    private func carryOut(_ wish: Wish) async {
        switch wish {
        case .down(let reason): await withOperation(.cluster) { try await self.goDown($0, reason) }
        case .up: await withOperation(.restore) { try await self.comeBack($0) }
        case .relieved: break
        }
    }

    /// Makes an operation, with the cluster's lock held, and reports what it throws.
    private func withOperation(
        _ kind: PlanKind, _ body: @Sendable (Operation) async throws -> Void
    ) async {
        let control = RunControl()
        state.withLock { state in
            state.control = control
            state.running = kind
        }
        defer {
            state.withLock { state in
                state.control = nil
                state.running = nil
            }
        }
        do {
            let lock = try await takeLock()
            let around = try context.surroundings(
                cluster, journal: journal, announcer: LogAnnouncer(logger: logger))
            let operation = Operation(
                in: around, machines: context.machines(of: cluster), control: control,
                kept: kept.withLock { $0 }, makeID: { [context] in context.makeID() })
            do { try await body(operation) } catch { report(error) }
            await around.cluster.close()
            for host in around.hosts.values { await host.close() }
            _ = consume lock
        } catch { report(error) }
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
        logger.error("run not carried out", metadata: ["error": "\(error)"])
    }

    private func goDown(_ operation: Operation, _ reason: String) async throws {
        let ended = try await whileWatchingBattery {
            try await self.shutDown(operation, reason)
        }
        logger.notice("shutdown ended", metadata: ["result": "\(ended.rawValue)"])
        // A reversed run is undone when the watch says that the mains are stable.
        if ended == .finished || ended == .finishedWithGaps {
            await whenDown(cluster.name, ended)
        }
    }

    private func shutDown(_ operation: Operation, _ reason: String) async throws -> RunResult {
        let ledger = try await operation.ledger()
        guard let run = ledger.interruptedRun, run.plan.kind == .cluster else {
            let prepared = try await operation.prepareShutdown()
            return await operation.shutDown(prepared, because: RunCause(.outage, reason))
        }
        return switch try await operation.resume(mainsAreBack: false) {
        case .continued(_, let result), .reversed(let result): result
        }
    }

    /// How often the battery is looked at during a run.
    private static let batteryLook: Duration = .seconds(5)

    /// Runs the body, and tells the run when a feed says `OB LB`: then hosts wait no longer for
    /// guests that are past their limits.
    private func whileWatchingBattery<R: Sendable>(
        _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let feeds = try Set(cluster.hosts.flatMap(\.feeds)).sorted()
            .compactMap(context.site.feed).map(context.feedControl)
        return try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                while !Task.isCancelled {
                    for feed in feeds {
                        guard let status = await feed.read().status else { continue }
                        if status.onBattery, status.lowBattery { self.reachDeadline() }
                    }
                    do { try await self.context.time.sleep(for: Self.batteryLook) } catch { break }
                }
                for feed in feeds { await feed.close() }
                return nil
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    private func comeBack(_ operation: Operation) async throws {
        let ledger = try await operation.ledger()
        guard ledger.outage != nil else { return }
        guard ledger.runs.last(where: { $0.plan.kind == .cluster })?.cause.origin == .outage
        else {
            logger.notice("the cluster was shut down by hand: it is left so")
            return
        }
        await whenDown(cluster.name, nil)
        if ledger.interruptedRun != nil {
            let resumed = try await operation.resume(mainsAreBack: true)
            // Gaps in the way down are no reason to leave the cluster down. Anything else was a
            // way back already, or was told to stop.
            switch resumed {
            case .continued(.cluster, .finished), .continued(.cluster, .finishedWithGaps): break
            default: return
            }
        }
        try await restore(operation)
    }

    private func restore(_ operation: Operation) async throws {
        let prepared = try await operation.prepareRestore()
        let result = await operation.restore(
            prepared, because: RunCause(.outage, "the mains are back"))
        logger.notice("cluster restore ended", metadata: ["result": "\(result.rawValue)"])
    }

    /// A daemon that was killed in the middle of an outage's run goes on with it: on battery at
    /// once, on line power when the watch says that the mains are stable.
    private func goOnWithWhatWasInterrupted() async {
        do {
            let ledger = Ledger(try await journal.openOutage(of: cluster.name))
            guard let run = ledger.interruptedRun, run.plan.kind == .cluster,
                run.cause.origin == .outage
            else { return }
            for name in Set(cluster.hosts.flatMap(\.feeds)).sorted() {
                guard let feed = context.site.feed(name) else { continue }
                let control = try context.feedControl(feed)
                let reading = await control.read()
                await control.close()
                if reading.status?.onBattery == true {
                    post(.down("resumed: \(run.cause.reason)"))
                    return
                }
            }
        } catch { report(error) }
    }

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

/// Puts a run's records into the log.
struct LogAnnouncer: Announcer {
    let logger: Logger

    func announce(_ record: Record) async {
        switch record.event {
        case .phaseStarted(let phase): logger.notice("phase began", metadata: ["phase": "\(phase)"])
        case .phaseEnded(let phase): logger.notice("phase over", metadata: ["phase": "\(phase)"])
        case .stepEnded(let step, .gaveUp(let why)):
            logger.error("step gave up", metadata: ["step": "\(step)", "why": "\(why)"])
        case .stepEnded(let step, .done(.forced)):
            logger.warning("guest was powered off", metadata: ["step": "\(step)"])
        case .stepEnded(let step, .done(.suspended)):
            logger.warning("guest was suspended", metadata: ["step": "\(step)"])
        case .stepEnded(let step, let outcome):
            logger.info("step over", metadata: ["step": "\(step)", "outcome": "\(outcome)"])
        case .budgetChanged(let phase, let from, let to, let why):
            logger.warning(
                "budget changed",
                metadata: [
                    "phase": "\(phase)", "from": "\(from)", "to": "\(to)", "why": "\(why)",
                ])
        case .noted(let text): logger.warning("note", metadata: ["text": "\(text)"])
        case .pointOfNoReturn(let why):
            logger.notice("point of no return", metadata: ["why": "\(why)"])
        case .runStarted(let plan, let cause):
            logger.notice(
                "run began", metadata: ["kind": "\(plan.kind.rawValue)", "why": "\(cause.reason)"])
        case .runEnded(let result):
            logger.notice("run ended", metadata: ["result": "\(result.rawValue)"])
        case .outageOpened(let cluster, let reason):
            logger.notice("outage", metadata: ["cluster": "\(cluster)", "why": "\(reason)"])
        case .outageClosed: logger.notice("outage closed: everything is back")
        case .snapshotTaken, .asked: break
        }
    }
}
