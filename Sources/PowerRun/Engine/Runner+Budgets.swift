import PowerModel
import Synchronization

/// What phases may take while a run goes on: shrunk and grown as the battery does.
extension Runner {
    /// A phase has begun: its budget counts from now.
    func budgetBegins(_ phase: PhaseName) async {
        budgets.begin(phase, at: around.time.elapsed)
        if let review = budgetReview() { await enact(review) }
    }

    /// A phase is over: what it did not need is there for the others.
    func budgetEnds(_ phase: PhaseName) async {
        budgets.end(phase)
        if let review = budgetReview() { await enact(review) }
    }

    /// What came of a look at the budgets.
    struct BudgetReview {
        fileprivate let changes: [Budgets.Change]
        fileprivate let why: String
    }

    /// Looks at the budgets where a phase began or ended or the deadline is another one since that
    /// was last done. Called wherever the run looks at what is wanted of it: mostly nothing is due.
    func budgetReview() -> BudgetReview? {
        let now = around.time.elapsed
        let deadline = control.deadline
        if let deadline { control.notePastDeadline(now >= deadline) }
        return budgets.beginReview(deadline: deadline, now: now).map { changes in
            let left = deadline.map {
                "\(max(.zero, $0 - now).milliseconds / 1000) s to the deadline"
            }
            return BudgetReview(changes: changes, why: left ?? "no deadline is known any more")
        }
    }

    /// Sets budgets anew. Each change is on record before it takes effect.
    func enact(_ review: BudgetReview) async {
        for change in review.changes {
            await record(
                .budgetChanged(
                    change.phase, from: change.from, to: change.to, why: review.why))
            budgets.set(change.phase, to: change.to)
        }
        budgets.endReview()
    }

    /// When the time of a step ends: at its own limit, or with its phase's budget where that was
    /// changed.
    func end(of step: StepID, limit: Duration?) -> Duration? {
        // A host that waits for a guest is told at the deadline: it is not given up before.
        if let deadline = control.deadline, let end = budgets.endOfHost(step, deadline: deadline) {
            return end
        }
        guard let cut = budgets.end(of: step) else { return limit }
        return limit.map { min($0, cut) } ?? cut
    }
}

/// The budgets of one run.
final class BudgetBook: Sendable {
    private struct State {
        let plan: Plan
        /// Made when a deadline is known: before, and without one, budgets are the plan's.
        lazy var tables = Tables(of: plan)
        var progress = Budgets.Progress()
        /// Those that are not the plan's.
        var changed: [PhaseName: Duration]
        var seenDeadline: Duration?
        /// When each host was told to stop.
        var hostsTold: [StepID: Duration] = [:]
        var isStale = false
        var isUnderReview = false
    }

    /// A plan, looked at by its steps.
    private struct Tables {
        let rules: Budgets
        let phases: [StepID: PhaseName]
        let planned: [PhaseName: Duration]
        let hosts: Set<StepID>

        init(of plan: Plan) {
            rules = Budgets(of: plan)
            phases = Dictionary(
                plan.phases.flatMap { phase in phase.steps.map { ($0.id, phase.name) } },
                uniquingKeysWith: { first, _ in first })
            planned = Dictionary(
                plan.phases.map { ($0.name, $0.budget) }, uniquingKeysWith: { first, _ in first })
            hosts = Set(plan.steps.filter(\.isHost).map(\.id))
        }
    }

    /// A restore has no budgets that shrink: what it does is to be done however long the battery
    /// lasts.
    private let shrinks: Bool
    private let state: Mutex<State>

    /// The budgets of a plan, as an earlier try of the run left them.
    init(_ plan: Plan, continuing earlier: RunLedger?) {
        shrinks = plan.kind != .restore
        var state = State(plan: plan, changed: earlier?.budgets ?? [:])
        state.progress.ended = Set(earlier?.phasesEnded.keys.map(\.self) ?? [])
        self.state = Mutex(state)
    }

    func begin(_ phase: PhaseName, at now: Duration) {
        guard shrinks else { return }
        state.withLock { state in
            state.progress.started[phase] = now
            state.isStale = true
        }
    }

    func end(_ phase: PhaseName) {
        guard shrinks else { return }
        state.withLock { state in
            state.progress.ended.insert(phase)
            state.isStale = true
        }
    }

    /// The host of this step is about to be told to stop.
    func tellHost(_ step: StepID, at now: Duration) {
        state.withLock { state in
            if state.hostsTold[step] == nil { state.hostsTold[step] = now }
        }
    }

    /// When the time of a host ends: its budget counts from when it is told to stop, which is at
    /// the deadline at the latest. Nil for any other step.
    func endOfHost(_ step: StepID, deadline: Duration) -> Duration? {
        guard shrinks else { return nil }
        return state.withLock { state in
            guard state.tables.hosts.contains(step), let phase = state.tables.phases[step],
                let start = state.progress.started[phase]
            else { return nil }
            let told = state.hostsTold[step] ?? max(start, deadline)
            return told + (state.changed[phase] ?? state.tables.planned[phase] ?? .zero)
        }
    }

    /// What is to be changed, when it is time to look and nobody else does; `endReview` follows.
    func beginReview(deadline: Duration?, now: Duration) -> [Budgets.Change]? {
        guard shrinks else { return nil }
        let due = state.withLock { state -> (Budgets, [PhaseName: Duration], Budgets.Progress)? in
            // Before the first reading, what an earlier try of the run was left holds.
            guard deadline != nil || state.seenDeadline != nil else { return nil }
            let isDue = state.isStale || state.seenDeadline != deadline
            guard isDue, !state.isUnderReview else { return nil }
            state.isUnderReview = true
            state.isStale = false
            state.seenDeadline = deadline
            state.progress.now = now
            return (state.tables.rules, state.changed, state.progress)
        }
        return due.map { rules, changed, progress in
            rules.changes(from: changed, progress, deadline: deadline)
        }
    }

    func endReview() { state.withLock { $0.isUnderReview = false } }

    func set(_ phase: PhaseName, to budget: Duration) {
        state.withLock { state in
            state.changed[phase] = budget == state.tables.planned[phase] ? nil : budget
        }
    }

    /// When the phase of a step is to be over; nil while its budget is the plan's, since then the
    /// steps' own limits say so.
    func end(of step: StepID) -> Duration? {
        guard shrinks else { return nil }
        return state.withLock { state in
            guard !state.changed.isEmpty, let phase = state.tables.phases[step],
                let budget = state.changed[phase]
            else { return nil }
            return state.progress.started[phase].map { $0 + budget }
        }
    }
}

extension Step {
    /// Whether it shuts a host down, or must come before that.
    fileprivate var isHost: Bool {
        switch action {
        case .stopHost, .leaveHost, .stopVSAN: true
        default: false
        }
    }
}
