/// What the records of one outage add up to.
public struct Ledger: Hashable, Sendable {
    /// The outage.
    public private(set) var outage: OutageID?
    /// Its cluster.
    public private(set) var cluster: ClusterName?
    /// Its one snapshot: the first.
    public private(set) var snapshot: ClusterSnapshot?
    /// Its runs, in the order in which they began.
    public private(set) var runs: [RunLedger] = []
    /// What an operator should know that belongs to no run, in order.
    public private(set) var notes: [String] = []
    /// Whether the outage is over.
    public private(set) var isClosed = false

    /// Folds the records of one outage, in order.
    public init(_ records: [Record]) {
        for index in records.indices { apply(records[index]) }
    }

    /// The run that began last.
    public var lastRun: RunLedger? { runs.last }

    /// The last run if it did not come to an end: what `vpower resume` continues.
    public var interruptedRun: RunLedger? {
        guard let last = runs.last else { return nil }
        return last.result == nil || last.result == .interrupted ? last : nil
    }

    /// Hosts that vpower put in maintenance mode in this outage and has not seen out of it since.
    public var hostsPutInMaintenance: Set<HostName> {
        var hosts = Set<HostName>()
        for run in runs {
            for step in run.steps {
                if case .stopHost(let host, maintenance: true) = step.action,
                    run.hasAsked(.maintenance(of: host)),
                    run.outcome(of: .maintenance(of: host)) == nil
                {
                    hosts.insert(host)
                }
                // What is in maintenance mode after that was put there by somebody else.
                if case .awaitHost(let host, leaveMaintenance: true) = step.action,
                    case .done = run.outcome(of: step.id)
                {
                    hosts.remove(host)
                }
            }
        }
        return hosts
    }

    /// Hosts on which vpower stopped HA's agent in this outage, and where it was not seen to run
    /// since. A boot starts it; but a host that was silent was not always down.
    public var haAgentsStopped: Set<HostName> {
        var stopped = Set<HostName>()
        for run in runs {
            for step in run.steps {
                switch step.action {
                case .stopHAAgents(let hosts):
                    stopped.formUnion(hosts.filter { run.hasAsked(.stopHAAgent(on: $0)) })
                case .startHAAgent(let host):
                    if case .done = run.outcome(of: step.id) { stopped.remove(host) }
                default: break
                }
            }
        }
        return stopped
    }

    /// Hosts that were told to stop and seen down in this outage, and not seen back since.
    public var hostsSeenDown: Set<HostName> {
        seenDown { action in
            switch action {
            case .stopHost(let host, _): (host, isDown: true)
            case .awaitHost(let host, _): (host, isDown: false)
            default: nil
            }
        }
    }

    /// Hosts that vpower handed itself over to in this outage, which shut it and themselves down:
    /// nobody saw that, and they were not seen back since.
    public var hostsLeft: Set<HostName> {
        seenDown { action in
            switch action {
            case .leaveHost(let host, _, _): (host, isDown: true)
            case .awaitHost(let host, _): (host, isDown: false)
            default: nil
            }
        }
    }

    /// Machines that were told to stop and seen down in this outage, and not seen back since.
    public var machinesSeenDown: Set<MachineName> {
        seenDown { action in
            switch action {
            case .stopMachine(let machine, _): (machine, isDown: true)
            case .startMachine(let machine, _): (machine, isDown: false)
            default: nil
            }
        }
    }

    /// - Parameter meaning: what a step that is done has brought where, if it is of that kind.
    private func seenDown<Thing>(
        _ meaning: (Action) -> (thing: Thing, isDown: Bool)?
    ) -> Set<Thing> {
        var down = Set<Thing>()
        for run in runs {
            for step in run.steps {
                // What it means first: to look its outcome up costs more.
                guard let (thing, isDown) = meaning(step.action),
                    case .done = run.outcome(of: step.id)
                else { continue }
                if isDown { down.insert(thing) } else { down.remove(thing) }
            }
        }
        return down
    }

    /// Takes one record in.
    public mutating func apply(_ record: Record) {
        switch record.event {
        case .outageOpened(let cluster, _):
            outage = record.outage
            self.cluster = cluster
        case .snapshotTaken(let taken):
            // An outage has one snapshot: a value vpower changed is never taken for the previous.
            if snapshot == nil { snapshot = taken }
        case .runStarted(let plan, let cause):
            // A record that two journals held may come twice.
            guard let run = record.run, !runs.contains(where: { $0.id == run }) else { return }
            runs.append(RunLedger(record, id: run, plan: plan, cause: cause))
        case .outageClosed:
            isClosed = true
        case .noted(let text) where record.run == nil:
            notes.append(text)
        default:
            guard let run = record.run,
                let index = runs.lastIndex(where: { $0.id == run })
            else { return }
            runs[index].apply(record)
        }
    }
}

extension Name where Kind == StepKind {
    private static var stopPrefix: String { "stop/" }

    /// Under this, every shutdown of a guest is announced: that of a step of the plan, and that of
    /// a guest which was started since.
    public static func stop(_ guest: GuestID) -> StepID { StepID(stopPrefix + guest.rawValue) }

    /// The guest that this shuts down, if it shuts one down.
    var stoppedGuest: GuestID? {
        guard rawValue.hasPrefix(Self.stopPrefix) else { return nil }
        return GuestID(String(rawValue.dropFirst(Self.stopPrefix.count)))
    }

    /// HA off, DRS manual, DPM off.
    public static var freeze: StepID { StepID("freeze") }

    /// HA's agents stopped on the hosts.
    public static var stopHAAgents: StepID { StepID("stop-ha-agents") }

    /// Under this, it is announced for each host that HA's agent is stopped there.
    public static func stopHAAgent(on host: HostName) -> StepID {
        StepID("stop-ha-agent/\(host)")
    }

    /// SSH seen to run on a host.
    public static func openSSH(on host: HostName) -> StepID { StepID("open-ssh/\(host)") }

    /// A vSAN cluster made ready for its hosts to go.
    public static var stopVSAN: StepID { StepID("stop-vsan") }
    /// Under this, it is announced that vCenter is asked to shut a vSAN cluster down.
    public static var powerOffVSAN: StepID { StepID("power-off-vsan") }
    /// Under this, it is announced that one host prepares all of a vSAN cluster.
    public static var prepareVSAN: StepID { StepID("prepare-vsan") }
    /// A vSAN cluster recovered.
    public static var startVSAN: StepID { StepID("start-vsan") }

    /// Under this, a host's maintenance mode is announced apart from its shutdown: only the
    /// second makes later silence mean "down".
    public static func maintenance(of host: HostName) -> StepID {
        StepID("maintenance/\(host)")
    }
}

/// What is on record of one step of a run.
public struct StepProgress: Hashable, Sendable {
    /// When it first asked for something, by the wall clock; nil where it did not.
    public private(set) var asked: Timestamp?
    /// When it last did so.
    public private(set) var askedLast: Timestamp?
    /// How it ended; nil while it is not over.
    public private(set) var outcome: StepOutcome?
    /// When it was over, by the wall clock.
    public private(set) var ended: Timestamp?

    fileprivate mutating func ask(at moment: Timestamp) {
        // What was done and is asked again is not over: a guest was started since.
        if case .done = outcome {
            outcome = nil
            asked = nil
        }
        asked = asked ?? moment
        askedLast = moment
    }

    fileprivate mutating func end(_ outcome: StepOutcome, at moment: Timestamp) {
        self.outcome = outcome
        ended = moment
    }
}

/// What the records of one run add up to.
public struct RunLedger: Hashable, Sendable {
    /// The run.
    public let id: RunID
    /// Its plan.
    public let plan: Plan
    /// Every step of the plan, in the order shown.
    public let steps: [Step]
    /// Why it was started, and by whom.
    public let cause: RunCause
    /// When it began, by the wall clock.
    public let started: Timestamp
    /// The number of the record with which it began.
    public let firstRecord: Int64
    /// The number of its last record so far.
    public private(set) var lastRecord: Int64
    /// Phases that began, with the moment.
    public private(set) var phasesStarted: [PhaseName: Timestamp] = [:]
    /// Phases that are over, with the moment.
    public private(set) var phasesEnded: [PhaseName: Timestamp] = [:]
    /// What is on record of each step that asked for something or is over: those of the plan, and
    /// others that no plan could foresee.
    public private(set) var progress: [StepID: StepProgress] = [:]
    /// Budgets that were changed since, as they are now.
    public private(set) var budgets: [PhaseName: Duration] = [:]
    /// How guests of hosts come up, where that was not as planned.
    public private(set) var bootChoices: [HostName: BootChoice] = [:]
    /// What hosts started by themselves before this run changed it, as it found them first.
    public private(set) var autostartBefore: [HostName: HostAutostart] = [:]
    /// Whether SSH ran on hosts before this run changed it, as it found them first.
    public private(set) var sshFound: [HostName: Bool] = [:]
    /// What an operator should know, in order.
    public private(set) var notes: [String] = []
    /// Whether it is past the point of no return.
    public private(set) var isPastReturn = false
    /// How it ended; nil while it has not.
    public private(set) var result: RunResult?

    init(_ record: Record, id: RunID, plan: Plan, cause: RunCause) {
        self.id = id
        self.plan = plan
        steps = plan.steps
        progress.reserveCapacity(steps.count)
        self.cause = cause
        started = record.at
        firstRecord = record.number
        lastRecord = record.number
    }

    /// Steps that gave up, with why, sorted by identity.
    public var gaps: [(step: StepID, why: String)] {
        progress.compactMap { step, progress in
            if case .gaveUp(let why) = progress.outcome { (step, why) } else { nil }
        }.sorted { $0.step < $1.step }
    }

    /// Whether the automation was seen to be stopped.
    public var isFrozen: Bool {
        if case .done = outcome(of: .freeze) { true } else { false }
    }

    /// Makes a phase one that is not over, nor any of its steps.
    public mutating func reopen(_ phase: PhaseName) {
        phasesEnded[phase] = nil
        for step in plan.phase(phase)?.steps ?? [] { progress[step.id] = nil }
    }

    /// Makes a phase one that is not over where a machine may have been called off there, and not
    /// told anew.
    public mutating func reopenUntold() {
        for phase in plan.phases where phasesEnded[phase.name] != nil {
            let isUntold = phase.steps.contains { step in
                if case .tellMachine = step.action { outcome(of: step.id) == nil } else { false }
            }
            if isUntold { phasesEnded[phase.name] = nil }
        }
    }

    /// How a step ended; nil while it is not over.
    public func outcome(of step: StepID) -> StepOutcome? { progress[step]?.outcome }

    /// Whether a step asked for something.
    public func hasAsked(_ step: StepID) -> Bool { progress[step]?.asked != nil }

    mutating func apply(_ record: Record) {
        lastRecord = record.number
        switch record.event {
        case .phaseStarted(let phase):
            if phasesStarted[phase] == nil { phasesStarted[phase] = record.at }
        case .phaseEnded(let phase): phasesEnded[phase] = record.at
        case .asked(let step, _):
            progress[step, default: StepProgress()].ask(at: record.at)
        case .stepEnded(let step, let outcome):
            progress[step, default: StepProgress()].end(outcome, at: record.at)
        case .budgetChanged(let phase, _, let to, _): budgets[phase] = to
        case .bootChosen(let host, let choice, let before):
            bootChoices[host] = choice
            if let before, autostartBefore[host] == nil { autostartBefore[host] = before }
        case .sshFound(let host, let runs): sshFound[host] = sshFound[host] ?? runs
        case .noted(let text): notes.append(text)
        case .pointOfNoReturn: isPastReturn = true
        case .runEnded(let ended): result = ended
        case .outageOpened, .snapshotTaken, .runStarted, .outageClosed: break
        }
    }
}
