/// One journal entry.
public struct Record: Hashable, Codable, Sendable {
    /// Its number: grows by one with each record of the journal.
    public var number: Int64
    /// When it was written, by the wall clock.
    public var at: Timestamp
    /// The run it belongs to, if it belongs to one.
    public var run: RunID?
    /// The outage it belongs to.
    public var outage: OutageID
    /// What it says.
    public var event: RunEvent

    /// A record.
    public init(
        number: Int64, at: Timestamp, run: RunID?, outage: OutageID, event: RunEvent
    ) {
        self.number = number
        self.at = at
        self.run = run
        self.outage = outage
        self.event = event
    }
}

/// What a record says. State is a fold of these; nothing else is stored.
public indirect enum RunEvent: Hashable, Codable, Sendable {
    /// An outage began for this cluster, for this reason.
    case outageOpened(cluster: ClusterName, reason: String)
    /// The outage's one snapshot: what a restore goes back to.
    case snapshotTaken(ClusterSnapshot)
    /// A run began: this plan will be carried out.
    case runStarted(Plan, RunCause)
    /// A phase began.
    case phaseStarted(PhaseName)
    /// A phase is over; the next may begin.
    case phaseEnded(PhaseName)
    /// On disk before the act: this step is about to ask for something.
    case asked(StepID, String)
    /// A step is over.
    case stepEnded(StepID, StepOutcome)
    /// A phase gets another budget than planned: the battery drains faster, or recovered.
    case budgetChanged(PhaseName, from: Duration, to: Duration, why: String)
    /// How a host's guests come up, where that is not as planned; and on disk before it is changed,
    /// what the host started by itself.
    case bootChosen(HostName, BootChoice, before: HostAutostart?)
    /// On disk before it is changed: whether a host's SSH service ran.
    case sshFound(HostName, runs: Bool)
    /// Something an operator should know: unconfirmed objects by name.
    case noted(String)
    /// From here on the run goes to its end whatever the mains do.
    case pointOfNoReturn(String)
    /// The run is over.
    case runEnded(RunResult)
    /// The outage is over: everything is back.
    case outageClosed
}

/// Why a run was started, and by whom.
public struct RunCause: Hashable, Codable, Sendable {
    /// Who started it.
    public enum Origin: String, Hashable, Codable, Sendable {
        /// A person: the mains have no say in it.
        case hand
        /// An outage: when the mains return in time, it is reversed.
        case outage
    }

    /// Who started it.
    public var origin: Origin
    /// Why, in words.
    public var reason: String

    /// A cause.
    public init(_ origin: Origin, _ reason: String) {
        self.origin = origin
        self.reason = reason
    }
}

/// How a step ended.
public enum StepOutcome: Hashable, Codable, Sendable {
    /// Seen to be as wanted, by this means.
    case done(StepMeans)
    /// Not seen to be as wanted within its limit: why.
    case gaveUp(String)
    /// Left alone on purpose: why.
    case left(String)
}

/// By what means an object came to be as wanted.
public enum StepMeans: String, Hashable, Codable, Sendable {
    /// It already was.
    case already
    /// It was asked and did it.
    case asked
    /// It was forced: its power was cut.
    case forced
    /// Its memory was written to disk, as its policy says; a restore resumes it.
    case suspended
}

/// How a run ended.
public enum RunResult: String, Hashable, Codable, Sendable {
    /// Every step was done or left on purpose.
    case finished
    /// It went to its end, but some steps gave up.
    case finishedWithGaps
    /// The mains returned before the point of no return: what was done is to be undone.
    case reversed
    /// It was told to stop; `vpower resume` continues it.
    case interrupted
}
