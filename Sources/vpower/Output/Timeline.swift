import PowerModel
import PowerRun

/// Prints a run as it goes on, one line per thing that happened, on stderr.
actor Timeline: Announcer {
    private let time: any TimeSource
    private let start: Duration
    private let lead: String
    private let print: @Sendable (String) -> Void
    private var actions: [StepID: Action] = [:]
    private var phaseStarts: [PhaseName: Duration] = [:]
    /// How long each phase took, in the order in which they ended.
    private(set) var phases: [(name: String, seconds: Double)] = []

    /// - Parameter cluster: named in every line, where several timelines are shown at once.
    init(
        time: any TimeSource, cluster: ClusterName? = nil,
        print: @escaping @Sendable (String) -> Void
    ) {
        self.time = time
        lead = cluster.map { "\($0.rawValue.onOneLine.padded(12))  " } ?? ""
        start = time.elapsed
        self.print = print
    }

    /// One line of its own, wrapped so that it fits 80 columns.
    func say(_ text: String) {
        let stamp = (time.elapsed - start).tenths.leftPadded(7) + "s  " + lead
        text.onOneLine(atMost: .max).wrapped(after: stamp).forEach(print)
    }

    /// The steps of a plan whose run began before: they are told in words.
    func learn(_ plan: Plan) {
        for step in plan.steps { actions[step.id] = step.action }
    }

    func announce(_ record: Record) {
        switch record.event {
        case .outageOpened(_, let reason): say("outage: \(reason)")
        case .snapshotTaken(let snapshot):
            let on = snapshot.inventory.guests.count { $0.power == .on }
            let hosts = snapshot.inventory.hosts.count.counted("host")
            say("snapshot: \(hosts), \(on.counted("guest")) on")
        case .runStarted(let plan, _):
            learn(plan)
            say("run: \(plan.kind.rawValue), \(plan.steps.count.counted("step"))")
        case .phaseStarted(let name):
            phaseStarts[name] = time.elapsed
            say("> \(name)")
        case .phaseEnded(let name):
            let took = phaseStarts[name].map { time.elapsed - $0 } ?? .zero
            phases.append((name.rawValue, took.inSeconds))
            say("< \(name), \(took.tenths) s")
        case .asked(let step, let what):
            if actions[step] == nil { say("    \(what)") }
        case .stepEnded(let step, let outcome): say("    \(describe(step, outcome))")
        case .budgetChanged(let phase, let from, let to, let why):
            say("  ! \(phase): budget \(from.short) -> \(to.short): \(why)")
        case .bootChosen(let host, let choice, let before):
            say("  ! \(choice.told(of: host, before))")
        case .sshFound: break
        case .noted(let text): say("  ! \(text)")
        case .pointOfNoReturn(let why): say("  ! point of no return: \(why)")
        case .runEnded(let result): say("run \(result.words)")
        case .outageClosed: say("outage closed: everything is back")
        }
    }

    private func describe(_ step: StepID, _ outcome: StepOutcome) -> String {
        let what = actions[step]?.summary ?? step.rawValue
        return switch outcome {
        case .done(.already): "\(what): \(actions[step]?.isWait == true ? "done" : "already so")"
        case .done(.asked): "\(what): done"
        case .done(.forced): "\(what): FORCED OFF"
        case .done(.suspended): "\(what): SUSPENDED"
        case .gaveUp(let why): "\(what): GAVE UP: \(why)"
        case .left(let why): "\(what): left: \(why)"
        }
    }
}

extension Action {
    /// Whether the step only waits: that is done, and never was "already so".
    var isWait: Bool {
        switch self {
        case .awaitClusterDown, .awaitHost, .awaitBootScript, .awaitVCenter: true
        default: false
        }
    }
}

extension RunResult {
    /// How a run ended, in an operator's words.
    var words: String { self == .finishedWithGaps ? "finished with gaps" : rawValue }

    /// The same of a result as JSON has it.
    static func words(of raw: String) -> String { RunResult(rawValue: raw)?.words ?? raw }
}
