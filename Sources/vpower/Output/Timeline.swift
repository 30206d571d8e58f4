import PowerModel
import PowerRun

/// Prints a run as it goes on, one line per thing that happened, on stderr.
actor Timeline: Announcer {
    private let time: any TimeSource
    private let start: Duration
    private let print: @Sendable (String) -> Void
    private var summaries: [StepID: String] = [:]
    private var phaseStarts: [PhaseName: Duration] = [:]
    /// How long each phase took, in the order in which they ended.
    private(set) var phases: [(name: String, seconds: Double)] = []

    init(time: any TimeSource, print: @escaping @Sendable (String) -> Void) {
        self.time = time
        start = time.elapsed
        self.print = print
    }

    /// One line of its own, wrapped so that it fits 80 columns.
    func say(_ text: String) {
        let stamp = (time.elapsed - start).tenths.leftPadded(7) + "s  "
        text.withControlsShown.wrapped(after: stamp).forEach(print)
    }

    func announce(_ record: Record) {
        switch record.event {
        case .outageOpened(_, let reason): say("outage: \(reason)")
        case .snapshotTaken(let snapshot):
            let on = snapshot.inventory.guests.count { $0.power == .on }
            say("snapshot: \(snapshot.inventory.hosts.count) hosts, \(on) guests on")
        case .runStarted(let plan, _):
            for step in plan.steps { summaries[step.id] = step.action.summary }
            say("run: \(plan.kind.rawValue), \(plan.steps.count) steps")
        case .phaseStarted(let name):
            phaseStarts[name] = time.elapsed
            say("> \(name)")
        case .phaseEnded(let name):
            let took = phaseStarts[name].map { time.elapsed - $0 } ?? .zero
            phases.append((name.rawValue, took.inSeconds))
            say("< \(name), \(took.tenths) s")
        case .asked(let step, let what):
            if summaries[step] == nil { say("    \(what)") }
        case .stepEnded(let step, let outcome): say("    \(describe(step, outcome))")
        case .budgetChanged(let phase, let from, let to, let why):
            say("  ! \(phase): budget \(from.short) -> \(to.short): \(why)")
        case .noted(let text): say("  ! \(text)")
        case .pointOfNoReturn(let why): say("  ! point of no return: \(why)")
        case .runEnded(let result): say("run \(result.rawValue)")
        case .outageClosed: say("outage closed: everything is back")
        }
    }

    private func describe(_ step: StepID, _ outcome: StepOutcome) -> String {
        let what = summaries[step] ?? step.rawValue
        return switch outcome {
        case .done(.already): "\(what): already so"
        case .done(.asked): "\(what): done"
        case .done(.forced): "\(what): FORCED OFF"
        case .done(.suspended): "\(what): SUSPENDED"
        case .gaveUp(let why): "\(what): GAVE UP: \(why)"
        case .left(let why): "\(what): left: \(why)"
        }
    }
}

extension String {
    /// Control characters shown, not obeyed.
    fileprivate var withControlsShown: String {
        var shown = ""
        for scalar in unicodeScalars {
            if scalar.value < 0x20 || scalar.value == 0x7f {
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }
}
