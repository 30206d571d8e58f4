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
    /// Machines that go down with it.
    public var machines: [MachineName: any MachineControl]
    /// Wakes a host; says in words why it could not.
    public var wake: @Sendable (HostName) async -> String?
    /// Whether anybody answers at an endpoint: for the witness.
    public var answers: @Sendable (Endpoint) async -> Bool
    /// Runs a hook on this machine, for no longer than its limit.
    public var runHook: @Sendable (Hook) async -> HookEnd
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
        machines: [MachineName: any MachineControl] = [:],
        wake: @escaping @Sendable (HostName) async -> String?,
        answers: @escaping @Sendable (Endpoint) async -> Bool,
        runHook: @escaping @Sendable (Hook) async -> HookEnd,
        journal: any Journal, announcer: any Announcer, time: any TimeSource,
        pace: EnginePace = EnginePace()
    ) {
        self.site = site
        self.cluster = cluster
        self.hosts = hosts
        self.machines = machines
        self.wake = wake
        self.answers = answers
        self.runHook = runHook
        self.journal = journal
        self.announcer = announcer
        self.time = time
        self.pace = pace
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
    /// The longest a wait for a change at vCenter lasts before the engine looks at its wishes.
    public var listen: Duration = .seconds(10)
    /// How many guests are asked at the same time.
    public var guestsAtOnce = 16
    /// How long a guest whose power was cut may take to be seen off.
    public var forcedOff: Duration = .seconds(30)
    /// How long a host may be away before it is woken.
    public var wakeAfter: Duration = .seconds(120)

    /// The defaults.
    public init() {}
}
