import PowerLab
import PowerModel
import PowerRun
import Synchronization

/// A drawn afternoon, lived through: safety with faults on, then liveness with everything healed.
struct Afternoon {
    let draw: LabDraw
    /// Another site file, or test doubles between the engine and the site.
    var site: @Sendable (inout ClusterSite) -> Void = { _ in }
    var wrap: @Sendable (Surroundings) -> Surroundings = { $0 }

    struct End {
        var violations: [String]
        var evaluated: [String: Int]
        var faults: [LabFault: Int]
        /// Whether the outage, if there was one, is closed.
        var isClosed: Bool
        /// Whether the outage cannot be closed, since the record of a host's maintenance mode was
        /// lost with the power of vpower's machine.
        var isForgotten: Bool
        var runs: Int
        /// What is on, and the automation, at the very end.
        var final: [String]
        var log: [LabEvent]
        var records: [LabRecord]

        /// What happened and what was recorded, one line each.
        var trace: [String] { Afternoon.trace(log, records) }
    }

    /// How long after everything is healed the daemon may take, if no run is under way then.
    private static let calm: Duration = .seconds(20)
    /// How often a person restores what the daemon's one try has left.
    private static let tries = 3
    static let limit: Duration = .seconds(20_000)

    func live() throws -> End {
        let scenario = draw.scenario
        let memory = MemorySite(scenario)
        let disk = FullDisk(
            memory.journal, after: draw.diskFullAfter, until: draw.healsAt, world: memory.world)
        // In /run: it outlives a process, not the machine's power.
        var spare = MemoryJournal { memory.time.wall }
        var kept: ClusterSnapshot?
        var lives = draw.lives
        if draw.diskFullAfter != nil {
            // Whoever mends the disk starts vpower again.
            lives.append(LabDraw.Life(end: nil, losesPowerAt: draw.healsAt, pause: .seconds(5)))
        }
        lives.sort { ($0.losesPowerAt ?? .zero) < ($1.losesPowerAt ?? .zero) }
        lives.append(LabDraw.Life(end: nil, losesPowerAt: nil, pause: .zero))
        var number = 0
        while !lives.isEmpty {
            let one = lives.removeFirst()
            number += 1
            let life = LabLife(until: one.end)
            let journal = FallbackJournal(
                primary: disk, spare: spare, wall: { memory.time.wall }, report: { _ in })
            let controller = SimulatedController(
                memory, name: "\(number)", life: life, journal: journal, kept: kept,
                site: settings, wrap: wrap)
            let isOver = try SerialExecutor.simulate(
                time: memory.time, limit: Self.limit, life: life
            ) {
                await journal.takeOver(into: disk)
                await controller.live(
                    until: draw.healsAt + Self.calm, losesPowerAt: one.losesPowerAt)
                return true
            }
            kept = controller.keptSnapshot
            if isOver != nil { break }
            if try wentWithItsGuest(memory) {
                spare = MemoryJournal { memory.time.wall }
                lives.append(LabDraw.Life(end: nil, losesPowerAt: nil, pause: .zero))
            }
            if one.end == nil, one.losesPowerAt != draw.healsAt {
                spare = MemoryJournal { memory.time.wall }
            }
            try idle(memory, after: one)
        }
        return try finish(memory, disk, spare)
    }

    private var settings: @Sendable (inout ClusterSite) -> Void {
        { [draw, site] cluster in
            cluster.maintenanceMode = draw.maintenanceMode
            cluster.boot = draw.boot
            cluster.witness = Endpoint(host: "witness", port: 22)
            site(&cluster)
        }
    }

    /// Whether vpower died with the guest that it runs in; then waits until that is on again.
    private func wentWithItsGuest(_ memory: MemorySite) throws -> Bool {
        let world = memory.world
        if world.controllerIsOn { return false }
        _ = try SerialExecutor.simulate(time: memory.time, limit: Self.limit) {
            world.loseRecords(except: memory.journal.records)
            while !world.controllerIsOn {
                _ = await world.change(after: .max, within: .seconds(1))
            }
        }
        return true
    }

    /// Nobody runs for a while; a machine that lost its power waits for the mains.
    private func idle(_ memory: MemorySite, after life: LabDraw.Life) throws {
        _ = try SerialExecutor.simulate(time: memory.time, limit: Self.limit) {
            switch life.end {
            case .beforeRecord: memory.world.took(.killedBeforeRecord)
            case .afterRecord: memory.world.took(.killedAfterRecord)
            case nil where life.losesPowerAt != draw.healsAt:
                memory.world.took(.controllerLosesPower)
                memory.world.loseRecords(except: memory.journal.records)
            case nil: break
            }
            _ = await memory.world.change(after: .max, within: life.pause)
            while life.end == nil, !memory.world.hasMains {
                _ = await memory.world.change(after: .max, within: .seconds(1))
            }
        }
    }

    /// Everything is healed: a person restores what is still missing, then all is judged.
    private func finish(
        _ memory: MemorySite, _ disk: FullDisk, _ spare: MemoryJournal
    ) throws -> End {
        // A command reads what the daemon had to leave in /run, as the daemon itself does.
        let journal = FallbackJournal(
            primary: disk, spare: spare, wall: { memory.time.wall }, report: { _ in })
        let controller = SimulatedController(
            memory, name: "person", life: LabLife(), journal: journal, kept: nil, site: settings,
            wrap: wrap)
        let end = try SerialExecutor.simulate(time: memory.time, limit: Self.limit) {
            () async -> End in
            await journal.takeOver(into: disk)
            for _ in 0..<Self.tries where await !Self.isClosed(memory) {
                let operation = controller.operation(RunControl())
                await Self.startVCSA(memory.world, operation)
                await Self.restore(operation)
            }
            let log = memory.world.log
            let records = memory.world.records
            var checker = LabChecker(of: memory.world.scenario, hasRecords: true)
            checker.take(log, records)
            checker.end(memory.world.currentAutomation())
            return End(
                violations: checker.violations, evaluated: checker.evaluated,
                faults: memory.world.faultsTaken, isClosed: await Self.isClosed(memory),
                isForgotten: checker.hasHostLeftInMaintenance, runs: Ledger.runs(in: records),
                final: await Self.state(of: memory.world), log: log, records: records)
        }
        guard let end else { throw SimulationStuck(after: memory.time.elapsed) }
        return end
    }

    /// Whether no outage is open; one without a snapshot has changed nothing.
    private static func isClosed(_ memory: MemorySite) async -> Bool {
        memory.journal.records.reduce(true) { isClosed, record in
            switch record.event {
            case .snapshotTaken: false
            case .outageClosed: true
            default: isClosed
            }
        }
    }

    /// What was off when the outage's snapshot was taken stays off (DESIGN 5.5). A vCSA that was,
    /// and that vpower did not stop since, is the person's to start: the report names vCenter.
    private static func startVCSA(_ world: LabWorld, _ operation: Operation) async {
        guard let ledger = try? await operation.ledger(), ledger.interruptedRun == nil,
            let prepared = try? await operation.prepareRestore(),
            let spec = world.scenario.guests.first(where: \.isVCSA),
            let vcsa = world.inventory().guest(spec.id),
            vcsa.power == .off, let host = vcsa.host,
            let before = ledger.snapshot?.inventory.guest(vcsa.id), before.power != .on,
            !prepared.plan.steps.contains(where: { $0.id == StepID("start/\(vcsa.id)") })
        else { return }
        // Refused, it is as if nobody had tried: the outage stays open, which is judged.
        try? world.powerOnGuest(vcsa.id, on: host, by: "a person")
    }

    private static func restore(_ operation: Operation) async {
        // What a person cannot begin is tried once more: the judge looks at where it leads.
        do {
            if try await operation.ledger().interruptedRun != nil {
                _ = try await operation.resume(mainsAreBack: true)
                return
            }
            let prepared = try await operation.prepareRestore()
            _ = await operation.restore(prepared, because: RunCause(.hand, "by hand"))
        } catch {}
    }

    private static func state(of world: LabWorld) async -> [String] {
        let inventory = world.inventory()
        let guests = inventory.guests.filter { $0.nature == .ordinary }
            .map { "\($0.id) \($0.power.rawValue)" }
        let automation = world.currentAutomation()
        return guests + inventory.hosts.map { "\($0.name) \($0.connected) \($0.inMaintenance)" }
            + ["\(automation.ha) \(automation.drsLevel) \(automation.dpm)"]
            + ["\(automation.vcls.keepsGuests)"]
    }

    static func trace(_ log: [LabEvent], _ records: [LabRecord]) -> [String] {
        var lines: [String] = []
        var records = records[...]
        for event in log {
            while let next = records.first, next.afterEvent < event.number {
                lines.append(line(next))
                records.removeFirst()
            }
            lines.append(
                "\(event.atSeconds) \(event.kind.rawValue) \(event.object.onOneLine) "
                    + event.detail.onOneLine)
        }
        return lines + records.map(line)
    }

    private static func line(_ seen: LabRecord) -> String {
        let what =
            switch seen.record.event {
            case .snapshotTaken(let snapshot): "snapshot of \(snapshot.inventory.guests.count)"
            case .runStarted(let plan, let cause):
                "run \(plan.kind.rawValue) of \(plan.steps.count) steps: \(cause.reason)"
            default: "\(seen.record.event)"
            }
        return "\(seen.atSeconds)   #\(seen.record.number) "
            + "\(seen.record.run?.rawValue ?? "-") \(what)"
    }
}

extension Ledger {
    fileprivate static func runs(in records: [LabRecord]) -> Int {
        records.count { if case .runStarted = $0.record.event { true } else { false } }
    }
}

/// A disk that is full after so many records, until everything is healed.
final class FullDisk: RecordStore {
    private let inner: MemoryJournal
    private let left: Mutex<Int?>
    private let end: Duration
    private let world: LabWorld

    init(_ inner: MemoryJournal, after count: Int?, until end: Duration, world: LabWorld) {
        self.inner = inner
        self.end = end
        self.world = world
        left = Mutex(count)
    }

    private func checkSpace() async throws(JournalError) {
        let isFull = left.withLock { left in
            guard let count = left else { return false }
            left = count - 1
            return count <= 0
        }
        let seconds = world.seconds
        if isFull, .seconds(seconds) < end {
            world.took(.diskFull)
            throw JournalError(path: "lab", reason: .full, detail: "no space left on device")
        }
    }

    func append(_ event: RunEvent, run: RunID?, outage: OutageID)
        async throws(JournalError) -> Record
    {
        try await checkSpace()
        return try await inner.append(event, run: run, outage: outage)
    }

    func take(_ records: [Record]) async throws(JournalError) {
        try await checkSpace()
        try await inner.take(records)
    }

    func forget(through number: Int64) async throws(JournalError) {
        try await inner.forget(through: number)
    }

    func openOutage(of cluster: ClusterName) async throws(JournalError) -> [Record] {
        try await inner.openOutage(of: cluster)
    }

    func newest(_ limit: Int) async throws(JournalError) -> [Record] {
        try await inner.newest(limit)
    }

    func outages(of cluster: ClusterName?, newest limit: Int)
        async throws(JournalError) -> [OutageID]
    {
        try await inner.outages(of: cluster, newest: limit)
    }

    func records(of outage: OutageID) async throws(JournalError) -> [Record] {
        try await inner.records(of: outage)
    }

    func outage(of run: RunID) async throws(JournalError) -> OutageID? {
        try await inner.outage(of: run)
    }
}

/// Tells nobody.
struct Nobody: Announcer {
    func announce(_ record: Record) async {}
}

extension LabWorld {
    /// Whether vpower can run: always where it runs in no guest of the site.
    var controllerIsOn: Bool {
        guard let spec = scenario.guests.first(where: \.isController) else { return true }
        return inventory().guest(spec.id)?.power == .on
    }
}
