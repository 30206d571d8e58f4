import PowerLab
import PowerModel
import PowerRun
import Testing

/// vpower runs in a guest of the cluster that it takes down.
struct LeaveTests {
    private static let host = HostName("esx3.lab")

    /// The lab's site with vpower in one of its guests, and a UPS that waits.
    private static func scenario(outputWaits: Duration = .seconds(60)) -> LabScenario {
        var scenario = LabScenario.standard()
        for index in scenario.guests.indices where scenario.guests[index].name == "db-replica" {
            scenario.guests[index].isController = true
        }
        scenario.pace.outputCuts = outputWaits
        return scenario
    }

    @Test func `the last host shuts vpower and then itself down, and the output waits for it`()
        throws
    {
        let site = MemorySite(Self.scenario())
        let world = site.world
        let id = try #require(world.scenario.guests.first(where: \.isController)?.id)
        let (result, need, log) = try simulate(site) {
            world.failMains()
            let operation = site.operation()
            let result = try await site.goDown(operation)
            #expect(try await operation.notOff() == [])
            let need = try await operation.outputIsNeeded()
            try await site.feed.cutOutput(neededFor: need)
            try await site.time.sleep(for: .seconds(90))
            return (result, need, what(world))
        }
        #expect(result == .finished)
        #expect(need == .ownHost(LabScenario.limits.leave))
        let left = try #require(log.firstIndex(of: "hostLeft esx3.lab"))
        for other in ["esx1.lab", "esx2.lab"] {
            #expect(try #require(log.firstIndex(of: "hostOff \(other)")) < left)
        }
        let asked = try #require(log.firstIndex(of: "guestAsked \(id) hand-over"))
        let off = try #require(log.firstIndex(of: "guestOff \(id) clean"))
        let hostOff = try #require(log.firstIndex(of: "hostOff esx3.lab"))
        let outputOff = try #require(log.firstIndex { $0.hasPrefix("outputOff") })
        #expect(left < asked && asked < off && off < hostOff && hostOff < outputOff)
    }

    @Test func `a UPS that would not wait is not told to cut`() throws {
        let site = MemorySite(Self.scenario(outputWaits: .seconds(5)))
        let log = try simulate(site) {
            site.world.failMains()
            let operation = site.operation()
            _ = try await site.goDown(operation)
            let need = try await operation.outputIsNeeded()
            do throws(FeedError) {
                try await site.feed.cutOutput(neededFor: need)
                Issue.record("it was told")
            } catch { #expect(error.reason == .refused) }
            return what(site.world)
        }
        #expect(!log.contains { $0.hasPrefix("outputCutAsked") })
    }

    @Test func `a controller that does not shut down goes with its host, within the limit`()
        throws
    {
        var scenario = Self.scenario()
        for index in scenario.guests.indices where scenario.guests[index].isController {
            scenario.guests[index].ignoresShutdown = true
        }
        let site = MemorySite(scenario)
        let seconds = try simulate(site) {
            site.world.failMains()
            let operation = site.operation()
            _ = try await site.goDown(operation)
            let told = site.time.elapsed
            while site.world.answers(Self.host) { try await site.time.sleep(for: .seconds(1)) }
            return (site.time.elapsed - told).components.seconds
        }
        #expect(seconds <= LabScenario.limits.leave.components.seconds)
        #expect(
            LabChecker.violations(
                in: site.world.log, site.world.records, of: scenario, restoredTo: nil) == [])
    }

    @Test func `a guest that somebody starts there goes down before vpower leaves`() throws {
        let site = MemorySite(Self.scenario())
        let world = site.world
        let guest = try #require(world.scenario.guests.first { $0.name == "mid-noisy" }?.id)
        let log = try simulate(site) {
            world.failMains()
            let somebody = Upon { record in
                guard case .phaseEnded(.vcsaHost) = record.event else { return }
                do { try world.powerOnGuest(guest, on: Self.host, by: "a person") } catch {
                    Issue.record(error)
                }
            }
            _ = try await site.goDown(site.operation(announcer: somebody))
            return what(world)
        }
        let on = try #require(log.firstIndex(of: "guestOn \(guest) a person"))
        let left = try #require(log.firstIndex(of: "hostLeft esx3.lab"))
        let off = try #require(log.lastIndex { $0.hasPrefix("guestOff \(guest)") })
        #expect(on < off && off < left)
    }

    @Test func `mains that return at once find nothing brought back before the host has gone`()
        throws
    {
        let site = MemorySite(Self.scenario())
        let world = site.world
        let id = try #require(world.scenario.guests.first(where: \.isController)?.id)
        let violations = try simulate(site) {
            world.failMains()
            let life = LabLife()
            let operation = site.operation(life: life)
            _ = try await site.goDown(operation)
            try await site.feed.cutOutput(neededFor: try await operation.outputIsNeeded())
            world.returnMains()
            // The daemon goes on, and dies with the guest it runs in.
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await site.comeBack(operation) }
                group.addTask {
                    while world.inventory().guest(id)?.power == .on {
                        do { try await site.time.sleep(for: .milliseconds(100)) } catch { return }
                    }
                    life.kill()
                }
            }
            #expect(!what(world).contains { $0.hasPrefix("maintenanceOff") })
            // It is started by its host's boot script, and goes on.
            while world.inventory().guest(id)?.power != .on {
                try await site.time.sleep(for: .seconds(1))
            }
            let again = site.operation()
            if try await again.ledger().interruptedRun == nil {
                #expect(try await site.comeBack(again) == .finished)
            } else {
                #expect(
                    try await again.resume(mainsAreBack: true) == .continued(.restore, .finished))
            }
            return await site.violations()
        }
        #expect(violations == [])
    }
}
