public import PowerModel

/// What people and the daemon do with one cluster: take it down, bring it back, go on with what
/// was interrupted. Holds the rules about outages; the runs themselves are `Runner`'s.
public struct Operation: Sendable {
    let around: Surroundings
    let planner: Planner
    let makeID: @Sendable () -> String
    let control: RunControl
    /// The last inventory the daemon kept, for when vCenter cannot be read as an outage begins.
    let kept: ClusterSnapshot?

    /// An operation on the cluster of these surroundings.
    /// - Parameters:
    ///   - machines: those that go down after the cluster's hosts.
    ///   - estimates: what past runs tell of how long things take.
    ///   - kept: the last snapshot anybody kept, used only when vCenter does not answer.
    ///   - makeID: gives an identity that was never given before.
    public init(
        in around: Surroundings, machines: [MachineSite] = [],
        estimates: Estimates = Estimates(), control: RunControl, kept: ClusterSnapshot? = nil,
        makeID: @escaping @Sendable () -> String
    ) {
        self.around = around
        planner = Planner(site: around.site, machines: machines, estimates: estimates)
        self.control = control
        self.kept = kept
        self.makeID = makeID
    }

    /// A run that is planned and not begun: nothing is written, nothing is changed.
    public struct Prepared: Sendable {
        /// What will be done.
        public var plan: Plan
        /// What an operator should know before it begins.
        public var warnings: [String]
        var run: RunID
        var outage: OutageID
        /// What of the outage is not on record yet: a process may have died between the two.
        var opensOutage: Bool
        var takesSnapshot: Bool
        var goal: ClusterSnapshot
        var now: Inventory
    }

    /// What is known of this cluster's open outage; empty when there is none.
    public func ledger() async throws(OperationError) -> Ledger {
        do { return try await around.ledger() } catch { throw .journal(error) }
    }

    // MARK: Down

    /// Plans the shutdown of the cluster, or of the part of it that the scope names.
    public func prepareShutdown(
        _ scope: PlanScope = .wholeCluster
    ) async throws(OperationError) -> Prepared {
        let ledger = try await ledger()
        var warnings: [String] = []
        var now: ClusterSnapshot
        do { now = await around.complete(try await around.cluster.snapshot()) } catch {
            // Whatever is wrong with vCenter, an outage does not wait until it is mended.
            guard let base = ledger.snapshot ?? kept else { throw .cluster(error) }
            warnings.append("\(error); the last known inventory and the hosts are used instead")
            now = await refreshed(base)
        }
        warnings += now.warnings
        now = believed(now, ledger)
        if let first = ledger.snapshot { now.inventory.takeLabels(of: first.inventory) }
        if let kept { now.inventory.found = now.inventory.found.filled(from: kept.inventory.found) }
        let goal = ledger.snapshot ?? now
        if let outage = ledger.outage, ledger.snapshot == nil, !ledger.runs.isEmpty {
            warnings.append(
                "the snapshot of outage \(outage) is lost: what is on now, and HA, DRS and vCLS as "
                    + "they are now, count as what was before it")
        }
        let run = RunID(makeID())
        do {
            let proposal = try planner.proposal(
                scope, now: now, goal: goal, run: run, wall: around.time.wall)
            return Prepared(
                plan: proposal.plan, warnings: warnings + proposal.warnings, run: run,
                outage: ledger.outage ?? OutageID(makeID()), opensOutage: ledger.outage == nil,
                takesSnapshot: ledger.snapshot == nil, goal: goal, now: now.inventory)
        } catch { throw .plan(error) }
    }

    /// Takes the cluster down as planned.
    public func shutDown(_ prepared: Prepared, because cause: RunCause) async -> RunResult {
        if prepared.opensOutage {
            await append(
                .outageOpened(cluster: around.site.name, reason: cause.reason),
                prepared.outage)
        }
        if prepared.takesSnapshot { await append(.snapshotTaken(prepared.goal), prepared.outage) }
        for warning in prepared.warnings { await append(.noted(warning), prepared.outage) }
        return await runner(prepared).carryOut(because: cause)
    }

    /// What every host's boot script would do if the power went now and came back.
    public func bootOrders() async throws(OperationError) -> [BootOrders] {
        let ledger = try await ledger()
        let now: ClusterSnapshot
        do { now = await around.complete(try await around.cluster.snapshot()) } catch {
            throw .cluster(error)
        }
        do {
            return try planner.bootOrders(
                now: now, goal: ledger.snapshot ?? now, run: RunID(makeID()),
                wall: around.time.wall)
        } catch { throw .plan(error) }
    }

    // MARK: Back

    /// Plans the way back to the open outage's snapshot.
    public func prepareRestore() async throws(OperationError) -> Prepared {
        let ledger = try await ledger()
        guard let outage = ledger.outage else { throw .nothingToRestore(around.site.name) }
        guard let goal = ledger.snapshot else { throw .snapshotLost(around.site.name, outage) }
        do {
            let plan = try planner.restore(goal: goal, ledger: ledger)
            return Prepared(
                plan: plan, warnings: [], run: RunID(makeID()), outage: outage,
                opensOutage: false, takesSnapshot: false, goal: goal, now: goal.inventory)
        } catch { throw .plan(error) }
    }

    /// Brings the cluster back as planned, and closes the outage when everything is back.
    /// - Parameter acceptGaps: closes it also when some steps gave up.
    public func restore(
        _ prepared: Prepared, because cause: RunCause, acceptGaps: Bool = false
    ) async -> RunResult {
        let result = await runner(prepared).carryOut(because: cause)
        if result == .finished || (result == .finishedWithGaps && acceptGaps) {
            await append(.outageClosed, prepared.outage)
        }
        return result
    }

    // MARK: On

    /// What became of `resume`.
    public enum Resumed: Sendable, Hashable {
        /// The interrupted run was continued and ended so.
        case continued(PlanKind, RunResult)
        /// The mains are back and nothing irrevocable had happened: it was undone.
        case reversed(RunResult)
    }

    /// Goes on with the run that was interrupted. The power is read first: a run that an outage
    /// began is reversed when the mains are back and the point of no return is not passed; a
    /// run begun by hand is continued whatever the mains do. A restore is begun anew: what it has
    /// seen to be back may have gone down with the power since, and nobody was there to see it. So
    /// is a shutdown of a cluster that somebody has brought back meanwhile.
    public func resume(mainsAreBack: Bool) async throws(OperationError) -> Resumed {
        let ledger = try await ledger()
        guard let run = ledger.interruptedRun, let outage = ledger.outage else {
            throw .nothingToResume(around.site.name)
        }
        guard let goal = ledger.snapshot else { throw .snapshotLost(around.site.name, outage) }
        let wasThawed = await wasThawed(goal, since: run)
        let undo =
            mainsAreBack && run.plan.kind.isWhole && run.cause.origin == .outage
            && (wasThawed || !run.isPastReturn)
        if undo {
            await append(.runEnded(.reversed), outage, run: run.id)
            let prepared = try await prepareRestore()
            return .reversed(await restore(prepared, because: run.cause))
        }
        if run.plan.kind == .restore {
            if run.result == nil { await append(.runEnded(.interrupted), outage, run: run.id) }
            let prepared = try await prepareRestore()
            return .continued(.restore, await restore(prepared, because: run.cause))
        }
        if wasThawed {
            let prepared = try await prepareShutdown(.cluster(dependents: run.plan.dependents))
            await append(.runEnded(.interrupted), outage, run: run.id)
            return .continued(
                prepared.plan.kind, await shutDown(prepared, because: run.cause))
        }
        let prepared = Prepared(
            plan: run.plan, warnings: [], run: run.id, outage: outage, opensOutage: false,
            takesSnapshot: false, goal: goal, now: await inventoryNow(or: goal))
        let result = await runner(prepared, continuing: run).carryOut(because: run.cause)
        return .continued(run.plan.kind, result)
    }

    // MARK: Parts

    private func runner(_ prepared: Prepared, continuing earlier: RunLedger? = nil) -> Runner {
        Runner(
            prepared.plan, run: prepared.run, outage: prepared.outage, goal: prepared.goal,
            now: prepared.now, continuing: earlier, control: control, in: around)
    }

    private func append(_ event: RunEvent, _ outage: OutageID, run: RunID? = nil) async {
        await around.record(event, run: run, outage: outage)
    }

    /// Whether the automation that a run was seen to stop is back: then somebody brought the
    /// cluster back, and the record of that is lost or never was. What was seen off may be on.
    private func wasThawed(_ goal: ClusterSnapshot, since run: RunLedger) async -> Bool {
        guard run.plan.kind.isWhole,
            let freeze = run.steps.first(where: { $0.action == .freeze }),
            case .done = run.outcome(of: freeze.id)
        else { return false }
        // Nobody switches HA on without vCenter.
        do {
            let now = try await around.cluster.automation()
            return !AutomationChange.freeze(goal.automation).isSatisfied(by: now)
        } catch { return false }
    }

    private func inventoryNow(or goal: ClusterSnapshot) async -> Inventory {
        do { return try await around.cluster.snapshot().inventory } catch {
            return await refreshed(goal).inventory
        }
    }

    /// What nobody can see now and was last seen on counts as on until it is seen otherwise: it is
    /// to be shut down, and brought back. Not what went down with its host in this outage.
    private func believed(_ now: ClusterSnapshot, _ ledger: Ledger) -> ClusterSnapshot {
        guard let known = ledger.snapshot ?? kept else { return now }
        let wasOn = Set(known.inventory.guests.filter { $0.power == .on }.map(\.id))
        let hostsDown = ledger.hostsSeenDown
        var snapshot = now
        snapshot.inventory.guests = now.inventory.guests.map { guest in
            let isDown = guest.host.map(hostsDown.contains) ?? true
            guard guest.power == .unknown, wasOn.contains(guest.id), !isDown else { return guest }
            var guest = guest
            guest.power = .on
            return guest
        }
        return snapshot
    }

    /// A known snapshot with what the hosts themselves say now of power and place. What no host
    /// lists is unknown, never off.
    private func refreshed(_ base: ClusterSnapshot) async -> ClusterSnapshot {
        let places = await around.listGuests().places
        var snapshot = base
        snapshot.apiVersion = nil
        snapshot.inventory.guests = base.inventory.guests.map { guest in
            var guest = guest
            let place = places[guest.vmxPath]
            guest.power = place?.power ?? (guest.power == .on ? .unknown : guest.power)
            guest.host = place?.host ?? guest.host
            guest.tools = .unknown
            return guest
        }
        return snapshot
    }
}

extension Plan {
    /// The clusters that it waits for before vCSA goes down.
    fileprivate var dependents: [ClusterName] {
        steps.compactMap { step in
            if case .awaitClusterDown(let cluster) = step.action { cluster } else { nil }
        }
    }
}

/// Why nothing could be begun. Once a run has begun, nothing is thrown any more.
public enum OperationError: Error, Sendable, CustomStringConvertible {
    /// No plan can be made.
    case plan(PlanError)
    /// vCenter does not answer, and there is no earlier inventory to go by.
    case cluster(ClusterError)
    /// The journal cannot be read.
    case journal(JournalError)
    /// There is no open outage of this cluster.
    case nothingToRestore(ClusterName)
    /// There is an open outage of this cluster, but what it saw first is not on record.
    case snapshotLost(ClusterName, OutageID)
    /// There is no interrupted run of this cluster.
    case nothingToResume(ClusterName)

    /// One line for people.
    public var description: String {
        switch self {
        case .plan(let error): "\(error)"
        case .cluster(let error): "\(error)"
        case .journal(let error): "\(error)"
        case .nothingToRestore(let cluster): "cluster \(cluster) has no open outage"
        case .snapshotLost(let cluster, let outage):
            "cluster \(cluster): the snapshot of outage \(outage) is lost, so nobody knows what was on"
        case .nothingToResume(let cluster): "cluster \(cluster) has no interrupted run"
        }
    }
}
