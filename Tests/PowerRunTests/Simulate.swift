import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

extension MemorySite {
    func operation(
        life: LabLife? = nil, journal: (any Journal)? = nil, announcer: any Announcer = Quiet(),
        control: RunControl = RunControl(), site change: (inout ClusterSite) -> Void = { _ in }
    ) -> Operation {
        life?.follow(control)
        return Operation(
            in: around(life: life, journal: journal, announcer: announcer, site: change),
            machines: world.scenario.memoryMachines, control: control,
            makeID: Counter.shared.next)
    }

    /// Takes the cluster down.
    func goDown(_ operation: Operation, origin: RunCause.Origin = .outage) async throws
        -> RunResult
    {
        let prepared = try await operation.prepareShutdown()
        return await operation.shutDown(prepared, because: RunCause(origin, "test"))
    }

    /// Brings it back.
    func comeBack(_ operation: Operation) async throws -> RunResult {
        let prepared = try await operation.prepareRestore()
        return await operation.restore(prepared, because: RunCause(.outage, "mains back"))
    }

    /// Cuts the output, brings the mains back, and waits until hosts have power again.
    func cycle() async throws {
        world.cutOutput()
        try await time.sleep(for: .seconds(15))
        world.returnMains()
        try await time.sleep(for: .seconds(2))
    }
}

/// Gives identities in order: `id-1`, `id-2`. They are compared by nobody.
final class Counter: Sendable {
    static let shared = Counter()
    private let count = Mutex(0)
    @Sendable func next() -> String {
        count.withLock { count in
            count += 1
            return "id-\(count)"
        }
    }
}

/// What happened at a site, a line each.
func what(_ world: LabWorld) -> [String] {
    world.log.map { event in
        [event.kind.rawValue, event.object, event.detail].filter { !$0.isEmpty }
            .joined(separator: " ")
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
