import PowerLab
import PowerModel
import PowerRun
import Testing

/// Kills a run after every record it writes, resumes it, and looks where that leads.
struct CrashTests {
    @Test func `a shutdown killed after any record is resumed to the same end`() throws {
        let whole = try recordsOfWholeRun()
        #expect(whole > 60)
        // From the run's own first record to the one before its last: before it there is no run
        // to resume, after it the run is over.
        for count in 3..<whole {
            let site = MemorySite()
            let outcome = try crash(site, after: count) { operation in
                site.world.failMains()
                return try await site.goDown(operation)
            }
            #expect(outcome == nil, "record \(count) was never written")
            let (resumed, restored, violations) = try simulate(site) {
                let resumed = try await site.operation().resume(mainsAreBack: false)
                try await site.cycle()
                let restored = try await site.comeBack(site.operation())
                return (resumed, restored, await site.violations())
            }
            #expect(resumed == .continued(.cluster, .finished), "killed after record \(count)")
            #expect(restored == .finished, "killed after record \(count)")
            #expect(violations == [], "killed after record \(count)")
        }
    }

    @Test func `a restore killed after any record is resumed to the same end`() throws {
        for count in 1... {
            let site = MemorySite()
            try simulate(site) {
                site.world.failMains()
                _ = try await site.goDown(site.operation())
                try await site.cycle()
            }
            let outcome = try crash(site, after: count) { try await site.comeBack($0) }
            if outcome != nil {
                #expect(count > 40, "a restore writes more records than that")
                return
            }
            let (resumed, violations) = try simulate(site) {
                let operation = site.operation()
                let ledger = try await operation.ledger()
                if ledger.outage == nil {
                    return (
                        Operation.Resumed.continued(.restore, .finished), await site.violations()
                    )
                }
                if ledger.interruptedRun?.plan.kind == .restore {
                    let resumed = try await operation.resume(mainsAreBack: true)
                    return (resumed, await site.violations())
                }
                let result = try await site.comeBack(operation)
                return (Operation.Resumed.continued(.restore, result), await site.violations())
            }
            #expect(resumed == .continued(.restore, .finished), "killed after record \(count)")
            #expect(violations == [], "killed after record \(count)")
        }
    }

    @Test(arguments: [20, 30, 40])
    func `a resumed restore looks again at what the power has taken since`(count: Int) throws {
        let site = MemorySite()
        try simulate(site) {
            site.world.failMains()
            _ = try await site.goDown(site.operation())
            try await site.cycle()
        }
        #expect(try crash(site, after: count) { try await site.comeBack($0) } == nil)
        let (resumed, violations) = try simulate(site) {
            // The battery ends while vpower is not there.
            site.world.failMains()
            try await site.time.sleep(for: site.world.scenario.pace.battery + .seconds(15))
            site.world.returnMains()
            try await site.time.sleep(for: .seconds(2))
            let resumed = try await site.operation().resume(mainsAreBack: true)
            return (resumed, await site.violations())
        }
        #expect(resumed == .continued(.restore, .finished))
        #expect(violations == [])
    }

    /// So far that guests were seen off, and so far that hosts were told to stop.
    @Test(arguments: [(30, false), (62, true)], [false, true])
    func `a shutdown is begun anew where the cluster was brought back meanwhile`(
        killed: (after: Int, pastReturn: Bool), mainsAreBack: Bool
    ) throws {
        let site = MemorySite()
        _ = try crash(site, after: killed.after) { operation in
            site.world.failMains()
            return try await site.goDown(operation)
        }
        let (resumed, violations, plans) = try simulate(site) {
            let run = try #require(try await site.operation().ledger().interruptedRun)
            #expect(run.isPastReturn == killed.pastReturn)
            // Somebody restores it, and no record of that is left.
            let lost = MemoryJournal { site.time.wall }
            try await lost.take(site.journal.records)
            site.world.returnMains()
            #expect(try await site.comeBack(site.operation(journal: lost)) == .finished)
            if !mainsAreBack { site.world.failMains() }
            site.world.loseRecords(except: site.journal.records)
            site.world.took(.controllerLosesPower)
            let operation = site.operation()
            let resumed = try await operation.resume(mainsAreBack: mainsAreBack)
            let plans = try await operation.ledger().runs.map(\.plan.kind)
            if !mainsAreBack {
                try await site.cycle()
                _ = try await site.comeBack(site.operation())
            }
            return (resumed, await site.violations(), plans)
        }
        #expect(resumed == (mainsAreBack ? .reversed(.finished) : .continued(.cluster, .finished)))
        #expect(plans == (mainsAreBack ? [] : [.cluster, .cluster]))
        #expect(violations == [])
    }

    @Test func `an outage's run is reversed by resume when the mains are back in time`() throws {
        let site = MemorySite()
        _ = try crash(site, after: 30) { operation in
            site.world.failMains()
            return try await site.goDown(operation)
        }
        let (resumed, violations) = try simulate(site) {
            site.world.returnMains()
            let resumed = try await site.operation().resume(mainsAreBack: true)
            return (resumed, await site.violations())
        }
        #expect(resumed == .reversed(.finished))
        #expect(violations == [])
    }

    @Test(arguments: [1, 2])
    func `an outage whose beginning was cut short is begun anew`(count: Int) throws {
        let site = MemorySite()
        let outcome = try crash(site, after: count) { operation in
            site.world.failMains()
            return try await site.goDown(operation)
        }
        #expect(outcome == nil)
        let (down, up, violations) = try simulate(site) {
            let down = try await site.goDown(site.operation())
            try await site.cycle()
            return (down, try await site.comeBack(site.operation()), await site.violations())
        }
        #expect(down == .finished)
        #expect(up == .finished)
        #expect(violations == [])
    }

    private func recordsOfWholeRun() throws -> Int {
        let site = MemorySite()
        return try simulate(site) {
            _ = try await site.goDown(site.operation())
            return try await site.journal.newest(100_000).count
        }
    }

    /// Runs an operation until its journal has written so many records, then kills it. Returns
    /// nil when it was killed, else what the operation gave.
    private func crash<R: Sendable>(
        _ site: MemorySite, after count: Int,
        _ body: @escaping @Sendable (Operation) async throws -> R
    ) throws -> R? {
        let life = LabLife(until: .afterRecord(count))
        let result = try SerialExecutor.simulate(
            time: site.time, limit: MemorySite.limit, life: life
        ) { () async -> Result<R, any Error> in
            do { return .success(try await body(site.operation(life: life))) } catch {
                return .failure(error)
            }
        }
        return try result?.get()
    }
}
