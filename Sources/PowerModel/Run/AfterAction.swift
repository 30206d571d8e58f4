/// What a run did beside what its plan expected: a fold of the outage's records. Works on a run
/// that was interrupted, or is going on, as far as it got.
///
/// What came first is told by the order of the records, how long it took by the wall clock.
public struct AfterAction: Hashable, Sendable {
    /// How long something was expected to take.
    public enum Expectation: Hashable, Sendable {
        /// From what it took before.
        case estimate(Duration)
        /// No past run tells: at most this.
        case limit(Duration)
    }

    /// One phase.
    public struct PhaseReport: Hashable, Sendable {
        /// The phase, as planned.
        public let phase: Phase
        /// When it was expected to begin, counted from the run's start.
        public let expectedStart: Duration
        /// How long it was expected to take.
        public let expected: Expectation
        /// When it began; nil when it never did.
        public fileprivate(set) var began: Timestamp?
        /// When it was over; nil when it is not.
        public fileprivate(set) var ended: Timestamp?
        /// Its steps, in the order in which they began; those that never did come last.
        public fileprivate(set) var steps: [StepReport] = []

        /// How long it took; nil where it is not over, or the clock was set back meanwhile.
        public var took: Duration? { AfterAction.time(from: began, to: ended) }
    }

    /// One step: what was done to one guest, host or other object.
    public struct StepReport: Hashable, Sendable {
        /// The step, as planned.
        public let step: Step
        /// When it first asked for something; nil when it never did.
        public let asked: Timestamp?
        /// When it was over; nil when it is not.
        public let ended: Timestamp?
        /// How it ended; nil when it did not.
        public let outcome: StepOutcome?

        /// How long it was expected to take.
        public var expected: Expectation {
            step.estimate.map { .estimate($0) } ?? .limit(step.limit)
        }
        /// How long it took from the first request on; nil where nothing was asked, it is not
        /// over, or the clock was set back meanwhile.
        public var took: Duration? { AfterAction.time(from: asked, to: ended) }
    }

    /// Something that was said at a moment.
    public struct Remark: Hashable, Sendable {
        /// When.
        public let at: Timestamp
        /// What.
        public let text: String
    }

    /// A phase that got another budget than planned.
    public struct BudgetChange: Hashable, Sendable {
        /// When.
        public let at: Timestamp
        /// The phase.
        public let phase: PhaseName
        /// The budget before.
        public let from: Duration
        /// The budget from then on.
        public let to: Duration
        /// Why.
        public let why: String
    }

    /// Something that began before what it had to wait for was over.
    public struct Inversion: Hashable, Sendable {
        /// What began too early: a phase's name, or a step in an operator's words.
        public let early: String
        /// What was not over yet.
        public let late: String
    }

    /// The outage the run belongs to.
    public let outage: OutageID
    /// Whether that outage is over.
    public let outageIsClosed: Bool
    /// The run: its plan, cause, beginning and result.
    public let run: RunLedger
    /// The phases, in the order in which they began; those that never did come last.
    public private(set) var phases: [PhaseReport] = []
    /// When it last ended; nil when it goes on, or vpower was killed.
    public private(set) var ended: Timestamp?
    /// Its newest record.
    public private(set) var lastRecord: Timestamp
    /// When it went on after it was interrupted or killed.
    public private(set) var resumed: [Timestamp] = []
    /// Budgets that were changed, in order.
    public private(set) var budgetChanges: [BudgetChange] = []
    /// What an operator should know, in order; also what the outage has outside of its runs since
    /// the run before this one.
    public private(set) var notes: [Remark] = []
    /// When it came to the point of no return, and by what; nil when it did not.
    public private(set) var pointOfNoReturn: Remark?
    /// What ran in another order than planned.
    public private(set) var inversions: [Inversion] = []

    /// The phases that the process of the newest record began.
    private var begun: Set<PhaseName> = []

    /// The report of one run, from all records of its outage in order; nil when there is no such
    /// run.
    public init?(of id: RunID, in records: [Record]) {
        let ledger = Ledger(records)
        guard let run = ledger.runs.first(where: { $0.id == id }),
            let outage = records.first(where: { $0.run == id })?.outage
        else { return nil }
        self.outage = outage
        self.run = run
        outageIsClosed = ledger.isClosed
        lastRecord = run.started
        var order = Order()
        for record in Self.records(records, of: id) {
            if record.run == id { order.take(record.event) }
            take(record)
        }
        phases = Self.reports(run, order)
        inversions = Self.inversions(run.plan, order)
    }

    /// How long the run took until it last ended; nil where it did not, or the clock was set back.
    public var took: Duration? { Self.time(from: run.started, to: ended) }

    /// Every step, in the order of the phases.
    public var steps: [StepReport] { phases.flatMap(\.steps) }

    /// Steps that came to be as wanted by other means than planned: forced, for one.
    public var drastic: [(step: Step, means: StepMeans)] {
        steps.compactMap { report in
            guard case .done(let means) = report.outcome, means != .already, means != .asked
            else { return nil }
            return (report.step, means)
        }
    }

    /// Steps that were left alone on purpose, with why.
    public var left: [(step: Step, why: String)] {
        steps.compactMap { report in
            if case .left(let why) = report.outcome { (report.step, why) } else { nil }
        }
    }

    /// Steps that gave up, with why.
    public var gaveUp: [(step: Step, why: String)] {
        steps.compactMap { report in
            if case .gaveUp(let why) = report.outcome { (report.step, why) } else { nil }
        }
    }

    // MARK: The fold

    /// The records of a run with those of no run that stand between it and its neighbours: what is
    /// to be said before a run begins is written before its first record.
    private static func records(_ records: [Record], of id: RunID) -> [Record] {
        var chosen: [Record] = []
        var betweenRuns: [Record] = []
        var newest: RunID?
        for record in records {
            newest = record.run ?? newest
            if newest == id {
                chosen += betweenRuns + [record]
                betweenRuns = []
            } else if record.run == nil {
                betweenRuns.append(record)
            } else {
                betweenRuns = []
            }
        }
        return chosen
    }

    /// When, by place among the run's records, each phase and step began and was over.
    private struct Order {
        var count = 0
        var phasesBegan: [PhaseName: Int] = [:]
        var phasesEnded: [PhaseName: Int] = [:]
        var stepsBegan: [StepID: Int] = [:]
        var stepsEnded: [StepID: Int] = [:]

        mutating func take(_ event: RunEvent) {
            count += 1
            switch event {
            case .phaseStarted(let phase): phasesBegan[phase] = phasesBegan[phase] ?? count
            case .phaseEnded(let phase): phasesEnded[phase] = count
            case .asked(let step, _): stepsBegan[step] = stepsBegan[step] ?? count
            case .stepEnded(let step, _):
                stepsBegan[step] = stepsBegan[step] ?? count
                stepsEnded[step] = count
            default: break
            }
        }
    }

    private mutating func take(_ record: Record) {
        if record.run != nil {
            noteResumption(record)
            lastRecord = record.at
        }
        switch record.event {
        case .noted(let text): notes.append(Remark(at: record.at, text: text))
        case .bootChosen(let host, let choice, let before):
            notes.append(Remark(at: record.at, text: choice.told(of: host, before)))
        case .pointOfNoReturn(let why):
            pointOfNoReturn = pointOfNoReturn ?? Remark(at: record.at, text: why)
        case .budgetChanged(let phase, let from, let to, let why):
            budgetChanges.append(
                BudgetChange(at: record.at, phase: phase, from: from, to: to, why: why))
        case .runEnded: ended = record.at
        default: break
        }
    }

    /// What comes after an end, or a phase that begins twice, is the work of another process.
    private mutating func noteResumption(_ record: Record) {
        var isResumed = ended != nil
        if case .phaseStarted(let phase) = record.event {
            if begun.contains(phase) { isResumed = true }
            if isResumed { begun = [] }
            begun.insert(phase)
        }
        if isResumed { resumed.append(record.at) }
        ended = nil
    }

    private static func reports(_ run: RunLedger, _ order: Order) -> [PhaseReport] {
        let schedule = Schedule(run.plan)
        let reports = zip(run.plan.phases, schedule.entries).map { phase, entry in
            let isEstimated = phase.steps.allSatisfy { $0.estimate != nil }
            var report = PhaseReport(
                phase: phase, expectedStart: entry.start,
                expected: isEstimated ? .estimate(entry.expected) : .limit(phase.budget),
                began: run.phasesStarted[phase.name], ended: run.phasesEnded[phase.name])
            report.steps = inOrder(phase.steps.map { ($0, order.stepsBegan[$0.id]) }).map {
                StepReport(
                    step: $0, asked: run.progress[$0.id]?.asked,
                    ended: run.progress[$0.id]?.ended, outcome: run.outcome(of: $0.id))
            }
            return report
        }
        return inOrder(reports.map { ($0, order.phasesBegan[$0.phase.name]) })
    }

    /// By place; those that have none last, as they were.
    private static func inOrder<T>(_ things: [(T, Int?)]) -> [T] {
        things.enumerated().sorted { one, other in
            (one.element.1 ?? .max, one.offset) < (other.element.1 ?? .max, other.offset)
        }.map(\.element.0)
    }

    private static func inversions(_ plan: Plan, _ order: Order) -> [Inversion] {
        var found: [Inversion] = []
        for phase in plan.phases {
            guard let began = order.phasesBegan[phase.name] else { continue }
            for need in phase.needs where plan.phase(need) != nil {
                if order.phasesEnded[need] ?? .max > began {
                    found.append(Inversion(early: phase.name.rawValue, late: need.rawValue))
                }
            }
        }
        for phase in plan.phases {
            let steps = Dictionary(phase.steps.map { ($0.id, $0) }) { first, _ in first }
            for step in phase.steps {
                guard let began = order.stepsBegan[step.id] else { continue }
                for need in step.needs.compactMap({ steps[$0] })
                where order.stepsEnded[need.id] ?? .max > began {
                    found.append(
                        Inversion(early: step.action.summary, late: need.action.summary))
                }
            }
        }
        return found
    }

    fileprivate static func time(from: Timestamp?, to: Timestamp?) -> Duration? {
        guard let from, let to, from <= to else { return nil }
        return to - from
    }
}
