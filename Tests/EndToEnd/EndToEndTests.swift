import Foundation
import Glibc
import PowerLab
import PowerModel
import Testing

/// The main job on real parts: NUT's own programs, vpower's own, and the lab on the wire. One at a
/// time: each of them is some ten processes, and the machine may have two cores.
@Suite(.serialized)
struct EndToEnd {
    // MARK: The whole chain

    @Test(.timeLimit(.minutes(5)))
    func `an event of upsmon takes the cluster down in order, and the mains bring it back`()
        async throws
    {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let nut = try await NUTChain(on: stage)
            // Only `OB LB` triggers here.
            try stage.pointFeed(at: nut, onBatteryFor: "600s")
            let before = try await lab.state()
            _ = try await stage.startDaemon()
            let monitor = try await nut.startMonitor()
            try await nut.waitForLogin(of: "vpower")

            try await lab.tell("mains off")
            try await nut.set("OB DISCHRG")
            try await stage.daemonSays("UPS event", "type=ONBATT", "ups=ups1@127.0.0.1")
            #expect(try await lab.history().events.map(\.kind) == [.mainsOff], "it waits")
            try await nut.set("OB DISCHRG LB")
            try await stage.daemonSays("UPS event", "type=LOWBATT")
            try await expectPrimaryWaits(stage, lab)
            try await stage.daemonSays(
                "shutdown ended", "result=finished", within: Stage.startLimit)
            try await eventually("upsmon runs SHUTDOWNCMD", within: Stage.startLimit) {
                access(stage.path("halted"), F_OK) == 0 && !monitor.isRunning
            }

            try await lab.cutOutput()
            try await lab.tell("mains on")
            // As the primary's own boot does it: FSD is gone with upsd.
            try await nut.restart("OL CHRG")
            try await stage.daemonSays("outage closed", within: Stage.runLimit)
            try await nut.waitForLogin(of: "vpower", times: 2)

            let after = try await lab.state()
            try await expectRestored(lab, to: before)
            let history = try await lab.history()
            #expect(history.violations(restoredTo: after.automation) == [])
            try expectDownInOrder(history)
            try expectBackInOrder(history)
            let log = bootScriptLogs(stage)
            #expect(log.contains("on: vcsa01"))
            #expect(log.contains("done: "))
        }
    }

    /// The NUT primary, which has seen `OB LB` too, runs SHUTDOWNCMD only when every host is off:
    /// the daemon's login holds it.
    private func expectPrimaryWaits(_ stage: Stage, _ lab: Lab) async throws {
        try await eventually("every host is off", within: Stage.runLimit) {
            // Looked at first: upsmon may go on right after the last host is off.
            let isHalted = access(stage.path("halted"), F_OK) == 0
            let hostsOn = try await lab.state().hostsOn
            if isHalted, !hostsOn.isEmpty {
                throw SetupError(description: "the primary halted with \(hostsOn) on")
            }
            return hostsOn.isEmpty
        }
    }

    /// After the whole cluster was taken down, in the lab's own log: HA first, each tier after the
    /// one before it, vCSA after every other guest, hosts after that, vCSA's host the last.
    private func expectDownInOrder(_ history: History) throws {
        let haOff = try #require(history.places(of: .haOff).first)
        let outputOff = try #require(history.places(of: .outputOff).first)
        func asked(_ prefix: String) -> [Int] {
            let ids = Set(
                history.scenario.guests.filter { $0.name.hasPrefix(prefix) }.map(\.id.rawValue))
            return history.places(of: .guestAsked) { ids.contains($0.object) }
        }
        func off(_ prefix: String) -> [Int] {
            let ids = Set(
                history.scenario.guests.filter { $0.name.hasPrefix(prefix) }.map(\.id.rawValue))
            return history.places(of: .guestOff) { ids.contains($0.object) }
        }
        var last = haOff
        for (tier, size) in [("app-", 4), ("mid-", 4), ("db-", 3), ("vcsa", 1)] {
            let requests = asked(tier)
            let ends = off(tier)
            #expect(!requests.isEmpty && ends.count == size, "\(tier)")
            #expect(try #require(requests.first) > last, "\(tier) is asked after what is before it")
            last = try #require(ends.last)
        }
        let told = history.places(of: .hostTold)
        #expect(told.count == 3)
        #expect(try #require(told.first) > last, "no host before vCSA is off")
        let othersOff = history.places(of: .hostOff) { $0.object != "esx2.lab" }
        #expect(othersOff.count == 3 - 1)
        #expect(history.events[try #require(told.last)].object == "esx2.lab")
        #expect(try #require(told.last) > #require(othersOff.last), "vCSA's host last")
        let off3 = history.places(of: .hostOff)
        #expect(off3.count == 3 && history.count(.hostLost) == 0)
        #expect(try #require(off3.last) < outputOff)
    }

    /// After it came back: hosts, vCSA first and by its own host, the others by theirs, HA last.
    private func expectBackInOrder(_ history: History) throws {
        let outputOn = try #require(history.places(of: .outputOn).last)
        let ups = history.places(of: .hostUp)
        #expect(ups.count == 3 && ups.allSatisfy { $0 > outputOn })
        let vcls = Set(
            history.scenario.guests.filter { $0.nature == .vcls }.map(\.id.rawValue))
        let started = history.places(of: .guestOn) { !vcls.contains($0.object) }
        #expect(started.count == 12, "each guest is started once")
        let first = history.events[try #require(started.first)]
        #expect(first.object == history.guest("vcsa01"))
        let hosts = Set(history.scenario.hosts.map(\.name.rawValue))
        for place in started {
            let event = history.events[place]
            #expect(hosts.contains(event.detail), "\(event.object) was started by \(event.detail)")
        }
        let haOn = try #require(history.places(of: .haOn).last)
        #expect(haOn > (try #require(started.last)))
        #expect(haOn > (try #require(history.places(of: .drsChanged).last)))
        #expect(haOn > (try #require(history.places(of: .vclsBack).last)))
        #expect(history.count(.haOff) == 1 && history.count(.haOn) == 1)
    }

    /// What the hosts' own local.sh wrote under busybox ash.
    private func bootScriptLogs(_ stage: Stage) -> String {
        (1...3).map { stage.text("lab/esx\($0).lab/root/tmp/vpower-boot.log") }.joined()
    }

    /// Waits for what follows by itself (HA's agents, vCLS guests), then compares with before.
    func expectRestored(_ lab: Lab, to before: Lab.State) async throws {
        var now = try await lab.state()
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(60)
        while now.guestsOn != before.guestsOn, clock.now < deadline {
            try await Task.sleep(for: .milliseconds(200))
            now = try await lab.state()
        }
        #expect(now.hostsOn == before.hostsOn)
        #expect(now.guestsOn == before.guestsOn)
        #expect(now.automation.ha == before.automation.ha)
        #expect(now.automation.drsEnabled == before.automation.drsEnabled)
        #expect(now.automation.drsLevel == before.automation.drsLevel)
        #expect(now.automation.dpm == before.automation.dpm)
        // A key that was never set comes back as on (facts/vsphere.md 2.5).
        #expect(now.automation.vcls.keepsGuests == before.automation.vcls.keepsGuests)
    }

    // MARK: The daemon is dead

    @Test(.timeLimit(.minutes(6)))
    func `a killed daemon is started again by upsmon's event, and the run completes`()
        async throws
    {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let nut = try await NUTChain(on: stage)
            // Only `OB LB` triggers here.
            try stage.pointFeed(at: nut, onBatteryFor: "600s")
            let unit = try SocketUnit(on: stage)
            let monitor = try await nut.startMonitor()
            #expect(!unit.hasData)

            try await nut.set("OB DISCHRG")
            let first = try await unit.startAtNextEvent(within: Stage.startLimit)
            try await stage.daemonSays("UPS event", "type=ONBATT")
            try await stage.daemonSays("the mains failed: the wait has begun")
            first.signal(SIGKILL)
            #expect(try await stage.end(of: "the daemon", first, within: .seconds(5)) == -SIGKILL)
            try await Task.sleep(for: .milliseconds(500))
            #expect(!unit.hasData, "nothing starts the daemon while nothing happens")
            #expect(try await lab.history().events == [])

            try await lab.tell("mains off")
            try await nut.set("OB DISCHRG LB")
            let second = try await unit.startAtNextEvent(within: Stage.startLimit)
            try await stage.daemonSays("UPS event", "type=LOWBATT")
            try await stage.daemonSays(
                "shutdown ended", "result=finished", within: Stage.runLimit)
            #expect(second.isRunning && unit.starts == 2)

            let state = try await lab.state()
            #expect(state.hostsOn == [] && state.guestsOn == [])
            let history = try await lab.history()
            #expect(history.violations() == [])
            #expect(history.count(.hostOff) == 3 && history.guestsOff == 12)
            // upsmon, the primary, went its own way to the end: SHUTDOWNCMD, and is gone.
            try await eventually("upsmon ran SHUTDOWNCMD", within: Stage.startLimit) {
                access(stage.path("halted"), F_OK) == 0 && !monitor.isRunning
            }
        }
    }

    // MARK: vpower is killed

    @Test(.timeLimit(.minutes(5)))
    func `killed in the middle of the guests, resume ends as if nothing had happened`()
        async throws
    {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let before = try await lab.state()
            let run = try stage.start("shutdown", "shutdown", "--cluster", "Lab", "--yes")
            try await eventually("the first guests are off", within: Stage.runLimit) {
                try await lab.history().guestsOff >= 2
            }
            run.signal(SIGKILL)
            #expect(try await stage.end(of: "shutdown", run) == -SIGKILL)
            let middle = try await lab.history()
            #expect((2...9).contains(middle.guestsOff), "in the middle of the guests")
            #expect(middle.count(.hostTold) == 0)
            #expect(try await stage.vpower("status", "status") == 0)
            #expect(stage.text("status.out").contains("was interrupted"))

            #expect(try await stage.vpower("resume", "resume", "--cluster", "Lab") == 0)
            let down = try await lab.state()
            #expect(down.hostsOn == [] && down.guestsOn == [])
            #expect(down.vcenter != before.vcenter)
            let history = try await lab.history()
            #expect(history.violations() == [])
            #expect(history.guestsOff == 12 && history.count(.hostOff) == 3)
            #expect(history.count(.guestLost) == 0 && history.count(.outputCutAsked) == 0)

            try await lab.cyclePower()
            #expect(try await stage.vpower("restore", "restore", "--cluster", "Lab") == 0)
            try await expectRestored(lab, to: before)
            let after = try await lab.state()
            #expect(
                try await lab.history().violations(restoredTo: after.automation) == [])
            try await expectNothingOpen(stage)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `SIGTERM stops a run after the present step, and resume continues it`() async throws {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let run = try stage.start("shutdown", "shutdown", "--cluster", "Lab", "--yes")
            try await eventually("the first guests are off", within: Stage.runLimit) {
                try await lab.history().guestsOff >= 2
            }
            run.signal(SIGTERM)
            #expect(try await stage.end(of: "shutdown", run, within: .seconds(30)) == 75)
            #expect(stage.text("shutdown.err").contains("vpower resume"))
            let middle = try await lab.history()
            #expect((2...9).contains(middle.guestsOff))
            #expect(middle.count(.hostTold) == 0)

            #expect(try await stage.vpower("resume", "resume", "--cluster", "Lab") == 0)
            let down = try await lab.state()
            #expect(down.hostsOn == [] && down.guestsOn == [])
            let history = try await lab.history()
            #expect(history.violations() == [])
            #expect(history.guestsOff == 12 && history.count(.hostOff) == 3)
        }
    }

    func expectNothingOpen(_ stage: Stage, clusters: Int = 1) async throws {
        struct Status: Decodable {
            struct Cluster: Decodable {
                var outage: String?
                var interrupted: Bool
            }
            var clusters: [Cluster]
        }
        #expect(try await stage.vpower("status-json", "status", "--format", "json") == 0)
        let status = try JSONDecoder().decode(
            Status.self, from: Data(stage.text("status-json.out").utf8))
        #expect(status.clusters.count == clusters)
        #expect(status.clusters.allSatisfy { $0.outage == nil && !$0.interrupted })
    }

    // MARK: A second outage

    @Test(.timeLimit(.minutes(6)))
    func `a second outage in the middle of the restore gives the first values back`()
        async throws
    {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let before = try await lab.state()
            #expect(try await stage.vpower("down-1", "shutdown", "--yes") == 0)
            try await lab.cyclePower()

            let length = try await lab.history().events.count
            let restore = try stage.start("up-1", "restore")
            try await eventually("DRS is back", within: Stage.runLimit) {
                try await lab.history().since(length).count(.drsChanged) > 0
            }
            restore.signal(SIGTERM)
            #expect(try await stage.end(of: "restore", restore, within: .seconds(60)) == 75)
            let between = try await lab.state()
            #expect(!between.automation.ha, "the restore was stopped before HA")
            #expect(between.automation.drsLevel == before.automation.drsLevel)

            #expect(try await stage.vpower("down-2", "shutdown", "--yes") == 0)
            let down = try await lab.state()
            #expect(down.hostsOn == [] && down.guestsOn == [])
            #expect(!down.automation.ha && down.automation.drsLevel == .manual)
            #expect(!down.automation.keepsVCLS)

            try await lab.cyclePower()
            #expect(try await stage.vpower("up-2", "restore") == 0)
            try await expectRestored(lab, to: before)
            let after = try await lab.state()
            #expect(
                try await lab.history().violations(restoredTo: after.automation) == [])
            try await expectNothingOpen(stage)
        }
    }

    // MARK: Yesterday's FSD

    @Test(.timeLimit(.minutes(5)))
    func `a boot with yesterday's FSD in the spool and FSD OL in upsd shuts nothing down`()
        async throws
    {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let nut = try await NUTChain(on: stage)
            try stage.pointFeed(at: nut)
            // Yesterday: a battery at its end, upsmon's FSD, and nobody behind the socket.
            let monitor = try await nut.startMonitor()
            try await nut.set("OB DISCHRG LB")
            try await eventually("upsmon ran SHUTDOWNCMD", within: Stage.startLimit) {
                access(stage.path("halted"), F_OK) == 0 && !monitor.isRunning
            }
            // It starts a vpower-notify for each, and waits for none.
            try await eventually("its events are spooled", within: Stage.startLimit) {
                let events = try spooled(stage).map { stage.text("spool/\($0)") }
                return ["ONBATT", "LOWBATT", "SHUTDOWN"].allSatisfy { type in
                    events.contains { $0.contains("type=\(type)\n") }
                }
            }
            try makeYesterdays(stage)
            // The mains are back; the latch in upsd is not.
            try await nut.set("OL CHRG")

            _ = try await stage.startDaemon()
            try await stage.daemonSays("UPS event of the past, not acted on", "type=SHUTDOWN")
            try await stage.daemonSays("FSD is set on line power; not obeyed", "FSD OL")
            // Three readings more, at its slowest pace.
            try await Task.sleep(for: .seconds(7))
            #expect(try spooled(stage) == [])
            #expect(!stage.text("daemon.err").contains("trigger"))
            #expect(try await lab.history().events == [], "nothing was asked, nothing changed")
            try await expectNothingOpen(stage)
        }
    }

    private func spooled(_ stage: Stage) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: stage.spool)
            .filter { $0.hasPrefix("event-") }.sorted()
    }

    /// Makes the spooled events those of an earlier boot, a day ago.
    private func makeYesterdays(_ stage: Stage) throws {
        for name in try spooled(stage) {
            let lines = stage.text("spool/\(name)").split(
                separator: "\n", omittingEmptySubsequences: false
            ).map { line in
                if line.hasPrefix("boot=") { return "boot=00000000-0000-4000-8000-000000000000" }
                guard line.hasPrefix("at="), let at = Int64(line.dropFirst(3)) else {
                    return String(line)
                }
                return "at=\(at - 86_400_000)"
            }
            try lines.joined(separator: "\n").write(
                toFile: stage.path("spool/\(name)"), atomically: false, encoding: .utf8)
        }
    }
}
