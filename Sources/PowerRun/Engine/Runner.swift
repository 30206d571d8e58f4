public import PowerModel

/// Carries one plan out: phase by phase, each step recorded before its act and verified by
/// looking. A failed step is a record, never a thrown error: nothing stops a shutdown that began.
///
/// It never changes; a class, since every step and every wait has it.
public final class Runner: Sendable {
    let around: Surroundings
    let plan: Plan
    let run: RunID
    let outage: OutageID
    let goal: ClusterSnapshot
    /// What an earlier try of this run has done: a resumed run goes on from there.
    let earlier: RunLedger?
    let control: RunControl
    /// What phases may take, as the battery allows.
    let budgets: BudgetBook
    /// The inventory the plan was made from, where that is newer than the snapshot.
    let now: Inventory?
    /// Guests that may be on when their host goes, by configuration file: those that belong to a
    /// host or the cluster, and those that policy leaves on.
    let mayStayOn: Set<String>
    /// What its steps learn from one another.
    let facts: RunFacts
    /// Through which all talk with hosts goes.
    let hostGate: CallGate

    /// Prepares to carry a plan out, or to continue it after `earlier`.
    /// - Parameters:
    ///   - goal: the outage's first snapshot.
    ///   - now: the inventory the plan was made from, where that is newer.
    public init(
        _ plan: Plan, run: RunID, outage: OutageID, goal: ClusterSnapshot, now: Inventory? = nil,
        continuing earlier: RunLedger? = nil, control: RunControl, in around: Surroundings
    ) {
        self.around = around
        self.plan = plan
        self.run = run
        self.outage = outage
        self.goal = goal
        var earlier = earlier
        // What a boot undoes is done again: the hosts may have lost their power since.
        if earlier?.isFrozen == false { earlier?.reopen(.haAgents) }
        earlier?.reopenUntold()
        earlier?.reopen(.openSSH)
        self.earlier = earlier
        self.control = control
        self.now = now
        budgets = BudgetBook(plan, continuing: earlier)
        mayStayOn = Self.mayStayOn(plan, goal.inventory, now)
        facts = RunFacts(earlier)
        hostGate = CallGate(around.pace.hostsAtOnce)
        // There is nothing to go back to from a restore.
        if earlier?.isPastReturn == true || plan.kind == .restore { control.beginPastReturn() }
    }

    private static func mayStayOn(
        _ plan: Plan, _ goal: Inventory, _ now: Inventory?
    ) -> Set<String> {
        var paths = Set<String>()
        for guest in now?.guests ?? [] where guest.nature != .ordinary {
            paths.insert(guest.vmxPath)
        }
        for guest in goal.guests where guest.nature != .ordinary && now?.guest(guest.id) == nil {
            paths.insert(guest.vmxPath)
        }
        for phase in plan.phases {
            for step in phase.steps {
                guard let id = step.action.guestLeftOn,
                    let guest = now?.guest(id) ?? goal.guest(id)
                else { continue }
                paths.insert(guest.vmxPath)
            }
        }
        return paths
    }

    /// A guest of the snapshot, or one that came since.
    func known(_ id: GuestID) -> Guest? { now?.guest(id) ?? goal.inventory.guest(id) }

    /// Carries the plan out. Returns when it is over, reversed or told to stop.
    public func carryOut(because cause: RunCause) async -> RunResult {
        if earlier == nil { await record(.runStarted(plan, cause)) }
        let gaps = await runPhasesUnlessAbandoned()
        let result: RunResult
        if gaps.unfinished {
            result = control.wish.isReversal ? .reversed : .interrupted
        } else {
            result = gaps.count > 0 ? .finishedWithGaps : .finished
        }
        if result == .reversed {
            let byHand = control.wish == .abort
            await record(
                .noted(byHand ? "reversed by hand: abort" : "reversed: the mains are back"))
        }
        await record(.runEnded(result))
        return result
    }

    /// Runs the phases; when the run is abandoned, whatever they wait for is called off.
    private func runPhasesUnlessAbandoned() async -> Gaps {
        await withTaskGroup(of: Gaps?.self) { group in
            group.addTask { await self.runPhases() }
            group.addTask {
                await self.control.untilAbandoned()
                return nil
            }
            var gaps = Gaps(unfinished: true)
            for await one in group {
                if let one { gaps = one }
                group.cancelAll()
            }
            return gaps
        }
    }

    /// How much of a plan was left open.
    struct Gaps {
        var count = 0
        var unfinished = false

        /// Counts one step's outcome; nil is a step that was told to stop.
        mutating func count(_ outcome: StepOutcome?) {
            switch outcome {
            case nil: unfinished = true
            case .gaveUp: count += 1
            case .done, .left: break
            }
        }

        static func += (left: inout Gaps, right: Gaps) {
            left.count += right.count
            left.unfinished = left.unfinished || right.unfinished
        }
    }

    /// Starts each phase when those it needs are over, and waits for all of them.
    private func runPhases() async -> Gaps {
        let open = plan.phases.filter { earlier?.phasesEnded[$0.name] == nil }
        var total = Gaps(count: earlier?.gaps.count ?? 0)
        await sideBySide(NeedOrder(of: open.map { ($0.name, $0.needs) })) { place in
            if self.control.mustStop { return Gaps(unfinished: true) }
            return await self.carryOut(open[place])
        } isOver: { gaps in
            total += gaps
            return !gaps.unfinished
        }
        return total
    }

    private func carryOut(_ phase: Phase) async -> Gaps {
        await record(.phaseStarted(phase.name))
        await budgetBegins(phase.name)
        var steps = phase.steps
        if let earlier { steps.removeAll { earlier.outcome(of: $0.id) != nil } }
        let gaps = await carryOut(sorted(steps))
        if !gaps.unfinished {
            await record(.phaseEnded(phase.name))
            await budgetEnds(phase.name)
        }
        return gaps
    }

    /// Carries the steps of a phase out. Most phases have only one kind of them, and nothing to go
    /// on beside it.
    private func carryOut(_ steps: PhaseSteps) async -> Gaps {
        switch (steps.goingDown.isEmpty, steps.comingUp.isEmpty, steps.others.isEmpty) {
        case (_, true, true): return await bring(steps.goingDown)
        case (true, _, true): return await bring(steps.comingUp)
        case (true, true, _): return await sideBySide(steps.others)
        default:
            async let others = sideBySide(steps.others)
            async let down = bring(steps.goingDown)
            var gaps = await bring(steps.comingUp)
            gaps += await down
            gaps += await others
            return gaps
        }
    }

    /// Carries steps out side by side, each as soon as those it needs are over.
    private func sideBySide(_ steps: [Step]) async -> Gaps {
        var gaps = Gaps()
        await sideBySide(NeedOrder(of: steps.map { ($0.id, $0.needs) })) { place in
            await self.carryOut(steps[place])
        } isOver: { outcome in
            gaps.count(outcome)
            return outcome != nil
        }
        return gaps
    }

    /// Does things side by side, each as soon as those it needs are over. What is alone needs no
    /// task of its own.
    private func sideBySide<Outcome: Sendable>(
        _ order: NeedOrder, _ perform: @escaping @Sendable (Int) async -> Outcome,
        isOver: (Outcome) -> Bool
    ) async {
        if order.count == 1, order.mayBegin(0) {
            _ = isOver(await perform(0))
            return
        }
        await withTaskGroup(of: (Int, Outcome).self) { group in
            var order = order
            var ready = order.ready
            var underWay = 0
            while true {
                let ended: (place: Int, outcome: Outcome)
                if underWay == 0, ready.count == 1 {
                    ended = (ready[0], await perform(ready[0]))
                } else {
                    for place in ready { group.addTask { (place, await perform(place)) } }
                    underWay += ready.count
                    guard let next = await group.next() else { return }
                    underWay -= 1
                    ended = next
                }
                ready = isOver(ended.outcome) ? order.end(ended.place) : []
            }
        }
    }

    func carryOut(_ step: Step) async -> StepOutcome? {
        if control.mustStop { return nil }
        guard let outcome = await perform(step), !Task.isCancelled else { return nil }
        facts.note(outcome, of: step.action)
        await record(.stepEnded(step.id, outcome))
        return outcome
    }

    /// Performs one step; nil when it was told to stop before the step was over.
    private func perform(_ step: Step) async -> StepOutcome? {
        let wait = Wait(for: step, in: self)
        if let asleep = await leftAsleep(step.action) { return asleep }
        switch step.action {
        case .freeze: return await freeze(wait)
        case .stopHAAgents(let hosts): return await stopHAAgents(on: hosts, wait)
        case .retreat: return await retreat(wait)
        case .arm(let host, let orders, let choice): return await arm(host, orders, choice, wait)
        case .runHook(let hook, let tier, let moment, _):
            return await runHook(hook, tier, moment, wait)
        case .awaitClusterDown(let cluster): return await awaitClusterDown(cluster, wait)
        // Those that are known are watched together: see `guests(of:)`.
        case .stopGuest, .startGuest: return .gaveUp("no inventory has this guest")
        case .stopGuestOnHost(let guest, _, let host):
            return await stopGuestOnHost(guest, planned: host, wait)
        case .stopHost(let host, let maintenance):
            return await stopHost(host, maintenance: maintenance, wait)
        case .stopVSAN(let way, let hosts, let vcsa):
            return await stopVSAN(way, on: hosts, vcsa: vcsa, wait)
        case .startVSAN(.wizard, _): return await powerOnVSAN(wait)
        case .startVSAN(.manual, let hosts): return await recoverVSAN(hosts, wait)
        case .leaveHost(let host, let controller, _):
            return await leaveHost(host, controller: controller, wait)
        case .awaitLeave(let host): return await awaitLeave(of: host, wait)
        case .stopMachine(let machine, let delay):
            return await stopMachine(machine, after: delay ?? .zero, wait)
        case .tellMachine(let machine, _, _): return await tellMachine(machine, wait)
        case .startMachine(let machine, let going):
            return await startMachine(machine, going: going, wait)
        case .awaitHost(let host, let leave):
            return await awaitHost(host, leaveMaintenance: leave, wait)
        case .awaitBootScript(let host, let armedBy):
            return await awaitBootScript(host, armedBy: armedBy, wait)
        case .startGuestOnHost(let guest, _, let host, let terms):
            return await startGuestOnHost(guest, planned: host, terms, wait)
        case .awaitVCenter: return await awaitVCenter(wait)
        case .thawVCLS(let setting, let mode): return await thawVCLS(setting, mode, wait)
        case .thawDRS(let level, let overrides, let dpm):
            return await thaw(
                AutomationChange(drsLevel: level, drsOverrides: overrides, dpm: dpm), wait)
        case .thawHA(let on): return await thaw(AutomationChange(ha: on), wait)
        case .startHAAgent(let host): return await startHAAgent(on: host, wait)
        case .restoreAutostart(let host, let before):
            return await restoreAutostart(of: host, before, wait)
        case .disarm(let host): return await disarm(host, wait)
        case .openSSH(let host): return await openSSH(on: host, wait)
        case .closeSSH(let host, let wasOpened):
            return await closeSSH(on: host, wasOpened: wasOpened, wait)
        }
    }

    // MARK: Records

    /// Writes an event of this run down, then tells people.
    func record(_ event: RunEvent) async {
        await around.record(event, run: run, outage: outage)
    }

    /// On disk before the act it announces.
    func recordAsk(_ step: StepID, _ what: String) async {
        await record(.asked(step, what))
    }
}

extension Action {
    /// The guest that is on when its host goes: policy leaves it, or it stops itself last.
    fileprivate var guestLeftOn: GuestID? {
        switch self {
        case .stopGuest(let id, _, .leave), .stopVSAN(_, _, vcsa: let id?): id
        default: nil
        }
    }
}

/// The wait of one step: knows its limit and when to look again.
struct Wait: Sendable {
    let step: Step
    private let limitEnds: Duration
    private let runner: Runner
    private let time: any TimeSource
    private let control: RunControl
    private let look: Duration

    init(for step: Step, in runner: Runner) {
        self.step = step
        time = runner.around.time
        control = runner.control
        look = runner.around.pace.look
        limitEnds = time.elapsed + step.limit
        self.runner = runner
    }

    /// When it ends: at the step's limit, or earlier where its phase's budget was cut.
    private var deadline: Duration {
        runner.end(of: step.id, limit: limitEnds) ?? limitEnds
    }

    /// Whether the limit has passed.
    var isOver: Bool { time.elapsed >= deadline }
    /// What is left of the limit.
    var left: Duration { max(.zero, deadline - time.elapsed) }
    /// Whether no further act may begin.
    var mustStop: Bool { control.mustStop }

    /// The shortest wait there is: never none, so that time goes on.
    private static let tick: Duration = .milliseconds(1)

    /// Waits until it is time to look again, no later than `moment`; false when the limit has
    /// passed or the run is to stop.
    func again(by moment: Duration? = nil) async -> Bool {
        if let review = runner.budgetReview() { await runner.enact(review) }
        if isOver || mustStop { return false }
        let wanted = moment.map { $0 - time.elapsed } ?? look
        do { try await time.sleep(for: max(min(look, left, wanted), Self.tick)) } catch {
            return false
        }
        return !mustStop
    }

    /// Waits for so long, beyond the limit too; false when the run is to stop.
    func pause(_ length: Duration) async -> Bool {
        let end = time.elapsed + length
        while !mustStop, time.elapsed < end {
            do { try await time.sleep(for: min(look, end - time.elapsed)) } catch { return false }
        }
        return !mustStop
    }

    /// Waits until an inventory newer than this one is there and puts that in its place, or until
    /// it is time to look again; false when the limit has passed or the run is to stop.
    func change(after inventory: inout Inventory?, in around: Surroundings) async -> Bool {
        if let review = runner.budgetReview() { await runner.enact(review) }
        guard let seen = inventory, !isOver, !mustStop else { return await again() }
        do {
            let rest = around.pace.rest(guests: seen.guests.count)
            if rest > .zero { try await time.sleep(for: rest) }
            let limit = max(min(look, left), Self.tick)
            inventory = try await around.cluster.inventory(newerThan: seen.version, within: limit)
        } catch {
            inventory = nil
            return await again()
        }
        return !mustStop
    }

    /// The outcome of a wait that ended without success: nil when it was told to stop.
    func gaveUp(_ why: String) -> StepOutcome? {
        if mustStop { return nil }
        let isCut = isOver && time.elapsed < limitEnds
        return .gaveUp(isCut ? "\(why) (its phase's budget was cut)" : why)
    }
}
