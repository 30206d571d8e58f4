import PowerLab
import PowerModel
import PowerRun
import Testing

/// A whole outage takes little longer than the things themselves do.
struct LatencyTests {
    /// What real machines take.
    private static var pace: LabPace {
        var pace = LabPace()
        pace.guestStops = .seconds(60)
        pace.toolsUp = .seconds(30)
        pace.hostStops = .seconds(120)
        pace.hostBoots = .seconds(240)
        pace.hostdUp = .seconds(60)
        pace.vcenterUp = .seconds(180)
        pace.haFollows = .seconds(10)
        pace.vclsFollows = .seconds(30)
        pace.battery = .seconds(7200)
        return pace
    }

    private static let site: @Sendable (inout ClusterSite) -> Void = { site in
        site.limits = ClusterLimits()
        site.limits.afterVCSA = .seconds(60)
        for index in site.tiers.indices { site.tiers[index].limit = .seconds(90) }
    }

    @Test func `going down takes at most 5 percent more than the critical path`() throws {
        let site = MemorySite(.standard(pace: Self.pace))
        var around = site.around(announcer: Quiet(), site: Self.site)
        around.pace = EnginePace()
        let made = around
        let (result, took) = try simulate(site) {
            let operation = Operation(in: made, control: RunControl(), makeID: { "l" })
            let result = try await site.goDown(operation)
            return (result, site.time.elapsed)
        }
        #expect(result == .finished)
        // HA's agents; apps; the middle tier's guest that ignores its request; databases; vCSA;
        // the other hosts; vCSA's host. A host is down when it has been silent for so long.
        let parts = [10, 60, 90, 60, 60, 120, 120]
        let path = Duration.seconds(parts.reduce(0, +)) + made.site.limits.settle * 2
        #expect(took <= path * 1.05, "\(took) against \(path)")
    }

    @Test func `a tier ends when its last guest is seen off, not at the next look at the clock`()
        throws
    {
        var pace = Self.pace
        pace.guestStops = .milliseconds(61_300)
        let site = MemorySite(.standard(pace: pace))
        let watch = PhaseTimes(site.time)
        var around = site.around(announcer: watch, site: Self.site)
        around.pace = EnginePace()
        let made = around
        let took = try simulate(site) {
            _ = try await site.goDown(
                Operation(in: made, control: RunControl(), makeID: { "l" }))
            return await watch.took
        }
        let apps = try #require(took[.guests(TierName("apps"))])
        #expect(apps < pace.guestStops + .milliseconds(100), "\(apps)")
    }

    @Test func `coming back takes at most 5 percent more than the critical path`() throws {
        let site = MemorySite(.standard(pace: Self.pace))
        var around = site.around(announcer: Quiet(), site: Self.site)
        around.pace = EnginePace()
        let made = around
        let (result, took) = try simulate(site) {
            let operation = Operation(in: made, control: RunControl(), makeID: { "l" })
            _ = try await site.goDown(operation)
            site.world.cutOutput()
            try await site.time.sleep(for: .seconds(60))
            site.world.advance()
            site.world.returnMains()
            let began = site.time.elapsed
            let result = try await site.comeBack(
                Operation(in: made, control: RunControl(), makeID: { "m" }))
            return (result, site.time.elapsed - began)
        }
        #expect(result == .finished)
        // Boot; hostd; the boot script with vCSA's head start and its gaps; vCenter starts beside
        // it; vCLS and HA's agents follow.
        let parts = [240, 60, 180, 30, 10]
        let path = Duration.seconds(parts.reduce(0, +))
        #expect(took <= path * 1.05, "\(took) against \(path)")
    }
}

/// How long each phase took.
private actor PhaseTimes: Announcer {
    private let time: any TimeSource
    private var began: [PhaseName: Duration] = [:]
    var took: [PhaseName: Duration] = [:]

    init(_ time: any TimeSource) { self.time = time }

    func announce(_ record: Record) async {
        switch record.event {
        case .phaseStarted(let phase): began[phase] = time.elapsed
        case .phaseEnded(let phase): took[phase] = began[phase].map { time.elapsed - $0 }
        default: break
        }
    }
}
