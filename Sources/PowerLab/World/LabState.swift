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
    var view = LabStateView()

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
    init(_ scenario: LabScenario, time: any TimeSource) {
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
        case .guestStops(let id):
            // Its power may have been cut since, and it may have been started again.
            if guests[id]?.stopping == true { guestStops(id, detail: "clean") }
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
