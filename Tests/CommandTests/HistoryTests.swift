import FoundationEssentials
import PowerModel
import PowerRun
import PowerStore
import Synchronization
import Testing

extension CommandTests {
    /// `vpower history` on journals that these tests write.
    @Suite struct HistoryTests {
        private static let apps = PhaseName.guests(TierName("apps"))
        private static let cluster = ClusterName("Prod")
        private static let noisy = "app\nnoisy " + String(repeating: "long ", count: 30)

        private final class Clock: Sendable {
            let seconds = Mutex<Int64>(0)
            var now: Timestamp {
                Timestamp(millisecondsSinceEpoch: seconds.withLock { $0 } * 1000)
            }
        }

        /// A journal whose clock the test sets.
        private struct Writer {
            private let journal: SQLiteJournal
            private let clock = Clock()
            /// 2026-11-21 12:00:00 UTC.
            private static let start: Int64 = 1_795_262_400

            init(_ directory: String) throws {
                let clock = clock
                journal = try SQLiteJournal(directory: directory, wall: { clock.now })
            }

            func write(
                _ at: Int64, _ event: RunEvent, run: String? = nil, outage: String
            ) async throws {
                clock.seconds.withLock { $0 = Self.start + at }
                _ = try await journal.append(
                    event, run: run.map { RunID($0) }, outage: OutageID(outage))
            }
        }

        private static func plan(of cluster: ClusterName) -> Plan {
            Plan(
                kind: .cluster, cluster: cluster,
                phases: [
                    Phase(
                        name: .freeze, needs: [], budget: .seconds(120),
                        steps: [Step(.freeze, limit: .seconds(120), estimate: .seconds(5))]),
                    Phase(
                        name: apps, needs: [.freeze], budget: .seconds(90),
                        steps: [
                            Step(
                                .stopGuest(GuestID("1"), name: noisy, .powerOff),
                                limit: .seconds(60)),
                            Step(
                                .stopGuest(GuestID("2"), name: "app2", .powerOff),
                                limit: .seconds(60)),
                        ]),
                ])
        }

        /// A finished run that had its troubles, and one that was killed in its first phase.
        private func fill(_ directory: String) async throws -> Writer {
            let writer = try Writer(directory)
            let cause = RunCause(.outage, "on battery for 5m")
            let events: [(Int64, RunEvent)] = [
                (0, .runStarted(Self.plan(of: Self.cluster), cause)),
                (1, .phaseStarted(.freeze)), (1, .asked(StepID("freeze"), "x")),
                (2, .phaseStarted(Self.apps)), (2, .asked(StepID("stop/1"), "x")),
                (5, .stepEnded(StepID("freeze"), .done(.asked))), (5, .phaseEnded(.freeze)),
                (9, .budgetChanged(Self.apps, from: .seconds(90), to: .seconds(30), why: "late")),
                (32, .stepEnded(StepID("stop/1"), .done(.forced))),
                (32, .stepEnded(StepID("stop/2"), .gaveUp("no answer"))),
                (33, .phaseEnded(Self.apps)), (33, .pointOfNoReturn("esx1 is told to stop")),
                (33, .noted("vCenter is gone")), (34, .runEnded(.finishedWithGaps)),
            ]
            try await writer.write(
                0, .outageOpened(cluster: Self.cluster, reason: "x"), outage: "first")
            for (at, event) in events {
                try await writer.write(at, event, run: "run-1", outage: "first")
            }
            try await writer.write(40, .outageClosed, outage: "first")
            try await writer.write(
                100, .outageOpened(cluster: ClusterName("Test"), reason: "x"), outage: "second")
            let plan = Self.plan(of: ClusterName("Test"))
            for event in [(0, .runStarted(plan, cause))] + events[1...2] {
                try await writer.write(
                    100 + event.0, event.1, run: "run-2", outage: "second")
            }
            return writer
        }

        private func history(
            _ directory: String, _ arguments: String...
        ) async throws -> VpowerProgram.Outcome {
            try await VpowerProgram.run(["history"] + arguments, ["VPOWER_STATE": directory])
        }

        @Test func `where nothing was recorded it says so and makes no files`() async throws {
            try await ShortDirectory.with { directory in
                let state = "\(directory)/state"
                let list = try await history(state)
                #expect(list.code == 0 && list.out == "no run yet\n", "\(list.all)")
                let last = try await history(state, "last")
                #expect(last.code == 1 && last.out == "", "\(last.all)")
                #expect(last.errors.contains("there is no run yet"))
                #expect(!FileManager.default.fileExists(atPath: state))
            }
        }

        @Test func `the list has the newest run first, while the journal is being written`()
            async throws
        {
            try await ShortDirectory.with { directory in
                let writer = try await fill(directory)
                let list = try await history(directory)
                #expect(list.code == 0, "\(list.all)")
                #expect(list.out.tooWide == [])
                #expect(
                    list.lines == [
                        "run              began (UTC)      what    cluster     took    ended",
                        "run-2            2026-11-21 12:01 cluster Test        -       not ended",
                        "  by an outage: on battery for 5m",
                        "run-1            2026-11-21 12:00 cluster Prod        34s     "
                            + "finished with gaps",
                        "  by an outage: on battery for 5m; 1 forced, 1 gave up",
                    ])
                #expect(try await history(directory, "--cluster", "Prod").lines.count == 3)
                #expect(try await history(directory, "--limit", "1").lines.count == 3)
                #expect(try await history(directory, "--limit", "0").code == 64)
                // The writer goes on as if nobody had looked.
                try await writer.write(102, .runEnded(.interrupted), run: "run-2", outage: "second")
                #expect(try await history(directory).lines[1].hasSuffix(" 2s      interrupted"))
            }
        }

        @Test func `a run is shown with what was expected and what was observed`() async throws {
            try await ShortDirectory.with { directory in
                _ = try await fill(directory)
                let shown = try await history(directory, "run-1")
                #expect(shown.code == 0, "\(shown.all)")
                #expect(shown.out.tooWide == [], "\(shown.all)")
                let lines = shown.lines
                for expected in [
                    "run run-1: cluster, cluster Prod",
                    "  began    2026-11-21 12:00:00 UTC, by an outage: on battery for 5m",
                    "  ended    2026-11-21 12:00:34 UTC, after 34s: finished with gaps",
                    "  outage   first, closed: everything is back",
                    "  point of no return +33s: esx1 is told to stop",
                    "      +1s       4s        5s  freeze",
                    "      +2s      31s    <= 90s  guests: apps",
                    "     +32s        -    <= 60s    shut down guest app2: GAVE UP",
                    "Gave up:", "  shut down guest app2: no answer",
                    "By other means than planned:",
                    "In another order than planned:",
                    "  guests: apps began before freeze was over",
                    "Budgets changed:", "  +9s guests: apps: 90s -> 30s: late",
                    "Notes:", "  +33s vCenter is gone",
                ] { #expect(lines.contains(expected), "\(expected) is not in \(shown.all)") }
                #expect(shown.out.contains("app\\u{a}noisy long"))
                #expect(shown.out.contains("FORCED OFF"))
            }
        }

        @Test func `a name in characters of two columns does not break the terminal's lines`()
            async throws
        {
            try await ShortDirectory.with { directory in
                let writer = try Writer(directory)
                let wide = String(repeating: "日本語 ", count: 19)
                let stop = Step(.stopGuest(GuestID("1"), name: wide, .leave), limit: .seconds(60))
                let plan = Plan(
                    kind: .cluster, cluster: ClusterName("東京第一クラスタ"),
                    phases: [Phase(name: Self.apps, needs: [], budget: .seconds(60), steps: [stop])]
                )
                let cause = RunCause(.hand, wide)
                try await writer.write(
                    0, .outageOpened(cluster: plan.cluster, reason: "x"), outage: "first")
                try await writer.write(0, .runStarted(plan, cause), run: "run-1", outage: "first")
                func columns(_ line: String) -> Int {
                    line.unicodeScalars.reduce(0) { $0 + ($1.value >= 0x3000 ? 2 : 1) }
                }
                for shown in [try await history(directory), try await history(directory, "last")] {
                    #expect(shown.code == 0 && shown.out.contains("日本語"), "\(shown.all)")
                    #expect(shown.lines.filter { columns($0) > 80 } == [])
                }
                let list = try await history(directory).lines
                let took = try #require(list[0].firstRange(of: "took"))
                let before = try #require(list[1].firstRange(of: "-       not ended"))
                #expect(
                    columns(String(list[0][..<took.lowerBound]))
                        == columns(String(list[1][..<before.lowerBound])))
            }
        }

        @Test func `a run that was killed is shown as far as it got, as the last one`() async throws
        {
            try await ShortDirectory.with { directory in
                _ = try await fill(directory)
                let shown = try await history(directory, "last")
                #expect(shown.code == 0, "\(shown.all)")
                #expect(shown.lines.first == "run run-2: cluster, cluster Test")
                #expect(
                    shown.lines.contains(
                        "  ended    not yet; its newest record is of 2026-11-21 12:01:41 UTC"))
                #expect(shown.lines.contains("    never        -    <= 90s  guests: apps"))
                #expect(shown.lines.contains("  outage   second, still open"))
            }
        }

        @Test func `JSON says the same`() async throws {
            struct Run: Decodable {
                var run: String
                var tookSeconds: Double?
                var result: String?
                var byOtherMeans: [String: Int]
                var gaveUp: Int
            }
            struct Report: Decodable {
                struct Phase: Decodable {
                    struct Step: Decodable {
                        var id: String
                        var estimateSeconds: Double?
                        var limitSeconds: Double
                        var tookSeconds: Double?
                        var outcome: String?
                        var why: String?
                    }
                    var name: String
                    var estimateSeconds: Double?
                    var budgetSeconds: Double
                    var tookSeconds: Double?
                    var steps: [Step]
                }
                struct Inversion: Decodable {
                    var began: String
                    var beforeTheEndOf: String
                }
                var run: Run
                var phases: [Phase]
                var inAnotherOrder: [Inversion]
            }
            try await ShortDirectory.with { directory in
                _ = try await fill(directory)
                let list: [Run] = try decoded(
                    try await history(directory, "--format", "json").out)
                #expect(list.map(\.run) == ["run-2", "run-1"])
                #expect(list.map(\.result) == [nil, "finishedWithGaps"])
                #expect(list[1].byOtherMeans == ["forced": 1])
                let report: Report = try decoded(
                    try await history(directory, "run-1", "--format", "json").out)
                #expect(report.run.tookSeconds == 34 && report.run.gaveUp == 1)
                #expect(report.phases.map(\.name) == ["freeze", "guests: apps"])
                #expect(report.phases.map(\.estimateSeconds) == [5, nil])
                #expect(report.phases.map(\.tookSeconds) == [4, 31])
                let steps = report.phases[1].steps
                #expect(steps.map(\.outcome) == ["forced", "gaveUp"])
                #expect(steps.map(\.tookSeconds) == [30, nil])
                #expect(steps.map(\.why) == [nil, "no answer"])
                #expect(report.inAnotherOrder.map(\.began) == ["guests: apps"])
            }
        }

        @Test func `an unknown run and a damaged journal exit 1 and say what to do`() async throws {
            try await ShortDirectory.with { directory in
                _ = try await fill(directory)
                let unknown = try await history(directory, "run-9")
                #expect(unknown.code == 1 && unknown.out == "", "\(unknown.all)")
                #expect(unknown.errors.contains("Try: vpower history lists those there are"))
                let bad = "\(directory)/bad"
                try FileManager.default.createDirectory(
                    atPath: bad, withIntermediateDirectories: false)
                try "not a journal\n".write(to: "\(bad)/journal.sqlite")
                let damaged = try await history(bad)
                #expect(damaged.code == 1 && damaged.out == "", "\(damaged.all)")
                #expect(damaged.errors.contains("Runbooks/journal-damaged.md"), "\(damaged.all)")
                let file = try await history("\(bad)/journal.sqlite")
                #expect(file.code == 1 && file.out == "", "\(file.all)")
                #expect(file.errors.contains("Not a directory"), "\(file.all)")
            }
        }
    }
}
