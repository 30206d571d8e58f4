import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

/// Thousands of bad afternoons, one from each seed.
struct SeedSweep {
    /// A sweep of the normal suite; `VPOWER_SEEDS` asks for another number (`make soak`).
    private static let usual: UInt64 = 2000
    private static var count: UInt64 {
        Environment.number("VPOWER_SEEDS") ?? usual
    }
    /// A soak may begin where an earlier one has ended.
    private static var first: UInt64 { Environment.number("VPOWER_FIRST_SEED") ?? 1 }

    @Test func `no afternoon breaks what must always be true, and all of them end well`()
        async throws
    {
        let report = await SweepReport.sweep(Self.count, from: Self.first)
        for failure in report.failures.prefix(SweepReport.shown) {
            Issue.record("\(failure)")
        }
        #expect(report.failures.count == 0)
        #expect(report.seeds == Self.count)
        let never = LabFault.allCases.filter { report.faults[$0] == nil }
        #expect(never == [], "faults that never did anything")
        let idle = report.evaluated.filter { $0.value == 0 }.keys.sorted()
        #expect(idle == [], "rules that were never evaluated")
        print(report)
    }

    @Test func `a seed repeats itself byte for byte`() throws {
        let seeds: [UInt64] = Environment.number("VPOWER_SEED").map { [$0] } ?? [3, 77, 210]
        for seed in seeds {
            let draw = LabDraw(seed: seed)
            let first = try Afternoon(draw: draw).live()
            let second = try Afternoon(draw: LabDraw(seed: seed)).live()
            #expect(first.trace == second.trace, "seed \(seed)")
            if Environment.number("VPOWER_SEED") != nil {
                print(draw)
                print(first.trace.joined(separator: "\n"))
                print(first.violations.joined(separator: "\n"))
                #expect(first.violations == [])
                #expect(first.isClosed)
            }
        }
    }
}

/// What a sweep showed.
struct SweepReport: CustomStringConvertible, Sendable {
    var seeds: UInt64 = 0
    var runs = 0
    var faults: [LabFault: Int] = [:]
    var evaluated: [String: Int] = [:]
    var failures: [String] = []

    /// No more failures than this are told in full.
    static let shown = 20
    private static let batch: UInt64 = 250

    /// Lives through the afternoons of so many seeds, some at the same time.
    static func sweep(_ count: UInt64, from first: UInt64) async -> SweepReport {
        await withTaskGroup(of: SweepReport.self) { group in
            var next = first
            let end = first + count
            var total = SweepReport()
            func addBatch() {
                guard next < end else { return }
                let seeds = next...(min(next + batch, end) - 1)
                next = seeds.upperBound + 1
                group.addTask { SweepReport.live(seeds) }
            }
            for _ in 0..<Environment.cores { addBatch() }
            while let part = await group.next() {
                total.add(part)
                addBatch()
                if count > 10_000, total.seeds % 50_000 == 0 {
                    print("\(total.seeds) seeds, \(total.failures.count) failures")
                }
            }
            return total
        }
    }

    private static func live(_ seeds: ClosedRange<UInt64>) -> SweepReport {
        var report = SweepReport()
        for seed in seeds { report.live(seed) }
        return report
    }

    private mutating func live(_ seed: UInt64) {
        seeds += 1
        do {
            let end = try Afternoon(draw: LabDraw(seed: seed)).live()
            runs += end.runs
            faults.merge(end.faults, uniquingKeysWith: +)
            evaluated.merge(end.evaluated, uniquingKeysWith: +)
            if !end.violations.isEmpty || !(end.isClosed || end.isForgotten) {
                let open = end.isClosed ? [] : ["the outage is still open"]
                fail(seed, (end.violations + open).joined(separator: "\n  "))
            }
        } catch { fail(seed, "\(error)") }
    }

    private mutating func fail(_ seed: UInt64, _ why: String) {
        failures.append(
            """
            seed \(seed): \(why)
            VPOWER_SEED=\(seed) swift test --disable-xctest --filter SeedSweep.*repeats
            """)
    }

    private mutating func add(_ other: SweepReport) {
        seeds += other.seeds
        runs += other.runs
        faults.merge(other.faults, uniquingKeysWith: +)
        evaluated.merge(other.evaluated, uniquingKeysWith: +)
        failures += other.failures
    }

    var description: String {
        let kinds = LabFault.allCases.map { "  \($0.rawValue): \(faults[$0] ?? 0)" }
        // By the number that a rule's name begins with: DESIGN 5 counts to more than nine.
        func number(_ rule: String) -> Int { Int(rule.prefix { $0.isNumber }) ?? 0 }
        let rules = evaluated.sorted { (number($0.key), $0.key) < (number($1.key), $1.key) }
            .map { "  \($0.key): \($0.value)" }
        return
            (["\(seeds) seeds, \(runs) runs, \(failures.count) failures", "faults injected:"]
            + kinds + ["rules evaluated:"] + rules).joined(separator: "\n")
    }
}
