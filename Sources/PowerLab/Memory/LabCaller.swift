import PowerRun
import Synchronization

/// Counts what went through an adapter: for the drill's summary.
public final class CallCounter: Sendable {
    private let calls = Mutex(0)

    /// Nothing yet.
    public init() {}

    /// How many calls there were.
    public var count: Int { calls.withLock { $0 } }

    func add() { calls.withLock { $0 += 1 } }
}

/// One process's calls to something of the lab: counted, hindered as the world has it, and without
/// any effect once the process is dead.
struct LabCaller: Sendable {
    let world: LabWorld
    let life: LabLife
    let counter = CallCounter()

    /// Why a call came to nothing.
    struct Failure: Error {
        var reason: LabObstacle.Reason
        var detail: String

        static let isDead = Failure(reason: .unreachable, detail: "vpower is dead")
        static let cancelled = Failure(reason: .timedOut, detail: "cancelled")
    }

    /// Does something at the world where nothing stands in the way; both is one turn of the world.
    func ask<Value: Sendable>(
        past obstacle: (inout LabState) -> LabObstacle?, _ body: (inout LabState) -> Value
    ) async throws(Failure) -> Value {
        counter.add()
        guard life.isAlive else { throw .isDead }
        let met = world.turn { world -> Result<Value, LabObstacle> in
            if let found = obstacle(&world) { return .failure(found) }
            return .success(body(&world))
        }
        let found: LabObstacle
        switch met {
        case .success(let value): return value
        case .failure(let obstacle): found = obstacle
        }
        if found.delay > .zero {
            do { try await world.time.sleep(for: found.delay) } catch { throw .cancelled }
            guard life.isAlive else { throw .isDead }
        }
        if let reason = found.reason { throw Failure(reason: reason, detail: found.detail) }
        return world.turn(body)
    }
}
