public import PowerModel

/// Carries one plan out: phase by phase, each step recorded before its act and verified by
/// looking. A failed step is a record, never a thrown error: nothing stops a shutdown that began.
public struct Runner: Sendable {
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
    /// Every guest of the snapshot, and those that came since.
    let known: [GuestID: Guest]
    /// Guests that may be on when their host goes, by configuration file.
    let mayStayOn: Set<String>

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
        self.earlier = earlier
        self.control = control
        budgets = BudgetBook(plan, continuing: earlier)
        let all = goal.inventory.guests + (now?.guests ?? [])
        known = Dictionary(all.map { ($0.id, $0) }, uniquingKeysWith: { _, newer in newer })
        mayStayOn = Set(known.values.filter { $0.nature != .ordinary }.map(\.vmxPath))
        if earlier?.isPastReturn == true { _ = control.passReturn() }
    }

    /// Carries the plan out. Returns when it is over, reversed or told to stop.
    public func carryOut(because cause: RunCause) async -> RunResult {
        if earlier == nil { await record(.runStarted(plan, cause)) }
        let gaps = await runPhases()
        let result: RunResult
        if gaps.unfinished {
            result = control.wish == .reverse ? .reversed : .interrupted
        } else {
            result = gaps.count > 0 ? .finishedWithGaps : .finished
        }
        await record(.runEnded(result))
        return result
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
    }

    /// Starts each phase when those it needs are over, and waits for all of them.
    private func runPhases() async -> Gaps {
        await withTaskGroup(of: (PhaseName, Gaps).self) { group in
            var over = Set(earlier?.phasesEnded.keys.sorted() ?? [])
            var begun = over
            var total = Gaps(count: earlier?.gaps.count ?? 0)
            while true {
                let ready = plan.phases.filter { phase in
                    !begun.contains(phase.name)
                        && phase.needs.allSatisfy { over.contains($0) || plan.phase($0) == nil }
                }
                if control.mustStop, !ready.isEmpty { total.unfinished = true }
                for phase in ready where !control.mustStop {
                    begun.insert(phase.name)
                    group.addTask { (phase.name, await carryOut(phase)) }
                }
                guard let (name, gaps) = await group.next() else { return total }
                total.count += gaps.count
                if gaps.unfinished {
                    total.unfinished = true
                } else {
                    over.insert(name)
                }
            }
        }
    }

    private func carryOut(_ phase: Phase) async -> Gaps {
        await record(.phaseStarted(phase.name))
        await budgetBegins(phase.name)
        let steps = phase.steps.filter { earlier?.outcomes[$0.id] == nil }
        var gaps = Gaps()
        if steps.contains(where: \.isTierGuest) {
            gaps = await stopTier(steps)
        } else {
            gaps = await sideBySide(steps)
        }
        if !gaps.unfinished {
            await record(.phaseEnded(phase.name))
            await budgetEnds(phase.name)
        }
        return gaps
    }

    /// Carries steps out side by side, at most `guestsAtOnce` of them at the same time.
    private func sideBySide(_ steps: [Step]) async -> Gaps {
        await withTaskGroup(of: StepOutcome?.self) { group in
            var gaps = Gaps()
            var waiting = steps[...]
            for _ in 0..<around.pace.guestsAtOnce {
                guard let step = waiting.popFirst() else { break }
                group.addTask { await carryOut(step) }
            }
            while let outcome = await group.next() {
                gaps.count(outcome)
                if let step = waiting.popFirst() { group.addTask { await carryOut(step) } }
            }
            return gaps
        }
    }

    private func carryOut(_ step: Step) async -> StepOutcome? {
        if control.mustStop { return nil }
        let outcome = await perform(step)
        if let outcome { await record(.stepEnded(step.id, outcome)) }
        return outcome
    }

    /// Performs one step; nil when it was told to stop before the step was over.
    private func perform(_ step: Step) async -> StepOutcome? {
        let wait = Wait(for: step, in: self)
        switch step.action {
        case .freeze: return await freeze(wait)
        case .retreat: return await retreat(wait)
        case .arm(let host, let orders): return await arm(host, orders, wait)
        case .runHook(let hook, _, _, _): return await runHook(hook, wait)
        case .awaitClusterDown(let cluster): return await awaitClusterDown(cluster, wait)
        case .stopGuest: return nil
        case .stopGuestOnHost(let guest, _, let host):
            return await stopGuestOnHost(guest, host, wait)
        case .stopHost(let host, let maintenance):
            return await stopHost(host, maintenance: maintenance, wait)
        case .stopMachine(let machine): return await stopMachine(machine, wait)
        case .startMachine(let machine): return await startMachine(machine, wait)
        case .awaitHost(let host, let leave):
            return await awaitHost(host, leaveMaintenance: leave, wait)
        case .awaitBootScript(let host, let armedBy):
            return await awaitBootScript(host, armedBy: armedBy, wait)
        case .startGuestOnHost(let guest, _, let host, let terms):
            return await startGuestOnHost(guest, host, terms, wait)
        case .awaitVCenter: return await awaitVCenter(wait)
        case .thawVCLS(let setting): return await thawVCLS(setting, wait)
        case .thawDRS(let level, let dpm):
            return await thaw(AutomationChange(drsLevel: level, dpm: dpm), wait)
        case .startGuest(let guest, _, let host, let terms):
            return await startGuest(guest, host, terms, wait)
        case .thawHA(let on): return await thaw(AutomationChange(ha: on), wait)
        case .disarm(let host): return await disarm(host, wait)
        }
    }

    // MARK: Records

    /// Writes an event down, then tells people. The journal given to a run that must not stop
    /// falls back to memory by itself (`FallbackJournal`), so an error here is only told.
    func record(_ event: RunEvent) async {
        do {
            let record = try await around.journal.append(event, run: run, outage: outage)
            await around.announcer.announce(record)
        } catch {
            let lost = Record(
                number: 0, at: around.time.wall, run: run, outage: outage,
                event: .noted("not recorded: \(error)"))
            await around.announcer.announce(lost)
        }
    }

    /// On disk before the act it announces.
    func recordAsk(_ step: StepID, _ what: String) async { await record(.asked(step, what)) }
}

extension Step {
    /// Whether it is a guest of a tier: those are watched together, not one by one.
    var isTierGuest: Bool {
        if case .stopGuest = action { true } else { false }
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

    /// Waits until it is time to look again; false when the limit has passed or the run is to
    /// stop.
    func again() async -> Bool {
        await runner.mindBudgets()
        if isOver || mustStop { return false }
        do { try await time.sleep(for: min(look, max(left, Self.tick))) } catch {
            return false
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
