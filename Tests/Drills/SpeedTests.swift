import Glibc
import PowerLab
import PowerModel
import PowerRun
import Testing

/// How fast it is: in virtual time, and roughly in CPU time. `make bench` measures the second.
struct SpeedTests {
    /// A debug build is some thirty times slower than what counts, and other tests run meanwhile.
    private static let outageMost: Duration = .milliseconds(200)

    @Test func `an outage of three hosts and fourteen guests takes no time`() throws {
        let count = 20
        // POSIX counts CPU time in microseconds.
        let start = clock()
        for _ in 0..<count { #expect(try outage(.standard()) == [.finished, .finished]) }
        #expect(.microseconds(clock() - start) / count < Self.outageMost)
    }

    @Test func `a large site is planned, taken down and brought back`() throws {
        #expect(try outage(.large(hosts: 20, guests: 400)) == [.finished, .finished])
    }

    @Test func `with real times an outage takes hardly longer than the site itself`() throws {
        let scenario = LabScenario.realistic
        let site = MemorySite(scenario)
        let times = try SerialExecutor.simulate(time: site.time, limit: .seconds(100_000)) {
            () async -> Result<[Double], any Error> in
            do { return .success(try await Self.realTimes(site)) } catch { return .failure(error) }
        }
        let (down, downLeast, up, upLeast) = try #require(times).get().asFour
        print("down \(down) s of at least \(downLeast) s, up \(up) s of at least \(upLeast) s")
        #expect(down >= downLeast - 1)
        #expect(up >= upLeast - 1)
        #expect(down + up <= (downLeast + upLeast) * 1.05)
    }

    private static func realTimes(_ site: MemorySite) async throws -> [Double] {
        var around = site.around(announcer: Nobody())
        around.pace = EnginePace()
        func operation(_ name: String) -> Operation {
            Operation(in: around, control: RunControl(), makeID: { name })
        }
        site.world.failMains()
        let down = try await operation("down").prepareShutdown()
        let downLeast = site.world.scenario.leastTime(of: down.plan)
        let begin = site.time.elapsed
        #expect(
            await operation("down").shutDown(down, because: RunCause(.outage, "x")) == .finished)
        let isDown = site.time.elapsed
        site.world.cutOutput()
        site.world.returnMains()
        // Off, then on again.
        while site.world.hasOutput { try await site.time.sleep(for: .seconds(1)) }
        while !site.world.hasOutput { try await site.time.sleep(for: .seconds(1)) }
        let back = site.time.elapsed
        let up = try await operation("up").prepareRestore()
        let orders = down.plan.steps.compactMap { step -> BootOrders? in
            if case .arm(_, let orders, _) = step.action { orders } else { nil }
        }
        let upLeast = site.world.scenario.leastTime(of: up.plan, booting: orders)
        #expect(await operation("up").restore(up, because: RunCause(.outage, "x")) == .finished)
        return [isDown - begin, downLeast, site.time.elapsed - back, upLeast].map(\.inSeconds)
    }

    private func outage(_ scenario: LabScenario) throws -> [RunResult] {
        let site = MemorySite(scenario)
        let results = try SerialExecutor.simulate(time: site.time, limit: .seconds(100_000)) {
            () async -> Result<[RunResult], any Error> in
            do { return .success(try await Self.live(site)) } catch { return .failure(error) }
        }
        return try #require(results).get()
    }

    private static func live(_ site: MemorySite) async throws -> [RunResult] {
        // The engine's own pace, not the lab's.
        var around = site.around(announcer: Nobody())
        around.pace = EnginePace()
        func operation(_ name: String) -> Operation {
            Operation(in: around, control: RunControl(), makeID: { name })
        }
        site.world.failMains()
        let down = try await operation("down").prepareShutdown()
        let first = await operation("down").shutDown(down, because: RunCause(.outage, "x"))
        site.world.cutOutput()
        site.world.returnMains()
        try await site.time.sleep(for: .seconds(3))
        let up = try await operation("up").prepareRestore()
        return [first, await operation("up").restore(up, because: RunCause(.outage, "x"))]
    }
}

extension [Double] {
    fileprivate var asFour: (Double, Double, Double, Double) {
        (self[0], self[1], self[2], self[3])
    }
}
