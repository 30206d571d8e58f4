import PowerLab
import PowerModel
import PowerRun
import Testing

/// HA that could not be switched off through vCenter: its agents are stopped on the hosts.
struct HAAgentTests {
    private static let hosts = ["esx1.lab", "esx2.lab", "esx3.lab"]

    /// A bench whose vCenter does not let HA be switched off.
    private func stubborn() -> Bench {
        var bench = Bench()
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.refuses = { $0 == .change ? .refused : nil }
        bench.around.cluster = cluster
        return bench
    }

    @Test func `every agent is stopped before the first host goes, and only once`() throws {
        let bench = stubborn()
        let (result, log) = try simulate(bench) {
            let result = try await bench.site.goDown(bench.operation(), origin: .hand)
            return (result, bench.site.world.log)
        }
        #expect(result == .finishedWithGaps)
        let kinds = log.map(\.kind).filter { $0 == .haAgentStopped || $0 == .hostTold }
        #expect(kinds.prefix(3) == [.haAgentStopped, .haAgentStopped, .haAgentStopped])
        #expect(kinds.count(where: { $0 == .haAgentStopped }) == 3)
        #expect(Set(log.filter { $0.kind == .haAgentStopped }.map(\.object)) == Set(Self.hosts))
    }

    @Test func `a host that refuses is told by name and holds nobody`() throws {
        var bench = stubborn()
        bench.around.bend("esx2.lab") { $0 == .stopHAAgent ? .loginRefused : nil }
        let made = bench
        let (log, run) = try simulate(bench) {
            _ = try await made.site.goDown(made.operation(), origin: .hand)
            return (made.site.world.log, try await made.ledger().lastRun)
        }
        guard case .gaveUp(let why) = run?.outcome(of: .stopHAAgents) else {
            Issue.record("it did not give up: \(String(describing: run))")
            return
        }
        #expect(why.contains("esx2.lab (host esx2.lab: cannot stopHAAgent"))
        #expect(!why.contains("esx1.lab"))
        #expect(log.filter { $0.kind == .hostOff }.map(\.object).sorted() == Self.hosts)
    }

    @Test func `where HA was switched off no host is asked`() throws {
        let site = MemorySite()
        let (result, run) = try simulate(site) {
            let operation = site.operation()
            let result = try await site.goDown(operation, origin: .hand)
            return (result, try await operation.ledger().lastRun)
        }
        #expect(result == .finished)
        #expect(run?.outcome(of: .stopHAAgents) == .done(.already))
        #expect(!site.world.log.contains { $0.kind == .haAgentStopped })
    }

    @Test func `a run that is called back starts the agents again, after the guests`() throws {
        let bench = stubborn()
        let (down, up, log, again) = try simulate(bench) {
            let control = RunControl()
            var made = bench
            made.around.announcer = AtGuest(3) { control.ask(.reverse) }
            let down = try await made.site.goDown(made.operation(control: control))
            let up = try await made.site.comeBack(bench.operation())
            let agents = try await bench.ledger().haAgentsStopped
            return (down, up, bench.site.world.log, agents)
        }
        #expect(down == .reversed)
        #expect(up == .finished)
        #expect(again == [])
        let kinds = log.map(\.kind).filter { $0 != .disarmed }
        #expect(kinds.suffix(3) == [.haAgentStarted, .haAgentStarted, .haAgentStarted])
        for host in Self.hosts { #expect(bench.site.world.runsHAAgent(HostName(host))) }
    }

    @Test func `whoever goes on after the hosts have booted stops the agents again`() throws {
        let bench = stubborn()
        let (stops, result) = try simulate(bench) {
            let control = RunControl()
            var made = bench
            made.around.announcer = AtGuest(3) { control.ask(.stop) }
            _ = try await made.site.goDown(made.operation(control: control), origin: .hand)
            try await bench.site.cycle()
            try await bench.site.time.sleep(for: .seconds(60))
            let resumed = try await bench.operation().resume(mainsAreBack: false)
            let stops = bench.site.world.log.filter { $0.kind == .haAgentStopped }
            return (stops.map(\.object).sorted(), resumed)
        }
        #expect(stops == (Self.hosts + Self.hosts).sorted())
        #expect(result == .continued(.cluster, .finishedWithGaps))
    }
}
