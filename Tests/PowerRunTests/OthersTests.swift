import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

/// What a run does beside guests and hosts: hooks, and waiting for other clusters.
struct OthersTests {
    // MARK: Hooks

    private func hook(_ name: String, place: Int, after: [Int] = []) -> Step {
        Step(
            .runHook(Hook(command: [name]), TierName("db"), .before, place: place),
            limit: .seconds(60), needs: after.map { StepID("hook/before/db/\($0)") })
    }

    @Test func `a hook that fails is recorded, and stops nothing`() throws {
        var bench = Bench()
        let ends: [String: HookEnd] = [
            "good": .exited(0), "bad": .exited(3), "late": .timedOut, "none": .failed("no file"),
        ]
        let seen = Seen()
        bench.around.runHook = { hook, context in
            seen.add(hook.command[0], context)
            return ends[hook.command[0]] ?? .failed("unexpected")
        }
        let made = bench
        let (result, run) = try simulate(bench) {
            let result = try await made.carryOut([
                Bench.phase(
                    [
                        hook("bad", place: 1), hook("late", place: 2, after: [1]),
                        hook("none", place: 3, after: [2]), hook("good", place: 4, after: [3]),
                    ], name: "before: db"),
                Bench.phase([made.stop("db-main")], name: "guests: db", needs: ["before: db"]),
            ])
            return (result, try await made.ledger().lastRun)
        }
        #expect(result == .finishedWithGaps)
        #expect(seen.names == ["bad", "late", "none", "good"])
        #expect(
            seen.contexts.first
                == HookContext(
                    cluster: made.around.site.name, tier: TierName("db"), moment: .before,
                    run: Bench.run))
        let whys = (run?.gaps ?? []).map(\.why)
        #expect(whys == ["it exited with status 3", "it was killed after 60.0 s", "no file"])
        #expect(run?.outcome(of: StepID("stop/\(bench.id("db-main"))")) == .done(.asked))
    }

    // MARK: Other clusters

    /// What the other cluster's journal shows, and what that comes to.
    enum Story: CaseIterable, Sendable {
        case finished, gaps, begunLater, reversed, reversedAndBack, interrupted, never
        case oldRestore, oldReversal, onlyShed, downLongAgo
    }

    @Test(arguments: Story.allCases)
    func `a cluster is waited for as its own run says`(_ story: Story) throws {
        let bench = Bench()
        let other = ClusterName("Other")
        let (outcome, took) = try simulate(bench) {
            let writer = OtherCluster(other, bench.around.journal, bench.site.time)
            switch story {
            case .oldRestore: try await writer.run(.restore, .finishedWithGaps)
            case .oldReversal: try await writer.run(.cluster, .reversed)
            case .onlyShed: try await writer.run(.shed, .finished)
            case .downLongAgo: try await writer.run(.cluster, .finished)
            default: break
            }
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await writer.tell(story) }
                let began = bench.site.time.elapsed
                let step = Step(.awaitClusterDown(other), limit: .seconds(100))
                _ = try await bench.carryOut([Bench.phase([step])])
                let outcome = try await bench.ledger().lastRun?.outcome(of: step.id)
                let took = bench.site.time.elapsed - began
                group.cancelAll()
                return (outcome, took)
            }
        }
        switch story {
        case .finished, .gaps, .begunLater:
            #expect(outcome == .done(.already))
            #expect(took >= .seconds(30) && took < .seconds(33), "\(took)")
        case .downLongAgo:
            #expect(outcome == .done(.already))
            #expect(took < .seconds(1))
        case .reversed, .reversedAndBack:
            guard case .left = outcome else {
                Issue.record("\(String(describing: outcome))")
                return
            }
            #expect(took < .seconds(33), "\(took)")
        case .interrupted, .never, .oldRestore, .oldReversal, .onlyShed:
            guard case .gaveUp(let why) = outcome else {
                Issue.record("\(String(describing: outcome))")
                return
            }
            #expect(why.contains(story == .interrupted ? "resume" : "not begun"), "\(why)")
            #expect(took >= .seconds(100))
        }
    }
}

/// Hooks as they were run.
final class Seen: Sendable {
    private let all = Mutex<[(String, HookContext)]>([])
    var names: [String] { all.withLock { $0.map(\.0) } }
    var contexts: [HookContext] { all.withLock { $0.map(\.1) } }
    func add(_ name: String, _ context: HookContext) {
        all.withLock { $0.append((name, context)) }
    }
}

/// Writes another cluster's records into a journal that both share.
struct OtherCluster: Sendable {
    let name: ClusterName
    let journal: any Journal
    let time: VirtualTime
    private let outage = OutageID("other")

    init(_ name: ClusterName, _ journal: any Journal, _ time: VirtualTime) {
        self.name = name
        self.journal = journal
        self.time = time
    }

    private func write(_ event: RunEvent, run: String? = nil) async throws {
        _ = try await journal.append(event, run: run.map { RunID($0) }, outage: outage)
    }

    private func begin(_ kind: PlanKind, run: String) async throws {
        try await write(.outageOpened(cluster: name, reason: "t"))
        let plan = Plan(kind: kind, cluster: name, phases: [])
        try await write(.runStarted(plan, RunCause(.outage, "t")), run: run)
    }

    /// A whole run at once.
    func run(_ kind: PlanKind, _ result: RunResult) async throws {
        try await begin(kind, run: "old")
        try await write(.runEnded(result), run: "old")
    }

    /// What happens while the run that waits goes on.
    func tell(_ story: OthersTests.Story) async throws {
        switch story {
        case .never, .oldRestore, .oldReversal, .onlyShed, .downLongAgo: return
        case .begunLater: try await time.sleep(for: .seconds(20))
        default: try await time.sleep(for: .seconds(1))
        }
        try await begin(.cluster, run: "new")
        try await time.sleep(for: .seconds(story == .begunLater ? 10 : 29))
        switch story {
        case .gaps:
            try await write(.stepEnded(StepID("stop/x"), .gaveUp("still on")), run: "new")
            try await write(.runEnded(.finishedWithGaps), run: "new")
        case .reversed: try await write(.runEnded(.reversed), run: "new")
        case .reversedAndBack:
            try await write(.runEnded(.reversed), run: "new")
            try await write(.outageClosed)
        case .interrupted: try await write(.runEnded(.interrupted), run: "new")
        default: try await write(.runEnded(.finished), run: "new")
        }
    }
}
