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
    /// What stands in the way of a call.
    typealias Obstacle = @Sendable (isolated LabWorld) -> LabObstacle?

    /// Why a call came to nothing.
    enum Failure: Error {
        case isDead
        case cancelled
        case hindered(LabObstacle.Reason, String)
    }

    /// Does something at the world where nothing stands in the way. Both is one turn of the world:
    /// to go there and back again is what a simulation spends its time with.
    func ask<Value: Sendable>(
        past obstacle: Obstacle, _ body: @Sendable (isolated LabWorld) -> Value
    ) async throws(Failure) -> Value {
        counter.add()
        guard life.isAlive else { throw .isDead }
        let found: LabObstacle
        switch await world.meet(obstacle, body) {
        case .value(let value): return value
        case .obstacle(let obstacle): found = obstacle
        }
        if found.delay > .zero {
            do { try await world.time.sleep(for: found.delay) } catch { throw .cancelled }
            guard life.isAlive else { throw .isDead }
        }
        if let reason = found.reason { throw .hindered(reason, found.detail) }
        return await world.turn(body)
    }
}

extension LabWorld {
    /// What a call comes to.
    enum Met<Value: Sendable>: Sendable {
        case value(Value)
        case obstacle(LabObstacle)
    }

    func meet<Value: Sendable>(
        _ obstacle: LabCaller.Obstacle, _ body: @Sendable (isolated LabWorld) -> Value
    ) -> Met<Value> {
        if let found = obstacle(self) { return .obstacle(found) }
        return .value(body(self))
    }

    func turn<Value: Sendable>(_ body: @Sendable (isolated LabWorld) -> Value) -> Value {
        body(self)
    }
}
