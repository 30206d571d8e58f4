import PowerLab
import PowerModel
import PowerRun

/// A drill in memory: the same engine, on a virtual clock.
enum DrillMemory {
    static func carryOut(
        leavesHAOn: Bool, print: @escaping @Sendable (String) -> Void
    ) throws -> DrillReport {
        let memory = MemorySite()
        let site = DrillSite(
            world: memory.world, time: memory.time, feed: memory.feed, trigger: drillTrigger,
            around: { memory.around(announcer: $0) },
            traffic: {
                [
                    DrillTraffic(adapter: "nut", calls: memory.feed.counter.count, bytes: 0),
                    DrillTraffic(
                        adapter: "vcenter", calls: memory.cluster.counter.count, bytes: 0),
                    DrillTraffic(
                        adapter: "esxi",
                        calls: memory.hosts.map(\.counter.count).reduce(0, +), bytes: 0),
                ]
            })
        let timeline = Timeline(time: memory.time, print: print)
        let result = try SerialExecutor.simulate(time: memory.time, limit: MemorySite.limit) {
            () async -> Result<DrillReport, any Error> in
            let run = DrillRun(site: site, timeline: timeline, leavesHAOn: leavesHAOn)
            do { return .success(try await run.carryOut()) } catch { return .failure(error) }
        }
        guard let result else { throw Problem(summary: "the drill was killed", code: .failed) }
        return try result.get()
    }
}

/// The drill's trigger in memory; on the wire the lab's site file says the same.
private let drillTrigger = TriggerPolicy(onBatteryFor: .seconds(2))
