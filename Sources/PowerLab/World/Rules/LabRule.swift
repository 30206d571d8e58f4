public import PowerModel

/// One of the things that must always be true (DESIGN 5), checked from what happened at the
/// simulated site and from the records that were on disk by then.
public protocol LabRule: Sendable {
    /// Its number in DESIGN 5 and what it says, shortly.
    var name: String { get }
    /// What came of it so far.
    var tally: LabTally { get }

    /// Something happened; `site` is as it was just before.
    mutating func see(_ event: LabEvent, _ site: LabSiteState)
    /// A record is on disk; `site` is as it was just before.
    mutating func see(_ record: LabRecord, _ site: LabSiteState)
    /// Everything is said to be restored.
    mutating func end(_ site: LabSiteState, _ automation: Automation)
}

extension LabRule {
    /// Says nothing of records.
    public mutating func see(_ record: LabRecord, _ site: LabSiteState) {}
    /// Says nothing of the end.
    public mutating func end(_ site: LabSiteState, _ automation: Automation) {}
}

/// How often a rule was evaluated, and what broke it.
public struct LabTally: Sendable {
    /// How often there was something to judge.
    public private(set) var evaluated = 0
    /// What broke it, in order.
    public private(set) var violations: [String] = []

    /// Judges once; `what` is what is wrong, nil where nothing is.
    mutating func judge(at seconds: Double?, _ what: String?) {
        evaluated += 1
        guard let what else { return }
        violations.append((seconds.map { "at \($0) s: " } ?? "at the end: ") + what)
    }
}

/// The simulated site as its log shows it, and what the records say of the run: what rules judge
/// by. Nothing in it comes from the engine but what was on disk.
public struct LabSiteState: Sendable {
    /// The site before anything happened.
    public let scenario: LabScenario
    let specs: [String: LabGuestSpec]
    let roles: [String: LabScenario.Role]
    let vcsa: LabGuestSpec?

    var power: [String: GuestPower] = [:]
    var place: [String: String] = [:]
    var guestsOf: [String: Set<String>] = [:]
    /// Ordinary guests that are on, by their place in the order of going down.
    var onByPlace: [Int: Set<String>] = [:]
    var hostsOn: Set<String>
    var machinesOn: Set<String>
    /// Machines that were told to go later, and have not gone or been called off.
    var machinesGoing: Set<String> = []
    var haAgents: Bool
    /// Hosts on which HA's agent was stopped since they booted.
    var haAgentStopped: Set<String> = []
    /// Hosts that came up since the run began.
    var upSinceRunBegan: Set<String> = []
    var vcenterUp = true
    var armed: Set<String> = []
    /// Hosts whose autostart is not as it was, and whether it is on.
    var autostarts: [String: String] = [:]
    var inMaintenance: Set<String> = []
    /// Hosts on which SSH runs, or would if they were on.
    var sshRuns: Set<String>
    var feedsWithoutMains: Set<String> = []
    var outputsOff: Set<String> = []
    var mainsLastMissing: Double?
    /// Objects that a fault did something to, by kind.
    var faulted: [LabFault: Set<String>] = [:]
    /// Guests that were started since a host last went down.
    var startedSinceDown: Set<String> = []
    var hasGoneDown = false
    /// Hosts that start vCSA where it is registered there, by boot script or by the autostart that
    /// vpower set: armed as they came up, not told to stop since, and vCSA has not gone off since.
    /// A script acts once after each boot.
    var startingVCSA: Set<String> = []

    var hasRecords: Bool
    /// What the records tell that a process can read now.
    private var told = LabTold()
    /// Of that, what the disk tells.
    private var toldOnDisk = LabTold()
    /// The ordinary guests that were on when the outage's snapshot was taken: what is to be on
    /// again. What a power cut takes when the outage is closed is no part of it: no record tells
    /// that it was on, and vpower starts nothing by guess.
    private var goal: Set<String> = []
    /// The goal of the outage that is open as far as the records that are left tell.
    private var goalOnDisk: Set<String>?
    /// Whether the outage's snapshot is lost: vpower cannot know what to put back.
    private var isSnapshotLost = false
    /// What was asked for, and the record of it is lost.
    private var lostSteps: Set<StepID> = []
    /// Those of them whose outage's snapshot is lost too: the state before them is known nowhere.
    private var lostChanges: Set<StepID> = []

    init(_ scenario: LabScenario, hasRecords: Bool) {
        self.scenario = scenario
        self.hasRecords = hasRecords
        specs = Dictionary(
            scenario.guests.map { ($0.id.rawValue, $0) }, uniquingKeysWith: { first, _ in first })
        roles = specs.compactMapValues { scenario.role(of: $0) }
        vcsa = scenario.guests.first { $0.isVCSA }
        hostsOn = Set(scenario.hosts.map(\.name.rawValue))
        machinesOn = Set(scenario.machines.map(\.name.rawValue))
        sshRuns = Set(scenario.hosts.filter(\.sshRuns).map(\.name.rawValue))
        haAgents = scenario.automation.ha
        for guest in scenario.guests {
            let id = guest.id.rawValue
            place[id] = guest.host.rawValue
            guestsOf[guest.host.rawValue, default: []].insert(id)
            set(id, guest.isOn ? .on : .off)
        }
    }

    // MARK: What rules ask

    var outageIsOpen: Bool { told.outageIsOpen }
    var plan: Plan? { told.plan }
    var asked: Set<StepID> { told.asked }
    var answered: Set<StepID> { told.answered }
    var outcomes: [StepID: StepOutcome] { told.outcomes }

    func name(_ id: String) -> String { specs[id]?.name.onOneLine ?? id }

    func isOrdinary(_ id: String) -> Bool { specs[id]?.nature == .ordinary }

    /// The ordinary guests that are on on a host.
    func ordinaryOn(_ host: String) -> [String] {
        guestsOf[host, default: []].filter { power[$0] == .on && isOrdinary($0) }.sorted()
    }

    /// The ordinary guests that are on and go down before a place in the order.
    func on(before place: Int) -> [String] {
        onByPlace.filter { $0.key < place }.flatMap(\.value).sorted()
    }

    /// Whether vpower itself runs on a host.
    func holdsController(_ host: String) -> Bool {
        guestsOf[host, default: []].contains { specs[$0]?.isController == true }
    }

    /// The machine of this name.
    func machine(_ name: String) -> LabMachineSpec? {
        scenario.machines.first { $0.name.rawValue == name }
    }

    /// How the step that stops a guest ended, if it did.
    func stopOutcome(_ id: String) -> StepOutcome? { outcomes[StepID("stop/\(id)")] }

    /// Whether a guest may be on when its host goes: policy leaves it, or a record says why.
    func mayStayOn(_ id: String) -> Bool {
        if case .left = stopOutcome(id) { return true }
        return told.leftByPolicy.contains(id) || isNoted(name(id))
    }

    /// Whether the run is to stop this guest, as far as the records tell.
    func isToStop(_ id: String) -> Bool {
        !hasRecords || told.planned.contains(StepID("stop/\(id)"))
    }

    /// Whether a record says of this object, by name, that it could not be waited for.
    func isNoted(_ name: String) -> Bool { told.notes.contains { $0.contains(name) } }

    /// Whether a guest is to be on at the end. Without records, what was on at first is.
    func isGoal(_ guest: LabGuestSpec) -> Bool {
        hasRecords ? goal.contains(guest.id.rawValue) : guest.isOn
    }

    /// Whether a guest was off when the open outage's snapshot was taken: nobody brings it back.
    func isOffInSnapshot(_ guest: LabGuestSpec) -> Bool {
        goalOnDisk.map { !$0.contains(guest.id.rawValue) } ?? false
    }

    /// Whether vpower cannot know that it put a host in maintenance mode, where it still is.
    func isLeftInMaintenance(_ host: String) -> Bool {
        inMaintenance.contains(host) && lostSteps.contains(.maintenance(of: HostName(host)))
    }

    /// Whether what a host started by itself before the outage is on record.
    func hasAutostartBefore(_ host: String) -> Bool { told.autostartBefore.contains(host) }

    /// Whether vpower cannot know what a host started by itself before vpower changed that.
    func isLeftWithAutostart(_ host: String) -> Bool {
        lostSteps.contains(StepID("arm/\(host)"))
    }

    /// Whether SSH ran on hosts before vpower changed it, as far as the open outage's records tell.
    var sshBefore: [String: Bool] { told.sshBefore }

    /// Whether vpower cannot know that it started SSH on a host.
    func isLeftWithSSH(_ host: String) -> Bool {
        lostSteps.contains(.openSSH(on: HostName(host)))
    }

    /// Whether vpower cannot know that it stopped HA's agent on a host, where it is still stopped.
    func isLeftWithoutHAAgent(_ host: String) -> Bool {
        haAgentStopped.contains(host) && lostSteps.contains(.stopHAAgent(on: HostName(host)))
    }

    /// The hosts on which HA's agent runs.
    var hostsWithHAAgent: Set<String> { haAgents ? hostsOn.subtracting(haAgentStopped) : [] }

    /// Whether this step changed something, and what was before it is known nowhere any more.
    func isLost(_ step: StepID) -> Bool { lostChanges.contains(step) }

    /// Whether this was asked for, and the record of it is lost.
    func isOffRecord(_ step: StepID) -> Bool { lostSteps.contains(step) }

    /// Whether vpower cannot know that it did this: the outage is lost, and none came after it.
    func isForgotten(_ step: StepID) -> Bool { isSnapshotLost && isLost(step) }

    /// Whether any fault of these kinds has done something to one of these objects.
    func isFaulted(_ kinds: [LabFault], _ objects: [String]) -> Bool {
        kinds.contains { kind in
            guard let these = faulted[kind] else { return false }
            return objects.contains(where: these.contains)
        }
    }

    /// Whether the UPS gives no power any more.
    var isOutOfPower: Bool { outputsOff.count == scenario.feeds.count }

    // MARK: Going on

    private mutating func set(_ id: String, _ now: GuestPower) {
        power[id] = now
        guard let role = roles[id] else { return }
        if now == .on {
            onByPlace[role.place, default: []].insert(id)
        } else {
            onByPlace[role.place]?.remove(id)
        }
    }

    private mutating func wentOff(_ id: String, _ now: GuestPower) {
        set(id, now)
        if id == vcsa?.id.rawValue { startingVCSA = [] }
    }

    private mutating func move(_ id: String, to host: String) {
        if let from = place[id] { guestsOf[from]?.remove(id) }
        place[id] = host
        guestsOf[host, default: []].insert(id)
    }

    mutating func apply(_ event: LabEvent) {
        switch event.kind {
        case .guestOff: wentOff(event.object, .off)
        case .guestLost:
            wentOff(event.object, .off)
            if isOutOfPower, goalOnDisk == nil { goal.remove(event.object) }
        case .guestSuspended: wentOff(event.object, .suspended)
        case .guestOn:
            set(event.object, .on)
            startedSinceDown.insert(event.object)
        case .guestRegistered, .guestMoved: move(event.object, to: event.detail)
        case .haAgentsGone, .haAgentsBack:
            haAgents = event.kind == .haAgentsBack
            haAgentStopped = []
        case .haAgentStopped: haAgentStopped.insert(event.object)
        case .haAgentStarted: haAgentStopped.remove(event.object)
        case .vcenterDown: vcenterUp = false
        case .vcenterUp: vcenterUp = true
        case .hostOff, .hostLost:
            hostsOn.remove(event.object)
            haAgentStopped.remove(event.object)
            startingVCSA.remove(event.object)
            startedSinceDown = []
            hasGoneDown = true
        case .hostTold: startingVCSA.remove(event.object)
        case .sshStarted: sshRuns.insert(event.object)
        case .sshStopped: sshRuns.remove(event.object)
        case .hostUp:
            bootSSH(event.object)
            hostsOn.insert(event.object)
            upSinceRunBegan.insert(event.object)
            let startsByItself = autostarts[event.object] == "on" && !haAgents
            if armed.contains(event.object) || startsByItself { startingVCSA.insert(event.object) }
        case .armed: armed.insert(event.object)
        case .disarmed: armed.remove(event.object)
        case .autostartSet:
            autostarts[event.object] = event.detail == "as before" ? nil : event.detail
        case .maintenanceOn: inMaintenance.insert(event.object)
        case .maintenanceOff: inMaintenance.remove(event.object)
        case .machineTold:
            if machine(event.object)?.delay != nil { machinesGoing.insert(event.object) }
        case .machineCalledOff: machinesGoing.remove(event.object)
        case .machineOff, .machineLost:
            machinesOn.remove(event.object)
            machinesGoing.remove(event.object)
        case .machineUp: machinesOn.insert(event.object)
        default: applyPower(event)
        }
    }

    /// A boot starts SSH where the host's policy says so.
    private mutating func bootSSH(_ host: String) {
        let starts = scenario.hosts.contains { $0.name.rawValue == host && $0.sshStartsAtBoot }
        if starts { sshRuns.insert(host) } else { sshRuns.remove(host) }
    }

    private mutating func applyPower(_ event: LabEvent) {
        switch event.kind {
        case .mainsOff: feedsWithoutMains.insert(event.object)
        case .mainsOn:
            feedsWithoutMains.remove(event.object)
            mainsLastMissing = event.atSeconds
        case .outputOff: outputsOff.insert(event.object)
        case .outputOn: outputsOff.remove(event.object)
        case .fault:
            if let kind = LabFault(rawValue: event.detail) {
                faulted[kind, default: []].insert(event.object)
                // What was in the spare journal only is gone: whoever comes reads the disk.
                if kind == .controllerLosesPower { told = toldOnDisk }
            }
        default: break
        }
    }

    mutating func apply(_ record: LabRecord) {
        told.apply(record.record.event)
        if !record.isLost { toldOnDisk.apply(record.record.event) }
        switch record.record.event {
        case .snapshotTaken:
            if !record.isLost { goalOnDisk = Set(onByPlace.values.flatMap(\.self)) }
            isSnapshotLost = goalOnDisk == nil
            goal = goalOnDisk ?? []
        case .outageClosed:
            if !record.isLost { goalOnDisk = nil }
        case .runStarted: upSinceRunBegan = []
        case .asked(let step, _):
            guard record.isLost else { break }
            lostSteps.insert(step)
            if isSnapshotLost { lostChanges.insert(step) }
        default: break
        }
    }
}

/// What records tell of the outage and of the run that is under way.
private struct LabTold {
    var outageIsOpen = false
    var plan: Plan?
    var planned: Set<StepID> = []
    /// Guests that policy leaves to go down with their host.
    var leftByPolicy: Set<String> = []
    var asked: Set<StepID> = []
    /// Steps of guests whose questions were to be answered.
    var answered: Set<StepID> = []
    var outcomes: [StepID: StepOutcome] = [:]
    var notes: [String] = []
    /// Hosts of which it is on record what they started by themselves: of the whole outage.
    var autostartBefore: Set<String> = []
    /// Whether SSH ran on hosts, as it was found first in the outage.
    var sshBefore: [String: Bool] = [:]

    mutating func apply(_ event: RunEvent) {
        switch event {
        case .outageOpened:
            outageIsOpen = true
            autostartBefore = []
            sshBefore = [:]
        case .sshFound(let host, let runs):
            sshBefore[host.rawValue] = sshBefore[host.rawValue] ?? runs
        case .bootChosen(let host, _, .some): autostartBefore.insert(host.rawValue)
        case .outageClosed: outageIsOpen = false
        case .runStarted(let plan, _):
            self.plan = plan
            planned = Set(plan.steps.map(\.id))
            for step in plan.steps {
                guard case .stopGuest(let id, _, .leave) = step.action else { continue }
                leftByPolicy.insert(id.rawValue)
            }
            asked = []
            answered = []
            outcomes = [:]
            notes = []
        case .asked(let step, let what):
            asked.insert(step)
            if what.hasPrefix("answer ") { answered.insert(step) }
        case .stepEnded(let step, let outcome): outcomes[step] = outcome
        case .noted(let text): notes.append(text)
        default: break
        }
    }
}
