import PowerLab
import PowerModel
import PowerRun
import Testing

/// Hosts whose SSH is stopped but for a run.
struct SSHTests {
    private static let esx1 = HostName("esx1.lab")

    /// The drill's site.
    private static func scenario(
        api: Bool = true, runs: Bool = false, startsAtBoot: Bool = false
    ) -> LabScenario {
        var scenario = LabScenario.standard()
        for index in scenario.hosts.indices {
            scenario.hosts[index].hasAPI = api
            scenario.hosts[index].opensSSH = true
            scenario.hosts[index].sshRuns = runs
            scenario.hosts[index].sshStartsAtBoot = startsAtBoot
        }
        return scenario
    }

    private struct End {
        var down: RunResult
        var up: RunResult
        var violations: [String]
        var events: [LabEvent.Kind]
        var outcomes: [String: StepOutcome]
        var runs: [Bool]
    }

    /// An outage of this site, down and back.
    private func outage(
        _ scenario: LabScenario, bend: (inout Surroundings) -> Void = { _ in }
    ) throws -> End {
        var bench = Bench(scenario)
        bend(&bench.around)
        let made = bench
        return try simulate(made) {
            let site = made.site
            site.world.failMains()
            let down = try await site.goDown(made.operation())
            let run = try #require(try await made.operation().ledger().lastRun)
            try await site.cycle()
            let up = try await site.comeBack(made.operation())
            return End(
                down: down, up: up, violations: await site.violations(),
                events: site.world.log.map(\.kind),
                outcomes: run.progress.reduce(into: [:]) { $0[$1.key.rawValue] = $1.value.outcome },
                runs: scenario.hosts.map { site.world.runsSSH($0.name) })
        }
    }

    @Test(arguments: [true, false])
    func `it is started through the host itself or vCenter, and stopped when all is back`(
        api: Bool
    ) throws {
        let end = try outage(Self.scenario(api: api))
        #expect(end.down == .finished)
        #expect(end.up == .finished)
        #expect(end.violations == [])
        // For the shutdown, and after the boot for the restore.
        #expect(end.events.count { $0 == .sshStarted } == 6)
        #expect(end.events.count { $0 == .sshStopped } == 3)
        #expect(end.runs == [false, false, false])
        #expect(end.outcomes["open-ssh/esx1.lab"] == .done(.asked))
        #expect(end.outcomes["arm/esx1.lab"] == .done(.asked))
    }

    @Test func `what ran before runs on, also where a boot does not start it`() throws {
        let end = try outage(Self.scenario(runs: true))
        #expect(end.violations == [])
        #expect(end.events.count { $0 == .sshStopped } == 0)
        #expect(end.runs == [true, true, true])
        #expect(end.outcomes["open-ssh/esx1.lab"] == .done(.already))
    }

    @Test func `what a boot started is stopped where it was before`() throws {
        let end = try outage(Self.scenario(startsAtBoot: true))
        #expect(end.violations == [])
        #expect(end.events.count { $0 == .sshStarted } == 3)
        #expect(end.runs == [false, false, false])
    }

    @Test func `where it cannot be started the rest goes over SOAP`() throws {
        let end = try outage(Self.scenario()) { around in
            around.bend("esx1.lab") { call in
                if case .setSSH(true) = call { .refused } else { nil }
            }
            guard let inner = around.cluster as? MemoryCluster else { return }
            var bent = BentCluster(inner: inner)
            bent.refuses = { $0 == .setSSH(true) ? .notPermitted : nil }
            around.cluster = bent
        }
        #expect(end.down == .finishedWithGaps)
        #expect(end.events.count { $0 == .hostOff } == 3)
        guard case .gaveUp(let why) = end.outcomes["open-ssh/esx1.lab"] else {
            Issue.record("\(end.outcomes)")
            return
        }
        #expect(why.contains("through vCenter"))
        guard case .gaveUp(let script) = end.outcomes["arm/esx1.lab"] else {
            Issue.record("\(end.outcomes)")
            return
        }
        #expect(script.contains("SSH is stopped on esx1.lab (TSM-SSH)"))
        #expect(end.outcomes["open-ssh/esx2.lab"] == .done(.asked))
    }

    @Test func `without the privilege and without an endpoint no time is lost`() throws {
        var scenario = Self.scenario(api: false)
        scenario.maySteerServices = false
        let bench = Bench(scenario)
        let step = Step(.openSSH(Self.esx1), limit: .seconds(20))
        let took = try simulate(bench) {
            let begin = bench.site.time.elapsed
            let phase = Phase(
                name: .openSSH, needs: [], budget: .seconds(20), steps: [step])
            let end = try await bench.carryOut([phase])
            #expect(end == .finishedWithGaps)
            return bench.site.time.elapsed - begin
        }
        #expect(took < .seconds(2))
    }

    @Test func `a host that is down is not waited for when a run goes on`() throws {
        let bench = Bench(Self.scenario())
        let stop = Step(.stopHost(Self.esx1, maintenance: false), limit: .seconds(20))
        let open = Step(.openSSH(Self.esx1), limit: .seconds(20))
        let phases = [
            Phase(name: .openSSH, needs: [], budget: .seconds(20), steps: [open]),
            Phase(name: .hosts, needs: [.openSSH], budget: .seconds(20), steps: [stop]),
        ]
        try simulate(bench) {
            for id in ["app-web01", "mid-queue01", "mid-notools", "db-backup"].map(bench.id) {
                try bench.site.world.powerOffGuest(id)
            }
            let first = try await bench.carryOut(phases)
            #expect(first == .finished)
            let begin = bench.site.time.elapsed
            let second = try await bench.carryOut(phases, continuing: true)
            #expect(second == .finished)
            #expect(bench.site.time.elapsed - begin < .seconds(1))
        }
    }

    @Test func `what a boot stopped is started again when a run goes on`() throws {
        let bench = Bench(Self.scenario())
        let open = Step(.openSSH(Self.esx1), limit: .seconds(20))
        let phases = [Phase(name: .openSSH, needs: [], budget: .seconds(20), steps: [open])]
        try simulate(bench) {
            let first = try await bench.carryOut(phases)
            #expect(first == .finished)
            bench.site.world.setSSH(Self.esx1, runs: false)
            let second = try await bench.carryOut(phases, continuing: true)
            #expect(second == .finished)
            #expect(bench.site.world.runsSSH(Self.esx1))
            let ledger = try await bench.ledger()
            #expect(ledger.sshBefore == [Self.esx1: false])
        }
    }
}
