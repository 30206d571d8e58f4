public import PowerModel
public import PowerRun

/// A simulated site in memory with everything a run needs, on a virtual clock.
public struct MemorySite: Sendable {
    /// Its clock.
    public let time: VirtualTime
    /// The site itself.
    public let world: LabWorld
    /// Where its runs are recorded.
    public let journal: MemoryJournal
    /// Its UPS, the first where it has two.
    public let feed: MemoryFeed
    /// Its vCenter.
    public let cluster: MemoryCluster
    /// Its hosts.
    public let hosts: [MemoryHost]

    /// How long a simulation may take, in virtual time.
    public static let limit: Duration = .seconds(3600)

    /// A site as the scenario has it, at the beginning of time.
    public init(_ scenario: LabScenario = .standard()) {
        let time = VirtualTime()
        let world = LabWorld(scenario, time: time)
        self.time = time
        self.world = world
        journal = MemoryJournal { time.wall }
        feed = MemoryFeed(world)
        cluster = MemoryCluster(world)
        hosts = scenario.hosts.map { MemoryHost($0.name, in: world) }
    }

    /// Looks often: in the lab everything takes seconds.
    public static var pace: EnginePace {
        var pace = EnginePace()
        pace.look = .milliseconds(300)
        pace.listen = .seconds(2)
        pace.wakeAfter = .seconds(5)
        pace.startAgainAfter = .seconds(1)
        return pace
    }

    /// Everything a run needs.
    /// - Parameters:
    ///   - life: the process that the run is part of; nil for one that is never killed.
    ///   - journal: another journal than the site's own.
    ///   - change: changes the cluster's site file first.
    public func around(
        life: LabLife? = nil, journal: (any Journal)? = nil, announcer: any Announcer,
        site change: (inout ClusterSite) -> Void = { _ in }
    ) -> Surroundings {
        var site = world.scenario.memorySite
        change(&site)
        let world = world
        let hosts = life.map { life in
            self.hosts.map { MemoryHost($0.host, in: world, life: life) }
        }
        return Surroundings(
            site: site, cluster: life.map { MemoryCluster(world, life: $0) } ?? cluster,
            hosts: Dictionary(
                uniqueKeysWithValues: (hosts ?? self.hosts).map { ($0.host, $0) }),
            bmcs: MemoryBMC.all(in: world, life: life),
            wake: { host in
                if life?.isAlive != false { world.wakeHost(host) }
                return nil
            },
            answers: { _ in world.witnessAnswers() }, runHook: { _, _ in .exited(0) },
            journal: kept(journal ?? self.journal, in: life),
            announcer: announcer,
            time: time, pace: MemorySite.pace)
    }

    /// The journal as a process sees it; what is on disk is seen by the lab.
    private func kept(_ journal: any Journal, in life: LabLife?) -> any Journal {
        let world = world
        return MortalJournal(journal, life: life ?? LabLife()) { world.sawRecord($0) }
    }

    /// What the site's own log shows to be violated, everything being said to be restored.
    public func violations() async -> [String] {
        LabChecker.violations(
            in: world.log, world.records, of: world.scenario,
            restoredTo: world.currentAutomation())
    }
}
