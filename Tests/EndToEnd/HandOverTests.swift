import Foundation
import Glibc
import PowerLab
import PowerModel
import Testing

/// What people tell the daemon, and what it does before the whole cluster must go.
extension EndToEnd {
    private func runsBegun(_ stage: Stage, _ kind: String) -> Int {
        stage.text("daemon.err").split(separator: "\n").count {
            $0.contains("run began") && $0.contains("kind=\(kind)")
        }
    }

    @Test(.timeLimit(.minutes(6)))
    func `an abort takes the daemon's run back on battery, and the outage is left alone`()
        async throws
    {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let nut = try await NUTChain(on: stage)
            try stage.pointFeed(at: nut, onBatteryFor: "600s")
            let before = try await lab.state()
            _ = try await stage.startDaemon()
            #expect(try await stage.vpower("early", "abort") == 1)
            #expect(stage.text("early.err").contains("nothing is running"))

            try await nut.set("OB DISCHRG LB")
            try await eventually("the first guests are off", within: Stage.runLimit) {
                try await lab.history().guestsOff >= 2
            }
            #expect(try await stage.vpower("abort", "abort", "--reason", "generator") == 0)
            #expect(stage.text("abort.out").contains("reversed"))
            try await stage.daemonSays("outage closed", within: Stage.runLimit)
            try await expectRestored(lab, to: before)
            #expect(try await lab.history().count(.hostTold) == 0)
            #expect(try await stage.vpower("status", "status") == 0)
            #expect(stage.text("status.out").contains("generator"))

            // Still on battery, which says so at every reading; and a new reason.
            try await nut.set("OB DISCHRG")
            try await nut.set("OB DISCHRG LB")
            try await Task.sleep(for: .seconds(3))
            #expect(runsBegun(stage, "cluster") == 1)
            try await nut.set("OL CHRG")
            try await stage.daemonSays("the abort is over")
            #expect(try await stage.vpower("later", "status") == 0)
            #expect(!stage.text("later.out").contains("generator"))
        }
    }

    @Test(.timeLimit(.minutes(6)))
    func `under a hold nothing is touched, and at its end the outage is acted on at once`()
        async throws
    {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let nut = try await NUTChain(on: stage)
            try stage.pointFeed(at: nut, onBatteryFor: "600s")
            _ = try await stage.startDaemon()
            let held = try await stage.vpower(
                "hold", "hold", "--until", "+12s", "--reason", "UPS test")
            #expect(held == 0)
            try await stage.daemonSays("HOLD", "UPS test")
            try await nut.set("OB DISCHRG LB")
            try await stage.daemonSays("HELD, not acted on")
            #expect(try await stage.vpower("status", "status") == 0)
            #expect(stage.text("status.out").contains("HOLD for the whole site until"))
            #expect(try await lab.history().events == [])
            #expect(runsBegun(stage, "cluster") == 0)

            try await stage.daemonSays("the hold is over")
            try await eventually("the first guests are asked", within: Stage.runLimit) {
                try await lab.history().count(.guestAsked) > 0
            }
            #expect(runsBegun(stage, "cluster") == 1)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `tiers are shed first, the cluster goes later, and all of it comes back`() async throws {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let nut = try await NUTChain(on: stage)
            try stage.pointFeed(at: nut, onBatteryFor: "600s")
            try stage.editSite { text in
                text = text.replacingOccurrences(
                    of: "      - name: apps\n",
                    with: "      - name: apps\n        shed:\n          onBatteryFor: 2s\n")
            }
            let before = try await lab.state()
            _ = try await stage.startDaemon()
            try await nut.waitForLogin(of: "vpower")
            try await nut.set("OB DISCHRG")
            try await stage.daemonSays("tiers apps are shed")
            try await stage.daemonSays("shutdown ended", "result=finished", within: Stage.runLimit)
            let shed = try await lab.state()
            #expect(
                Set(before.guestsOn).subtracting(shed.guestsOn).allSatisfy {
                    $0.hasPrefix("app-")
                })
            #expect(!shed.guestsOn.contains { $0.hasPrefix("app-") })
            #expect(shed.automation.ha && shed.hostsOn == before.hostsOn)

            try await lab.tell("mains off")
            try await nut.set("OB DISCHRG LB")
            try await eventually("every host is off", within: Stage.runLimit) {
                try await lab.state().hostsOn.isEmpty
            }
            #expect(runsBegun(stage, "shed") == 1 && runsBegun(stage, "cluster") == 1)
            try await lab.cutOutput()
            try await lab.tell("mains on")
            try await nut.restart("OL CHRG")
            try await stage.daemonSays("outage closed", within: Stage.runLimit)
            // Those that were shed too: an outage has one snapshot.
            try await expectRestored(lab, to: before)
        }
    }
}
