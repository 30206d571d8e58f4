public import PowerModel

/// Everything the engine acts on and through: given from outside, so that the engine that runs
/// in a drill is the engine that runs in an outage.
public struct Surroundings: Sendable {
    /// The cluster, as the site file has it.
    public var site: ClusterSite
    /// The cluster through vCenter.
    public var cluster: any ClusterControl
    /// Its hosts.
    public var hosts: [HostName: any HostControl]
    /// Management controllers, of the hosts that have one vpower may ask.
    public var bmcs: [HostName: any BMCControl]
    /// Machines that go down with it.
    public var machines: [MachineName: any MachineControl]
    /// Wakes a host; says in words why it could not.
    public var wake: @Sendable (HostName) async -> String?
    /// Whether anybody answers at an endpoint: for the witness.
    public var answers: @Sendable (Endpoint) async -> Bool
    /// Adds to a snapshot what vCenter's reading does not hold: the addresses that names have, and
    /// who is who. What it cannot find out is missing; it is bounded, and never fails.
    public var complete: @Sendable (ClusterSnapshot) async -> ClusterSnapshot
    /// Runs a hook on this machine, for no longer than its limit.
    public var runHook: @Sendable (Hook, HookContext) async -> HookEnd
    /// Where records go.
    public var journal: any Journal
    /// Who is told.
    public var announcer: any Announcer
    /// Time.
    public var time: any TimeSource
    /// How often the engine looks, and how much it asks at the same time.
    public var pace: EnginePace

    /// Surroundings of these parts.
    public init(
        site: ClusterSite, cluster: any ClusterControl, hosts: [HostName: any HostControl],
        bmcs: [HostName: any BMCControl] = [:],
        machines: [MachineName: any MachineControl] = [:],
        wake: @escaping @Sendable (HostName) async -> String?,
        answers: @escaping @Sendable (Endpoint) async -> Bool,
        complete: @escaping @Sendable (ClusterSnapshot) async -> ClusterSnapshot = { $0 },
        runHook: @escaping @Sendable (Hook, HookContext) async -> HookEnd,
        journal: any Journal, announcer: any Announcer, time: any TimeSource,
        pace: EnginePace = EnginePace()
    ) {
        self.site = site
        self.cluster = cluster
        self.hosts = hosts
        self.bmcs = bmcs
        self.machines = machines
        self.wake = wake
        self.answers = answers
        self.complete = complete
        self.runHook = runHook
        self.journal = journal
        self.announcer = announcer
        self.time = time
        self.pace = pace
    }
}

extension Surroundings {
    /// What is known of the open outage of a cluster, this one unless another is named.
    func ledger(of cluster: ClusterName? = nil) async throws(JournalError) -> Ledger {
        Ledger(try await journal.openOutage(of: cluster ?? site.name))
    }

    /// Writes an event down, then tells people. The journal given to a run that must not stop
    /// falls back to memory by itself (`FallbackJournal`), so an error here is only told.
    func record(_ event: RunEvent, run: RunID?, outage: OutageID) async {
        do {
            await announcer.announce(try await journal.append(event, run: run, outage: outage))
        } catch {
            let lost = Record(
                number: 0, at: time.wall, run: run, outage: outage,
                event: .noted("not recorded: \(error)"))
            await announcer.announce(lost)
        }
    }
}

/// What a hook is told of the run it is part of.
public struct HookContext: Hashable, Sendable {
    /// The cluster.
    public var cluster: ClusterName
    /// The tier that goes down.
    public var tier: TierName
    /// Whether the tier is about to go down, or is down.
    public var moment: HookMoment
    /// The run.
    public var run: RunID

    /// What a hook is told.
    public init(cluster: ClusterName, tier: TierName, moment: HookMoment, run: RunID) {
        self.cluster = cluster
        self.tier = tier
        self.moment = moment
        self.run = run
    }
}

/// How a hook ended.
public enum HookEnd: Hashable, Sendable {
    /// It exited with this status.
    case exited(Int32)
    /// It was killed at its limit.
    case timedOut
    /// It could not be run: why.
    case failed(String)
}

/// How often the engine looks, and how much it asks at the same time.
public struct EnginePace: Sendable {
    /// Between two looks at what gives no signal of its own: a host, HA's agents.
    public var look: Duration = .seconds(2)
    /// The longest a wait for a change at vCenter lasts before the engine looks again.
    public var listen: Duration = .seconds(10)
    /// Between two looks at an inventory, for each of its guests: while twenty thousand guests go
    /// down, something changes all the time, and each look reads all of it.
    public var restPerGuest: Duration = .microseconds(100)
    /// How many guests are asked at the same time.
    public var guestsAtOnce = 64
    /// How many hosts are spoken to at the same time.
    public var hostsAtOnce = 32
    /// How long a guest whose power was cut may take to be seen off: by its power-off, and where
    /// that hangs by the end of its process.
    public var forcedOff: Duration = .seconds(45)
    /// How fast a guest's memory is written to disk when it is suspended: what one slow array
    /// does. With `suspendFloor` it gives how long a suspend may take.
    public var suspendMiBPerSecond = 100
    /// How long a suspend may take whatever the memory.
    public var suspendFloor: Duration = .seconds(30)
    /// The memory of a guest that does not show it.
    public var memoryAssumedMiB = 16 * 1024
    /// How often a guest that does not start is started.
    public var startTries = 3
    /// Between two attempts to start a guest.
    public var startAgainAfter: Duration = .seconds(20)
    /// How long a host may be away before it is woken.
    public var wakeAfter: Duration = .seconds(120)
    /// Between two logins at a vCenter that refuses them while it starts: by default its single
    /// sign-on locks an account after 5 refusals within 180 s.
    public var loginAgain: Duration = .seconds(50)

    /// The defaults.
    public init() {}

    /// How long a guest's suspend may take: an estimate from its memory.
    func suspendLimit(memoryMiB: Int?) -> Duration {
        let memory = max(0, memoryMiB ?? memoryAssumedMiB)
        return suspendFloor + .seconds(memory / max(1, suspendMiBPerSecond))
    }

    /// How long to leave an inventory of this many guests alone between two looks; not at all
    /// where that is too short to matter.
    func rest(guests: Int) -> Duration {
        let rest = restPerGuest * guests
        return rest < .milliseconds(20) ? .zero : rest
    }
}
