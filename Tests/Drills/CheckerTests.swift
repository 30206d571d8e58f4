import PowerLab
import PowerModel
import PowerRun
import Testing

/// Every rule of the checker catches an engine that breaks it.
struct CheckerTests {
    /// An engine that is broken in one way.
    struct Broken: Sendable, CustomTestStringConvertible {
        let rule: String
        let how: String
        var mainsFail = true
        /// Whether the output is cut when the run is over, or the mains return before.
        var cutsOutput = true
        var down: @Sendable (inout Plan) -> Void = { _ in }
        var up: @Sendable (inout Plan) -> Void = { _ in }
        var wrap: @Sendable (Surroundings, MemorySite) -> Surroundings = { around, _ in around }
        /// Whether the outage is closed also when some steps gave up.
        var closes = true
        var afterwards: @Sendable (MemorySite) async throws -> Void = { _ in }
        var prepare: @Sendable (inout LabScenario) -> Void = { _ in }

        var testDescription: String { "\(rule) <- \(how)" }
    }

    @Test(arguments: Broken.all)
    func `a broken engine is caught`(_ broken: Broken) throws {
        let checker = try outage(broken)
        let rule = try #require(checker.rules.first { $0.name == broken.rule })
        #expect(rule.tally.violations != [], "\(broken.how)")
    }

    @Test func `an engine that is not broken breaks no rule`() throws {
        #expect(try outage(Broken(rule: "", how: "")).violations == [])
    }

    /// - Parameters:
    ///   - freezes: whether the plan stops HA.
    ///   - seconds: how long the call takes from then on.
    @Test(arguments: [
        ("a person", true, 0, true), ("a person", true, 3, true), ("a person", true, 5, false),
        ("boot script", true, 0, true), ("vcenter", true, 0, false),
        ("HA", true, 0, false), ("HA", false, 0, true),
    ])
    func `only whom somebody else starts under the call that stops a host is nobody's fault`(
        starter: String, freezes: Bool, seconds: Int, isExcused: Bool
    ) throws {
        var broken = Broken.startingVCSA(by: starter, within: .seconds(seconds))
        if !freezes { broken.down = { $0.phases.removeAll { $0.name == .freeze } } }
        let checker = try outage(broken)
        let rule = try #require(checker.rules.first { $0.name.hasPrefix("1:") })
        #expect(rule.tally.violations.isEmpty == isExcused)
    }

    @Test(arguments: [(true, true), (false, true), (true, false)])
    func `only what a power cut takes when no outage is open is nobody's to bring back`(
        isClosed: Bool, isCut: Bool
    ) throws {
        let checker = try outage(.goingOffAfterwards(isClosed: isClosed, isCut: isCut))
        let rule = try #require(checker.rules.first { $0.name.hasPrefix("5:") })
        #expect(rule.tally.violations.isEmpty == (isClosed && isCut))
    }

    @Test func `every rule is caught in being broken`() {
        let rules = LabChecker(of: .standard(), hasRecords: true).rules.map(\.name)
        #expect(Set(Broken.all.map(\.rule)) == Set(rules))
    }

    private func outage(_ broken: Broken) throws -> LabChecker {
        var scenario = LabScenario.standard()
        broken.prepare(&scenario)
        let site = MemorySite(scenario)
        let checker = try SerialExecutor.simulate(time: site.time, limit: MemorySite.limit) {
            () async -> Result<LabChecker, any Error> in
            do { return .success(try await Self.live(site, broken)) } catch {
                return .failure(error)
            }
        }
        return try #require(checker).get()
    }

    private static func live(_ site: MemorySite, _ broken: Broken) async throws -> LabChecker {
        if broken.mainsFail { site.world.failMains() }
        func operation(_ name: String) -> Operation {
            Operation(
                in: broken.wrap(site.around(announcer: Nobody()), site),
                machines: site.world.scenario.memoryMachines, control: RunControl(),
                makeID: { name })
        }
        var down = try await operation("down").prepareShutdown()
        broken.down(&down.plan)
        _ = await operation("down").shutDown(down, because: RunCause(.outage, "test"))
        if broken.cutsOutput { site.world.cutOutput() }
        try await site.time.sleep(for: .seconds(15))
        site.world.returnMains()
        try await site.time.sleep(for: .seconds(2))
        var up = try await operation("up").prepareRestore()
        broken.up(&up.plan)
        _ = await operation("up").restore(
            up, because: RunCause(.outage, "test"), acceptGaps: broken.closes)
        try await broken.afterwards(site)
        var checker = LabChecker(of: site.world.scenario, hasRecords: true)
        checker.take(site.world.log, site.world.records)
        checker.end(site.world.currentAutomation())
        return checker
    }
}

extension CheckerTests.Broken {
    private static let nas = MachineName("nas")

    /// The same, which does not wait until a machine is down that goes so long after it was told.
    private func telling(after delay: Duration) -> Self {
        var broken = self
        broken.down = { plan in
            for index in plan.phases.indices where plan.phases[index].name == .machines {
                plan.phases[index].steps = [
                    Step(
                        .tellMachine(Self.nas, delay: delay, goneWithin: delay),
                        limit: .seconds(10))
                ]
            }
        }
        return broken
    }

    private static func doubled(
        _ around: Surroundings, _ change: (inout HostDouble) -> Void
    ) -> Surroundings {
        var around = around
        around.hosts = around.hosts.mapValues { host in
            var double = HostDouble(inner: host)
            change(&double)
            return double
        }
        return around
    }

    /// The phases before the first guest goes.
    private static let headPhases: [PhaseName] = [.freeze, .haAgents]

    /// With a journal that is not what it says.
    private static func untrue(
        _ around: Surroundings, _ fault: UntrueJournal.Fault
    ) -> Surroundings {
        var around = around
        around.journal = UntrueJournal(around.journal, fault)
        return around
    }

    /// HA cannot be switched off for as long as it is tried.
    private static func failingToFreeze(_ around: Surroundings) -> Surroundings {
        var around = around
        around.cluster = ClusterDouble(inner: around.cluster, refusesHAOff: true)
        return around
    }

    private static func failingToArm(_ around: Surroundings, _ detail: String) -> Surroundings {
        doubled(around) { double in
            double.armError = HostError(
                host: double.host, attempting: "arm", reason: .refused, detail: detail)
        }
    }

    /// Somebody starts vCSA when vpower has looked and the call to its host is under way, so long
    /// before the host is told.
    static func startingVCSA(by starter: String, within call: Duration) -> Self {
        Self(
            rule: "", how: "vCSA is started by \(starter)",
            wrap: { around, site in
                let vcsa = site.world.scenario.guests.first(where: \.isVCSA)
                return doubled(around) { double in
                    guard let vcsa, double.host == vcsa.host else { return }
                    double.beforeStop = {
                        // Refused, it would be as if nobody had tried: one of the cases fails.
                        try? site.world.powerOnGuest(vcsa.id, on: vcsa.host, by: starter)
                        // Cancelled, the call ends at once.
                        try? await site.time.sleep(for: call)
                    }
                }
            })
    }

    /// Everything is back, but for what one step gave up; then the power is cut, or a person cuts
    /// the power of every guest.
    static func goingOffAfterwards(isClosed: Bool, isCut: Bool) -> Self {
        Self(
            rule: "", how: "everything goes off when vpower is gone",
            up: { plan in
                let limit = Duration.seconds(1)
                let stranger = Step(
                    .awaitHost(HostName("nowhere"), leaveMaintenance: false), limit: limit)
                plan.phases[0].steps.append(stranger)
            }, closes: isClosed,
            afterwards: { site in
                let world = site.world
                if !isCut {
                    let on = world.inventory().guests.filter {
                        $0.nature == .ordinary && $0.power == .on
                    }
                    for guest in on { try world.powerOffGuest(guest.id) }
                    return
                }
                world.failMains()
                try await site.time.sleep(for: world.scenario.pace.battery + .seconds(5))
                world.returnMains()
                try await site.time.sleep(for: .seconds(10))
            })
    }

    /// Every host has Secure Boot and an endpoint of its own.
    private static let withAutostart: @Sendable (inout LabScenario) -> Void = { scenario in
        for index in scenario.hosts.indices {
            scenario.hosts[index].secureBoot = true
            scenario.hosts[index].hasAPI = true
        }
    }

    /// Every host has SSH stopped but for a run, and an endpoint of its own.
    private static let withSSHStopped: @Sendable (inout LabScenario) -> Void = { scenario in
        for index in scenario.hosts.indices {
            scenario.hosts[index].hasAPI = true
            scenario.hosts[index].opensSSH = true
            scenario.hosts[index].sshRuns = false
            scenario.hosts[index].sshStartsAtBoot = false
        }
    }

    static let all: [Self] = [
        Self(
            rule: "5: SSH is put back", how: "it leaves SSH on",
            up: { plan in plan.phases.removeAll { $0.name == .closeSSH } },
            prepare: withSSHStopped),
        Self(
            rule: "5: SSH is put back", how: "how SSH was is not on record when it is started",
            wrap: { around, _ in untrue(around, .forgetsSSH) }, prepare: withSSHStopped),
        Self(
            rule: "5: SSH is put back", how: "it stops what ran before",
            up: { plan in
                for index in plan.phases.indices where plan.phases[index].name == .disarm {
                    plan.phases[index].steps += plan.steps.compactMap { step in
                        guard case .openSSH(let host) = step.action else { return nil }
                        return Step(.closeSSH(host, wasOpened: true), limit: .seconds(8))
                    }
                }
            },
            prepare: { scenario in
                withSSHStopped(&scenario)
                for index in scenario.hosts.indices { scenario.hosts[index].sshRuns = true }
            }),
        Self(
            rule: "1: a vSAN cluster goes down as a whole", how: "hosts go, and none prepared vSAN",
            wrap: { around, _ in doubled(around) { $0.skipsVSAN = true } },
            prepare: { site in
                site.hasVSAN = true
                site.apiVersion = VersionNumber([7, 0, 2, 0])
            }),
        Self(
            rule: "1: no host is stopped under a guest", how: "it does not look before it stops",
            down: { plan in
                for index in plan.phases.indices where plan.phases[index].name == .hosts {
                    plan.phases[index].needs = [.freeze]
                }
            },
            wrap: { around, _ in doubled(around) { $0.listed = { _ in [] } } }),
        Self(
            rule: "2: HA is off before guests go down", how: "a plan without freeze",
            down: { $0.phases.removeAll { $0.name == .freeze } }),
        Self(
            rule: "2: HA is off before guests go down", how: "it leaves HA's agents running",
            down: { $0.phases.removeAll { $0.name == .haAgents } },
            wrap: { around, _ in failingToFreeze(around) }),
        Self(
            rule: "2: HA is off before guests go down",
            how: "the hosts do not wait until HA's agents are stopped",
            down: { plan in
                for index in plan.phases.indices where plan.phases[index].name == .haAgents {
                    plan.phases[index].needs = [.hosts]
                }
                for index in plan.phases.indices where plan.phases[index].name == .hosts {
                    plan.phases[index].needs.removeAll { $0 == .haAgents }
                }
            },
            wrap: { around, _ in failingToFreeze(around) }),
        Self(
            rule: "2: HA is off before guests go down",
            how: "it says that an agent refused, and has not asked it",
            wrap: { around, _ in
                doubled(failingToFreeze(around)) { $0.refusesHAAgents = true }
            }),
        Self(
            rule: "5: everything is put back", how: "it does not start HA's agents again",
            cutsOutput: false,
            down: { plan in plan.phases.removeAll { !headPhases.contains($0.name) } },
            up: { plan in
                for index in plan.phases.indices {
                    plan.phases[index].steps.removeAll { step in
                        if case .startHAAgent = step.action { true } else { false }
                    }
                }
            },
            wrap: { around, _ in failingToFreeze(around) }),
        Self(
            rule: "2: DRS moves nothing while guests go down",
            how: "it does not look at guests' own levels",
            wrap: { around, _ in
                var around = around
                around.cluster = ClusterDouble(inner: around.cluster, hidesOverrides: true)
                return around
            }),
        Self(
            rule: "3: down in order", how: "tiers do not wait for one another",
            down: { plan in
                for index in plan.phases.indices
                where plan.phases[index].name.rawValue.hasPrefix("guests") {
                    plan.phases[index].needs = [.freeze]
                }
            }),
        Self(
            rule: "3: up in reverse order", how: "HA does not wait for the guests",
            down: { plan in plan.phases.removeAll { $0.name == .arm } },
            up: { plan in
                for index in plan.phases.indices where plan.phases[index].name == .haBack {
                    plan.phases[index].needs = [.vcenterBack]
                }
            }),
        Self(
            rule: "3: up in reverse order", how: "it does not start vCSA",
            down: { plan in plan.phases.removeAll { $0.name == .arm } },
            up: { plan in
                for index in plan.phases.indices where plan.phases[index].name == .vcsaBack {
                    plan.phases[index].steps = []
                }
            }),
        Self(
            rule: "4: agent guests are never targets", how: "it stops vCLS guests",
            down: { plan in
                plan.phases.removeAll { $0.name == .retreat }
                let id = GuestID("50000000-0000-4000-8000-00000000000d")
                let step = Step(.stopGuest(id, name: "vCLS", .powerOff), limit: .seconds(8))
                plan.phases[2].steps.append(step)
            }),
        Self(
            rule: "4: questions are answered as the site file says",
            how: "it answers what nobody has told it to",
            wrap: { around, site in
                doubled(around) { double in
                    double.listed = { guests in
                        let asking = site.world.inventory().guests.first(where: \.hasQuestion)
                        if let asking {
                            // Refused, it would be as if nobody had tried: the case fails.
                            try? site.world.answer(asking.id, question: "7", choice: "2")
                        }
                        return guests
                    }
                }
            }, prepare: { scenario in scenario.guests[8].hasQuestion = true }),
        Self(
            rule: "5: everything is put back", how: "it does not thaw DRS",
            up: { plan in
                for index in plan.phases.indices {
                    plan.phases[index].steps.removeAll { $0.id == StepID("thaw-drs") }
                }
            }),
        Self(
            rule: "3: up in reverse order", how: "a host's autostart begins with the last",
            up: { plan in
                for index in plan.phases.indices where plan.phases[index].name == .vcsaBack {
                    plan.phases[index].steps = []
                }
            },
            wrap: { around, _ in
                doubled(around) { double in
                    double.bendsAutostart = { settings in
                        var settings = settings
                        let count = settings.guests.count
                        for index in settings.guests.indices {
                            settings.guests[index].startOrder =
                                count + 1 - settings.guests[index].startOrder
                        }
                        return settings
                    }
                }
            }, prepare: withAutostart),
        Self(
            rule: "5: everything is put back", how: "it leaves autostart as it set it",
            up: { plan in plan.phases.removeAll { $0.name == .autostartBack } },
            prepare: withAutostart),
        Self(
            rule: "6: the record is on disk before the act",
            how: "what a host started by itself is not on record when it is changed",
            wrap: { around, _ in untrue(around, .forgetsBootChoices) }, prepare: withAutostart),
        Self(
            rule: "12: armed scripts expire, none stays armed", how: "it leaves autostart on",
            up: { plan in plan.phases.removeAll { $0.name == .autostartBack } },
            prepare: withAutostart),
        Self(
            rule: "6: the record is on disk before the act", how: "it records after the act",
            wrap: { around, _ in untrue(around, .writesAnnouncementsLate) }),
        Self(
            rule: "7: the output is cut after the hosts", how: "it leaves a host on",
            down: { plan in plan.phases.removeAll { $0.name == .vcsaHost } }),
        Self(
            rule: "7: the output is cut after the hosts", how: "it cuts under a machine that waits",
            prepare: { $0.machines = [LabMachineSpec(name: nas, delay: .seconds(30))] }
        ).telling(after: .seconds(30)),
        Self(
            rule: "7: the output is cut after the hosts", how: "it leaves a machine off",
            cutsOutput: false, up: { $0.phases.removeAll { $0.name == .machinesBack } },
            prepare: { $0.machines = [LabMachineSpec(name: nas)] }),
        Self(
            rule: "3: machines go after the hosts", how: "it does not wait for the last host",
            down: { plan in
                for index in plan.phases.indices where plan.phases[index].name == .machines {
                    plan.phases[index].needs = []
                }
            }, prepare: { $0.machines = [LabMachineSpec(name: nas)] }),
        Self(
            rule: "3: machines go after the hosts", how: "one goes before vpower's own host",
            cutsOutput: false,
            prepare: { scenario in
                for index in scenario.guests.indices where scenario.guests[index].name == "db-main"
                {
                    scenario.guests[index].isController = true
                }
                scenario.machines = [LabMachineSpec(name: nas, delay: .seconds(1))]
            }),
        Self(
            rule: "8: a false alarm changes nothing", how: "it begins with the mains there",
            mainsFail: false),
        Self(
            rule: "9: no secret is recorded", how: "an error tells a password",
            wrap: { around, _ in failingToArm(around, "refused: \(LabScenario.secret)") }),
        Self(
            rule: "10: nothing from outside is shown unquoted", how: "an error has a line break",
            wrap: { around, _ in failingToArm(around, "two\nlines") }),
        Self(
            rule: "11: every wait has a limit", how: "a host is waited for without one",
            wrap: { around, site in
                doubled(around) { double in
                    double.beforeStop = {
                        // It is cancelled with the run: nothing is lost.
                        try? await site.time.sleep(for: .seconds(500))
                    }
                }
            }),
        Self(
            rule: "12: armed scripts expire, none stays armed", how: "it does not disarm",
            up: { plan in plan.phases.removeAll { $0.name == .disarm } },
            // A script that has done all it can disarms itself.
            prepare: { $0.limits.armedFor = .seconds(1) }),
    ]
}
