import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

/// What must be so before a host is told to stop, and before anybody cuts the output.
struct OffTests {
    private static let host = HostName("esx1.lab")

    // MARK: A host

    @Test func `a guest started while its host enters maintenance mode goes down before it`()
        throws
    {
        let site = MemorySite()
        let world = site.world
        let guest = try #require(world.scenario.guests.first { $0.name == "app-web01" }?.id)
        let (result, log) = try simulate(site) {
            let somebody = Upon { record in
                guard case .asked(.maintenance(of: Self.host), _) = record.event else { return }
                do { try world.powerOnGuest(guest, on: Self.host, by: "a person") } catch {
                    Issue.record(error)
                }
            }
            let operation = site.operation(
                announcer: somebody, site: { $0.maintenanceMode = true })
            let result = try await site.goDown(operation)
            return (result, world.log.map { "\($0.kind.rawValue) \($0.object) \($0.detail)" })
        }
        #expect(result == .finished)
        let on = try #require(log.firstIndex(of: "guestOn \(guest) a person"))
        let off = try #require(log.lastIndex(of: "guestOff \(guest) clean"))
        let told = try #require(log.firstIndex(of: "hostTold \(Self.host) "))
        #expect(on < off && off < told)
    }

    // MARK: The output

    @Test func `what was seen down and is silent is off`() throws {
        let site = MemorySite()
        let (before, after) = try simulate(site) {
            let operation = site.operation()
            let before = try await operation.notOff()
            _ = try await site.goDown(operation)
            return (before, try await operation.notOff())
        }
        #expect(before == ["esx1", "esx2", "esx3"].map { "host \($0).lab was not seen down" })
        #expect(after == [])
    }

    @Test func `where one feed is meant, only what hangs on it counts`() throws {
        let site = MemorySite()
        let notOff = try simulate(site) {
            let operation = site.operation()
            let on = try await operation.notOff(on: site.world.scenario.feed)
            return (on.count, try await operation.notOff(on: FeedName("another")).count)
        }
        #expect(notOff == (3, 0))
    }

    @Test func `a host that came back by itself is not off`() throws {
        let site = MemorySite()
        let notOff = try simulate(site) {
            let operation = site.operation()
            _ = try await site.goDown(operation)
            site.world.wakeHost(Self.host)
            try await site.time.sleep(for: .seconds(60))
            return try await operation.notOff()
        }
        #expect(notOff == ["host esx1.lab answers"])
    }

    @Test func `where the witness is silent too nothing is proven off`() throws {
        var scenario = LabScenario.standard()
        scenario.faults = [PlannedFault(.switchDead, at: .seconds(1000), lasts: .seconds(100))]
        let site = MemorySite(scenario)
        let (before, meanwhile) = try simulate(site) {
            let operation = site.operation { $0.witness = Endpoint(host: "witness", port: 22) }
            _ = try await site.goDown(operation)
            let before = try await operation.notOff()
            // A host may have come back since: behind a dead switch it is as silent.
            try await site.time.sleep(for: .seconds(1010) - site.time.elapsed)
            return (before, try await operation.notOff())
        }
        #expect(before == [])
        #expect(meanwhile == ["the witness witness:22 is silent, so that silence proves nothing"])
    }

    @Test func `a host that is silent and was never told to stop is not proven off`() throws {
        let site = MemorySite()
        let (result, notOff) = try simulate(site) {
            var around = site.around(announcer: Quiet()) { $0.limits.host = .seconds(20) }
            around.lose("esx1.lab")
            let operation = Operation(in: around, control: RunControl(), makeID: { "r" })
            let result = try await site.goDown(operation)
            return (result, try await operation.notOff())
        }
        #expect(result == .finishedWithGaps)
        #expect(notOff == ["host esx1.lab was not seen down"])
    }

    @Test func `a second run of the outage does not wait for hosts that are down`() throws {
        let site = MemorySite()
        let (run, took) = try simulate(site) {
            let before = try await site.cluster.snapshot()
            _ = try await site.goDown(site.operation())
            let again = Operation(
                in: site.around(announcer: Quiet()), control: RunControl(), kept: before,
                makeID: { "r" })
            _ = try await site.goDown(again)
            let run = try #require(try await again.ledger().lastRun)
            let began = try #require(run.phasesStarted[.hosts])
            return (run, try #require(run.progress[StepID("stop-host/esx1.lab")]?.ended) - began)
        }
        #expect(!run.gaps.contains { $0.step.rawValue.hasPrefix("stop-host") }, "\(run.gaps)")
        #expect(took < .seconds(10), "\(took)")
    }

    @Test(arguments: [true, false])
    func `a machine that was never told to stop is not off`(_ answers: Bool) throws {
        let site = MemorySite()
        let nas = Machine(isOn: answers)
        let (result, notOff) = try simulate(site) {
            var around = site.around(announcer: Quiet())
            around.machines = [nas.machine: nas]
            let operation = Operation(
                in: around,
                machines: [
                    MachineSite(
                        name: nas.machine, ssh: Endpoint(host: "nas", port: 22), user: "root",
                        login: .key(path: "key"), hostKeys: [], shutdownCommand: "poweroff",
                        feeds: around.site.feeds, limit: .seconds(60))
                ], control: RunControl(), makeID: { "r" })
            let result = try await site.goDown(operation)
            return (result, try await operation.notOff())
        }
        #expect(result == .finished)
        #expect(notOff == (answers ? [] : ["machine nas was not seen down"]))
    }

    // MARK: Records that are lost

    @Test func `an outage whose snapshot is lost says so, and so does the next run`() throws {
        let site = MemorySite()
        let (restore, resume, warnings) = try simulate(site) {
            let before = try await site.cluster.snapshot()
            _ = try await site.goDown(site.operation())
            let lossy = LossyJournal(inner: site.journal)
            let operation = site.operation(journal: lossy)
            let restore = await words { try await operation.prepareRestore() }
            let resume = await words { try await operation.resume(mainsAreBack: true) }
            let prepared = try await Operation(
                in: site.around(journal: lossy, announcer: Quiet()), control: RunControl(),
                kept: before, makeID: { "r" }
            ).prepareShutdown()
            return (restore, resume, prepared.warnings)
        }
        #expect(restore?.contains("the snapshot of outage") == true, "\(restore ?? "nothing")")
        #expect(resume == "cluster Lab has no interrupted run")
        #expect(warnings.contains { $0.contains("is lost: what is on now, and HA") }, "\(warnings)")
    }

    private func words(_ body: () async throws -> some Any) async -> String? {
        do {
            _ = try await body()
            return nil
        } catch { return "\(error)" }
    }
}

/// Does something at each record.
struct Upon: Announcer {
    let act: @Sendable (Record) async -> Void
    func announce(_ record: Record) async { await act(record) }
}

/// A machine that does as it is told.
private final class Machine: MachineControl {
    let machine = MachineName("nas")
    private let isOn: Mutex<Bool>
    init(isOn: Bool) { self.isOn = Mutex(isOn) }
    func shutDown() async throws(MachineError) { isOn.withLock { $0 = false } }
    var canBeCalledOff: Bool { false }
    func callOff() async throws(MachineError) {}
    func wake() async throws(MachineError) { isOn.withLock { $0 = true } }
    func isSilent() async -> Bool { isOn.withLock { !$0 } }
    func close() async {}
}

/// A journal that has lost the snapshots.
private struct LossyJournal: Journal {
    let inner: MemoryJournal
    func append(_ event: RunEvent, run: RunID?, outage: OutageID)
        async throws(JournalError) -> Record
    {
        try await inner.append(event, run: run, outage: outage)
    }
    func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record] {
        try await inner.openOutage(of: cluster).filter { record in
            if case .snapshotTaken = record.event { false } else { true }
        }
    }
    func newest(_ limit: Int) async throws(JournalError) -> [Record] {
        try await inner.newest(limit)
    }
}
