public import PowerModel
public import PowerRun
import Synchronization

/// Counts what went through an adapter: for the drill's summary.
public final class CallCounter: Sendable {
    private let calls = Mutex(0)

    /// Nothing yet.
    public init() {}

    /// How many calls there were.
    public var count: Int { calls.withLock { $0 } }

    func count(_ world: LabWorld) -> LabWorld {
        calls.withLock { $0 += 1 }
        return world
    }
}

/// The simulated cluster in memory.
public struct MemoryCluster: ClusterControl {
    private let lab: LabWorld
    private let name: ClusterName
    private let reference: String
    /// How many calls there were.
    public let counter = CallCounter()

    private let life: LabLife

    /// The cluster of a simulated site, as one process sees it.
    public init(_ world: LabWorld, life: LabLife = LabLife()) {
        lab = world
        self.life = life
        name = world.scenario.cluster
        reference = world.scenario.clusterReference
    }

    private func error(_ attempting: String, _ reason: ClusterError.Reason, _ detail: String)
        -> ClusterError
    {
        ClusterError(vcenter: "lab", attempting: attempting, reason: reason, detail: detail)
    }

    private func reach(_ attempting: String) async throws(ClusterError) -> LabWorld {
        let world = counter.count(lab)
        guard life.isAlive else { throw error(attempting, .unreachable, "vpower is dead") }
        guard let obstacle = await world.obstacleToVCenter() else { return world }
        if obstacle.delay > .zero {
            do { try await world.time.sleep(for: obstacle.delay) } catch {
                throw self.error(attempting, .timedOut, "cancelled")
            }
            guard life.isAlive else { throw error(attempting, .unreachable, "vpower is dead") }
        }
        switch obstacle.reason {
        case nil: return world
        case .notReady: throw error(attempting, .starting, obstacle.detail)
        case .session: throw error(attempting, .refused, obstacle.detail)
        case .timedOut: throw error(attempting, .timedOut, obstacle.detail)
        case .unreachable, .keyRefused, .refused:
            throw error(attempting, .unreachable, obstacle.detail)
        }
    }

    /// As the protocol has it: being asked for what is already so is success.
    private func translate(
        _ attempting: String, wanted: GuestPower, _ body: () async throws(LabRefusal) -> Void
    ) async throws(ClusterError) {
        do { try await body() } catch {
            switch error {
            case .wrongState(wanted): return
            case .notFound: throw self.error(attempting, .notFound, "no such guest")
            case .wrongState(let power):
                throw self.error(attempting, .wrongState, "it is \(power.rawValue)")
            case .toolsUnavailable:
                throw self.error(attempting, .toolsUnavailable, "Tools do not answer")
            case .failed(let why): throw self.error(attempting, .refused, why)
            }
        }
    }

    /// Hosts, guests and automation.
    public func snapshot() async throws(ClusterError) -> ClusterSnapshot {
        let world = try await reach("take a snapshot")
        return ClusterSnapshot(
            cluster: name, reference: reference, inventory: await world.inventory(),
            automation: await world.currentAutomation())
    }

    /// The inventory when it is newer, or the limit has passed.
    public func inventory(newerThan version: UInt64?, within limit: Duration)
        async throws(ClusterError) -> Inventory
    {
        let what = "read the inventory"
        let world = try await reach(what)
        if let version, limit > .zero {
            let start = world.time.elapsed
            let seen = await world.change(after: version, within: limit)
            // Several changes are told at once, as vCenter does; never later than the limit.
            let left = limit - (world.time.elapsed - start)
            if seen > version, left > .zero {
                try await wait(what, min(left, world.scenario.pace.vcenterTells))
            }
        }
        let inventory = try await reach(what).inventory()
        // What was so some time ago is what is told now.
        if let lag = await world.inventoryLag() { try await wait(what, lag) }
        return inventory
    }

    private func wait(_ attempting: String, _ duration: Duration) async throws(ClusterError) {
        do { try await lab.time.sleep(for: duration) } catch {
            throw self.error(attempting, .timedOut, "cancelled")
        }
    }

    /// The automation.
    public func automation() async throws(ClusterError) -> Automation {
        await (try reach("read HA and DRS")).currentAutomation()
    }

    /// Changes the automation.
    public func change(_ change: AutomationChange) async throws(ClusterError) {
        let world = try await reach("change HA and DRS")
        if await world.haTaskFails() {
            throw error("change HA and DRS", .refused, "the task failed")
        }
        await world.change(change)
    }

    /// Changes vCLS.
    public func setVCLS(_ setting: VCLSSetting) async throws(ClusterError) {
        await (try reach("change vCLS")).setVCLS(setting)
    }

    /// Asks a guest to shut down.
    public func shutDown(_ guest: Guest) async throws(ClusterError) {
        let what = "shut down guest \(guest.name.onOneLine)"
        let world = try await reach(what)
        try await translate(what, wanted: .off) { () throws(LabRefusal) in
            try await world.shutDownGuest(guest.id, by: "vcenter")
        }
    }

    /// Cuts a guest's power.
    public func powerOff(_ guest: Guest) async throws(ClusterError) {
        let what = "power off guest \(guest.name.onOneLine)"
        let world = try await reach(what)
        try await translate(what, wanted: .off) { () throws(LabRefusal) in
            try await world.powerOffGuest(guest.id)
        }
    }

    /// Writes a guest's memory to disk.
    public func suspend(_ guest: Guest) async throws(ClusterError) {
        let what = "suspend guest \(guest.name.onOneLine)"
        let world = try await reach(what)
        try await translate(what, wanted: .suspended) { () throws(LabRefusal) in
            try await world.suspendGuest(guest.id)
        }
    }

    /// Starts a guest.
    public func powerOn(_ guest: Guest, on host: HostName) async throws(ClusterError) {
        let what = "start guest \(guest.name.onOneLine)"
        let world = try await reach(what)
        try await translate(what, wanted: .on) { () throws(LabRefusal) in
            try await world.powerOnGuest(guest.id, on: host, by: "vcenter")
        }
    }

    /// Nothing to log out of.
    public func close() async {}
}

/// A simulated host in memory.
public struct MemoryHost: HostControl {
    /// The host.
    public let host: HostName
    private let lab: LabWorld
    /// How many calls there were.
    public let counter = CallCounter()

    private let life: LabLife

    /// A host of a simulated site, as one process sees it.
    public init(_ host: HostName, in world: LabWorld, life: LabLife = LabLife()) {
        self.host = host
        lab = world
        self.life = life
    }

    private func error(_ attempting: String, _ reason: HostError.Reason, _ detail: String)
        -> HostError
    {
        HostError(host: host, attempting: attempting, reason: reason, detail: detail)
    }

    private func reach(
        _ attempting: String, hostd: Bool = true, acting: Bool = false
    ) async throws(HostError) -> LabWorld {
        let world = counter.count(lab)
        guard life.isAlive else { throw error(attempting, .unreachable, "vpower is dead") }
        guard let obstacle = await world.obstacle(to: host, hostd: hostd, acting: acting) else {
            return world
        }
        if obstacle.delay > .zero {
            do { try await world.time.sleep(for: obstacle.delay) } catch {
                throw self.error(attempting, .timedOut, "cancelled")
            }
            guard life.isAlive else { throw error(attempting, .unreachable, "vpower is dead") }
        }
        switch obstacle.reason {
        case nil: return world
        case .unreachable: throw error(attempting, .unreachable, obstacle.detail)
        case .refused, .session: throw error(attempting, .refused, obstacle.detail)
        case .keyRefused: throw error(attempting, .hostKeyRefused, obstacle.detail)
        case .notReady: throw error(attempting, .notReady, obstacle.detail)
        case .timedOut: throw error(attempting, .timedOut, obstacle.detail)
        }
    }

    private func find(_ guest: BootGuest, _ attempting: String) async throws(HostError)
        -> (LabWorld, GuestID)
    {
        let world = try await reach(attempting, acting: true)
        guard let row = await world.rows(on: host).first(where: { $0.vmxPath == guest.vmxPath })
        else { throw error(attempting, .notFound, "it is not registered there") }
        return (world, row.id)
    }

    /// The guests registered there.
    public func guests() async throws(HostError) -> [HostGuest] {
        await (try reach("list the guests")).rows(on: host).map {
            HostGuest(name: $0.name, vmxPath: $0.vmxPath, power: $0.power)
        }
    }

    /// Asks a guest to shut down.
    public func shutDown(_ guest: BootGuest) async throws(HostError) {
        let what = "shut down guest \(guest.name.onOneLine)"
        let (world, id) = try await find(guest, what)
        do { try await world.shutDownGuest(id, by: host.rawValue) } catch .toolsUnavailable {
            throw error(what, .toolsUnavailable, "Tools do not answer")
        } catch .wrongState(.off) {
        } catch { throw self.error(what, .refused, "\(error)") }
    }

    /// Cuts a guest's power.
    public func powerOff(_ guest: BootGuest) async throws(HostError) {
        let what = "power off guest \(guest.name.onOneLine)"
        let (world, id) = try await find(guest, what)
        do { try await world.powerOffGuest(id) } catch .wrongState(.off) {
        } catch { throw self.error(what, .refused, "\(error)") }
    }

    /// Writes a guest's memory to disk.
    public func suspend(_ guest: BootGuest) async throws(HostError) {
        let what = "suspend guest \(guest.name.onOneLine)"
        let (world, id) = try await find(guest, what)
        do { try await world.suspendGuest(id) } catch .wrongState(.suspended) {
        } catch { throw self.error(what, .refused, "\(error)") }
    }

    /// Registers a guest whose own host is gone.
    public func register(_ guest: BootGuest) async throws(HostError) {
        let what = "register guest \(guest.name.onOneLine)"
        let world = try await reach(what, acting: true)
        do { try await world.registerGuest(at: guest.vmxPath, on: host) } catch {
            throw self.error(what, error == .notFound ? .notFound : .refused, "\(error)")
        }
    }

    /// Starts a guest.
    public func powerOn(_ guest: BootGuest) async throws(HostError) {
        let what = "start guest \(guest.name.onOneLine)"
        let (world, id) = try await find(guest, what)
        do { try await world.powerOnGuest(id, on: host, by: host.rawValue) } catch .wrongState(.on)
        {
        } catch { throw self.error(what, .refused, "\(error)") }
    }

    /// Whether it is in maintenance mode.
    public func inMaintenance() async throws(HostError) -> Bool {
        await (try reach("read maintenance mode")).inMaintenance(host)
    }

    /// Enters or leaves maintenance mode.
    public func setMaintenance(_ on: Bool, within limit: Duration) async throws(HostError) {
        let what = "\(on ? "enter" : "leave") maintenance mode"
        let world = try await reach(what, acting: true)
        guard await world.setMaintenance(host, on: on) else {
            throw error(what, .refused, "guests run there")
        }
    }

    /// Tells it to power itself off.
    public func shutDownHost(reason: String) async throws(HostError) {
        await (try reach("shut down the host", hostd: false, acting: true)).shutDownHost(host)
    }

    /// Whether nobody answers.
    public func isSilent() async -> Bool {
        guard life.isAlive else { return false }
        return await counter.count(lab).isSilent(host)
    }

    /// Keeps the orders as the boot script.
    public func arm(_ orders: BootOrders) async throws(HostError) -> BootScriptInstall {
        await (try reach("install the boot script", hostd: false, acting: true)).setOrders(
            orders, on: host)
        return BootScriptInstall(
            sha256: String(repeating: "0", count: 64), drift: [], unchanged: false)
    }

    /// Forgets the orders.
    public func disarm() async throws(HostError) {
        await (try reach("take out the boot script", hostd: false, acting: true)).setOrders(
            nil, on: host)
    }

    /// What the boot script has reported.
    public func bootReport(of run: RunID) async throws(HostError) -> BootReport {
        await (try reach("read the boot report", hostd: false)).bootReport(of: run, on: host)
    }

    /// No session to end.
    public func close() async {}
}

/// The simulated UPS in memory.
public struct MemoryFeed: FeedControl {
    /// The feed.
    public let feed: FeedName
    private let lab: LabWorld
    /// How many calls there were.
    public let counter = CallCounter()

    private let life: LabLife

    /// A UPS of a simulated site, its first unless told otherwise, as one process sees it.
    public init(_ world: LabWorld, feed: FeedName? = nil, life: LabLife = LabLife()) {
        self.feed = feed ?? world.scenario.feed
        lab = world
        self.life = life
    }

    /// What the UPS says now.
    public func read() async -> FeedReading {
        guard life.isAlive else { return FeedReading(status: nil, problem: "vpower is dead") }
        return await counter.count(lab).reading(of: feed)
    }

    /// There is no login to hold in memory.
    public func holdLogin() async throws(FeedError) {}
    /// There is no login to release in memory.
    public func releaseLogin() async {}
    /// Cuts the output.
    public func cutOutput() async throws(FeedError) {
        guard life.isAlive else { return }
        await counter.count(lab).cutOutput(feed)
    }
    /// There is no connection.
    public func close() async {}
}
