import PowerLab
import PowerModel
import PowerRun
import Testing

/// The way back when not everything comes back, or not where it was.
struct RestoreTests {
    private static let witness = Endpoint(host: "switch", port: 22)

    // MARK: Hosts that do not come back

    @Test func `the rest goes on without a host that does not come back`() throws {
        let site = MemorySite()
        let (result, run, took, on) = try simulate(site) {
            site.world.failMains()
            _ = try await site.goDown(site.operation())
            try await site.cycle()
            var around = site.around(announcer: Quiet()) { site in
                site.limits.hostBack = .seconds(30)
                site.limits.start = .seconds(300)
            }
            around.lose("esx3.lab")
            // To vCenter too it is gone.
            var cluster = BentCluster(inner: site.cluster)
            cluster.shows = { $0.without("esx3.lab") }
            around.cluster = cluster
            let began = site.time.elapsed
            let operation = Operation(in: around, control: RunControl(), makeID: { "r" })
            let result = try await site.comeBack(operation)
            let ledger = try await operation.ledger()
            let on = site.world.inventory().guests.filter { $0.power == .on }.map(\.name)
            return (result, ledger.lastRun, site.time.elapsed - began, on)
        }
        #expect(result == .finishedWithGaps)
        #expect(on.contains("db-main") && on.contains("app-web01"))
        let gaps = try #require(run?.gaps.map { "\($0.step): \($0.why)" })
        #expect(gaps.contains { $0.hasPrefix("await-host/esx3.lab") })
        let stranded = gaps.filter { $0.contains("its host esx3.lab is not back") }
        #expect(stranded.count == 3, "\(gaps)")
        // Its own limit once, and no guest's, vCenter's or boot script's on top of it.
        #expect(took < .seconds(30 + 30), "\(took)")
    }

    // MARK: Guests elsewhere

    @Test func `vCSA is stopped and started wherever it is registered now`() throws {
        let bench = Bench()
        let (down, up, moved) = try simulate(bench) {
            let vcsa = bench.id("vcsa01")
            // HA moved it: the plan still has it on esx2.
            let world = bench.site.world
            let path = try #require(world.inventory().guest(vcsa)?.vmxPath)
            try world.powerOffGuest(vcsa)
            try world.registerGuest(at: path, on: HostName("esx3.lab"))
            try world.powerOnGuest(vcsa, on: HostName("esx3.lab"), by: "HA")
            try await bench.site.time.sleep(for: .seconds(10))
            let old = HostName("esx2.lab")
            let stop = Step(
                .stopGuestOnHost(vcsa, name: "vcsa01", old), limit: .seconds(20))
            let down = try await bench.carryOut([Bench.phase([stop])])
            #expect(world.vcenterState() == .down)
            let start = Step(
                .startGuestOnHost(vcsa, name: "vcsa01", old, StartTerms()), limit: .seconds(20))
            let up = try await bench.carryOut(
                [Bench.phase([start], name: "up")], kind: .restore, goal: world)
            return (down, up, world.inventory().guest(vcsa))
        }
        #expect(down == .finished)
        #expect(up == .finished)
        #expect(moved?.power == .on)
        #expect(moved?.host == HostName("esx3.lab"))
    }

    @Test(arguments: Adoption.allCases)
    func `vCSA is adopted only from a host that is proven off`(_ adoption: Adoption) throws {
        let site = MemorySite()
        let (outcome, log, vcsa) = try simulate(site) {
            let id = try #require(site.world.scenario.guests.first { $0.isVCSA }?.id)
            site.world.failMains()
            _ = try await site.goDown(site.operation { $0.witness = Self.witness })
            // Its host answers nobody from now on, and its boot script starts nothing.
            site.world.setOrders(nil, on: HostName("esx2.lab"))
            try await site.cycle()
            while !site.world.hostdReady(HostName("esx1.lab")) {
                try await site.time.sleep(for: .seconds(1))
            }
            var around = site.around(announcer: Quiet()) { site in
                if adoption != .noWitness { site.witness = Self.witness }
            }
            let path = try #require(site.world.scenario.guests.first { $0.isVCSA }?.vmxPath)
            if adoption == .onElsewhere {
                try site.world.registerGuest(at: path, on: HostName("esx1.lab"))
                try site.world.powerOnGuest(id, on: HostName("esx1.lab"), by: "HA")
            }
            around.lose("esx2.lab")
            if adoption == .otherSilent { around.bend("esx3.lab") { _ in .notReady } }
            let began = try await around.journal.newest(1).last?.outage ?? OutageID("none")
            let run = RunID("back")
            let terms = StartTerms(mayAdopt: adoption != .noPolicy)
            let lost = HostName("esx2.lab")
            let plan = Plan(
                kind: .restore, cluster: around.site.name,
                phases: [
                    Bench.phase(
                        [
                            Step(
                                .awaitHost(lost, leaveMaintenance: false), limit: .seconds(10))
                        ], name: "hosts"),
                    Bench.phase(
                        [
                            Step(
                                .startGuestOnHost(id, name: "vcsa01", lost, terms),
                                limit: .seconds(60))
                        ], needs: ["hosts"]),
                ])
            if adoption == .notSeenDown { around.journal = NothingSeenDown(around.journal) }
            let ledger = Ledger(try await site.journal.openOutage(of: around.site.name))
            let goal = try #require(ledger.snapshot)
            _ = await Runner(
                plan, run: run, outage: began, goal: goal, control: RunControl(), in: around
            ).carryOut(because: RunCause(.hand, "t"))
            let after = Ledger(try await site.journal.openOutage(of: around.site.name))
            return (
                after.lastRun?.outcome(of: StepID("start/\(id)")), site.world.log,
                site.world.rows(on: HostName("esx1.lab")).first { $0.isVCSA }
            )
        }
        let registered = log.contains { $0.kind == .guestRegistered && $0.detail == "esx1.lab" }
        switch adoption {
        case .allowed:
            #expect(outcome == .done(.asked))
            #expect(registered && vcsa?.power == .on)
        case .onElsewhere:
            #expect(outcome == .done(.already))
        case .noPolicy, .noWitness, .notSeenDown, .otherSilent:
            guard case .gaveUp(let why) = outcome else {
                Issue.record("\(String(describing: outcome))")
                return
            }
            #expect(why.contains("see that esx2.lab is off, then register"), "\(why)")
            #expect(!registered)
        }
    }

    enum Adoption: CaseIterable, Sendable {
        case allowed, noPolicy, noWitness, notSeenDown, otherSilent, onElsewhere
    }

    // MARK: vCenter

    @Test func `a vCenter that takes 30 minutes is waited for`() throws {
        var pace = LabPace()
        pace.vcenterUp = .seconds(29 * 60)
        let site = MemorySite(.standard(pace: pace))
        let (up, violations) = try simulate(site) {
            site.world.failMains()
            let slow: @Sendable (inout ClusterSite) -> Void = {
                $0.limits.vcenterBack = .seconds(1800)
            }
            _ = try await site.goDown(site.operation(site: slow))
            try await site.cycle()
            return (try await site.comeBack(site.operation(site: slow)), await site.violations())
        }
        #expect(up == .finished)
        #expect(violations == [])
    }

    @Test func `a login refused while vCenter starts is tried again, but not at once`() throws {
        var bench = Bench()
        let tries = Tally()
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.refuses = { _ in tries.add() < 5 ? .loginRefused : nil }
        bench.around.cluster = cluster
        let made = bench
        let (result, took) = try simulate(bench) {
            let began = made.site.time.elapsed
            let step = Step(.awaitVCenter, limit: .seconds(1800))
            let result = try await made.carryOut(
                [Bench.phase([step])], kind: .restore, goal: made.site.world)
            return (result, made.site.time.elapsed - began)
        }
        #expect(result == .finished)
        #expect(tries.count == 5)
        // Never 5 in 180 s: that locks the account.
        #expect(took > .seconds(180), "\(took)")
    }

    @Test func `a refused login ends the attempts of everything else`() throws {
        var bench = Bench()
        let tries = Tally()
        var cluster = BentCluster(inner: bench.site.cluster)
        cluster.refuses = { call in
            guard call == .change else { return nil }
            tries.add()
            return .loginRefused
        }
        bench.around.cluster = cluster
        let made = bench
        let result = try simulate(bench) {
            try await made.carryOut([Bench.phase([Step(.freeze, limit: .seconds(120))])])
        }
        #expect(result == .finishedWithGaps)
        #expect(tries.count == 1)
    }
}

extension Inventory {
    /// What vCenter shows when it is out of touch with a host.
    func without(_ name: String) -> Inventory {
        var shown = self
        for index in shown.hosts.indices where shown.hosts[index].name.rawValue == name {
            shown.hosts[index].connected = false
        }
        for index in shown.guests.indices where shown.guests[index].host?.rawValue == name {
            shown.guests[index].power = .unknown
        }
        return shown
    }
}

/// A journal in which no host was ever seen down.
struct NothingSeenDown: Journal {
    let inner: any Journal
    init(_ inner: any Journal) { self.inner = inner }
    func append(_ event: RunEvent, run: RunID?, outage: OutageID)
        async throws(JournalError) -> Record
    { try await inner.append(event, run: run, outage: outage) }
    func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record] {
        try await inner.openOutage(of: cluster).filter { record in
            if case .stepEnded(let step, _) = record.event {
                !step.rawValue.hasPrefix("stop-host/")
            } else {
                true
            }
        }
    }
    func newest(_ limit: Int) async throws(JournalError) -> [Record] {
        try await inner.newest(limit)
    }
}
