import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

/// Outages drawn from seeds: how fast things are, when the mains return, when vpower is killed.
/// One seed is one run; a failing seed is named.
struct SeedSweep {
    /// How many outages a sweep draws. `make soak` will draw more (issue 2).
    private static let seeds: Range<UInt64> = 1..<301

    @Test func `no drawn outage violates anything and every one is brought back`() throws {
        for seed in Self.seeds {
            let outage = DrawnOutage(seed: seed)
            let end = try outage.carryOut()
            #expect(end.restored == .finished, "seed \(seed): \(outage)")
            #expect(end.violations == [], "seed \(seed): \(outage)")
        }
    }

    @Test func `the same seed gives the same log`() throws {
        for seed in [3, 77, 210] as [UInt64] {
            let first = try DrawnOutage(seed: seed).carryOut()
            let second = try DrawnOutage(seed: seed).carryOut()
            #expect(first.log == second.log, "seed \(seed)")
        }
    }

    @Test func `the draws differ from one another`() throws {
        let outages = Self.seeds.map { DrawnOutage(seed: $0) }
        #expect(outages.contains { $0.killAfter != nil })
        #expect(outages.contains { $0.killAfter == nil })
        let results = try outages.prefix(60).map { try $0.carryOut().wasReversed }
        #expect(results.contains(true))
        #expect(results.contains(false))
    }
}

/// One outage as drawn.
struct DrawnOutage: CustomStringConvertible {
    struct End {
        var restored: RunResult
        var violations: [String]
        var wasReversed: Bool
        var log: [LabEvent]
    }

    let pace: LabPace
    /// The mains return so long after the run began, whatever it is doing then.
    let mainsReturnAfter: Duration
    /// vpower is killed after so many records, and resumed.
    let killAfter: Int?

    init(seed: UInt64) {
        var random = SplitMix64(state: seed)
        func scaled(_ duration: Duration) -> Duration {
            .milliseconds(duration.milliseconds * Int64(random.next() % 27 + 3) / 10)
        }
        var pace = LabPace()
        pace.guestStops = scaled(pace.guestStops)
        pace.toolsUp = scaled(pace.toolsUp)
        pace.hostStops = scaled(pace.hostStops)
        pace.hostBoots = scaled(pace.hostBoots)
        pace.hostdUp = scaled(pace.hostdUp)
        pace.vcenterUp = scaled(pace.vcenterUp)
        pace.haFollows = scaled(pace.haFollows)
        pace.vclsFollows = scaled(pace.vclsFollows)
        self.pace = pace
        mainsReturnAfter = .milliseconds(Int64(random.next() % 40_000))
        killAfter = random.next() % 2 == 0 ? nil : Int(random.next() % 90) + 3
    }

    var description: String {
        "mains return after \(mainsReturnAfter), killed after \(killAfter.map(String.init) ?? "-")"
    }

    func carryOut() throws -> End {
        let site = MemorySite(.standard(pace: pace))
        let control = RunControl()
        let journal = MortalJournal(site.journal, dies: killAfter, time: site.time)
        let mainsReturnAfter = mainsReturnAfter
        let first = try SerialExecutor.simulate(
            time: site.time, limit: MemorySite.limit, killed: { journal.isDead }
        ) { () async -> RunResult? in
            await site.world.failMains()
            return await withTaskGroup(of: RunResult?.self) { group in
                group.addTask {
                    await Self.shutDown(site, journal: journal, control: control)
                }
                group.addTask {
                    do { try await site.time.sleep(for: mainsReturnAfter) } catch { return nil }
                    await site.world.returnMains()
                    control.ask(.reverse)
                    return nil
                }
                var result: RunResult?
                for await one in group { result = one ?? result }
                return result
            }
        }
        let ended = first ?? nil
        return try #require(
            try SerialExecutor.simulate(time: site.time, limit: MemorySite.limit) {
                await Self.finish(site, first: ended)
            }, "the simulation was killed")
    }

    private static func shutDown(
        _ site: MemorySite, journal: any Journal, control: RunControl
    ) async -> RunResult? {
        let operation = Operation(
            in: site.around(journal: journal, announcer: Nobody()), control: control,
            makeID: { "first" })
        do {
            let prepared = try await operation.prepareShutdown()
            return await operation.shutDown(prepared, because: RunCause(.outage, "drawn"))
        } catch { return nil }
    }

    /// What the daemon does next: resumes what was interrupted, cycles the power where hosts are
    /// down, restores.
    private static func finish(_ site: MemorySite, first: RunResult?) async -> End {
        func operation(_ id: String) -> Operation {
            Operation(
                in: site.around(announcer: Nobody()), control: RunControl(), makeID: { id })
        }
        var wasReversed = first == .reversed
        var restored = RunResult.interrupted
        do {
            if first == nil {
                let mains = await site.feed.read().status?.onLine == true
                let second = operation("second")
                if try await second.ledger().interruptedRun == nil {
                    let prepared = try await second.prepareShutdown()
                    _ = await second.shutDown(prepared, because: RunCause(.outage, "again"))
                } else if case .reversed(let result) = try await second.resume(mainsAreBack: mains)
                {
                    wasReversed = true
                    restored = result
                }
            }
            let hostsOff = await !site.world.answers(HostName("esx1.lab"))
            if hostsOff {
                await site.world.cutOutput()
                try await site.time.sleep(for: .seconds(10))
            }
            await site.world.returnMains()
            try await site.time.sleep(for: .seconds(2))
            let third = operation("third")
            if try await third.ledger().outage != nil {
                let prepared = try await third.prepareRestore()
                restored = await third.restore(prepared, because: RunCause(.outage, "back"))
            }
        } catch { restored = .interrupted }
        return End(
            restored: restored, violations: await site.violations(), wasReversed: wasReversed,
            log: await site.world.log)
    }
}

/// The smallest good generator: one seed, one sequence.
struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Tells nobody.
struct Nobody: Announcer {
    func announce(_ record: Record) async {}
}
