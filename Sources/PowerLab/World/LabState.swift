import PowerModel
import PowerRun

/// The simulated site itself: what is on, what follows from what, and a log of all of it.
///
/// It has no thread and no timer: what is due is done whenever somebody looks (`LabWorld.turn`).
struct LabState: Sendable {
    /// The site before anything happened.
    let scenario: LabScenario
    let time: any TimeSource
    /// The same clock where it is a virtual one: then nobody needs to look again and again.
    private let virtual: VirtualTime?
    private let began: Duration
    /// The moment that is being played: what was due earlier happens when it was due, even where
    /// nobody looked then.
    private(set) var now: Duration
    private var due = TimedHeap<Due>()

    /// Everything that happened, in order.
    private(set) var log: [LabEvent] = []
    /// The records that were on disk, in order, where the lab keeps the journal.
    private(set) var records: [LabRecord] = []
    /// Grows with every change.
    private(set) var version: UInt64 = 1
    private var transitionsUnread: [LabTransition] = []

    var guests: LabTable<GuestID, LabGuest>
    var hosts: LabTable<HostName, LabHost>
    /// Storage and others, in the scenario's order.
    var machines: [LabMachine]
    /// The UPSes, in the scenario's order.
    var units: [LabUnit]
    var automation: Automation
    var haAgents: Bool
    var vcenterUpAt: Duration?
    let vcsa: GuestPlace?
    let dns: GuestPlace?
    var vsan = LabVSANState()
    var faults = LabFaults()
    var view = LabStateView()

    /// What will happen by itself at some moment.
    enum Due: Sendable {
        case guestStops(GuestPlace)
        case toolsUp(GuestPlace)
        case hostStops(HostPlace)
        case hostReturns(HostPlace)
        case hostUp(HostPlace)
        case hostdUp(HostPlace)
        case vcenterUp
        case haFollows
        case vclsFollows
        case haRestarts([GuestPlace])
        /// Of the request of this number.
        case vsanStage(LabVSANStage, Int)
        case vsanOn(Int)
        case vsanOrchestrates(Int)
        /// Of the UPS with this number.
        case mains(Int, on: Bool)
        case outputCuts(Int)
        case outputMayReturn(Int)
        case batteryDies(Int)
        /// Of the boot of this number.
        case bootScript(HostPlace, generation: Int)
        case bootStart(HostPlace, GuestPlace, generation: Int)
        case bootScriptDone(HostPlace, generation: Int)
        case leaveGuest(HostPlace, generation: Int)
        case leaveHost(HostPlace, generation: Int)
        case autostart(HostPlace, GuestPlace, generation: Int)
        /// Of the machine with this number, as of its order or boot of this generation.
        case machineGoes(Int, generation: Int)
        case machineUp(Int, generation: Int)
        case heal
        case faultBegins(Int)
        case faultEnds(Int)
    }

    /// A site as the scenario has it, with every host on.
    init(_ scenario: LabScenario, time: any TimeSource) {
        self.scenario = scenario
        self.time = time
        virtual = time as? VirtualTime
        began = time.elapsed
        now = began
        automation = scenario.automation
        haAgents = scenario.automation.ha
        machines = scenario.machines.map { LabMachine(spec: $0) }
        units = scenario.feeds.map { LabUnit(name: $0) }
        var hosts = LabTable(scenario.hosts.map(LabHost.init), by: \.spec.name)
        let placed = scenario.guests.map { spec in
            guard let host = hosts.place(of: spec.host) else {
                preconditionFailure("the scenario has no host \(spec.host) for \(spec.name)")
            }
            hosts[host].highestVMID += 1
            return LabGuest(spec: spec, on: host, vmid: hosts[host].highestVMID)
        }
        let guests = LabTable(placed, by: \.spec.id)
        for guest in placed {
            if let place = guests.place(of: guest.spec.id) {
                hosts[guest.host].guests.append(place)
            }
        }
        vcsa = guests.all.first { guests[$0].spec.isVCSA }
        dns = guests.all.first { guests[$0].spec.isDNS }
        self.hosts = hosts
        self.guests = guests
        vcenterUpAt = began
        log.reserveCapacity(Self.usualLength)
        records.reserveCapacity(Self.usualLength)
        // What a site is rather than what happens to it.
        if vcsa != nil { faults.took[.vcenterIsGuest] = 1 }
        if scenario.secondFeed != nil { faults.took[.hostsDualFed] = 1 }
        if let moment = scenario.mainsFailAt {
            for unit in units.indices { due.add(.mains(unit, on: false), at: began + moment) }
        }
        if let moment = scenario.healsAt { due.add(.heal, at: began + moment) }
        for (index, fault) in scenario.faults.enumerated() {
            due.add(.faultBegins(index), at: began + fault.at)
        }
    }

    /// So many events and records most runs have; to grow costs more than all that is written.
    private static let usualLength = 128

    // MARK: Time

    /// The wall clock at the moment that is being played.
    var wall: Timestamp { time.wall + (now - time.elapsed) }

    /// Seconds since the lab began.
    var seconds: Double { (now - began).inSeconds }

    /// When the next thing is due; nil when nothing is.
    var nextDue: Duration? { due.firstAt }

    /// Does everything that is due.
    mutating func advance() {
        let present = time.elapsed
        while let moment = due.firstAt, moment <= present, let next = due.removeFirst() {
            now = max(now, next.at)
            perform(next.what)
        }
        now = present
    }

    mutating func schedule(_ what: Due, in delay: Duration) {
        due.add(what, at: now + delay)
        virtual?.ring()
    }

    /// Makes the world newer: whoever waits for a change looks again.
    mutating func touch() {
        version += 1
        virtual?.ring()
    }

    // MARK: What is told

    mutating func note(_ kind: LabEvent.Kind, _ object: String = "", _ detail: String = "") {
        log.append(
            LabEvent(
                number: log.count + 1, atSeconds: seconds, kind: kind, object: object,
                detail: detail))
        touch()
    }

    mutating func sawRecord(_ record: Record) {
        records.append(LabRecord(afterEvent: log.count, atSeconds: seconds, record: record))
    }

    mutating func loseRecords(except kept: [Record]) {
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

    mutating func tell(_ transition: LabTransition) { transitionsUnread.append(transition) }

    mutating func takeTransitions() -> [LabTransition] {
        defer { transitionsUnread = [] }
        return transitionsUnread
    }

    private mutating func perform(_ what: Due) {
        switch what {
        case .guestStops(let guest):
            // Its power may have been cut since, and it may have been started again.
            if guests[guest].stopping { guestStops(guest, detail: "clean") }
        case .toolsUp(let guest): toolsUp(guest)
        case .hostStops(let host): hostStops(host)
        case .hostReturns(let host): powerOnHost(host)
        case .hostUp(let host): hostUp(host)
        case .hostdUp(let host): hostdUp(host)
        case .vcenterUp: vcenterUp()
        case .haFollows: haFollows()
        case .vclsFollows: vclsFollows()
        case .haRestarts(let guests): haRestarts(guests)
        case .vsanStage(let stage, let generation): vsanStage(stage, generation)
        case .vsanOn(let generation): vsanOn(generation)
        case .vsanOrchestrates(let generation): vsanOrchestrates(generation)
        case .mains(let unit, let on): if on || !faults.areOver { setMains(unit, on: on) }
        case .outputCuts(let unit): cutOutputNow(unit)
        case .outputMayReturn(let unit): outputMayReturn(unit)
        case .batteryDies(let unit): batteryDies(unit)
        case .bootScript(let host, let generation):
            if hosts[host].generation == generation { runBootScript(host) }
        case .bootStart(let host, let guest, let generation):
            if hosts[host].generation == generation { bootStart(guest, on: host) }
        case .bootScriptDone(let host, let generation):
            if hosts[host].generation == generation { bootScriptDone(host) }
        case .leaveGuest(let host, let generation):
            if hosts[host].generation == generation { leaveGuest(on: host) }
        case .leaveHost(let host, let generation):
            if hosts[host].generation == generation { shutDownHost(host, by: Self.handOver) }
        case .autostart(let host, let guest, let generation):
            if hosts[host].generation == generation { start(guest, on: host, by: "autostart") }
        case .machineGoes(let number, let generation): machineGoes(number, generation)
        case .machineUp(let number, let generation): machineUp(number, generation)
        case .heal: heal()
        case .faultBegins(let index): faultBegins(index)
        case .faultEnds(let index): faultEnds(index)
        }
    }
}
