import PowerModel

/// One line of `vpower history --format json`.
struct RunJSON: Encodable {
    var run: String
    var outage: String
    var outageIsClosed: Bool
    var kind: String
    var cluster: String
    /// `hand` or `outage`.
    var origin: String
    var reason: String
    var began: String
    var ended: String?
    var tookSeconds: Double?
    /// Nil while it goes on, and when vpower was killed.
    var result: String?
    /// By means: how many steps came to be as wanted in another way than planned.
    var byOtherMeans: [String: Int]
    var gaveUp: Int
    var left: Int

    init(_ report: AfterAction) {
        run = report.run.id.rawValue
        outage = report.outage.rawValue
        outageIsClosed = report.outageIsClosed
        kind = report.run.plan.kind.rawValue
        cluster = report.run.plan.cluster.rawValue
        origin = report.run.cause.origin.rawValue
        reason = report.run.cause.reason
        began = report.run.started.iso
        ended = report.ended?.iso
        tookSeconds = report.took?.inSeconds
        result = report.ended == nil ? nil : report.run.result?.rawValue
        byOtherMeans = Dictionary(grouping: report.drastic, by: \.means.rawValue)
            .mapValues(\.count)
        gaveUp = report.gaveUp.count
        left = report.left.count
    }
}

/// `vpower history RUN --format json`.
struct ReportJSON: Encodable {
    struct PhaseJSON: Encodable {
        var name: String
        var expectedStartSeconds: Double
        /// From past runs; nil where none tells.
        var estimateSeconds: Double?
        var budgetSeconds: Double
        var began: String?
        var ended: String?
        var tookSeconds: Double?
        var steps: [StepJSON]
    }

    struct StepJSON: Encodable {
        var id: String
        var summary: String
        var estimateSeconds: Double?
        var limitSeconds: Double
        var asked: String?
        var ended: String?
        var tookSeconds: Double?
        /// A means (`already`, `asked`, `forced`), `left`, or `gaveUp`; nil when it is not over.
        var outcome: String?
        var why: String?
    }

    struct RemarkJSON: Encodable {
        var at: String
        var text: String

        init(_ remark: AfterAction.Remark) {
            at = remark.at.iso
            text = remark.text
        }
    }

    struct BudgetJSON: Encodable {
        var at: String
        var phase: String
        var fromSeconds: Double
        var toSeconds: Double
        var why: String
    }

    struct InversionJSON: Encodable {
        var began: String
        var beforeTheEndOf: String
    }

    var run: RunJSON
    var resumed: [String]
    var pointOfNoReturn: RemarkJSON?
    /// In the order in which they began.
    var phases: [PhaseJSON]
    var inAnotherOrder: [InversionJSON]
    var budgetsChanged: [BudgetJSON]
    var notes: [RemarkJSON]

    init(_ report: AfterAction) {
        run = RunJSON(report)
        resumed = report.resumed.map(\.iso)
        pointOfNoReturn = report.pointOfNoReturn.map(RemarkJSON.init)
        phases = report.phases.map(PhaseJSON.init)
        inAnotherOrder = report.inversions.map {
            InversionJSON(began: $0.early, beforeTheEndOf: $0.late)
        }
        budgetsChanged = report.budgetChanges.map { change in
            BudgetJSON(
                at: change.at.iso, phase: change.phase.rawValue,
                fromSeconds: change.from.inSeconds, toSeconds: change.to.inSeconds,
                why: change.why)
        }
        notes = report.notes.map(RemarkJSON.init)
    }
}

extension ReportJSON.PhaseJSON {
    init(_ report: AfterAction.PhaseReport) {
        name = report.phase.name.rawValue
        expectedStartSeconds = report.expectedStart.inSeconds
        estimateSeconds = report.expected.estimate?.inSeconds
        budgetSeconds = report.phase.budget.inSeconds
        began = report.began?.iso
        ended = report.ended?.iso
        tookSeconds = report.took?.inSeconds
        steps = report.steps.map(ReportJSON.StepJSON.init)
    }
}

extension ReportJSON.StepJSON {
    init(_ report: AfterAction.StepReport) {
        id = report.step.id.rawValue
        summary = report.step.action.summary
        estimateSeconds = report.step.estimate?.inSeconds
        limitSeconds = report.step.limit.inSeconds
        asked = report.asked?.iso
        ended = report.ended?.iso
        tookSeconds = report.took?.inSeconds
        switch report.outcome {
        case nil: (outcome, why) = (nil, nil)
        case .done(let means): (outcome, why) = (means.rawValue, nil)
        case .left(let text): (outcome, why) = ("left", text)
        case .gaveUp(let text): (outcome, why) = ("gaveUp", text)
        }
    }
}

extension AfterAction.Expectation {
    fileprivate var estimate: Duration? {
        if case .estimate(let duration) = self { duration } else { nil }
    }
}
