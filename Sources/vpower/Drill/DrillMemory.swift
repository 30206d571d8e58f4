import PowerLab
import PowerModel
import PowerRun

/// A drill in memory: the same engine, on a virtual clock.
enum DrillMemory {
    /// The virtual time a drill may take.
    private static let limit: Duration = .seconds(3600)

    static func carryOut(
        leavesHAOn: Bool, print: @escaping @Sendable (String) -> Void
    ) throws -> DrillReport {
        let time = VirtualTime()
        let world = LabWorld(.standard(), time: time)
        let site = site(world, time: time)
        let timeline = Timeline(time: time, print: print)
        let result = try SerialExecutor.simulate(time: time, limit: limit) {
            () async -> Result<DrillReport, any Error> in
            let run = DrillRun(site: site, timeline: timeline, leavesHAOn: leavesHAOn)
            do { return .success(try await run.carryOut()) } catch { return .failure(error) }
        }
        guard let result else { throw Problem(summary: "the drill was killed", code: .failed) }
        return try result.get()
    }

    private static func site(_ world: LabWorld, time: VirtualTime) -> DrillSite {
        let feed = MemoryFeed(world)
        let cluster = MemoryCluster(world)
        let hosts = world.scenario.hosts.map { MemoryHost($0.name, in: world) }
        let journal = MemoryJournal { time.wall }
        return DrillSite(
            world: world, time: time, feed: feed, trigger: drillTrigger,
            around: { announcer in
                Surroundings(
                    site: world.scenario.memorySite, cluster: cluster,
                    hosts: Dictionary(uniqueKeysWithValues: hosts.map { ($0.host, $0) }),
                    wake: { host in
                        await world.wakeHost(host)
                        return nil
                    },
                    answers: { _ in true }, journal: journal, announcer: announcer, time: time,
                    pace: .drill)
            },
            traffic: {
                [
                    DrillTraffic(adapter: "nut", calls: feed.counter.count, bytes: 0),
                    DrillTraffic(adapter: "vcenter", calls: cluster.counter.count, bytes: 0),
                    DrillTraffic(
                        adapter: "esxi", calls: hosts.map(\.counter.count).reduce(0, +),
                        bytes: 0),
                ]
            })
    }
}

/// The drill's trigger: two seconds on battery.
let drillTrigger = TriggerPolicy(onBatteryFor: .seconds(2))

extension EnginePace {
    /// Looks often: in the lab everything takes seconds.
    static var drill: EnginePace {
        var pace = EnginePace()
        pace.look = .milliseconds(300)
        pace.listen = .seconds(2)
        pace.wakeAfter = .seconds(20)
        return pace
    }
}
