import PowerModel
import PowerRun

/// A plan as a person reads it before saying yes: its phases against the battery, then what each
/// does, within 80 columns.
struct PlanText {
    let report: PlanReport

    var lines: [String] {
        let plan = report.plan
        var lines = [
            "Plan: \(plan.kind.rawValue), cluster \(plan.cluster), \(plan.steps.count) steps",
            "Digest: \(report.digest)", "",
        ]
        lines += timeline + [""] + battery
        for phase in plan.phases { lines += [""] + describe(phase) }
        if !report.warnings.isEmpty { lines.append("") }
        return lines + report.warnings.flatMap { $0.wrapped(after: "! ") }
    }

    private var timeline: [String] {
        func row(_ name: String, _ columns: [String]) -> String {
            columns.reduce(name.padded(22)) { $0 + $1.leftPadded(11) }
        }
        let heading = row("phase", ["start", "end", "expected", "limit", "latest"])
        return [heading]
            + report.schedule.entries.map { entry in
                row(
                    entry.phase.rawValue,
                    [
                        entry.start.short, entry.end.short, entry.expected.short,
                        entry.limit.short, entry.latestStart?.orTooLate ?? "-",
                    ])
            }
    }

    private var battery: [String] {
        let schedule = report.schedule
        let takes = "Takes \(schedule.total.short) as expected, \(schedule.worst.short) at worst."
        // A way back waits for the mains: no battery limits it.
        if report.plan.kind == .restore { return [takes] }
        guard let deadline = schedule.deadline, let start = schedule.startNoLaterThan else {
            return [takes] + "The deadline is not known: no UPS gives a runtime.".wrapped()
        }
        let moment = report.battery.isOnBattery ? "now" : "when the mains fail"
        return [
            takes, "Deadline \(max(.zero, deadline).short) from \(moment), less the margin.",
            start < .zero
                ? "Too late by \((.zero - start).short)."
                : "Start no later than \(start.short) from \(moment).",
        ]
    }

    private func describe(_ phase: Phase) -> [String] {
        let needs = phase.needs.map(\.rawValue).joined(separator: ", ")
        let line =
            "\(phase.name.rawValue.padded(22)) at most \(phase.budget.short)"
            + (needs.isEmpty ? "" : "   after: \(needs)")
        return line.wrapped() + phase.steps.flatMap { "    \($0.action.summary)".wrapped() }
    }
}

extension Duration {
    /// A moment from now, or that it has passed.
    fileprivate var orTooLate: String { self < .zero ? "too late" : short }
}

/// A plan as JSON: `vpower plan --format json`. Moments count from the run's beginning.
struct PlanJSON: Encodable {
    struct PhaseJSON: Encodable {
        var name: String
        var needs: [String]
        var budgetSeconds: Double
        var startSeconds: Double
        var expectedSeconds: Double
        var latestStartSeconds: Double?
        var steps: [String]
    }

    var kind: String
    var cluster: String
    var digest: String
    var warnings: [String]
    var phases: [PhaseJSON]
    var criticalPath: [String]
    var costliestTier: String?
    var expectedSeconds: Double
    var worstSeconds: Double
    var onBattery: Bool
    var deadlineSeconds: Double?
    var startNoLaterThanSeconds: Double?

    init(_ report: PlanReport) {
        let schedule = report.schedule
        kind = report.plan.kind.rawValue
        cluster = report.plan.cluster.rawValue
        digest = report.digest.description
        warnings = report.warnings
        phases = zip(report.plan.phases, schedule.entries).map { phase, entry in
            PhaseJSON(
                name: phase.name.rawValue, needs: phase.needs.map(\.rawValue),
                budgetSeconds: phase.budget.inSeconds, startSeconds: entry.start.inSeconds,
                expectedSeconds: entry.expected.inSeconds,
                latestStartSeconds: entry.latestStart?.inSeconds,
                steps: phase.steps.map(\.action.summary))
        }
        criticalPath = schedule.criticalPath.map(\.rawValue)
        costliestTier = schedule.costliest?.phase.rawValue
        expectedSeconds = schedule.total.inSeconds
        worstSeconds = schedule.worst.inSeconds
        onBattery = report.battery.isOnBattery
        deadlineSeconds = schedule.deadline?.inSeconds
        startNoLaterThanSeconds = schedule.startNoLaterThan?.inSeconds
    }
}
