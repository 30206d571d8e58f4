public import PowerModel
public import PowerRun

/// The simulated site itself: what is on, what follows from what, and a log of all of it.
///
/// It has no thread and no timer: what is due is done whenever somebody looks. So the same world
/// serves a drill in memory, on a virtual clock, and one on the wire, on the real clock.
public actor LabWorld {
    /// The site before anything happened.
    public nonisolated let scenario: LabScenario
    let time: any TimeSource
    let began: Duration
    var due: [(at: Duration, order: Int, what: Due)] = []
    private var dueCount = 0

    /// Everything that happened, in order.
    public private(set) var log: [LabEvent] = []
    /// Grows with every change.
    public private(set) var version: UInt64 = 1
    private var transitionsUnread: [LabTransition] = []

    var guests: [GuestID: LabGuest] = [:]
    var hosts: [HostName: LabHost] = [:]
    var automation: Automation
    var haAgents: Bool
    var mainsOn = true
    var outputOn = true
    var outputCutAsked = false
    var outageBegan: Duration?
    var vcenterUpAt: Duration?

    /// What will happen by itself at some moment.
    enum Due: Sendable {
        case guestStops(GuestID)
        case toolsUp(GuestID)
        case hostStops(HostName)
        case hostUp(HostName)
        case hostdUp(HostName)
        case vcenterUp
        case haFollows
        case vclsFollows
        case haRestarts([GuestID])
        case outputCuts
        case outputMayReturn
        case batteryDies
        case bootScript(HostName, BootOrders)
        case bootStart(HostName, GuestID, generation: Int)
        case bootScriptDone(HostName, RunID)
    }

    /// A site as the scenario has it, with every host on.
    public init(_ scenario: LabScenario, time: any TimeSource) {
        self.scenario = scenario
        self.time = time
        began = time.elapsed
        automation = scenario.automation
        haAgents = scenario.automation.ha
        for spec in scenario.hosts { hosts[spec.name] = LabHost(spec: spec) }
        var nextID: [HostName: Int] = [:]
        for spec in scenario.guests {
            let id = nextID[spec.host, default: 0] + 1
            nextID[spec.host] = id
            guests[spec.id] = LabGuest(spec: spec, vmid: id)
        }
        vcenterUpAt = time.elapsed
    }

    // MARK: Time

    /// Seconds since the lab began.
    public var seconds: Double { (time.elapsed - began).inSeconds }

    /// Does everything that is due.
    public func advance() {
        while let next = due.indices.min(by: {
            (due[$0].at, due[$0].order) < (due[$1].at, due[$1].order)
        }),
            due[next].at <= time.elapsed
        {
            let what = due.remove(at: next).what
            perform(what)
        }
    }

    /// When the next thing is due; nil when nothing is.
    public var nextDue: Duration? { due.map(\.at).min() }

    func schedule(_ what: Due, in delay: Duration) {
        dueCount += 1
        due.append((time.elapsed + delay, dueCount, what))
    }

    func note(_ kind: LabEvent.Kind, _ object: String = "", _ detail: String = "") {
        log.append(
            LabEvent(
                number: log.count + 1, atSeconds: seconds, kind: kind, object: object,
                detail: detail))
        version += 1
    }

    func tell(_ transition: LabTransition) { transitionsUnread.append(transition) }

    /// What whoever plays the hosts on the wire must follow, since it last asked.
    public func takeTransitions() -> [LabTransition] {
        advance()
        defer { transitionsUnread = [] }
        return transitionsUnread
    }

    /// Returns when the world is newer than `version`, or `limit` has passed.
    public func change(after seen: UInt64, within limit: Duration) async -> UInt64 {
        let deadline = time.elapsed + limit
        while true {
            advance()
            if version > seen || time.elapsed >= deadline { return version }
            let next = min(deadline, time.elapsed + LabWorld.lookEvery)
            do { try await time.sleep(for: max(next - time.elapsed, LabWorld.tick)) } catch {
                return version
            }
        }
    }

    /// The shortest wait there is: never none, so that time goes on.
    static let tick: Duration = .milliseconds(1)
    /// How often a waiting reader looks again: short, since another may change the world.
    static let lookEvery: Duration = .milliseconds(50)

    private func perform(_ what: Due) {
        switch what {
        case .guestStops(let id): guestStops(id, detail: "clean")
        case .toolsUp(let id):
            if guests[id]?.power == .on { guests[id]?.toolsRunning = true }
        case .hostStops(let name): hostStops(name)
        case .hostUp(let name): hostUp(name)
        case .hostdUp(let name): hostdUp(name)
        case .vcenterUp: vcenterUp()
        case .haFollows: haFollows()
        case .vclsFollows: vclsFollows()
        case .haRestarts(let ids): haRestarts(ids)
        case .outputCuts: cutOutputNow()
        case .outputMayReturn: outputMayReturn()
        case .batteryDies: batteryDies()
        case .bootScript(let host, let orders): runBootScript(host, orders)
        case .bootStart(let host, let id, let generation):
            if hosts[host]?.generation == generation { start(id, on: host, by: "boot script") }
        case .bootScriptDone(let host, let run):
            hosts[host]?.bootReport = (run, .done(failed: []))
            note(.bootScriptDone, host.rawValue)
        }
    }
}

/// A simulated guest as it is now.
struct LabGuest {
    let spec: LabGuestSpec
    var vmid: Int
    var host: HostName
    var power: GuestPower
    var toolsRunning: Bool
    var exists = true
    var stopping = false
    /// HA restarts only what did not stop cleanly.
    var stoppedCleanly = true

    init(spec: LabGuestSpec, vmid: Int) {
        self.spec = spec
        self.vmid = vmid
        host = spec.host
        power = spec.isOn ? .on : .off
        toolsRunning = spec.isOn && spec.hasTools
    }
}

/// A simulated host as it is now.
struct LabHost {
    enum Power { case on, stopping, off, booting }
    let spec: LabHostSpec
    var power: Power = .on
    var hostdReady = true
    var inMaintenance = false
    /// Grows with each boot, so that what an earlier boot had planned is void.
    var generation = 0
    /// The boot script in memory mode: what is saved survives a boot.
    var orders: BootOrders?
    var bootReport: (run: RunID, report: BootReport)?
    /// How often it was powered off by an orderly shutdown.
    init(spec: LabHostSpec) { self.spec = spec }
}

/// What whoever plays the hosts on the wire must follow.
public enum LabTransition: Sendable, Hashable {
    /// The host is off: stop its SSH daemon. Whether it stopped in order.
    case hostOff(HostName, orderly: Bool)
    /// The host has booted: start its SSH daemon and run its local.sh.
    case hostUp(HostName)
}
