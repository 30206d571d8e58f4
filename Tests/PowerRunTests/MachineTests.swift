import PowerLab
import PowerModel
import PowerRun
import Testing

/// Storage that goes by itself, some time after it was told.
struct MachineTests {
    private static let nas = MachineName("nas")
    private static let stop = StepID("stop-machine/nas")
    private static let start = StepID("start-machine/nas")

    /// The lab's site with a machine. With `inside`, vpower runs in a guest of it; with `onOneHost`
    /// all is on that guest's host, and the others sleep: nothing is irrevocable before that goes.
    private static func scenario(
        delay: Duration? = .seconds(80), canBeCalledOff: Bool = false, inside: Bool = true,
        onOneHost: Bool = false
    ) -> LabScenario {
        var scenario = LabScenario.standard()
        scenario.machines = [
            LabMachineSpec(name: nas, delay: delay, canBeCalledOff: canBeCalledOff)
        ]
        for index in scenario.guests.indices {
            if scenario.guests[index].name == "db-replica" {
                scenario.guests[index].isController = inside
            }
            if onOneHost { scenario.guests[index].host = HostName("esx3.lab") }
        }
        for index in scenario.hosts.indices where onOneHost {
            scenario.hosts[index].inStandby = scenario.hosts[index].name != HostName("esx3.lab")
        }
        scenario.pace.outputCuts = .seconds(100)
        return scenario
    }

    private func wait(until isSo: () -> Bool, _ site: MemorySite) async throws {
        while !isSo() { try await site.time.sleep(for: .seconds(1)) }
    }

    @Test func `it is told before vpower goes, goes after the last host, and the output waits`()
        throws
    {
        let site = MemorySite(Self.scenario())
        let world = site.world
        let (result, need, log) = try simulate(site) {
            world.failMains()
            let operation = site.operation()
            let result = try await site.goDown(operation)
            #expect(try await operation.notOff() == [])
            let need = try await operation.outputIsNeeded()
            try await site.feed.cutOutput(neededFor: need)
            try await site.time.sleep(for: .seconds(120))
            return (result, need, what(world))
        }
        #expect(result == .finished)
        #expect(need == .machine(Self.nas, goneWithin: .seconds(90)))
        let order = [
            "hostOff esx2.lab", "machineTold nas", "hostLeft esx3.lab", "hostOff esx3.lab",
            "machineOff nas", "outputOff ups1",
        ].map { log.firstIndex(of: $0) ?? -1 }
        #expect(order == order.sorted() && !order.contains(-1), "\(order)")
        #expect(
            LabChecker.violations(
                in: world.log, world.records, of: world.scenario, restoredTo: nil) == [])
    }

    @Test func `a UPS that waits for the host alone is not told to cut`() throws {
        var scenario = Self.scenario()
        scenario.pace.outputCuts = .seconds(89)
        let site = MemorySite(scenario)
        let why = try simulate(site) {
            site.world.failMains()
            let operation = site.operation()
            _ = try await site.goDown(operation)
            let need = try await operation.outputIsNeeded()
            do throws(FeedError) {
                try await site.feed.cutOutput(neededFor: need)
                return "it was told"
            } catch { return error.detail }
        }
        #expect(
            why == "it would be off in 89s (ups.delay.shutdown), and machine nas needs up to 90s: "
                + "set offdelay in ups.conf, or its `delay` and `limit`")
    }

    @Test func `one that has not gone when its time is over keeps the output on`() throws {
        let site = MemorySite(Self.scenario(canBeCalledOff: true))
        let notOff = try simulate(site) {
            site.world.failMains()
            let operation = site.operation()
            _ = try await site.goDown(operation)
            let nas = MemoryMachine(site.world.scenario.machines[0], in: site.world)
            try await nas.callOff()
            try await site.time.sleep(for: .seconds(91))
            return try await operation.notOff()
        }
        #expect(notOff == ["machine nas answers, and has not gone as it was told"])
    }

    @Test func `where vpower stays on, it is waited for until it has gone`() throws {
        let site = MemorySite(Self.scenario(inside: false))
        let (run, notOff) = try simulate(site) {
            site.world.failMains()
            let operation = site.operation()
            _ = try await site.goDown(operation)
            return (
                try #require(try await operation.ledger().lastRun), try await operation.notOff()
            )
        }
        let progress = try #require(run.progress[Self.stop])
        let took = try #require(progress.ended) - (try #require(progress.asked))
        #expect(progress.outcome == .done(.asked))
        #expect(took >= .seconds(80) && took < .seconds(90))
        #expect(notOff == [])
    }

    @Test func `silence before it goes proves nothing`() throws {
        var scenario = Self.scenario(inside: false)
        scenario.faults = [PlannedFault(.switchDead, at: .seconds(90), lasts: .seconds(1000))]
        let site = MemorySite(scenario)
        let run = try simulate(site) {
            try await site.time.sleep(for: .seconds(20))
            site.world.failMains()
            let operation = site.operation()
            _ = try await site.goDown(operation)
            return try #require(try await operation.ledger().lastRun)
        }
        guard case .gaveUp(let why) = run.outcome(of: Self.stop) else {
            Issue.record("\(String(describing: run.outcome(of: Self.stop)))")
            return
        }
        #expect(why.contains("it fell silent before it was to go"))
    }

    // MARK: Called back

    /// Goes down until the machine was told, is called back, and comes back.
    private func calledBack(
        canBeCalledOff: Bool
    ) throws -> (results: [RunResult], log: [String], records: [RunEvent], violations: [String]) {
        let site = MemorySite(Self.scenario(canBeCalledOff: canBeCalledOff, onOneHost: true))
        let world = site.world
        return try simulate(site) {
            world.failMains()
            let control = RunControl()
            let caller = Upon { record in
                guard case .stepEnded(Self.stop, .done) = record.event else { return }
                world.returnMains()
                control.ask(.reverse)
            }
            let down = try await site.goDown(
                site.operation(announcer: caller, control: control))
            let up = try await site.comeBack(site.operation())
            return (
                [down, up], what(world), world.records.map(\.record.event),
                await site.violations()
            )
        }
    }

    @Test func `a run that is called back calls the machine off, which stays on`() throws {
        let (results, log, records, violations) = try calledBack(canBeCalledOff: true)
        #expect(results == [.reversed, .finished])
        #expect(
            log.filter { $0.hasPrefix("machine") } == ["machineTold nas", "machineCalledOff nas"])
        #expect(records.contains(.asked(Self.start, "call off the shutdown of nas")))
        #expect(violations == [])
    }

    @Test func `one that cannot be called off goes, and is woken: what answers before is not back`()
        throws
    {
        let (results, log, records, violations) = try calledBack(canBeCalledOff: false)
        #expect(results == [.reversed, .finished])
        #expect(
            log.filter { $0.hasPrefix("machine") }
                == ["machineTold nas", "machineOff nas", "machineUp nas"])
        #expect(records.contains(.asked(Self.start, "wake nas")))
        #expect(violations == [])
    }

    @Test func `a restore that begins before the machine has gone waits for that`() throws {
        let site = MemorySite(Self.scenario(canBeCalledOff: true))
        let world = site.world
        let log = try simulate(site) {
            world.failMains()
            _ = try await site.goDown(site.operation())
            world.returnMains()
            // vpower runs on elsewhere in this test, and its host comes back by somebody's hand.
            try await self.wait(until: { !world.answers(HostName("esx3.lab")) }, site)
            for host in world.scenario.hosts { world.wakeHost(host.name) }
            #expect(try await site.comeBack(site.operation()) == .finished)
            return what(world)
        }
        // After vpower's host was handed over nobody calls it off.
        #expect(
            log.filter { $0.hasPrefix("machine") }
                == ["machineTold nas", "machineOff nas", "machineUp nas"])
    }

    // MARK: The hand-over is late

    /// Goes down; vpower's host is told this long after the machine.
    private func handedOver(
        late: Duration, canBeCalledOff: Bool
    ) throws -> (log: [String], notes: [String]) {
        let site = MemorySite(Self.scenario(canBeCalledOff: canBeCalledOff))
        let world = site.world
        return try simulate(site) {
            world.failMains()
            let slow = Upon { record in
                guard case .phaseEnded(.machines) = record.event else { return }
                do { try await site.time.sleep(for: late) } catch { Issue.record(error) }
            }
            let operation = site.operation(announcer: slow)
            #expect(try await site.goDown(operation) == .finished)
            let notes = try await operation.ledger().lastRun?.notes ?? []
            try await site.time.sleep(for: .seconds(120))
            return (what(world), notes)
        }
    }

    @Test func `a machine that would go before vpower's host is called off and told anew`() throws {
        let (log, notes) = try handedOver(late: .seconds(50), canBeCalledOff: true)
        let order = log.filter { $0.hasPrefix("machine") || $0.hasSuffix(" esx3.lab") }
        let expected = [
            "machineTold nas", "machineCalledOff nas", "machineTold nas", "hostLeft esx3.lab",
            "hostOff esx3.lab", "machineOff nas",
        ]
        #expect(order.filter(expected.contains) == expected)
        #expect(notes == [])
    }

    @Test(arguments: [(10, 0), (50, 1)])
    func `where it cannot be called off, vpower goes all the same, and says so`(
        late: Int64, noted: Int
    ) throws {
        let (log, notes) = try handedOver(late: .seconds(late), canBeCalledOff: false)
        #expect(log.count { $0 == "machineTold nas" } == 1)
        #expect(log.contains("hostLeft esx3.lab"))
        #expect(
            notes.filter { $0 == "nas goes before vpower's own host may be off" }.count == noted)
    }
}
