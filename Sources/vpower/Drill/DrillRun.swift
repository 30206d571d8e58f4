import PowerLab
import PowerModel
import PowerRun

/// What a drill runs against: the simulated site, and the adapters that reach it.
struct DrillSite: Sendable {
    var world: LabWorld
    var time: any TimeSource
    var feed: any FeedControl
    var trigger: TriggerPolicy
    /// Everything a run needs; the announcer is the drill's.
    var around: @Sendable (any Announcer) throws -> Surroundings
    /// Calls and bytes per adapter.
    var traffic: @Sendable () async -> [DrillTraffic]
}

/// What went through one adapter.
struct DrillTraffic: Codable, Sendable {
    var adapter: String
    var calls: Int
    var bytes: Int
}

/// How a drill went: what `vpower drill --format json` prints.
struct DrillReport: Codable, Sendable {
    struct PhaseTime: Codable, Sendable {
        var name: String
        var seconds: Double
    }

    struct WayTime: Codable, Sendable {
        var way: String
        var seconds: Double
        var leastSeconds: Double
    }

    var result: String
    var over: String
    var guestsCleanlyShutDown: Int
    var guestsForcedOff: Int
    var guestsRestored: Int
    var violations: [String]
    /// How long the way down and back took, beside the least time the simulated site needs for it.
    var ways: [WayTime]
    var phases: [PhaseTime]
    var adapters: [DrillTraffic]
    var seconds: Double
}

/// The main job against the lab: the mains fail, the cluster goes down in order, the output is
/// cut, the mains return, everything comes back. Judged by the lab's own log.
struct DrillRun: Sendable {
    let site: DrillSite
    let timeline: Timeline
    /// Leaves out the phase that turns HA off, to show what a violation looks like.
    let leavesHAOn: Bool

    /// How often the drill looks at the UPS.
    private static let look: Duration = .milliseconds(250)
    /// How long the drill stays on line power before and after.
    private static let calm: Duration = .milliseconds(500)
    /// The longest the drill waits for anything of the lab's own.
    private static let patience: Duration = .seconds(30)

    func carryOut() async throws -> DrillReport {
        let began = site.time.elapsed
        await timeline.say("the site is on line power (\(await statusNow()))")
        try await site.time.sleep(for: Self.calm)
        site.world.failMains()
        await timeline.say("MAINS FAIL (\(await statusNow()))")
        let reason = try await waitForTrigger()
        await timeline.say("trigger: \(reason)")
        let triggered = site.time.elapsed
        let (notOff, plan) = try await goDown(because: reason)
        let isDown = site.time.elapsed
        if notOff.isEmpty {
            await timeline.say("everything is off: the UPS is told to cut its output")
            try await site.feed.cutOutput()
            try await waitUntil { !site.world.hasOutput }
            await timeline.say("output off")
        }
        for why in notOff { await timeline.say("the output is not cut: \(why)") }
        try await site.time.sleep(for: Self.calm)
        site.world.returnMains()
        await timeline.say("MAINS RETURN (\(await statusNow()))")
        let powered = site.time.elapsed
        var (up, way) = try await comeBack()
        // What was never off need not come back.
        if leavesHAOn { way.phases.removeAll { $0.name == .haBack } }
        let scenario = site.world.scenario
        let orders = plan.steps.compactMap { step in
            if case .arm(_, let orders, _) = step.action { orders } else { nil }
        }
        let ways = [
            DrillReport.WayTime(
                way: "down", seconds: (isDown - triggered).inSeconds,
                leastSeconds: scenario.leastTime(of: plan).inSeconds),
            DrillReport.WayTime(
                way: "up", seconds: (site.time.elapsed - powered).inSeconds,
                leastSeconds: scenario.leastTime(of: way, booting: orders).inSeconds),
        ]
        for way in ways {
            let took = Duration.seconds(way.seconds).tenths
            let least = Duration.seconds(way.leastSeconds).tenths
            await timeline.say(
                "the way \(way.way) took \(took) s; the site itself needs at least \(least) s")
        }
        return await report(up: up, ways: ways, seconds: (site.time.elapsed - began).inSeconds)
    }

    private func statusNow() async -> String {
        let reading = await site.feed.read()
        return reading.status?.description ?? reading.problem ?? "no status"
    }

    /// Watches the feed as the daemon does, until the outage becomes a run.
    private func waitForTrigger() async throws -> FeedWatch.Reason {
        var watch = FeedWatch(policy: site.trigger)
        let deadline = site.time.elapsed + Self.patience
        while site.time.elapsed < deadline {
            if case .trigger(let reason) = watch.take(
                await site.feed.read(), at: site.time.elapsed)
            {
                return reason
            }
            try await site.time.sleep(for: Self.look)
        }
        throw Problem(summary: "the feed never triggered", code: .failed)
    }

    private func operation() throws -> Operation {
        let outages = site.time.wall.millisecondsSinceEpoch
        return Operation(
            in: try site.around(timeline), control: RunControl(),
            makeID: { "drill-\(outages)-\(UInt32.random(in: 0...UInt32.max))" })
    }

    /// What is not proven off afterwards, and the plan.
    private func goDown(
        because reason: FeedWatch.Reason
    ) async throws -> (notOff: [String], Plan) {
        let operation = try operation()
        var prepared = try await operation.prepareShutdown()
        if leavesHAOn { prepared.plan.phases.removeAll { $0.name == .freeze } }
        try await site.feed.holdLogin()
        _ = await operation.shutDown(
            prepared, because: RunCause(.outage, reason.description))
        await site.feed.releaseLogin()
        return (try await operation.notOff(), prepared.plan)
    }

    private func comeBack() async throws -> (RunResult, Plan) {
        try await waitUntil { await site.feed.read().status?.onLine == true }
        try await site.time.sleep(for: Self.calm)
        let operation = try operation()
        let prepared = try await operation.prepareRestore()
        let result = await operation.restore(
            prepared, because: RunCause(.outage, "the mains are back"))
        return (result, prepared.plan)
    }

    private func waitUntil(_ isSo: () async -> Bool) async throws {
        let deadline = site.time.elapsed + Self.patience
        while await !isSo() {
            guard site.time.elapsed < deadline else {
                throw Problem(summary: "the lab did not follow within its limit", code: .failed)
            }
            try await site.time.sleep(for: Self.look)
        }
    }

    private func report(
        up: RunResult, ways: [DrillReport.WayTime], seconds: Double
    ) async -> DrillReport {
        let log = site.world.log
        let scenario = site.world.scenario
        let ordinary = Set(
            scenario.guests.filter { $0.nature == .ordinary }.map(\.id.rawValue))
        func off(_ how: String) -> Int {
            log.count { $0.kind == .guestOff && $0.detail == how && ordinary.contains($0.object) }
        }
        let inventory = site.world.inventory()
        let restored = scenario.guests.count { guest in
            ordinary.contains(guest.id.rawValue) && guest.isOn
                && inventory.guest(guest.id)?.power == .on
        }
        let violations = LabChecker.violations(
            in: log, site.world.records, of: scenario,
            restoredTo: site.world.currentAutomation())
        let phases = await timeline.phases.map {
            DrillReport.PhaseTime(name: $0.name, seconds: $0.seconds)
        }
        let adapters = await site.traffic()
        return DrillReport(
            result: up == .finished ? "restored" : up.rawValue,
            over: adapters.allSatisfy { $0.bytes > 0 } ? "wire" : "memory",
            guestsCleanlyShutDown: off("clean"), guestsForcedOff: off("forced"),
            guestsRestored: restored, violations: violations, ways: ways, phases: phases,
            adapters: adapters, seconds: seconds)
    }
}
