import PowerLab
import PowerModel
import PowerRun
import Testing

/// Guests that are on when their host is to stop, though their tier is over.
struct LateGuestTests {
    private static let host = HostName("esx1.lab")

    @Test(arguments: [4, 7, 11])
    func `boot scripts that are at work when the cluster goes down again start nothing more`(
        seconds: Int
    ) throws {
        var scenario = LabScenario.standard()
        scenario.infrastructure = ["db-backup"]
        // The scripts are at work for longer than the tiers take.
        scenario.limits.startGap = .seconds(5)
        let site = MemorySite(scenario)
        let (down, log, answering, up, violations) = try simulate(site) {
            site.world.failMains()
            _ = try await site.goDown(site.operation())
            try await site.cycle()
            try await site.time.sleep(for: .seconds(seconds))
            site.world.failMains()
            let before = site.world.log.count
            let down = try await site.goDown(site.operation())
            let log = Array(site.world.log.dropFirst(before))
            let answering = site.hosts.map(\.host).filter(site.world.answers)
            try await site.cycle()
            let up = try await site.comeBack(site.operation())
            return (down, log, answering, up, await site.violations())
        }
        #expect(down == .finished)
        // They are called off by being armed anew, each on its host.
        let armed = try #require(log.lastIndex { $0.kind == .armed && $0.detail != "" })
        let late = log[armed...].filter { $0.kind == .guestOn && $0.detail == "boot script" }
        #expect(late == [])
        #expect(!log.contains { $0.kind == .bootScriptDone }, "the scripts were not at work")
        #expect(answering == [])
        #expect(up == .finished)
        #expect(violations == [])
    }

    /// A person starts guests of esx1 when the hosts' phase begins.
    private func lateOn(
        _ names: [String], _ onLimit: Escalation = .powerOff, limit: Duration? = nil,
        scenario change: (inout LabScenario) -> Void = { _ in }
    ) throws -> (result: RunResult, run: RunLedger, log: [String]) {
        var scenario = LabScenario.standard()
        for index in scenario.guests.indices where names.contains(scenario.guests[index].name) {
            scenario.guests[index].host = Self.host
        }
        change(&scenario)
        let site = MemorySite(scenario)
        let world = site.world
        let late = names.compactMap { name in scenario.guests.first { $0.name == name } }
        return try simulate(site) {
            let somebody = Upon { record in
                guard record.event == .phaseStarted(.hosts) else { return }
                for guest in late {
                    do { try world.powerOnGuest(guest.id, on: Self.host, by: "a person") } catch {
                        Issue.record(error)
                    }
                }
            }
            let operation = site.operation(
                announcer: somebody,
                site: { site in
                    for index in site.tiers.indices {
                        site.tiers[index].onLimit = onLimit
                        site.tiers[index].limit = limit ?? site.tiers[index].limit
                    }
                })
            let result = try await site.goDown(operation)
            let run = try #require(try await operation.ledger().lastRun)
            let names = Dictionary(
                uniqueKeysWithValues: world.scenario.guests.map { ($0.id.rawValue, $0.name) })
            let log = world.log.drop { $0.detail != "a person" }.map { event in
                let object = names[event.object] ?? event.object
                return "\(event.kind.rawValue) \(object) \(event.detail)"
            }
            return (result, run, log)
        }
    }

    @Test func `late guests go down tier by tier, then vCSA, then infrastructure`() throws {
        let names = ["app-web01", "mid-queue01", "db-backup", "vcsa01", "db-main"]
        let (result, _, log) = try lateOn(names) { $0.infrastructure = ["db-main"] }
        #expect(result == .finished)
        let off = log.filter { $0.hasPrefix("guestOff") || $0.hasPrefix("hostTold \(Self.host)") }
        #expect(off == names.map { "guestOff \($0) clean" } + ["hostTold \(Self.host) "])
    }

    @Test(arguments: [Escalation.powerOff, .suspend, .leave])
    func `a late guest that does not obey goes as its policy says`(_ onLimit: Escalation) throws {
        let (result, run, log) = try lateOn(["app-web01"], onLimit) { scenario in
            scenario.guests[0].isOn = false
            scenario.guests[0].ignoresShutdown = true
        }
        #expect(result == .finished)
        let end =
            switch onLimit {
            case .powerOff: "guestOff app-web01 forced"
            case .suspend: "guestSuspended app-web01 "
            case .leave: "guestLost app-web01 with esx1.lab"
            }
        #expect(log.contains(end))
        #expect(log.contains("guestAsked app-web01 esx1.lab"))
        let id = try #require(LabScenario.standard().guests.first).id
        switch (onLimit, run.outcome(of: .stop(id))) {
        case (.powerOff, .done(.forced)), (.suspend, .done(.suspended)), (.leave, .left): break
        case (_, let other): Issue.record("\(String(describing: other))")
        }
    }

    @Test func `late guests leave a host half of its time, however long their tiers may take`()
        throws
    {
        let names = ["app-web01", "mid-queue01"]
        let (result, _, log) = try lateOn(names, limit: .seconds(60)) { scenario in
            for index in scenario.guests.indices where names.contains(scenario.guests[index].name) {
                scenario.guests[index].isOn = false
                scenario.guests[index].ignoresShutdown = true
            }
        }
        #expect(result == .finished)
        // There is no time left to ask the second one.
        let acts = log.filter { $0.contains("guestAsked") || $0.contains("guestOff") }
        #expect(
            acts == [
                "guestAsked app-web01 esx1.lab", "guestOff app-web01 forced",
                "guestOff mid-queue01 forced",
            ])
        #expect(log.contains("hostOff esx1.lab "))
    }

    @Test func `a late guest without Tools is not asked, one whose Tools are late is`() throws {
        let (result, _, log) = try lateOn(["app-web01", "mid-notools"]) { scenario in
            scenario.pace.toolsUp = .seconds(3)
        }
        #expect(result == .finished)
        #expect(log.contains("guestOff app-web01 clean"))
        #expect(log.contains("guestOff mid-notools forced"))
    }

    @Test func `a late infrastructure guest is never powered off`() throws {
        let (result, run, log) = try lateOn(["db-main"]) { scenario in
            scenario.infrastructure = ["db-main"]
            for index in scenario.guests.indices where scenario.guests[index].name == "db-main" {
                scenario.guests[index].hasTools = false
                scenario.guests[index].isOn = false
            }
        }
        #expect(result == .finishedWithGaps)
        #expect(run.gaps.map(\.why) == ["guests are still on: db-main"])
        #expect(!log.contains { $0.hasPrefix("guestOff db-main") })
    }

    @Test func `a restore waits for a late guest that may still obey`() throws {
        var scenario = LabScenario.standard()
        scenario.guests[0].isOn = false
        scenario.guests[0].stopsIn = .seconds(7)
        let (id, host) = (scenario.guests[0].id, scenario.guests[0].host)
        let site = MemorySite(scenario)
        let (down, waited) = try simulate(site) {
            let control = RunControl()
            let somebody = Upon { record in
                switch record.event {
                case .phaseStarted(.hosts):
                    do { try site.world.powerOnGuest(id, on: host, by: "a person") } catch {
                        Issue.record(error)
                    }
                // The other hosts wait too: nothing irrevocable has happened.
                case .asked(.stop(id), _): control.ask(.reverse)
                default: break
                }
            }
            var around = site.around(announcer: somebody)
            for other in ["esx2.lab", "esx3.lab"] {
                around.bend(other) { $0 == .guests ? .notReady : nil }
            }
            let operation = Operation(in: around, control: control, makeID: Counter.shared.next)
            let down = try await site.goDown(operation)
            return (down, try await operation.ledger().guestsThatMayStillStop)
        }
        #expect(down == .reversed)
        // vCSA too: no host tells of it, so it was told to power itself off.
        let vcsa = try #require(scenario.guests.first { $0.isVCSA }?.id)
        #expect(Set(waited) == [id, vcsa])
    }
}
