import PowerLab
import PowerModel
import PowerRun
import Testing

/// The guests of a phase: their order, what is done at their limits, and how they are started.
struct GuestTests {
    // MARK: Order

    @Test func `a guest is asked only when the guests it needs are down`() throws {
        let bench = Bench()
        let steps = try simulate(bench) {
            let phase = Bench.phase([
                bench.stop("db-main", after: ["db-replica", "db-backup"]),
                bench.stop("db-replica", after: ["mid-notools"]),
                bench.stop("db-backup"),
                bench.stop("mid-notools"),
            ])
            #expect(try await bench.carryOut([phase]) == .finished)
            return try await bench.steps()
        }
        let main = try #require(steps.firstIndex(of: "ask stop/\(bench.id("db-main"))"))
        let replica = try #require(steps.firstIndex(of: "ask stop/\(bench.id("db-replica"))"))
        for (later, earlier) in [
            (main, "db-replica"), (main, "db-backup"), (replica, "mid-notools"),
        ] {
            let end = try #require(steps.firstIndex(of: "end stop/\(bench.id(earlier))"))
            #expect(end < later, "\(earlier)")
        }
    }

    @Test func `needs that go round in a circle stop nothing`() throws {
        let bench = Bench()
        let result = try simulate(bench) {
            try await bench.carryOut([
                Bench.phase([
                    bench.stop("db-main", after: ["db-replica"]),
                    bench.stop("db-replica", after: ["db-main"]),
                    bench.stop("db-backup", after: ["db-main", "db-backup"]),
                ])
            ])
        }
        #expect(result == .finished)
    }

    @Test func `a resumed run keeps the order among guests that are left`() throws {
        let bench = Bench()
        let phase = Bench.phase([
            bench.stop("db-main", after: ["db-replica"]),
            bench.stop("db-replica", after: ["db-backup"]), bench.stop("db-backup"),
        ])
        let control = RunControl()
        var interrupted = bench
        interrupted.around.announcer = AtStepEnd("stop/\(bench.id("db-backup"))") {
            control.ask(.stop)
        }
        let first = interrupted
        let (results, steps) = try simulate(bench) {
            let results = [
                try await first.carryOut([phase], control: control),
                try await bench.carryOut([phase], continuing: true),
            ]
            return (results, try await bench.steps())
        }
        #expect(results == [.interrupted, .finished])
        let names = ["db-backup", "db-replica", "db-main"]
        #expect(
            steps == names.flatMap { ["ask stop/\(bench.id($0))", "end stop/\(bench.id($0))"] })
    }

    // MARK: Limits

    @Test func `a guest whose policy is suspend is suspended and comes back`() throws {
        let site = MemorySite()
        let suspend: @Sendable (inout ClusterSite) -> Void = { site in
            for index in site.tiers.indices { site.tiers[index].onLimit = .suspend }
        }
        let (down, up, violations, on) = try simulate(site) {
            site.world.failMains()
            let operation = site.operation(site: suspend)
            _ = try await site.goDown(operation)
            let down = try await operation.ledger().lastRun
            try await site.cycle()
            let up = try await site.comeBack(site.operation(site: suspend))
            let on = site.world.inventory().guests.filter { $0.power == .on }.map(\.name)
            return (down, up, await site.violations(), on)
        }
        for name in ["mid-noisy", "mid-notools"] {
            let id = try #require(site.world.scenario.guests.first { $0.name == name }?.id)
            #expect(down?.outcome(of: .stop(id)) == .done(.suspended), "\(name)")
            #expect(on.contains(name))
        }
        #expect(up == .finished)
        #expect(violations == [])
    }

    @Test(arguments: [true, false])
    func `a suspend that fails or takes too long ends in power off`(fails: Bool) throws {
        var bench = Bench()
        let stuck = bench.id("mid-noisy")
        var cluster = BentCluster(inner: bench.site.cluster)
        if fails {
            cluster.refuses = { if case .suspend = $0 { .refused } else { nil } }
        } else {
            // It is suspended in truth, but vCenter goes on showing it as on.
            cluster.shows = { inventory in
                var shown = inventory
                for index in shown.guests.indices where shown.guests[index].id == stuck {
                    if shown.guests[index].power == .suspended { shown.guests[index].power = .on }
                    shown.guests[index].memoryMiB = 1000
                }
                return shown
            }
        }
        bench.around.cluster = cluster
        let made = bench
        let (outcome, took, words) = try simulate(bench) {
            let began = made.site.time.elapsed
            _ = try await made.carryOut([
                Bench.phase([made.stop("mid-noisy", limit: .seconds(4), .suspend)])
            ])
            let ledger = try await made.ledger()
            let words = try await made.around.journal.newest(100_000).compactMap { record in
                if case .asked(_, let what) = record.event { what } else { nil }
            }
            let outcome = ledger.lastRun?.progress.values.first?.outcome
            return (outcome, made.site.time.elapsed - began, words)
        }
        #expect(
            words.prefix(3) == ["shut down mid-noisy", "suspend mid-noisy", "power off mid-noisy"])
        if fails {
            #expect(outcome == .done(.forced))
            #expect(took < .seconds(8))
        } else {
            // Its limit; 30 s and its memory at 100 MiB/s; then the wait for "off".
            let suspend: Duration = .seconds(30 + 10)
            let least = .seconds(4) + suspend + EnginePace().forcedOff
            #expect(took >= least && took < least + .seconds(2), "\(took)")
            guard case .gaveUp = outcome else {
                Issue.record("\(String(describing: outcome))")
                return
            }
        }
    }

    @Test func `without vCenter a guest is suspended through its host`() throws {
        var bench = Bench()
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.refuses = { _ in .unreachable }
        bench.around.cluster = cluster
        let made = bench
        let (result, outcome) = try simulate(bench) {
            let result = try await made.carryOut([
                Bench.phase([made.stop("mid-notools", limit: .seconds(4), .suspend)])
            ])
            return (result, try await made.ledger().lastRun?.progress.values.first?.outcome)
        }
        #expect(result == .finished)
        #expect(outcome == .done(.suspended))
    }

    @Test func `a guest with a question is named and its policy comes at its limit`() throws {
        var bench = Bench()
        let asking = bench.id("mid-noisy")
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.shows = { inventory in
            var shown = inventory
            for index in shown.guests.indices where shown.guests[index].id == asking {
                shown.guests[index].question = .lab
            }
            return shown
        }
        bench.around.cluster = cluster
        let made = bench
        let run = try simulate(bench) {
            _ = try await made.carryOut([
                Bench.phase([
                    made.stop("mid-noisy", limit: .seconds(4)), made.stop("mid-queue01"),
                ])
            ])
            return try await made.ledger().lastRun
        }
        let notes = run?.notes.filter { $0.contains("question") } ?? []
        #expect(notes.count == 1)
        #expect(notes.first?.contains("mid-noisy") == true)
        #expect(run?.outcome(of: StepID("stop/\(asking)")) == .done(.forced))
    }

    // MARK: Starts

    @Test func `a guest that does not start is tried so many times and holds up no other`() throws {
        var bench = Bench()
        let tries = Tally()
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.refuses = { call in
            guard call == .powerOn("db-main") else { return nil }
            tries.add()
            return .refused
        }
        bench.around.cluster = cluster
        let made = bench
        let (result, run) = try simulate(bench) {
            for name in ["db-main", "db-replica"] {
                try made.site.world.powerOffGuest(made.id(name))
            }
            let result = try await made.carryOut(
                [
                    Bench.phase([
                        made.start("db-main", on: "esx2.lab", limit: .seconds(600)),
                        made.start("db-replica", on: "esx3.lab"),
                    ])
                ], kind: .restore)
            return (result, try await made.ledger().lastRun)
        }
        #expect(result == .finishedWithGaps)
        #expect(tries.count == EnginePace().startTries)
        #expect(run?.outcome(of: StepID("start/\(bench.id("db-replica"))")) == .done(.asked))
        let why = try #require(run?.gaps.first?.why)
        #expect(why.contains("3 times") && why.contains("bent"), "\(why)")
    }

    @Test func `a guest counts as started when its Tools answer, and what follows waits`() throws {
        let bench = Bench()
        let times = try simulate(bench) {
            for name in ["db-main", "db-replica", "mid-notools"] {
                try bench.site.world.powerOffGuest(bench.id(name))
            }
            let tools = StartTerms(toolsWithin: .seconds(3))
            let delay = StartTerms(delay: .seconds(7))
            let result = try await bench.carryOut(
                [
                    Bench.phase([
                        bench.start("db-main", on: "esx2.lab", tools),
                        bench.start("db-replica", on: "esx3.lab", delay, after: ["db-main"]),
                        bench.start("mid-notools", tools, after: ["db-replica"]),
                    ])
                ], kind: .restore)
            #expect(result == .finishedWithGaps)
            return try await bench.around.journal.newest(100).compactMap { record in
                if case .stepEnded(let step, let outcome) = record.event {
                    (step, outcome, record.at)
                } else {
                    nil
                }
            }
        }
        let ids = ["db-main", "db-replica", "mid-notools"].map { StepID("start/\(bench.id($0))") }
        #expect(times.map(\.0) == ids)
        #expect(times.prefix(2).map(\.1) == [.done(.asked), .done(.asked)])
        // Tools answer after a second in the lab.
        let first = times[0].2.millisecondsSinceEpoch
        #expect(times[1].2.millisecondsSinceEpoch - first >= 7000)
        guard case .gaveUp(let why) = times[2].1 else {
            Issue.record("\(times[2].1)")
            return
        }
        #expect(why.contains("Tools"))
        #expect(times[2].2.millisecondsSinceEpoch - times[1].2.millisecondsSinceEpoch >= 3000)
    }

    @Test func `a guest that moved is started where it is registered now`() throws {
        let bench = Bench()
        let moved = try simulate(bench) {
            let world = bench.site.world
            try world.powerOffGuest(bench.id("db-main"))
            try world.registerGuest(
                at: world.inventory().guest(bench.id("db-main"))?.vmxPath ?? "",
                on: HostName("esx3.lab"))
            _ = try await bench.carryOut(
                [Bench.phase([bench.start("db-main", on: "esx2.lab")])], kind: .restore)
            return world.inventory().guest(bench.id("db-main"))
        }
        #expect(moved?.power == .on)
        #expect(moved?.host == HostName("esx3.lab"))
    }

    @Test func `a suspended guest is resumed only where the snapshot has it on`() throws {
        let site = MemorySite()
        let (up, power) = try simulate(site) {
            let backup = try #require(
                site.world.scenario.guests.first { $0.name == "db-backup" }?.id)
            try site.world.suspendGuest(backup)
            site.world.failMains()
            _ = try await site.goDown(site.operation())
            try await site.cycle()
            let up = try await site.comeBack(site.operation())
            return (up, site.world.inventory().guest(backup)?.power)
        }
        #expect(up == .finished)
        #expect(power == .suspended)
    }
}

/// Does something when a step ends.
struct AtStepEnd: Announcer {
    let step: StepID
    let act: @Sendable () -> Void
    init(_ step: String, _ act: @escaping @Sendable () -> Void) {
        self.step = StepID(step)
        self.act = act
    }
    func announce(_ record: Record) async {
        if case .stepEnded(step, _) = record.event { act() }
    }
}
