import PowerLab
import PowerModel
import PowerRun
import Testing

/// vCSA that its host cannot have its Tools shut down powers itself off.
struct ApplianceTests {
    private static let host = HostName("esx2.lab")

    private func bench(
        tools: Bool = false, _ change: (inout LabScenario) -> Void = { _ in }
    ) -> Bench {
        var scenario = LabScenario.standard()
        for index in scenario.guests.indices where scenario.guests[index].isVCSA {
            scenario.guests[index].hasTools = tools
        }
        change(&scenario)
        return Bench(scenario)
    }

    /// How the step that stops a guest through its host ended, who was asked, and how long it took.
    private func stop(
        _ bench: Bench, _ name: String = "vcsa01", in phase: PhaseName = .vcsa
    ) throws -> (outcome: StepOutcome?, asked: [String], took: Duration) {
        try simulate(bench) {
            let id = bench.id(name)
            let step = Step(
                .stopGuestOnHost(id, name: name, Self.host), limit: .seconds(20))
            let began = bench.site.time.elapsed
            _ = try await bench.carryOut([Bench.phase([step], name: phase.rawValue)])
            let asked = bench.site.world.log.filter { $0.kind == .guestAsked }
            return (
                try await bench.ledger().lastRun?.outcome(of: step.id), asked.map(\.detail),
                bench.site.time.elapsed - began
            )
        }
    }

    @Test func `without Tools it powers itself off, and is seen off`() throws {
        let bench = bench()
        let (outcome, asked, _) = try stop(bench)
        #expect(outcome == .done(.asked))
        #expect(asked == ["vCSA itself"])
        #expect(bench.site.world.vcenterState() == .down)
    }

    @Test func `with Tools its host does it`() throws {
        let (outcome, asked, _) = try stop(bench(tools: true))
        #expect(outcome == .done(.asked))
        #expect(asked == [Self.host.rawValue])
    }

    @Test func `it is asked too where its host refuses for another reason`() throws {
        var bench = bench(tools: true)
        bench.around.bend(Self.host.rawValue) { $0 == .shutDown("vcsa01") ? .refused : nil }
        let (outcome, asked, _) = try stop(bench)
        #expect(outcome == .done(.asked))
        #expect(asked == ["vCSA itself"])
    }

    @Test func `it is no way for other guests`() throws {
        let bench = bench { scenario in
            for index in scenario.guests.indices where scenario.guests[index].name == "app-web01" {
                scenario.guests[index].hasTools = false
            }
        }
        let (outcome, asked, _) = try stop(bench, "app-web01", in: .infrastructure)
        guard case .gaveUp = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
        #expect(asked == [])
        #expect(bench.site.world.vcenterState() == .up)
    }

    @Test(arguments: [ClusterError.Reason.notPermitted, .starting])
    func `a refusal that would be repeated is not asked for twice, another one is`(
        reason: ClusterError.Reason
    ) throws {
        var bench = bench()
        let tries = Tally()
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.refuses = { call in
            guard call == .shutDownAppliance else { return nil }
            return tries.add() < 3 || reason == .notPermitted ? reason : nil
        }
        bench.around.cluster = cluster
        let (outcome, asked, _) = try stop(bench)
        if reason == .notPermitted {
            guard case .gaveUp(let why) = outcome else {
                Issue.record("\(String(describing: outcome))")
                return
            }
            #expect(why.contains("Tools do not answer"), "\(why)")
            #expect(tries.count == 1)
            #expect(asked == [])
        } else {
            #expect(outcome == .done(.asked))
            #expect(tries.count == 3)
        }
    }

    @Test func `where no host tells of it, silence is waited for, and not taken for off`()
        throws
    {
        var bench = bench()
        bench.around.bend(Self.host.rawValue) { _ in .loginRefused }
        let (outcome, asked, took) = try stop(bench)
        guard case .gaveUp(let why) = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
        #expect(why.contains("loginRefused"), "\(why)")
        #expect(asked == ["vCSA itself"])
        // It was off when the step ended, and that took no longer than it had to.
        #expect(bench.site.world.vcenterState() == .down)
        #expect(took < .seconds(5))
    }

    @Test func `a host that is back in time says that it is off`() throws {
        var bench = bench()
        let calls = Tally()
        bench.around.bend(Self.host.rawValue) { _ in calls.add() < 5 ? .unreachable : nil }
        let (outcome, asked, _) = try stop(bench)
        #expect(outcome == .done(.asked))
        #expect(asked == ["vCSA itself"])
    }

    @Test func `a whole cluster goes down with a vCSA that has no Tools`() throws {
        let bench = bench()
        let (result, log) = try simulate(bench) {
            let result = try await bench.site.goDown(bench.site.operation(), origin: .hand)
            return (result, bench.site.world.log)
        }
        #expect(result == .finished)
        let vcsa = bench.id("vcsa01").rawValue
        let off = try #require(log.firstIndex { $0.kind == .guestOff && $0.object == vcsa })
        #expect(log[off].detail == "clean")
        let told = try #require(log.firstIndex { $0.kind == .hostTold })
        #expect(off < told)
    }
}
