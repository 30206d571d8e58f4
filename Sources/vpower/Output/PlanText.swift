import PowerModel
import PowerRun

/// A plan as a person reads it before saying yes: phase by phase, within 80 columns.
struct PlanText {
    let prepared: Operation.Prepared

    var lines: [String] {
        var lines = [
            "Plan: \(prepared.plan.kind.rawValue), cluster \(prepared.plan.cluster), "
                + "\(prepared.plan.steps.count) steps"
        ]
        for phase in prepared.plan.phases {
            lines.append("")
            let needs = phase.needs.map(\.rawValue).joined(separator: ", ")
            lines.append(
                "\(phase.name.rawValue.padded(22)) at most \(phase.budget.short)"
                    + (needs.isEmpty ? "" : "   after: \(needs)"))
            for step in phase.steps {
                lines += "    \(step.action.summary)".wrapped()
            }
        }
        if !prepared.warnings.isEmpty { lines.append("") }
        lines += prepared.warnings.flatMap { $0.wrapped(after: "! ") }
        return lines
    }
}

/// A plan as JSON: `vpower plan --format json`.
struct PlanJSON: Encodable {
    struct PhaseJSON: Encodable {
        var name: String
        var needs: [String]
        var budgetSeconds: Double
        var steps: [String]
    }

    var kind: String
    var cluster: String
    var warnings: [String]
    var phases: [PhaseJSON]

    init(_ prepared: Operation.Prepared) {
        kind = prepared.plan.kind.rawValue
        cluster = prepared.plan.cluster.rawValue
        warnings = prepared.warnings
        phases = prepared.plan.phases.map { phase in
            PhaseJSON(
                name: phase.name.rawValue, needs: phase.needs.map(\.rawValue),
                budgetSeconds: phase.budget.inSeconds, steps: phase.steps.map(\.action.summary))
        }
    }
}
