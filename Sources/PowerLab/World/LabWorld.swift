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
    /// The same clock where it is a virtual one: then nobody needs to look again and again.
    private let virtual: VirtualTime?
    let began: Duration
    /// The moment that is being played: what was due earlier happens when it was due, even where
    /// nobody looked then.
    private(set) var now: Duration
    private var due = TimedHeap<Due>()

    /// Everything that happened, in order.
    public private(set) var log: [LabEvent] = []
    /// The records that were on disk, in order, where the lab keeps the journal.
    public private(set) var records: [LabRecord] = []
    /// Grows with every change.
    public internal(set) var version: UInt64 = 1
    private var isAdvancing = false
    private var transitionsUnread: [LabTransition] = []

    var guests: [GuestID: LabGuest] = [:]
    var hosts: [HostName: LabHost] = [:]
    /// Which guests are registered where, and by what file.
    var guestsOn: [HostName: Set<GuestID>] = [:]
    var guestAt: [String: GuestID] = [:]
    var automation: Automation
    var haAgents: Bool
    var units: [FeedName: LabUnit] = [:]
    var vcenterUpAt: Duration?
    let vcsa: GuestID?
    let dns: GuestID?
    var faults = LabFaults()
    var view = LabWorldView()

    /// What will happen by itself at some moment.
    enum Due: Sendable {
        case guestStops(GuestID)
        case toolsUp(GuestID)
        case hostStops(HostName)
        case hostReturns(HostName)
        case hostUp(HostName)
        case hostdUp(HostName)
        case vcenterUp
        case haFollows
        case vclsFollows
        case haRestarts([GuestID])
        case mains(FeedName, on: Bool)
        case outputCuts(FeedName)
        case outputMayReturn(FeedName)
        case batteryDies(FeedName)
        indirect case bootScript(HostName, BootOrders)
        case bootStart(HostName, GuestID, generation: Int)
        case bootScriptDone(HostName, RunID)
        case heal
        case faultBegins(Int)
        case faultEnds(Int)
    }

    /// A site as the scenario has it, with every host on.
    public init(_ scenario: LabScenario, time: any TimeSource) {
        self.scenario = scenario
        self.time = time
        virtual = time as? VirtualTime
        began = time.elapsed
        now = began
        automation = scenario.automation
        haAgents = scenario.automation.ha
        vcsa = scenario.guests.first { $0.isVCSA }?.id
        dns = scenario.guests.first { $0.isDNS }?.id
        for feed in scenario.feeds { units[feed] = LabUnit() }
        for spec in scenario.hosts {
            hosts[spec.name] = LabHost(spec: spec)
            guestsOn[spec.name] = []
        }
        for spec in scenario.guests {
            let number = guestsOn[spec.host, default: []].count + 1
            guests[spec.id] = LabGuest(spec: spec, vmid: number)
            guestsOn[spec.host, default: []].insert(spec.id)
            guestAt[spec.vmxPath] = spec.id
            hosts[spec.host]?.highestVMID = number
        }
        vcenterUpAt = began
        // What a site is rather than what happens to it.
        if vcsa != nil { faults.took[.vcenterIsGuest] = 1 }
        if scenario.secondFeed != nil { faults.took[.hostsDualFed] = 1 }
        if let moment = scenario.mainsFailAt {
            for feed in scenario.feeds { due.add(.mains(feed, on: false), at: began + moment) }
        }
        if let moment = scenario.healsAt { due.add(.heal, at: began + moment) }
        for (index, fault) in scenario.faults.enumerated() {
            due.add(.faultBegins(index), at: began + fault.at)
        }
    }

    // MARK: Time

    /// The wall clock at the moment that is being played.
    var wall: Timestamp { time.wall + (now - time.elapsed) }

    /// Seconds since the lab began.
    public var seconds: Double { (now - began).inSeconds }

    /// Does everything that is due.
    public func advance() {
        // What is done for something that is due looks at the world too.
        guard !isAdvancing else { return }
        isAdvancing = true
        defer { isAdvancing = false }
        let present = time.elapsed
        while let next = due.first, next.at <= present {
            _ = due.removeFirst()
            now = max(now, next.at)
            perform(next.what)
        }
        now = present
    }

    /// When the next thing is due; nil when nothing is.
    public var nextDue: Duration? { due.first?.at }

    func schedule(_ what: Due, in delay: Duration) {
        due.add(what, at: now + delay)
        virtual?.ring()
    }

    /// Makes the world newer: whoever waits for a change looks again.
    func touch() {
        version += 1
        virtual?.ring()
    }

    func note(_ kind: LabEvent.Kind, _ object: String = "", _ detail: String = "") {
        log.append(
            LabEvent(
                number: log.count + 1, atSeconds: seconds, kind: kind, object: object,
                detail: detail))
        touch()
    }

    /// A record is on disk.
    public func sawRecord(_ record: Record) {
        advance()
        records.append(LabRecord(afterEvent: log.count, atSeconds: seconds, record: record))
    }

    /// vpower's machine lost its power: only these records are left of all that were seen.
    public func loseRecords(except kept: [Record]) {
        // Moving from the spare journal to the first one may have given them other numbers.
        func unnumbered(_ record: Record) -> Record {
            var record = record
            record.number = 0
            return record
        }
        let left = Set(kept.map(unnumbered))
        for index in records.indices where !left.contains(unnumbered(records[index].record)) {
            records[index].isLost = true
        }
    }

    func tell(_ transition: LabTransition) { transitionsUnread.append(transition) }

    /// What whoever plays the hosts on the wire must follow, since it last asked.
    public func takeTransitions() -> [LabTransition] {
        advance()
        defer { transitionsUnread = [] }
        return transitionsUnread
    }

    /// How new the world is now.
    func presentVersion() -> UInt64 {
        advance()
        return version
    }

    /// Returns when the world is newer than `version`, or `limit` has passed.
    public func change(after seen: UInt64, within limit: Duration) async -> UInt64 {
        let deadline = time.elapsed + limit
        while true {
            advance()
            if version > seen || time.elapsed >= deadline { return version }
            do { try await pause(until: deadline) } catch { return version }
        }
    }

    /// Waits until something may have changed, or the moment has come.
    private func pause(until moment: Duration) async throws(CancellationError) {
        let now = time.elapsed
        if let virtual {
            let next = min(moment, nextDue ?? moment)
            return try await virtual.sleepUntilRung(for: max(next - now, LabWorld.tick))
        }
        try await time.sleep(for: max(min(moment - now, LabWorld.lookEvery), LabWorld.tick))
    }

    /// The shortest wait there is: never none, so that time goes on.
    static let tick: Duration = .milliseconds(1)
    /// How often a waiting reader looks again: short, since another may change the world.
    static let lookEvery: Duration = .milliseconds(50)

    private func perform(_ what: Due) {
        switch what {
        case .guestStops(let id): guestStops(id, detail: "clean")
        case .toolsUp(let id): toolsUp(id)
        case .hostStops(let name): hostStops(name)
        case .hostReturns(let name): powerOnHost(name)
        case .hostUp(let name): hostUp(name)
        case .hostdUp(let name): hostdUp(name)
        case .vcenterUp: vcenterUp()
        case .haFollows: haFollows()
        case .vclsFollows: vclsFollows()
        case .haRestarts(let ids): haRestarts(ids)
        case .mains(let feed, let on): if on || !faults.areOver { setMains(feed, on: on) }
        case .outputCuts(let feed): cutOutputNow(feed)
        case .outputMayReturn(let feed): outputMayReturn(feed)
        case .batteryDies(let feed): batteryDies(feed)
        case .bootScript(let host, let orders): runBootScript(host, orders)
        case .bootStart(let host, let id, let generation):
            if hosts[host]?.generation == generation { bootStart(id, on: host) }
        case .bootScriptDone(let host, let run): bootScriptDone(host, run)
        case .heal: heal()
        case .faultBegins(let index): faultBegins(index)
        case .faultEnds(let index): faultEnds(index)
        }
    }
}

/// What never changes of something that is copied at every look.
private final class Fixed<Value: Sendable>: Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// A simulated guest as it is now.
struct LabGuest {
    private let fixed: Fixed<LabGuestSpec>
    var vmid: Int
    var host: HostName
    var power: GuestPower
    var toolsRunning: Bool
    var exists = true
    var stopping = false
    /// HA restarts only what did not stop cleanly.
    var stoppedCleanly = true

    var spec: LabGuestSpec { fixed.value }

    init(spec: LabGuestSpec, vmid: Int) {
        fixed = Fixed(spec)
        self.vmid = vmid
        host = spec.host
        power = spec.isOn ? .on : .off
        toolsRunning = spec.isOn && spec.hasTools
    }
}

/// A simulated host as it is now.
struct LabHost {
    enum Power { case on, stopping, off, booting }
    private let fixed: Fixed<LabHostSpec>
    var power: Power = .on
    var hostdReady = true
    var hostdUpAt: Duration = .zero
    var highestVMID = 0
    var stoppedCleanly = false
    /// Guests its boot script could not start.
    var bootFailed: [String] = []
    var inMaintenance = false
    /// Grows with each boot, so that what an earlier boot had planned is void.
    var generation = 0
    /// The boot script in memory mode: what is saved survives a boot.
    var orders: BootOrders?
    var bootReport: (run: RunID, report: BootReport)?

    var spec: LabHostSpec { fixed.value }

    init(spec: LabHostSpec) { fixed = Fixed(spec) }
}

/// What whoever plays the hosts on the wire must follow.
public enum LabTransition: Sendable, Hashable {
    /// The host is off: stop its SSH daemon. Whether it stopped in order.
    case hostOff(HostName, orderly: Bool)
    /// The host has booted: start its SSH daemon and run its local.sh.
    case hostUp(HostName)
}
