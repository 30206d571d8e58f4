import PowerModel
import PowerRun
import Transport

/// A plan beside the battery it must fit, with the digest a reviewer can hold it to.
struct PlanReport {
    let plan: Plan
    let warnings: [String]
    let digest: PlanDigest
    let battery: BatteryLook
    let schedule: Schedule

    init(_ prepared: Operation.Prepared, battery: BatteryLook) {
        plan = prepared.plan
        digest = PlanDigest(prepared.plan)
        self.battery = battery
        schedule = Schedule(prepared.plan, deadline: battery.deadline)
        warnings = prepared.warnings + battery.warnings + schedule.warnings
    }

    /// Prints it on stdout.
    func print(_ format: OutputFormat) throws {
        switch format {
        case .text: PlanText(report: self).lines.forEach(Terminal.out)
        case .json: try Terminal.json(PlanJSON(self))
        }
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of what a reviewer agrees to.
struct PlanDigest: Hashable, CustomStringConvertible {
    let description: String

    /// How many digits are shown: nobody types 64, and a plan that differs by accident differs in
    /// these.
    static let length = 16

    init(_ plan: Plan) {
        description = String(
            SHA256.hexadecimal(Array(plan.reviewText.utf8)).prefix(Self.length))
    }

    /// One that a person typed; nil when it cannot be one.
    init?(typed text: String) {
        let text = text.lowercased()
        guard text.count == Self.length, text.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            return nil
        }
        description = text
    }
}

extension Schedule {
    /// What does not fit the battery, in words.
    var warnings: [String] {
        guard let deadline else { return [] }
        let tier = costliest.map { "; what costs most is \($0.phase) (\($0.gain.short))" } ?? ""
        if !fits {
            return [
                "does not fit the battery: \(total.short) expected, \(max(.zero, deadline).short) "
                    + "to the deadline\(tier)"
            ]
        }
        if !fitsAtWorst {
            return [
                "fits the battery only if nothing takes its whole limit: \(worst.short) at worst, "
                    + "\(deadline.short) to the deadline; budgets would be cut\(tier)"
            ]
        }
        return []
    }
}
