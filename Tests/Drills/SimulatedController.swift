import PowerLab
import PowerModel
import PowerRun
import Synchronization

/// vpower's daemon in the simulation: it watches the feeds, carries out one run after the other,
/// goes on with what was interrupted, and cuts the output when everything is down. What the real
/// one does with services and sockets is left out; what it decides is not.
final class SimulatedController: Sendable {
    enum Wish: Hashable {
        case down(String)
        case up
    }

    private struct State {
        var wish: Wish?
        var control: RunControl?
        var running: PlanKind?
        var isBusy = false
        var made = 0
    }

    static let trigger = TriggerPolicy(
        onBatteryFor: .seconds(6), silentFor: .seconds(10), mainsStableFor: .seconds(6))
    /// How often the feeds are read, and the engine looks.
    private static let look: Duration = .seconds(2)
    private static let batteryLook: Duration = .seconds(2)

    let site: MemorySite
    private let life: LabLife
    private let journal: any Journal
    private let change: @Sendable (inout ClusterSite) -> Void
    private let wrap: @Sendable (Surroundings) -> Surroundings
    private let kept: Mutex<ClusterSnapshot?>
    private let feeds: [MemoryFeed]
    private let name: String
    private let state = Mutex(State())

    /// One life of the daemon.
    /// - Parameters:
    ///   - kept: the inventory that a life before this one kept.
    ///   - wrap: puts test doubles between the engine and the site.
    init(
        _ site: MemorySite, name: String, life: LabLife, journal: any Journal,
        kept: ClusterSnapshot?, site change: @escaping @Sendable (inout ClusterSite) -> Void,
        wrap: @escaping @Sendable (Surroundings) -> Surroundings
    ) {
        self.site = site
        self.name = name
        self.life = life
        self.journal = journal
        self.change = change
        self.wrap = wrap
        self.kept = Mutex(kept)
        feeds = site.world.scenario.feeds.map { MemoryFeed(site.world, feed: $0, life: life) }
    }

    var keptSnapshot: ClusterSnapshot? { kept.withLock { $0 } }

    /// Watches and acts until the moment, and as long after it as a run goes on.
    func live(until moment: Duration, losesPowerAt: Duration?) async {
        await keepInventory()
        await goOnWithWhatWasInterrupted()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watch(until: moment, losesPowerAt: losesPowerAt) }
            group.addTask { await self.keep(until: moment) }
        }
    }

    // MARK: Watch

    private func watch(until moment: Duration, losesPowerAt: Duration?) async {
        var eye = FeedEye(site.world.scenario.memorySite, policy: Self.trigger)
        while life.isAlive, site.time.elapsed < moment || state.withLock({ $0.isBusy }) {
            for feed in feeds {
                let seen = eye.take(await feed.read(), of: feed.feed, at: site.time.elapsed)
                // A trigger is read again, and must still say so.
                if seen == .trigger {
                    post(eye.confirm(await feed.read(), of: feed.feed, at: site.time.elapsed))
                }
                post(eye.decide(at: site.time.elapsed))
            }
            if let losesPowerAt, site.time.elapsed >= losesPowerAt { life.kill() }
            if !site.world.controllerIsOn { life.kill() }
            do { try await site.time.sleep(for: Self.look) } catch { return }
        }
    }

    private func post(_ seen: FeedEye.Seen) {
        state.withLock { state in
            switch (seen, state.running) {
            case (.relieved, .cluster): state.control?.ask(.reverse)
            case (.atRisk, .restore): state.control?.ask(.stop)
            case (.atRisk, .cluster): state.control?.ask(.goOn)
            default: break
            }
            switch seen {
            case .atRisk(let why): state.wish = .down(why)
            case .supplied: state.wish = .up
            case .relieved:
                // What has not begun is not begun.
                if case .down = state.wish { state.wish = nil }
            case .nothing, .trigger: break
            }
        }
    }

    // MARK: Runs

    private func keep(until moment: Duration) async {
        while life.isAlive {
            let wish = state.withLock { state in
                defer { state.wish = nil }
                state.isBusy = state.wish != nil
                return state.wish
            }
            switch wish {
            case .down(let why): await withOperation(.cluster) { try await self.goDown($0, why) }
            case .up: await withOperation(.restore) { try await self.comeBack($0) }
            case nil:
                if site.time.elapsed >= moment { return }
                do { try await site.time.sleep(for: Self.look) } catch { return }
            }
        }
    }

    private func withOperation(
        _ kind: PlanKind, _ body: (Operation) async throws -> Void
    ) async {
        let control = RunControl()
        life.follow(control)
        state.withLock { state in
            state.control = control
            state.running = kind
        }
        // What cannot be begun is told in the daemon's log, and tried again at the next occasion.
        do { try await body(operation(control)) } catch {}
        state.withLock { state in
            state.control = nil
            state.running = nil
        }
    }

    func operation(_ control: RunControl) -> Operation {
        var around = site.around(
            life: life, journal: journal, announcer: Nobody(), site: change)
        around.pace.look = Self.look
        return Operation(
            in: wrap(around), machines: site.world.scenario.memoryMachines, control: control,
            kept: keptSnapshot,
            makeID: { [self] in
                let number = state.withLock { state in
                    state.made += 1
                    return state.made
                }
                return "\(name)-\(number)"
            })
    }

    private func goDown(_ operation: Operation, _ why: String) async throws {
        let result = try await whileWatchingBattery {
            let ledger = try await operation.ledger()
            guard let run = ledger.interruptedRun, run.plan.kind.isWhole else {
                let prepared = try await operation.prepareShutdown()
                return await operation.shutDown(prepared, because: RunCause(.outage, why))
            }
            return switch try await operation.resume(mainsAreBack: false) {
            case .continued(_, let result), .reversed(let result): result
            }
        }
        guard result == .finished || result == .finishedWithGaps else { return }
        guard try await operation.notOff().isEmpty else { return }
        await cutOutputs(neededFor: try await operation.outputIsNeeded())
    }

    /// Its host is about to go: without the cut nothing would bring that host back.
    private func finishLeaving(_ operation: Operation) async {
        if (try? await operation.isLeaving()) == true, (try? await operation.notOff()) == [] {
            let need = (try? await operation.outputIsNeeded()) ?? .nothing
            await cutOutputs(neededFor: need)
        }
    }

    private func cutOutputs(neededFor need: OutputNeed) async {
        // A UPS that does not take it is told by the daemon's log.
        for feed in feeds { do { try await feed.cutOutput(neededFor: need) } catch {} }
    }

    private func whileWatchingBattery(
        _ body: @escaping @Sendable () async throws -> RunResult
    ) async throws -> RunResult {
        try await withThrowingTaskGroup(of: RunResult?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                var outlook = BatteryOutlook(of: self.site.world.scenario.memorySite, feeds: [])
                var low = Set<FeedName>()
                while !Task.isCancelled {
                    await self.lookAtBattery(&outlook, &low)
                    do { try await self.site.time.sleep(for: Self.batteryLook) } catch { break }
                }
                return nil
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    /// - Parameter low: the feeds whose battery is at its end; a silent feed stays what it was.
    private func lookAtBattery(
        _ outlook: inout BatteryOutlook, _ low: inout Set<FeedName>
    ) async {
        for feed in feeds {
            let reading = await feed.read()
            outlook.take(reading, of: feed.feed, at: site.time.elapsed)
            if reading.status?.onLine == true { low.remove(feed.feed) }
            if reading.status?.onBattery == true, reading.status?.lowBattery == true {
                low.insert(feed.feed)
            }
        }
        let deadline = outlook.deadline
        let areLow = low.count == feeds.count
        state.withLock { state in
            state.control?.expectDeadline(deadline)
            state.control?.noteBatteryEnd(areLow)
        }
    }

    private func comeBack(_ operation: Operation) async throws {
        let ledger = try await operation.ledger()
        guard ledger.outage != nil else { return }
        if ledger.interruptedRun != nil {
            switch try await operation.resume(mainsAreBack: true) {
            case .continued(.cluster, .finished), .continued(.cluster, .finishedWithGaps),
                .continued(.vsan, .finished), .continued(.vsan, .finishedWithGaps):
                await finishLeaving(operation)
            default: return
            }
        }
        let prepared = try await operation.prepareRestore()
        _ = await operation.restore(prepared, because: RunCause(.outage, "the mains are back"))
    }

    private func keepInventory() async {
        // Nothing to keep yet is the same as vCenter's being gone.
        guard let snapshot = try? await MemoryCluster(site.world, life: life).snapshot() else {
            return
        }
        kept.withLock { if $0 == nil { $0 = snapshot } }
    }

    private func goOnWithWhatWasInterrupted() async {
        // A journal that cannot be read has nothing to go on with.
        let operation = operation(RunControl())
        await finishLeaving(operation)
        guard let ledger = try? await operation.ledger(),
            let run = ledger.interruptedRun, run.plan.kind.isWhole
        else { return }
        for feed in feeds where await feed.read().status?.onBattery == true {
            state.withLock { $0.wish = .down("resumed") }
            return
        }
    }
}

/// What the feeds amount to for one cluster: the rules of the daemon's `OutageDecider`.
struct FeedEye {
    enum Seen: Hashable {
        case nothing, trigger, relieved, supplied
        case atRisk(String)
    }

    private let cluster: ClusterSite
    private let policy: TriggerPolicy
    private var watches: [FeedName: FeedWatch] = [:]
    private var onLineSince: [FeedName: Duration] = [:]
    private var isTriggered = false
    private var isSupplied = false

    init(_ cluster: ClusterSite, policy: TriggerPolicy) {
        self.cluster = cluster
        self.policy = policy
        for feed in cluster.feeds {
            watches[feed] = FeedWatch(policy: policy)
        }
    }

    /// Takes a reading; `.trigger` is to be read again.
    mutating func take(_ reading: FeedReading, of feed: FeedName, at now: Duration) -> Seen {
        if reading.status?.onLine == true {
            onLineSince[feed] = onLineSince[feed] ?? now
        } else {
            onLineSince[feed] = nil
        }
        guard case .trigger = watches[feed]?.take(reading, at: now) else { return .nothing }
        watches[feed]?.withdrawTrigger()
        return .trigger
    }

    /// Takes the second reading: when it says so too, the feed counts as lost.
    mutating func confirm(_ reading: FeedReading, of feed: FeedName, at now: Duration) -> Seen {
        guard case .trigger(let reason) = watches[feed]?.take(reading, at: now) else {
            return .nothing
        }
        if isTriggered || !isAtRisk(without: unhealthy) { return .nothing }
        isTriggered = true
        isSupplied = false
        return .atRisk("\(feed): \(reason)")
    }

    /// What all feeds together say.
    mutating func decide(at now: Duration) -> Seen {
        let without = unhealthy
        if isTriggered, !isAtRisk(without: without) {
            isTriggered = false
            return .relieved
        }
        if onLineSince.isEmpty { isSupplied = false }
        let unstable = Set(
            watches.keys.filter { feed in
                onLineSince[feed].map { now - $0 < policy.mainsStableFor } ?? true
            })
        if isSupplied || isTriggered || isAtRisk(without: unstable) { return .nothing }
        isSupplied = true
        return .supplied
    }

    private var unhealthy: Set<FeedName> { Set(watches.filter { !$0.value.isHealthy }.keys) }

    private func isAtRisk(without lost: Set<FeedName>) -> Bool {
        !cluster.hostsAtRisk(healthy: Set(cluster.feeds).subtracting(lost)).isEmpty
    }
}
