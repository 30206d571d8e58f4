import Glibc
import PowerLab
import PowerModel
import PowerRun

/// One line of the report, and whether it is as it must be.
struct Measured {
    var line: String
    var isWithinLimit: Bool
}

/// Somebody who is told everything and says nothing.
struct Nobody: Announcer {
    func announce(_ record: Record) async {}
}

/// What stopped a benchmark.
struct NotFinished: Error {
    var results: [RunResult]
}

/// The CPU time this process has used; POSIX counts it in microseconds.
func cpuTime() -> Duration { .microseconds(clock()) }

/// One outage, down and back, at the engine's own pace.
func outage(_ scenario: LabScenario) throws {
    let site = MemorySite(scenario)
    let lived = try SerialExecutor.simulate(time: site.time, limit: .seconds(100_000)) {
        () async -> Result<[RunResult], any Error> in
        do { return .success(try await live(site)) } catch { return .failure(error) }
    }
    let results = try lived?.get() ?? []
    if results != [.finished, .finished] { throw NotFinished(results: results) }
}

func live(_ site: MemorySite) async throws -> [RunResult] {
    var around = site.around(announcer: Nobody())
    around.pace = EnginePace()
    let cause = RunCause(.outage, "benchmark")
    site.world.failMains()
    let down = Operation(in: around, control: RunControl(), makeID: { "down" })
    let shutdown = await down.shutDown(try await down.prepareShutdown(), because: cause)
    site.world.cutOutput()
    site.world.returnMains()
    // The output goes off, and comes back with the mains.
    try await site.time.sleep(for: .seconds(3))
    let up = Operation(in: around, control: RunControl(), makeID: { "up" })
    return [shutdown, await up.restore(try await up.prepareRestore(), because: cause)]
}

/// Outages of three hosts and fourteen guests. On a shared machine a neighbour makes some of them
/// half as slow again: batches tell the one from the other.
func smallSite() throws -> Measured {
    let (batches, size) = (100, 100)
    let scenario = LabScenario.standard()
    var times: [Duration] = []
    for _ in 0..<batches {
        let start = cpuTime()
        for _ in 0..<size { try outage(scenario) }
        times.append((cpuTime() - start) / size)
    }
    times.sort()
    let mean = times.reduce(.zero, +) / batches
    func milliseconds(_ time: Duration) -> Double { (time / .microseconds(10)).rounded() / 100 }
    return Measured(
        line: "3 hosts, 14 guests: \(milliseconds(mean)) ms of CPU for one outage on average of "
            + "\(batches) batches of \(size) (limit 1 ms), \(milliseconds(times[0])) in the "
            + "fastest, \(milliseconds(times[batches / 2])) in the median",
        isWithinLimit: mean < .milliseconds(1))
}

/// One outage of a site that is larger than most.
func largeSite() throws -> Measured {
    let (hosts, guests) = (1000, 20_000)
    let start = cpuTime()
    try outage(.large(hosts: hosts, guests: guests))
    let took = cpuTime() - start
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    // Linux counts KiB.
    let peakMiB = usage.ru_maxrss / 1024
    return Measured(
        line: "\(hosts) hosts, \(guests) guests: \(took.milliseconds) ms of CPU, "
            + "\(peakMiB) MiB at most (limits 10 s, 500 MiB)",
        isWithinLimit: took < .seconds(10) && peakMiB < 500)
}

/// How fast the engine and its lab are: `make bench`. CPU time, not the clock's: what other
/// programs do meanwhile does not count, but for those that share a core with this one.
@main
enum Benchmarks {
    /// Prints what it measures; ends with 1 where a limit is missed.
    static func main() throws {
        var isWithinLimits = true
        for benchmark in [smallSite, largeSite] {
            let measured = try benchmark()
            print(measured.line)
            isWithinLimits = isWithinLimits && measured.isWithinLimit
        }
        exit(isWithinLimits ? 0 : 1)
    }
}
