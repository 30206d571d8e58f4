import FoundationEssentials
import PowerModel

/// An after-action report as a person reads it, within 80 columns.
struct HistoryText {
    let report: AfterAction

    init(_ report: AfterAction) { self.report = report }

    // MARK: The list

    /// Past runs, two lines each.
    static func list(_ reports: [AfterAction]) -> [String] {
        if reports.isEmpty { return ["no run yet"] }
        let heading =
            "run".padded(17) + "began (UTC)".padded(17) + "what".padded(8)
            + "cluster".padded(12) + "took".padded(8) + "ended"
        return [heading]
            + reports.flatMap { report in
                let line =
                    report.run.id.rawValue.onOneLine.padded(16) + " "
                    + report.run.started.minute.padded(17)
                    + report.run.plan.kind.rawValue.padded(8)
                    + report.run.plan.cluster.rawValue.onOneLine.padded(11) + " "
                    + (report.took?.short ?? "-").padded(8)
                return [line + report.end] + report.shortRemark.wrapped()
            }
    }

    // MARK: One run

    var lines: [String] { head + table + remarks }

    private var head: [String] {
        let run = report.run
        var lines = [
            "run \(run.id.rawValue.onOneLine): \(run.plan.kind.rawValue), "
                + "cluster \(run.plan.cluster.rawValue.onOneLine)"
        ]
        lines += "\(run.started.second), \(report.cause)".wrapped(after: "  began    ")
        if let ended = report.ended {
            let took = report.took.map { ", after \($0.short)" } ?? ""
            lines.append("  ended    \(ended.second)\(took): \(report.end)")
        } else {
            lines.append("  ended    not yet; its newest record is of \(report.lastRecord.second)")
        }
        lines += report.resumed.map { "  resumed  \($0.second)" }
        let state = report.outageIsClosed ? "closed: everything is back" : "still open"
        lines.append("  outage   \(report.outage.rawValue.onOneLine), \(state)")
        if let point = report.pointOfNoReturn {
            lines += point.text.onOneLine(atMost: .max).wrapped(
                after: "  point of no return \(offset(point.at)): ")
        }
        return lines
    }

    /// When it began, how long it took, how long it was expected to take, and what it was.
    private var table: [String] {
        var lines = [""] + row("began", "took", "expected", "phase, and its steps")
        for phase in report.phases {
            lines += row(
                phase.began.map(offset) ?? "never", text(phase.took), text(phase.expected),
                phase.phase.name.rawValue)
            for step in phase.steps {
                lines += row(
                    (step.asked ?? step.ended).map(offset) ?? "never", text(step.took),
                    text(step.expected), "  \(step.step.action.summary)\(step.ending)")
            }
        }
        let isLimited = report.steps.contains { $0.step.estimate == nil }
        return lines
            + (isLimited ? ["", "<= no past run tells: the limit stands for the estimate"] : [])
    }

    private func row(_ began: String, _ took: String, _ expected: String, _ what: String)
        -> [String]
    {
        what.wrapped(
            after: began.leftPadded(9) + took.leftPadded(9) + expected.leftPadded(10) + "  ")
    }

    /// What to look at: nothing of it is in a run that went as planned.
    private var remarks: [String] {
        var lines: [String] = []
        for (title, texts) in sections where !texts.isEmpty {
            lines += ["", title] + texts.flatMap { "  \($0)".wrapped() }
        }
        return lines
    }

    private var sections: [(title: String, texts: [String])] {
        [
            (
                "Gave up:",
                report.gaveUp.map { "\($0.step.action.summary): \($0.why.onOneLine(atMost: .max))" }
            ),
            (
                "By other means than planned:",
                report.drastic.map { "\($0.step.action.summary): \($0.means.rawValue)" }
            ),
            (
                "Left alone:",
                report.left.map { "\($0.step.action.summary): \($0.why.onOneLine(atMost: .max))" }
            ),
            (
                "In another order than planned:",
                report.inversions.map {
                    "\($0.early.onOneLine) began before \($0.late.onOneLine) was over"
                }
            ),
            (
                "Budgets changed:",
                report.budgetChanges.map { change in
                    "\(offset(change.at)) \(change.phase.rawValue): \(change.from.short) -> "
                        + "\(change.to.short): \(change.why.onOneLine(atMost: .max))"
                }
            ),
            ("Notes:", report.notes.map { "\(offset($0.at)) \($0.text.onOneLine(atMost: .max))" }),
        ]
    }

    /// A moment counted from the run's beginning.
    private func offset(_ moment: Timestamp) -> String {
        let after = moment - report.run.started
        return after < .zero
            ? "-\(max(.milliseconds(100), .zero - after).short)" : "+\(after.short)"
    }

    private func text(_ took: Duration?) -> String { took?.short ?? "-" }

    private func text(_ expected: AfterAction.Expectation) -> String {
        switch expected {
        case .estimate(let duration): duration.short
        case .limit(let duration): "<= \(duration.short)"
        }
    }
}

extension AfterAction {
    /// How it ended, in a few words.
    var end: String {
        switch run.result {
        case nil: "not ended"
        case .interrupted where ended == nil: "not ended"
        case .some(let result): result.words
        }
    }

    /// Who started it, and why.
    var cause: String {
        let who = run.cause.origin == .hand ? "by hand" : "by an outage"
        let why = run.cause.reason.onOneLine(atMost: .max)
        return why == who ? who : "\(who): \(why)"
    }

    /// The second line of a list: the cause, and how many steps need a look.
    fileprivate var shortRemark: String {
        var counts: [String] = []
        for (means, steps) in Dictionary(grouping: drastic, by: \.means)
            .sorted(by: { $0.key.rawValue < $1.key.rawValue })
        {
            counts.append("\(steps.count) \(means.rawValue)")
        }
        if !gaveUp.isEmpty { counts.append("\(gaveUp.count) gave up") }
        if !left.isEmpty { counts.append("\(left.count) left") }
        return "  \(cause)" + (counts.isEmpty ? "" : "; \(counts.joined(separator: ", "))")
    }
}

extension AfterAction.StepReport {
    /// What is said of a step that did not simply do what it was asked.
    fileprivate var ending: String {
        switch outcome {
        case nil: asked == nil ? "" : ": not over"
        case .done(.asked): ""
        case .done(.already): step.action.isWait ? "" : ": already so"
        case .done(.forced): ": FORCED OFF"
        case .done(let means): ": \(means.rawValue)"
        case .gaveUp: ": GAVE UP"
        case .left: ": left"
        }
    }
}

extension Timestamp {
    /// `2026-11-21T12:03:09Z`
    var iso: String {
        Date(timeIntervalSince1970: Double(millisecondsSinceEpoch) / 1000)
            .formatted(Date.ISO8601FormatStyle())
    }

    /// `2026-11-21 12:03:09 UTC`
    var second: String { iso.replacing("T", with: " ").replacing("Z", with: " UTC") }

    /// `2026-11-21 12:03`
    fileprivate var minute: String { String(second.prefix(16)) }
}
