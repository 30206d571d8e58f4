import Logging
import PowerModel
import PowerRun
import PowerService
import PowerStore
import Synchronization

/// How the keeper carries a job out: under the cluster's lock, with what the site file names.
extension ClusterKeeper {
    /// Carries a job out with the cluster's lock held, and reports what is thrown.
    func carryOut(_ job: ClusterDesk.Job) async -> RunResult? {
        defer { state.withLock { $0.control = nil } }
        do {
            let lock = try await takeLock()
            let around = try await context.surroundings(
                cluster, journal: journal, announcer: LogAnnouncer(logger: logger))
            var result: RunResult?
            do {
                switch job {
                case .down(let scope, let reason):
                    result = try await goDown(scope, reason, around)
                case .up: result = try await comeBack(around)
                }
            } catch { report(error) }
            let isAbandoned = state.withLock { $0.control?.isAbandoned == true }
            if isAbandoned {
                await OpenSessions.ofThisProcess.logOut(within: OpenSessions.hurriedLimit)
            } else {
                await around.close()
            }
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
    static let lockLook: Duration = .milliseconds(500)

    /// The cluster's lock; nil where it can neither be taken nor seen, on a broken /run say: an
    /// outage does not wait until that is mended.
    private func takeLock() async throws -> RunLock? {
        let deadline = context.time.elapsed + Self.lockLimit
        var isTold = false
        while true {
            do {
                return try RunLock(directory: context.lockDirectory, cluster: cluster.name)
            } catch {
                guard error.reason == .locked else {
                    logger.critical(
                        "no lock: nothing keeps a second run away", metadata: ["why": "\(error)"])
                    return nil
                }
                let mayWait = context.time.elapsed < deadline
                guard mayWait, !state.withLock({ $0.isStopping }) else { throw error }
                if !isTold { logger.warning("waiting", metadata: ["why": "\(error)"]) }
                isTold = true
                try await context.time.sleep(for: Self.lockLook)
            }
        }
    }

    func report(_ error: any Error) {
        logger.error("not carried out", metadata: ["error": "\(error)"])
    }

    /// What of the cluster is not proven off, each thing in words; of all of it, or of what hangs
    /// on one feed.
    func notOff(on feed: FeedName? = nil) async -> [String] {
        do { return try await look { try await $0.notOff(on: feed) } } catch {
            return ["cluster \(cluster.name): \(error)"]
        }
    }

    /// What needs the output longest yet.
    func outputIsNeeded(on feed: FeedName) async throws -> OutputNeed {
        try await look { try await $0.outputIsNeeded(on: feed) }
    }

    /// Whether the host that vpower itself runs on is about to go.
    func isLeaving() async throws -> Bool { try await look { try await $0.isLeaving() } }

    private func look<Answer>(_ body: (Operation) async throws -> Answer) async throws -> Answer {
        let around = try await context.surroundings(
            cluster, journal: journal, announcer: LogAnnouncer(logger: logger))
        let operation = Operation(
            in: around, machines: context.machines(of: cluster), control: RunControl(),
            makeID: { [context] in context.makeID() })
        let result: Result<Answer, any Error>
        do { result = .success(try await body(operation)) } catch { result = .failure(error) }
        await around.close()
        return try result.get()
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
        // A reversed run is undone when the watch says that the mains are stable.
        guard result == .finished || result == .finishedWithGaps else { return result }
        switch try await operation.ledger().lastRun?.plan.kind {
        case .cluster, .vsan: await callbacks.isOver(cluster.name)
        case .hosts: await callbacks.hostsAreDown(cluster.name)
        default: break
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
        await callbacks.comesBack(cluster.name)
        // Tiers and hosts that were not done are simply brought back.
        if let run = ledger.interruptedRun, run.plan.kind.isWhole || run.plan.kind == .restore {
            let resumed = try await operation.resume(mainsAreBack: true)
            switch resumed {
            case .continued(let kind, .finished), .continued(let kind, .finishedWithGaps):
                // Gaps in the way down are no reason to leave the cluster down.
                guard kind.isWhole else { return nil }
                try await finishLeaving()
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
}
