import PowerLab
import PowerModel
import PowerRun
import Testing

/// vpower killed after every record of every one of these afternoons: always the same end.
struct CrashScenarios {
    struct Scenario: Sendable, CustomTestStringConvertible {
        let name: String
        var maintenanceMode = false
        var escalation = Escalation.powerOff
        var change: @Sendable (inout LabScenario) -> Void = { _ in }

        var testDescription: String { name }

        /// The afternoon, with vpower killed after so many records.
        func afternoon(killedAfter count: Int?) -> Afternoon {
            var site = LabScenario.standard()
            site.faults = [PlannedFault(.mainsReturnEarly, at: .seconds(45))]
            change(&site)
            let lives = count.map {
                [LabDraw.Life(end: .afterRecord($0), losesPowerAt: nil, pause: .seconds(3))]
            }
            return Afternoon(
                draw: LabDraw(
                    site, healsAt: .seconds(80), lives: lives ?? [],
                    maintenanceMode: maintenanceMode, escalation: escalation))
        }
    }

    @Test(arguments: Scenario.all)
    func `vpower killed after any record comes to the same end`(
        _ scenario: Scenario
    ) async throws {
        let whole = try scenario.afternoon(killedAfter: nil).live()
        #expect(whole.violations == [])
        #expect(whole.isClosed)
        #expect(whole.records.count > 10)
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Some at the same time: each is a world of its own.
            for first in 1...Environment.cores {
                group.addTask {
                    for count in stride(
                        from: first, through: whole.records.count, by: Environment.cores)
                    {
                        let end = try scenario.afternoon(killedAfter: count).live()
                        #expect(end.violations == [], "killed after record \(count)")
                        #expect(end.isClosed, "killed after record \(count)")
                        #expect(end.final == whole.final, "killed after record \(count)")
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `there are at least twenty`() {
        #expect(Set(Scenario.all.map(\.name)).count >= 20)
    }
}

extension CrashScenarios.Scenario {
    private static func with(
        _ name: String, _ faults: PlannedFault...
    ) -> Self {
        Self(name: name) { $0.faults += faults }
    }

    private static func vsan(
        _ name: String, _ release: [Int],
        change: @escaping @Sendable (inout LabScenario) -> Void = { _ in }
    ) -> Self {
        Self(name: name) { site in
            site.hasVSAN = true
            site.apiVersion = VersionNumber(release)
            change(&site)
        }
    }

    /// vpower in a guest of the site, and a UPS that waits for its host.
    private static func inside(
        _ name: String, change: @escaping @Sendable (inout LabScenario) -> Void = { _ in }
    ) -> Self {
        Self(name: name) { site in
            for index in site.guests.indices where site.guests[index].name == "db-replica" {
                site.guests[index].isController = true
            }
            site.pace.outputCuts = .seconds(60)
            change(&site)
        }
    }

    /// The same with storage that goes after vpower's own host, and a UPS that waits for it too.
    private static func insideWithStorage(
        _ name: String, delay: Duration = .seconds(85), canBeCalledOff: Bool = false,
        change: @escaping @Sendable (inout LabScenario) -> Void = { _ in }
    ) -> Self {
        inside(name) { site in
            site.machines = [
                LabMachineSpec(
                    name: MachineName("nas"), delay: delay, canBeCalledOff: canBeCalledOff),
                LabMachineSpec(name: MachineName("tape")),
            ]
            site.pace.outputCuts = .seconds(100)
            change(&site)
        }
    }

    /// Hosts with Secure Boot, or with an autostart of their own.
    private static func boot(
        _ name: String, secure: Bool, api: Bool,
        change: @escaping @Sendable (inout LabScenario) -> Void = { _ in }
    ) -> Self {
        Self(name: name) { site in
            for index in site.hosts.indices {
                site.hosts[index].secureBoot = secure
                site.hosts[index].hasAPI = api
                guard api else { continue }
                let host = site.hosts[index].name
                let first = site.guests.first { $0.host == host && $0.nature == .ordinary }
                site.hosts[index].autostart.defaults.enabled = true
                site.hosts[index].autostart.guests =
                    first.map {
                        [
                            HostAutostart.Entry(
                                vmxPath: $0.vmxPath, startOrder: 1, startDelaySeconds: 2,
                                waitForHeartbeat: "yes", startAction: "powerOn",
                                stopDelaySeconds: -1, stopAction: "guestShutdown")
                        ]
                    } ?? []
            }
            change(&site)
        }
    }

    /// Hosts whose SSH is stopped but for a run.
    private static func ssh(
        _ name: String, runs: Bool = false, startsAtBoot: Bool = false,
        change: @escaping @Sendable (inout LabScenario) -> Void = { _ in }
    ) -> Self {
        Self(name: name) { site in
            for index in site.hosts.indices {
                site.hosts[index].hasAPI = true
                site.hosts[index].opensSSH = true
                site.hosts[index].sshRuns = runs
                site.hosts[index].sshStartsAtBoot = startsAtBoot
            }
            change(&site)
        }
    }

    private static let esx1 = "esx1.lab"
    private static let queue = "50000000-0000-4000-8000-000000000005"

    static let all: [Self] = [
        Self(name: "plain"),
        Self(name: "reversed") { $0.faults[0].at = .seconds(20) },
        with("second outage", PlannedFault(.secondOutage, at: .seconds(58))),
        Self(name: "suspend policy", escalation: .suspend),
        Self(name: "leave policy", escalation: .leave),
        Self(name: "maintenance mode", maintenanceMode: true),
        Self(name: "late vCSA") { $0.pace.vcenterUp = .seconds(25) },
        Self(name: "slow guests") { $0.pace.guestStops = .seconds(6) },
        Self(name: "HA was off") { $0.automation.ha = false },
        Self(name: "DRS was manual") { $0.automation.drsLevel = .manual },
        Self(name: "DPM was on") { $0.automation.dpm = true },
        Self(name: "two feeds") { $0.secondFeed = FeedName("ups2") },
        with("no vCenter", PlannedFault(.vcenterDeadBefore, at: .seconds(5))),
        Self(name: "no vCenter, reversed") { site in
            site.faults[0].at = .seconds(35)
            site.faults.append(PlannedFault(.vcenterDeadBefore, at: .seconds(5)))
        },
        with("vCenter dies", PlannedFault(.vcenterDiesEarly, at: .seconds(20))),
        with("a guest ignores", PlannedFault(.guestIgnores, queue)),
        with("a guest has no Tools", PlannedFault(.guestWithoutTools, queue)),
        with("a guest has a question", PlannedFault(.guestHasQuestion, queue)),
        with("a host stops late", PlannedFault(.hostStopsLate, esx1, amount: .seconds(8))),
        with("a host never stops", PlannedFault(.hostNeverStops, esx1)),
        with("a host stays off", PlannedFault(.hostStaysOff, esx1)),
        with("datastores are late", PlannedFault(.datastoreLate, esx1, amount: .seconds(8))),
        with("the HA task fails", PlannedFault(.haTaskFails, lasts: .seconds(30))),
        with("an HA agent sticks", PlannedFault(.haAgentSticks, esx1, lasts: .seconds(60))),
        with("a link is cut", PlannedFault(.linkCut, esx1, at: .seconds(15), lasts: .seconds(20))),
        inside("vpower inside"),
        inside("vpower inside, reversed") { $0.faults[0].at = .seconds(20) },
        inside("vpower inside, no vCenter") { site in
            site.faults.append(PlannedFault(.vcenterDeadBefore, at: .seconds(5)))
        },
        inside("vpower inside, mains away long") { $0.faults[0].at = .seconds(75) },
        Self(name: "storage that waits") {
            $0.machines = [LabMachineSpec(name: MachineName("nas"), delay: .seconds(15))]
        },
        insideWithStorage("vpower inside, with storage"),
        insideWithStorage("vpower inside, with storage, reversed") {
            $0.faults[0].at = .seconds(20)
        },
        insideWithStorage("vpower inside, on one host, with storage", canBeCalledOff: true) {
            site in
            // Nothing is irrevocable before the storage is told, and the mains return just then.
            site.faults[0].at = .seconds(29)
            site.hosts.removeAll { $0.name != HostName("esx3.lab") }
            for index in site.guests.indices { site.guests[index].host = HostName("esx3.lab") }
        },
        vsan("vSAN by vCenter", [8, 0, 3, 0]),
        vsan("vSAN by hand", [7, 0, 2, 0]),
        vsan("vSAN, vCenter gone before", [8, 0, 3, 0]) { site in
            site.faults[0].at = .seconds(60)
            site.faults.append(PlannedFault(.vcenterDeadBefore, at: .seconds(5)))
        },
        vsan("vSAN, vCenter dies", [8, 0, 3, 0]) { site in
            site.faults.append(PlannedFault(.vcenterDiesEarly, at: .seconds(22)))
        },
        vsan("vSAN, reversed", [7, 0, 2, 0]) { $0.faults[0].at = .seconds(22) },
        boot("Secure Boot, by autostart", secure: true, api: true),
        boot("Secure Boot, vCenter says nothing", secure: true, api: true) {
            $0.showsBootState = false
        },
        boot("Secure Boot, by autostart, reversed", secure: true, api: true) {
            $0.faults[0].at = .seconds(25)
        },
        boot("Secure Boot, by vpower alone", secure: true, api: false),
        boot("autostart of its own beside scripts", secure: false, api: true),
        ssh("SSH stopped but for a run"),
        ssh("SSH stopped but for a run, reversed") { $0.faults[0].at = .seconds(20) },
        ssh("SSH stopped but for a run, a host never stops") { site in
            site.faults.append(PlannedFault(.hostNeverStops, esx1))
        },
        ssh("SSH stopped but for a run, no vCenter") { site in
            site.faults.append(PlannedFault(.vcenterDeadBefore, at: .seconds(5)))
        },
        ssh("SSH stopped but for a run, vSAN by hand") { site in
            site.hasVSAN = true
            site.apiVersion = VersionNumber([7, 0, 2, 0])
        },
        ssh("SSH started by hand before", runs: true),
        ssh("SSH stopped by hand before", startsAtBoot: true),
        with("a key is wrong", PlannedFault(.hostKeyWrong, esx1, lasts: .seconds(90))),
    ]
}
