public import PowerModel
public import PowerRun

/// The simulated cluster in memory.
public struct MemoryCluster: ClusterControl {
    private let caller: LabCaller
    private let name: ClusterName
    private let reference: String

    /// The cluster of a simulated site, as one process sees it.
    public init(_ world: LabWorld, life: LabLife = LabLife()) {
        caller = LabCaller(world: world, life: life)
        name = world.scenario.cluster
        reference = world.scenario.clusterReference
    }

    /// How many calls there were.
    public var counter: CallCounter { caller.counter }

    private func error(_ attempting: String, _ reason: ClusterError.Reason, _ detail: String)
        -> ClusterError
    {
        ClusterError(vcenter: "lab", attempting: attempting, reason: reason, detail: detail)
    }

    private func ask<Value: Sendable>(
        _ attempting: @autoclosure () -> String, _ body: (inout LabState) -> Value
    ) async throws(ClusterError) -> Value {
        do throws(LabCaller.Failure) {
            return try await caller.ask(past: { $0.obstacleToVCenter() }, body)
        } catch {
            throw self.error(attempting(), ClusterError.Reason(error.reason), error.detail)
        }
    }

    /// As the protocol has it: being asked for what is already so is success.
    private func ask(
        _ attempting: @autoclosure () -> String, wanted: GuestPower,
        _ body: (inout LabState) throws(LabRefusal) -> Void
    ) async throws(ClusterError) {
        let refusal = try await ask(attempting()) { world -> LabRefusal? in
            do throws(LabRefusal) {
                try body(&world)
                return nil
            } catch { return error }
        }
        switch refusal {
        case nil, .wrongState(wanted): return
        case .notFound: throw error(attempting(), .notFound, "no such guest")
        case .wrongState(let power):
            throw error(attempting(), .wrongState, "it is \(power.rawValue)")
        case .toolsUnavailable:
            throw error(attempting(), .toolsUnavailable, "Tools do not answer")
        case .disabled(let solution):
            throw error(attempting(), .methodDisabled, "\(solution) has disabled it")
        case .busy: throw error(attempting(), .busy, "another operation is under way")
        case .notPermitted: throw error(attempting(), .notPermitted, "the user may not do it")
        case .otherQuestion: throw error(attempting(), .wrongState, "it asks something else")
        case .failed(let why): throw error(attempting(), .refused, why)
        }
    }

    /// Hosts, guests and automation.
    public func snapshot() async throws(ClusterError) -> ClusterSnapshot {
        let (name, reference) = (name, reference)
        return try await ask("take a snapshot") { world in
            ClusterSnapshot(
                cluster: name, reference: reference, inventory: world.inventory(),
                automation: world.automationNow(), hasVSAN: world.scenario.hasVSAN,
                apiVersion: world.scenario.apiVersion)
        }
    }

    /// The inventory when it is newer, or the limit has passed.
    public func inventory(newerThan version: UInt64?, within limit: Duration)
        async throws(ClusterError) -> Inventory
    {
        let what = "read the inventory"
        if let version, limit > .zero {
            let time = caller.world.time
            let start = time.elapsed
            // Several changes are told at once, as vCenter does; never later than the limit.
            let delay = caller.world.scenario.pace.vcenterTells
            let isNews = try await ask(what) { $0.version > version }
            let left = limit - (time.elapsed - start)
            if isNews, left > .zero {
                try await wait(what, min(left, delay))
            } else if !isNews {
                _ = await caller.world.change(after: version, within: left, telling: delay)
            }
        }
        let (inventory, lag) = try await ask(what) { ($0.inventory(), $0.inventoryLag()) }
        // What was so some time ago is what is told now.
        if let lag { try await wait(what, lag) }
        return inventory
    }

    private func wait(_ attempting: String, _ duration: Duration) async throws(ClusterError) {
        do { try await caller.world.time.sleep(for: duration) } catch {
            throw self.error(attempting, .timedOut, "cancelled")
        }
    }

    /// The automation.
    public func automation() async throws(ClusterError) -> Automation {
        try await ask("read HA and DRS") { $0.automationNow() }
    }

    /// Changes the automation.
    public func change(_ change: AutomationChange) async throws(ClusterError) {
        let what = "change HA and DRS"
        let isDone = try await ask(what) { world in
            if world.haTaskFails() { return false }
            world.change(change)
            return true
        }
        if !isDone { throw error(what, .refused, "the task failed") }
    }

    /// Puts vCLS into retreat mode: as vCenter says it already, or else as it can.
    public func retreatVCLS() async throws(ClusterError) {
        try await ask("put vCLS into retreat mode") { world in
            let isByMode = world.automation.vclsMode != nil && world.automation.vcls == .unset
            if isByMode { world.setVCLS(mode: .absent) } else { world.setVCLS(.retreat) }
        }
    }

    /// Puts vCLS back.
    public func restoreVCLS(
        _ setting: VCLSSetting, mode: VCLSMode?
    ) async throws(ClusterError) {
        try await ask("put vCLS back") { world in
            // A key cannot be deleted, and a mode cannot be unset.
            let isModeWrong = (world.automation.vclsMode == .absent) != (mode == .absent)
            let isSettingWrong = world.automation.vcls.keepsGuests != setting.keepsGuests
            world.setVCLS(
                isSettingWrong ? (setting.keepsGuests ? .on : .retreat) : nil,
                mode: isModeWrong ? (mode ?? .systemManaged) : nil)
        }
    }

    /// Asks a guest to shut down.
    public func shutDown(_ guest: Guest) async throws(ClusterError) {
        try await ask("shut down guest \(guest.name.onOneLine)", wanted: .off) {
            (world) throws(LabRefusal) in
            try world.shutDownGuest(try world.existing(guest.id), by: "vcenter")
        }
    }

    /// Cuts a guest's power, by ending its process where its power-off hangs.
    @discardableResult
    public func powerOff(_ guest: Guest) async throws(ClusterError) -> PowerCut {
        try await ask("power off guest \(guest.name.onOneLine)", wanted: .off) {
            (world) throws(LabRefusal) in
            try world.powerOffGuest(try world.existing(guest.id))
        }
        let hangs = try await ask("look at guest \(guest.name.onOneLine)") { world in
            world.guests.place(of: guest.id).map { world.guests[$0].spec.hangsAtPowerOff }
        }
        return hangs == true ? .processEnded("its power-off did not end") : .asked
    }

    /// Answers the question that a guest waits with.
    public func answer(
        _ question: GuestQuestion, of guest: Guest, with choice: GuestQuestion.Choice
    ) async throws(ClusterError) {
        let what = "answer the question of guest \(guest.name.onOneLine)"
        let refusal = try await ask(what) { world -> LabRefusal? in
            do throws(LabRefusal) {
                try world.answer(
                    try world.existing(guest.id), question: question.id, choice: choice.key)
                return nil
            } catch { return error }
        }
        // Somebody else has answered it: that is what was wanted.
        if let refusal, refusal != .otherQuestion {
            throw error(what, .refused, "\(refusal)")
        }
    }

    /// Writes a guest's memory to disk.
    public func suspend(_ guest: Guest) async throws(ClusterError) {
        try await ask("suspend guest \(guest.name.onOneLine)", wanted: .suspended) {
            (world) throws(LabRefusal) in
            try world.suspendGuest(try world.existing(guest.id))
        }
    }

    /// Starts a guest.
    public func powerOn(_ guest: Guest, on host: HostName) async throws(ClusterError) {
        try await ask("start guest \(guest.name.onOneLine)", wanted: .on) {
            (world) throws(LabRefusal) in
            try world.powerOnGuest(
                try world.existing(guest.id), on: try world.existing(host), by: "vcenter")
        }
    }

    /// A host's SSH service.
    public func sshService(on host: HostName) async throws(ClusterError) -> SSHService {
        let what = "look at SSH on \(host)"
        let service = try await ask(what) { world in
            world.hosts.place(of: host).flatMap { world.sshService($0) }
        }
        guard let service else { throw error(what, .refused, "it is not in touch with the host") }
        return service
    }

    /// Starts or stops it.
    public func setSSH(runs: Bool, on host: HostName) async throws(ClusterError) {
        let what = "\(runs ? "start" : "stop") SSH on \(host)"
        let isInTouch = try await ask(what) { world -> Bool? in
            guard world.scenario.maySteerServices else { return nil }
            guard let place = world.hosts.place(of: host), world.sshService(place) != nil else {
                return false
            }
            world.setSSH(place, runs: runs)
            return true
        }
        guard let isInTouch else {
            throw error(what, .notPermitted, "Host.Config.NetService is missing")
        }
        if !isInTouch { throw error(what, .refused, "it is not in touch with the host") }
    }

    /// What vCenter says of the power of a vSAN cluster.
    public func vsanPower() async throws(ClusterError) -> VSANPower {
        try await ask("read vSAN's power") { $0.vsanPower }
    }

    /// Has vCenter shut a vSAN cluster down, or start it.
    public func powerVSAN(_ on: Bool, reason: String) async throws(ClusterError) {
        let what = "\(on ? "start" : "shut down") the vSAN cluster"
        if let why = try await ask(what, { $0.powerVSAN(on) }) { throw error(what, .refused, why) }
    }

    /// Tells vCSA to power itself off.
    public func shutDownAppliance(reason: String) async throws(ClusterError) {
        try await ask("have vCSA shut itself down", wanted: .off) {
            (world) throws(LabRefusal) in try world.shutDownAppliance()
        }
    }

    /// Nothing to log out of.
    public func close() async {}
}

/// A simulated host in memory.
public struct MemoryHost: HostControl {
    /// The host.
    public let host: HostName
    private let place: HostPlace
    private let caller: LabCaller

    /// A host of a simulated site, as one process sees it.
    public init(_ host: HostName, in world: LabWorld, life: LabLife = LabLife()) {
        guard let place = world.place(of: host) else {
            preconditionFailure("the scenario has no host \(host)")
        }
        self.host = host
        self.place = place
        caller = LabCaller(world: world, life: life)
    }

    /// How many calls there were.
    public var counter: CallCounter { caller.counter }

    private func error(_ attempting: String, _ reason: HostError.Reason, _ detail: String)
        -> HostError
    {
        HostError(host: host, attempting: attempting, reason: reason, detail: detail)
    }

    /// - Parameters:
    ///   - route: over what it is asked; nil where either way will do.
    ///   - hostd: whether it takes the host's management service, not only its SSH daemon.
    ///   - acting: whether it changes anything.
    private func ask<Value: Sendable>(
        _ attempting: @autoclosure () -> String, over route: HostRoute? = nil, hostd: Bool = true,
        acting: Bool = false, _ body: (inout LabState) -> Value
    ) async throws(HostError) -> Value {
        do throws(LabCaller.Failure) {
            return try await caller.ask(
                past: { $0.obstacle(to: place, over: route, hostd: hostd, acting: acting) }, body)
        } catch {
            throw self.error(attempting(), HostError.Reason(error.reason), error.detail)
        }
    }

    /// Asks something of a guest that is registered there. As the protocol has it: being asked for
    /// what is already so is success.
    private func ask(
        _ attempting: @autoclosure () -> String, of guest: BootGuest, wanted: GuestPower,
        _ body: (inout LabState, GuestPlace) throws(LabRefusal) -> Void
    ) async throws(HostError) {
        let refusal = try await ask(attempting(), acting: true) { world -> LabRefusal? in
            do throws(LabRefusal) {
                guard let found = world.guest(at: guest.vmxPath, on: place) else {
                    return .notFound
                }
                try body(&world, found)
                return nil
            } catch { return error }
        }
        switch refusal {
        case nil, .wrongState(wanted): return
        case .notFound: throw error(attempting(), .notFound, "it is not registered there")
        case .toolsUnavailable: throw error(attempting(), .toolsUnavailable, "Tools do not answer")
        case .wrongState, .disabled, .busy, .notPermitted, .otherQuestion, .failed:
            throw error(attempting(), .refused, refusal.map { "\($0)" } ?? "")
        }
    }

    /// The guests registered there.
    public func guests() async throws(HostError) -> [HostGuest] {
        try await ask("list the guests") { world in
            world.registered(on: place).map { guest in
                let spec = world.guests[guest].spec
                return HostGuest(
                    name: spec.name, vmxPath: spec.vmxPath, power: world.guests[guest].power)
            }
        }
    }

    /// Asks a guest to shut down.
    public func shutDown(_ guest: BootGuest) async throws(HostError) {
        let by = host.rawValue
        try await ask("shut down guest \(guest.name.onOneLine)", of: guest, wanted: .off) {
            (world, found) throws(LabRefusal) in
            try world.shutDownGuest(found, by: by)
        }
    }

    /// Cuts a guest's power.
    public func powerOff(_ guest: BootGuest) async throws(HostError) {
        try await ask("power off guest \(guest.name.onOneLine)", of: guest, wanted: .off) {
            (world, found) throws(LabRefusal) in
            try world.powerOffGuest(found)
        }
    }

    /// Writes a guest's memory to disk.
    public func suspend(_ guest: BootGuest) async throws(HostError) {
        try await ask("suspend guest \(guest.name.onOneLine)", of: guest, wanted: .suspended) {
            (world, found) throws(LabRefusal) in
            try world.suspendGuest(found)
        }
    }

    /// Starts a guest.
    public func powerOn(_ guest: BootGuest) async throws(HostError) {
        let by = host.rawValue
        try await ask("start guest \(guest.name.onOneLine)", of: guest, wanted: .on) {
            (world, found) throws(LabRefusal) in
            try world.powerOnGuest(found, on: place, by: by)
        }
    }

    /// Registers a guest whose own host is gone.
    public func register(_ guest: BootGuest) async throws(HostError) {
        let what = "register guest \(guest.name.onOneLine)"
        let refusal = try await ask(what, acting: true) { world -> LabRefusal? in
            do throws(LabRefusal) {
                try world.registerGuest(at: guest.vmxPath, on: place)
                return nil
            } catch { return error }
        }
        if let refusal {
            throw error(what, refusal == .notFound ? .notFound : .refused, "\(refusal)")
        }
    }

    /// Whether it is in maintenance mode.
    public func inMaintenance() async throws(HostError) -> Bool {
        try await ask("read maintenance mode") { $0.hosts[place].inMaintenance }
    }

    /// Enters or leaves maintenance mode.
    public func setMaintenance(_ on: Bool, within limit: Duration) async throws(HostError) {
        let what = "\(on ? "enter" : "leave") maintenance mode"
        guard try await ask(what, acting: true, { $0.setMaintenance(place, on: on) }) else {
            throw error(what, .refused, "guests run there")
        }
    }

    /// Stops HA's agent.
    public func stopHAAgent() async throws(HostError) {
        try await ask("stop HA's agent", over: .ssh, hostd: false, acting: true) {
            $0.setHAAgent(place, runs: false)
        }
    }

    /// Starts HA's agent.
    public func startHAAgent() async throws(HostError) {
        let what = "start HA's agent"
        let runs = try await ask(what, over: .ssh, hostd: false, acting: true) { world in
            world.setHAAgent(place, runs: true)
            return world.runsHAAgent(place)
        }
        if !runs { throw error(what, .refused, "HA is not configured there") }
    }

    /// Whether it keeps its list of vSAN's members.
    public func keepsVSANMembers() async throws(HostError) -> Bool {
        try await ask("read vSAN's settings", over: .ssh, hostd: false) {
            $0.hosts[place].keepsVSANMembers
        }
    }

    /// Has it keep that list, or not.
    public func keepVSANMembers(_ on: Bool) async throws(HostError) {
        try await ask("change vSAN's settings", over: .ssh, hostd: false, acting: true) {
            $0.keepVSANMembers(on, on: place)
        }
    }

    /// Prepares the vSAN cluster.
    public func prepareVSAN(within limit: Duration) async throws(HostError) {
        let what = "prepare vSAN"
        let why = try await ask(what, over: .ssh, hostd: false, acting: true) {
            $0.prepareVSAN(on: place)
        }
        if let why { throw error(what, .refused, why) }
    }

    /// Recovers the vSAN cluster.
    public func recoverVSAN(within limit: Duration) async throws(HostError) {
        let what = "recover vSAN"
        let why = try await ask(what, over: .ssh, hostd: false, acting: true) {
            $0.recoverVSAN(on: place)
        }
        if let why { throw error(what, .refused, why) }
    }

    /// What it sees of the vSAN cluster.
    public func vsanMembership() async throws(HostError) -> VSANMembership {
        try await ask("read vSAN's members", over: .ssh) { $0.vsanMembership }
    }

    /// Tells it to power itself off.
    public func shutDownHost(reason: String) async throws(HostError) {
        try await ask("shut down the host", hostd: false, acting: true) { $0.shutDownHost(place) }
    }

    /// What it starts by itself.
    public func autostart() async throws(HostError) -> HostAutostart {
        let what = "read autostart"
        let settings = try await ask(what) { world in
            let host = world.hosts[place]
            return host.spec.hasAPI ? host.autostart : nil
        }
        guard let settings else { throw error(what, .wayUnusable, "it has no `api`") }
        return settings
    }

    /// Changes what it starts by itself.
    public func setAutostart(_ wanted: HostAutostart) async throws(HostError) {
        let what = "write autostart"
        let refusal = try await ask(what, acting: true) { world -> HostError.Reason? in
            guard world.hosts[place].spec.hasAPI else { return .wayUnusable }
            return world.setAutostart(wanted, on: place) ? nil : .notFound
        }
        if let refusal { throw error(what, refusal, "\(refusal)") }
    }

    /// Its SSH service.
    public func sshService() async throws(HostError) -> SSHService {
        let what = "look at SSH"
        try await demandAPI(what)
        let service = try await ask(what, over: .soap) { $0.sshService(place) }
        guard let service else { throw error(what, .notReady, "hostd does not answer") }
        return service
    }

    /// Starts or stops it.
    public func setSSH(runs: Bool) async throws(HostError) {
        let what = "\(runs ? "start" : "stop") SSH"
        try await demandAPI(what)
        try await ask(what, over: .soap, acting: true) { $0.setSSH(place, runs: runs) }
    }

    private func demandAPI(_ what: String) async throws(HostError) {
        if caller.world.scenario.hosts.contains(where: { $0.name == host && $0.hasAPI }) { return }
        throw error(what, .wayUnusable, "it has no `api`")
    }

    /// Whether nobody answers.
    public func isSilent() async -> Bool {
        caller.counter.add()
        guard caller.life.isAlive else { return false }
        return caller.world.turn { $0.isSilent(place) }
    }

    /// Keeps the orders as the boot script, which Secure Boot forbids.
    public func arm(_ orders: BootOrders) async throws(HostError) -> BootScriptInstall {
        let what = "install the boot script"
        let isInstalled = try await ask(what, over: .ssh, hostd: false, acting: true) { world in
            if world.hosts[place].spec.secureBoot { return false }
            world.setOrders(orders, on: place)
            return true
        }
        if !isInstalled { throw error(what, .secureBoot, "Secure Boot is on") }
        return BootScriptInstall(sha256: Self.noSum, drift: [], unchanged: false)
    }

    /// There is no file, so it has no sum.
    private static let noSum = String(repeating: "0", count: 64)

    /// Has it go by itself.
    public func leave(_ orders: LeaveOrders) async throws(HostError) {
        try await ask("hand over to the host", over: .ssh, hostd: false, acting: true) {
            $0.leave(orders, host: place)
        }
    }

    /// Whether it is about to go by itself.
    public func isLeaving() async throws(HostError) -> Bool {
        try await ask("ask whether it is leaving", over: .ssh, hostd: false) {
            $0.hosts[place].leaving != nil
        }
    }

    /// Forgets the orders.
    public func disarm() async throws(HostError) {
        try await ask("take out the boot script", over: .ssh, hostd: false, acting: true) {
            $0.setOrders(nil, on: place)
        }
    }

    /// Forgets the orders.
    public func removeBootScript() async throws(HostError) { try await disarm() }

    /// What the boot script has reported.
    public func bootReport(of run: RunID) async throws(HostError) -> BootReport {
        try await ask("read the boot report", over: .ssh, hostd: false) {
            $0.bootReport(of: run, on: place)
        }
    }

    /// What the host has of a boot script.
    public func bootScriptState() async throws(HostError) -> BootScriptState {
        try await ask("read the boot script's state", over: .ssh, hostd: false) {
            $0.bootScriptState(place)
        }
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
        counter.add()
        return lab.reading(of: feed)
    }

    /// There is no login to hold in memory.
    public func holdLogin() async throws(FeedError) {}
    /// There is no login to release in memory.
    public func releaseLogin() async {}
    /// Cuts the output.
    public func cutOutput() async throws(FeedError) {
        guard life.isAlive else { return }
        counter.add()
        lab.cutOutput(feed)
    }
    /// How long it waits before that.
    public func outputDelay() async throws(FeedError) -> Duration? { lab.scenario.pace.outputCuts }
    /// There is no connection.
    public func close() async {}
}

extension ClusterError.Reason {
    fileprivate init(_ reason: LabObstacle.Reason) {
        self =
            switch reason {
            case .notReady: .starting
            case .session: .refused
            case .timedOut: .timedOut
            case .unreachable, .keyRefused, .refused: .unreachable
            }
    }
}

extension HostError.Reason {
    fileprivate init(_ reason: LabObstacle.Reason) {
        self =
            switch reason {
            case .unreachable: .unreachable
            case .refused, .session: .refused
            case .keyRefused: .hostKeyRefused
            case .notReady: .notReady
            case .timedOut: .timedOut
            }
    }
}
