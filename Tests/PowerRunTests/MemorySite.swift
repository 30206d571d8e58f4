import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

/// A simulated site in memory with everything a run needs, on a virtual clock.
struct MemorySite: Sendable {
    let time: VirtualTime
    let world: LabWorld
    let journal: MemoryJournal
    let feed: MemoryFeed
    let control = RunControl()
    private let ids = Counter()

    init(_ scenario: LabScenario = .standard()) {
        let time = VirtualTime()
        self.time = time
        world = LabWorld(scenario, time: time)
        journal = MemoryJournal { time.wall }
        feed = MemoryFeed(world)
    }

    /// How long a simulation may take.
    static let limit: Duration = .seconds(3600)

    func around(
        journal: (any Journal)? = nil, announcer: any Announcer = Quiet(),
        site change: (inout ClusterSite) -> Void = { _ in }
    ) -> Surroundings {
        var site = world.scenario.memorySite
        change(&site)
        var pace = EnginePace()
        pace.look = .milliseconds(300)
        pace.listen = .seconds(2)
        pace.wakeAfter = .seconds(5)
        let world = world
        return Surroundings(
            site: site, cluster: MemoryCluster(world),
            hosts: Dictionary(
                uniqueKeysWithValues: world.scenario.hosts.map {
                    ($0.name, MemoryHost($0.name, in: world))
                }),
            wake: { host in
                await world.wakeHost(host)
                return nil
            },
            answers: { _ in true }, journal: journal ?? self.journal, announcer: announcer,
            time: time, pace: pace)
    }

    func operation(
        journal: (any Journal)? = nil, announcer: any Announcer = Quiet(),
        control: RunControl? = nil, site change: (inout ClusterSite) -> Void = { _ in }
    ) -> Operation {
        let ids = ids
        return Operation(
            in: around(journal: journal, announcer: announcer, site: change),
            control: control ?? self.control,
            makeID: { ids.next() })
    }

    /// Takes the cluster down and cuts the output.
    func goDown(_ operation: Operation, origin: RunCause.Origin = .outage) async throws
        -> RunResult
    {
        let prepared = try await operation.prepareShutdown()
        return await operation.shutDown(prepared, because: RunCause(origin, "test"))
    }

    /// Cuts the output, brings the mains back, and waits until hosts have power again.
    func cycle() async throws {
        await world.cutOutput()
        try await time.sleep(for: .seconds(5))
        await world.returnMains()
        try await time.sleep(for: .seconds(2))
    }

    func violations() async -> [String] {
        LabChecker.violations(
            in: await world.log, of: world.scenario,
            restoredTo: await world.currentAutomation())
    }
}

/// Gives identities in order: `id-1`, `id-2`.
final class Counter: Sendable {
    private let count = Mutex(0)
    func next() -> String {
        count.withLock {
            $0 += 1; return "id-\($0)"
        }
    }
}

/// Tells nobody.
struct Quiet: Announcer {
    func announce(_ record: Record) async {}
}

/// Runs a test's body in virtual time and hands on what it throws.
func simulate<R: Sendable>(
    _ site: MemorySite, _ body: @escaping @Sendable () async throws -> R
) throws -> R {
    let result = try SerialExecutor.simulate(time: site.time, limit: MemorySite.limit) {
        () async -> Result<R, any Error> in
        do { return .success(try await body()) } catch { return .failure(error) }
    }
    return try #require(result).get()
}
