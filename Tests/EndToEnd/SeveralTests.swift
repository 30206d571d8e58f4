import Foundation
import Glibc
import PowerLab
import PowerModel
import Testing

/// Sites with more than one cluster or more than one UPS, and people in a hurry.
extension EndToEnd {
    // MARK: Two clusters

    @Test(.timeLimit(.minutes(5)))
    func `clusters go down side by side, the one that is needed last, and both come back`()
        async throws
    {
        try await Stage.run { stage in
            let labs = try await stage.startLabs([ClusterName("Lab"), ClusterName("Mgmt")])
            let (lab, mgmt) = (labs[0], labs[1])
            try stage.joinSite(of: mgmt, neededBy: lab)
            try stage.hurry()
            let before = (lab: try await lab.state(), mgmt: try await mgmt.state())

            let run = try stage.start("shutdown", "shutdown", "--all", "--yes")
            try await expectNeededWaits(mgmt, for: lab)
            #expect(try await stage.end(of: "shutdown", run) == 0)
            for one in [lab, mgmt] {
                let down = try await one.state()
                #expect(down.hostsOn == [] && down.guestsOn == [])
                #expect(try await one.history().violations() == [])
            }
            try await expectSideBySide(stage)

            var ups: [Child] = []
            for one in [mgmt, lab] {
                try await one.cyclePower()
                ups.append(
                    try stage.start("up-\(one.folder)", "restore", "--cluster", one.cluster))
            }
            for up in ups { #expect(try await stage.end(of: "restore", up) == 0) }
            try await expectRestored(lab, to: before.lab)
            try await expectRestored(mgmt, to: before.mgmt)
            for one in [lab, mgmt] {
                let automation = try await one.state().automation
                #expect(try await one.history().violations(restoredTo: automation) == [])
            }
            try await expectNothingOpen(stage, clusters: 2)
        }
    }

    /// Waits until every host of the needed cluster is off; its vCSA stays until the other cluster
    /// is down.
    private func expectNeededWaits(_ needed: Lab, for other: Lab) async throws {
        try await eventually("the needed cluster is down", within: Stage.runLimit) {
            // Looked at first: the needed one may go on right after the other's end.
            let history = try await needed.history()
            let vcsa = history.guest("vcsa01")
            let isAsked = !history.places(of: .guestAsked) { $0.object == vcsa }.isEmpty
            let othersOn = try await other.state().hostsOn
            if isAsked, !othersOn.isEmpty {
                throw SetupError(description: "vCSA was shut down with \(othersOn) on")
            }
            return try await needed.state().hostsOn.isEmpty
        }
    }

    /// In the journal: both runs at the same time, and vCSA of the needed cluster after the other's
    /// run.
    private func expectSideBySide(_ stage: Stage) async throws {
        struct Run: Decodable {
            var run: String
            var cluster: String
            var kind: String
            var began: String
            var ended: String?
        }
        struct Report: Decodable {
            struct Phase: Decodable {
                var name: String
                var began: String?
            }
            var phases: [Phase]
        }
        let decoder = JSONDecoder()
        #expect(try await stage.vpower("runs", "history", "--format", "json") == 0)
        let runs = try decoder.decode([Run].self, from: Data(stage.text("runs.out").utf8))
        #expect(runs.map(\.kind) == ["cluster", "cluster"])
        let lab = try #require(runs.first { $0.cluster == "Lab" })
        let mgmt = try #require(runs.first { $0.cluster == "Mgmt" })
        #expect(try await stage.vpower("report", "history", mgmt.run, "--format", "json") == 0)
        let report = try decoder.decode(Report.self, from: Data(stage.text("report.out").utf8))
        func began(_ name: String) -> String? { report.phases.first { $0.name == name }?.began }
        let over = try #require(lab.ended)
        #expect(try #require(began("freeze")) < over, "not one after the other")
        #expect(try #require(began("vcsa")) >= over)
    }

    // MARK: Two feeds

    @Test(.timeLimit(.minutes(6)))
    func `only the host of a failing feed goes down, with HA on, and comes back with its feed`()
        async throws
    {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let nut = try await NUTChain(on: stage)
            let other = try await NUTChain(on: stage, folder: "nut2")
            try stage.pointFeed(at: nut, onBatteryFor: "600s")
            // The last host; vCSA is on esx2.
            try stage.move("esx3.lab", to: other)
            let before = try await lab.state()
            _ = try await stage.startDaemon()
            for chain in [nut, other] { try await chain.waitForLogin(of: "vpower") }
            let monitor = try await other.startMonitor()

            try await other.set("OB DISCHRG LB")
            try await stage.daemonSays("run began", "kind=hosts")
            try await eventually("the host is off", within: Stage.runLimit) {
                // Looked at first: upsmon may go on right after the host is off.
                let isHalted = access(stage.path("halted"), F_OK) == 0
                let isOn = try await lab.state().hostsOn.contains("esx3.lab")
                if isHalted, isOn { throw SetupError(description: "the primary did not wait") }
                return !isOn
            }
            try await stage.daemonSays("shutdown ended", "result=finished", within: Stage.runLimit)
            try await expectOnlyDown("esx3.lab", lab, before)
            // Its NUT primary has waited for it, and waits for nothing else.
            try await eventually("upsmon runs SHUTDOWNCMD", within: Stage.startLimit) {
                access(stage.path("halted"), F_OK) == 0 && !monitor.isRunning
            }

            // As the primary's own boot and the host's BIOS do it when the output comes back.
            try await lab.tell("wake esx3.lab")
            try await other.restart("OL CHRG")
            try await stage.daemonSays("outage closed", within: Stage.runLimit)
            try await other.waitForLogin(of: "vpower", times: 2)
            try await expectRestored(lab, to: before)
            let history = try await lab.history()
            #expect(history.count(.hostTold) == 1 && history.count(.hostUp) == 1)
            #expect(history.count(.haOff) == 0 && history.count(.drsChanged) == 0)
            let armed = history.places(of: .armed) + history.places(of: .disarmed)
            #expect(Set(armed.map { history.events[$0].object }) == ["esx3.lab"])
            let started = history.places(of: .guestOn).map { history.events[$0] }
            #expect(started.count == 3 && started.allSatisfy { $0.detail == "esx3.lab" })
            #expect(!stage.text("daemon.err").contains("kind=cluster"))
            try await expectNothingOpen(stage)
        }
    }

    /// In the lab's own log: what is on this host was shut down, then the host, and nothing else;
    /// the automation is as it was.
    private func expectOnlyDown(_ host: String, _ lab: Lab, _ before: Lab.State) async throws {
        let history = try await lab.history()
        let here = history.scenario.guests.filter {
            $0.host.rawValue == host && $0.nature == .ordinary
        }
        let ids = Set(here.map(\.id.rawValue))
        let told = history.places(of: .hostTold)
        #expect(told.map { history.events[$0].object } == [host])
        let asked = history.places(of: .guestAsked)
        let off = history.places(of: .guestOff)
        #expect(Set(asked.map { history.events[$0].object }).isSubset(of: ids))
        #expect(Set(off.map { history.events[$0].object }) == ids)
        #expect(try #require(off.last) < #require(told.first), "guests before their host")
        let down = try await lab.state()
        #expect(down.hostsOn == before.hostsOn.filter { $0 != host })
        let names = Set(here.map(\.name))
        func ordinary(_ guests: [String]) -> [String] { guests.filter { !$0.hasPrefix("vCLS") } }
        #expect(ordinary(down.guestsOn) == ordinary(before.guestsOn).filter { !names.contains($0) })
        // A vCLS guest went with the host; what vCenter says of their health is its own.
        var automation = down.automation
        automation.vclsHealth = before.automation.vclsHealth
        #expect(automation == before.automation)
        #expect(down.vcenter == before.vcenter)
    }

    // MARK: A daemon that is to end at once

    @Test(.timeLimit(.minutes(6)))
    func `the second SIGTERM ends the daemon in the middle of a run, and its next start goes on`()
        async throws
    {
        try await Stage.run { stage in
            let lab = try await stage.startLab()
            let nut = try await NUTChain(on: stage)
            try stage.pointFeed(at: nut, onBatteryFor: "600s")
            try stage.hurry()
            let daemon = try await stage.startDaemon()
            try await nut.waitForLogin(of: "vpower")
            try await nut.set("OB DISCHRG LB")
            let noisy = LabScenario.standard().guests.first { $0.name == "mid-noisy" }?.id.rawValue
            try await eventually("a guest that ignores its request has it", within: Stage.runLimit)
            {
                try await !lab.history().places(of: .guestAsked) { $0.object == noisy }.isEmpty
            }
            // Nothing answers any more: the request at that guest's limit waits for its answer.
            lab.hang(true)
            try await Task.sleep(for: .seconds(4))
            daemon.signal(SIGTERM)
            try await stage.daemonSays("stopping after the present step")
            try await Task.sleep(for: .seconds(3))
            #expect(daemon.isRunning, "the first signal waits for the present step")
            daemon.signal(SIGTERM)
            // Shorter than a logout that nobody answers.
            #expect(try await stage.end(of: "the daemon", daemon, within: .seconds(3)) == 0)
            #expect(stage.text("daemon.err").contains("nothing is waited for any more"))
            try await stage.daemonSays("shutdown ended", "result=interrupted")
            lab.hang(false)
            let middle = try await lab.history()
            #expect(middle.count(.hostTold) == 0 && (4...11).contains(middle.guestsOff))
            #expect(try await stage.vpower("status", "status") == 0)
            #expect(stage.text("status.out").contains("was interrupted"))

            _ = try await stage.startDaemon()
            try await stage.daemonSays("shutdown ended", "result=finished", within: Stage.runLimit)
            let down = try await lab.state()
            #expect(down.hostsOn == [] && down.guestsOn == [])
            let history = try await lab.history()
            #expect(history.violations() == [])
            #expect(history.guestsOff == 12 && history.count(.hostOff) == 3)
            let began = stage.text("daemon.err").split(separator: "\n").count {
                $0.contains("run began")
            }
            #expect(began == 1, "it goes on with the same run")
        }
    }
}

extension Stage {
    /// The sections of a lab's site file.
    private func sections(of folder: String) throws -> (feeds: String, clusters: String) {
        let parts = text("\(folder)/site.yaml").components(separatedBy: "\nclusters:\n")
        let feeds = parts[0].components(separatedBy: "\nfeeds:\n")
        guard parts.count == 2, feeds.count == 2 else {
            throw SetupError(description: "no sections in \(text("\(folder)/site.yaml"))")
        }
        return (feeds[1], parts[1])
    }

    /// Adds the site file of another lab to the one that every command reads.
    fileprivate func joinSite(of lab: Lab, neededBy other: Lab) throws {
        let (feeds, clusters) = try sections(of: lab.folder)
        let name = "ups-\(lab.folder)"
        try editSite { site in
            site = site.replacing(
                "\nclusters:\n",
                with: "\n\(feeds.replacing("name: ups1\n", with: "name: \(name)\n"))\nclusters:\n"
            ).replacing(
                "  - name: \(other.cluster)\n",
                with: "  - name: \(other.cluster)\n    needs: [\(lab.cluster)]\n")
            site += clusters.replacing("feeds: [ups1]", with: "feeds: [\(name)]")
        }
    }

    /// Lets a host hang on a second feed, which is read from this upsd, and on no other.
    fileprivate func move(_ host: String, to nut: NUTChain) throws {
        let feeds = try sections(of: "lab").feeds.replacing("name: ups1\n", with: "name: ups2\n")
            .replacing(/server: .*/, with: "server: 127.0.0.1:\(nut.port)")
        try editSite { site in
            site = site.replacing("\nclusters:\n", with: "\n\(feeds)\nclusters:\n")
            let parts = site.components(separatedBy: "- name: \(host)\n")
            site = parts[0] + "- name: \(host)\n"
            site += parts[1].replacing("feeds: [ups1]", with: "feeds: [ups2]", maxReplacements: 1)
        }
    }

    /// Leaves out the pauses between starts, and waits less for the guest that ignores its request.
    fileprivate func hurry() throws {
        try editSite { site in
            site = site.replacing("startGap: 1s", with: "startGap: 0s")
                .replacing("limit: 4s", with: "limit: 2s")
        }
    }
}

extension Lab {
    fileprivate var cluster: String { scenario.cluster.rawValue }
}
