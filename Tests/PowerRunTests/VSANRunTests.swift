import PowerLab
import PowerModel
import PowerRun
import Testing

/// The steps of a vSAN cluster, where something is in their way.
struct VSANRunTests {
    private static let hosts = ["esx1.lab", "esx2.lab", "esx3.lab"].map { HostName($0) }
    private static let prepared = StepID("prepare-vsan")

    /// A vSAN cluster whose guests are off, but for vCSA where that is to be on.
    private func bench(vcsaIsOn: Bool) -> Bench {
        var scenario = LabScenario.standard()
        scenario.hasVSAN = true
        for index in scenario.guests.indices where scenario.guests[index].nature == .ordinary {
            scenario.guests[index].isOn = vcsaIsOn && scenario.guests[index].isVCSA
        }
        return Bench(scenario)
    }

    private func phases(_ way: VSANWay, vcsa: GuestID? = nil) -> [Phase] {
        [
            Bench.phase(
                [Step(.stopVSAN(way, Self.hosts, vcsa: vcsa), limit: .seconds(20))], name: "vsan"),
            Bench.phase(
                Self.hosts.map { Step(.stopHost($0, maintenance: true), limit: .seconds(20)) },
                name: "hosts", needs: ["vsan"]),
        ]
    }

    private func kinds(_ bench: Bench) -> [LabEvent.Kind] { bench.site.world.log.map(\.kind) }

    @Test func `where one host does not keep its members, none is told to stop`() throws {
        var bench = bench(vcsaIsOn: false)
        bench.around.bend("esx3.lab") { $0 == .keepVSANMembers(true) ? .refused : nil }
        let (result, gaps, left) = try simulate(bench) { [bench] in
            let result = try await bench.carryOut(
                phases(.manual), kind: .vsan, goal: bench.site.world)
            let run = try #require(try await bench.ledger().lastRun)
            return (result, run.gaps, run.outcome(of: StepID("stop-host/esx1.lab")))
        }
        #expect(result == .finishedWithGaps)
        #expect(gaps.count == 1)
        #expect(gaps.first?.why.contains("esx3.lab") == true)
        #expect(gaps.first?.why.contains("the hosts are left on") == true)
        #expect(left == .left("it stays on: vSAN was not made ready for it to go"))
        #expect(!kinds(bench).contains(.vsanPrepared))
        #expect(!kinds(bench).contains(.hostTold))
    }

    @Test func `one host alone is asked to prepare, however often`() throws {
        var bench = bench(vcsaIsOn: false)
        let tries = Tally()
        bench.around.bend("esx1.lab") { call in
            call == .prepareVSAN && tries.add() < 3 ? .timedOut : nil
        }
        let result = try simulate(bench) { [bench] in
            try await bench.carryOut(phases(.manual), kind: .vsan, goal: bench.site.world)
        }
        #expect(result == .finished)
        #expect(tries.count == 3)
        let by = bench.site.world.log.filter { $0.kind == .vsanPrepared }.map(\.object)
        #expect(by == ["esx1.lab"])
        #expect(kinds(bench).count { $0 == .hostOff } == 3)
    }

    @Test func `with vCenter gone before it was asked, vCSA goes first and a host prepares`()
        throws
    {
        var bench = bench(vcsaIsOn: true)
        bench.around.cluster = BentCluster(
            inner: bench.site.cluster,
            refuses: { $0 == .vsanPower ? .unreachable : nil })
        let vcsa = bench.id("vcsa01")
        let result = try simulate(bench) { [bench] in
            try await bench.carryOut(
                phases(.wizard, vcsa: vcsa), kind: .vsan, goal: bench.site.world)
        }
        #expect(result == .finished)
        let order = kinds(bench).filter { [.guestOff, .vsanPrepared, .hostTold].contains($0) }
        #expect(order == [.guestOff, .vsanPrepared, .hostTold, .hostTold, .hostTold])
    }

    @Test func `once vCenter was asked nobody prepares the cluster by hand`() throws {
        var bench = bench(vcsaIsOn: true)
        bench.around.cluster = BentCluster(
            inner: bench.site.cluster,
            refuses: { $0 == .powerVSAN(false) ? .timedOut : nil })
        let vcsa = bench.id("vcsa01")
        let (result, records) = try simulate(bench) { [bench] in
            let result = try await bench.carryOut(
                phases(.wizard, vcsa: vcsa), kind: .vsan, goal: bench.site.world)
            return (result, try await bench.steps())
        }
        #expect(result == .finishedWithGaps)
        #expect(records.contains("ask power-off-vsan"))
        #expect(!records.contains("ask \(Self.prepared)"))
        #expect(!kinds(bench).contains(.hostTold))
    }

    @Test func `a vSAN cluster with a host missing is not recovered, and that is told`() throws {
        var bench = bench(vcsaIsOn: false)
        for host in Self.hosts { bench.site.world.keepVSANMembers(host, true) }
        bench.around.lose("esx2.lab")
        let gaps = try simulate(bench) { [bench] in
            let start = Step(.startVSAN(.manual, Self.hosts), limit: .seconds(10))
            _ = try await bench.carryOut(
                [Bench.phase([start])], kind: .restore, goal: bench.site.world)
            return try await bench.ledger().lastRun?.gaps ?? []
        }
        #expect(gaps.first?.why.contains("esx2.lab") == true)
        #expect(!kinds(bench).contains(.vsanRecovered))
    }
}
