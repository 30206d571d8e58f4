import PowerModel

/// DESIGN 5.1: no host is powered off while a guest on it is on, unless policy leaves it on or a
/// record names it.
struct HostsAfterTheirGuests: LabRule {
    let name = "1: no host is stopped under a guest"
    var tally = LabTally()
    /// Guests that were on when their host was told to stop, and might be.
    private var excused: Set<String> = []
    /// Guests that somebody else started on a host while the call that stops it was under way, and
    /// when: it was announced, and vpower had looked before.
    private var startedUnderCall: [String: [String: Double]] = [:]
    /// How long before its end a host's guests may start unseen: the time of the call that tells
    /// it. The slowest of the lab that comes to something looks a name up first (`dnsDies`: up to
    /// 3.1 s). An engine that takes longer between its look and its call is to look again.
    static let callSeconds = 3.5

    mutating func see(_ record: LabRecord, _ site: LabSiteState) {
        guard case .asked(let step, _) = record.record.event else { return }
        // Each try looks again first.
        for host in startedUnderCall.keys where step == StepID("stop-host/\(host)") {
            startedUnderCall[host] = nil
        }
    }

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        switch event.kind {
        case .hostTold:
            let started = startedUnderCall[event.object] ?? [:]
            let on = site.ordinaryOn(event.object).filter { guest in
                let isUnseen = started[guest].map { event.atSeconds - $0 <= Self.callSeconds }
                // What does not shut down goes with its host: vpower itself is the one that may.
                let isController = site.specs[guest]?.isController == true
                return !site.mayStayOn(guest) && isUnseen != true
                    && !(isController && event.detail == LabState.handOver)
            }
            excused.formUnion(site.ordinaryOn(event.object))
            let names = on.map(site.name).joined(separator: ", ")
            tally.judge(
                at: event.atSeconds,
                on.isEmpty ? nil : "\(event.object) was told to stop with \(names) on")
        case .guestLost where site.isOrdinary(event.object) && event.detail != "fault":
            let isLost = !site.isOutOfPower && !excused.contains(event.object)
            tally.judge(
                at: event.atSeconds,
                isLost ? "guest \(site.name(event.object)) was cut off \(event.detail)" : nil)
        case .guestOn:
            excused.remove(event.object)
            if Self.isByOthers(event, site), let host = site.place[event.object],
                site.asked.contains(StepID("stop-host/\(host)"))
            {
                startedUnderCall[host, default: [:]][event.object] = event.atSeconds
            }
        default: break
        }
    }

    /// Whether it was not vpower that started a guest. HA has no business where its agents are
    /// gone; where they could not be stopped, which is on record, it may act at any moment.
    static func isByOthers(_ event: LabEvent, _ site: LabSiteState) -> Bool {
        switch event.detail {
        case "a person", "boot script", "autostart": true
        case "HA": site.haAgents
        default: false
        }
    }
}

/// DESIGN 4: no host of a vSAN cluster is told to stop before the cluster as a whole is ready for
/// it, which no guest is on for, and which nobody does by hand while vCenter may be at it.
struct VSANAsAWhole: LabRule {
    let name = "1: a vSAN cluster goes down as a whole"
    var tally = LabTally()
    private var isPrepared = false
    private var isVCenterAtIt = false
    /// When each guest was started that vpower did not start.
    private var startedByOthers: [String: Double] = [:]

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        guard site.scenario.hasVSAN else { return }
        switch event.kind {
        case .hostTold:
            tally.judge(
                at: event.atSeconds,
                isPrepared ? nil : "\(event.object) was told to stop, and vSAN was not ready")
        case .vsanPowerOff: isVCenterAtIt = true
        case .guestOn:
            let isByOthers = HostsAfterTheirGuests.isByOthers(event, site)
            startedByOthers[event.object] = isByOthers ? event.atSeconds : nil
        case .vsanPrepared:
            let isByHand = event.detail != "vCenter"
            isPrepared = true
            let on = site.power.filter { $0.value == .on && site.isOrdinary($0.key) }.map(\.key)
                .filter { guest in
                    let age = startedByOthers[guest].map { event.atSeconds - $0 }
                    let isUnseen = age.map { $0 <= HostsAfterTheirGuests.callSeconds } ?? false
                    return !isUnseen && !site.mayStayOn(guest)
                }.map(site.name).sorted()
            tally.judge(
                at: event.atSeconds,
                isByHand && isVCenterAtIt ? "vSAN was prepared while vCenter was at it" : nil)
            tally.judge(
                at: event.atSeconds, on.isEmpty ? nil : "vSAN was prepared with \(on) on")
            isVCenterAtIt = false
        case .vsanRecovered:
            isPrepared = false
            isVCenterAtIt = false
        case .hostLost: isVCenterAtIt = false
        default: break
        }
    }
}

/// DESIGN 5.2: in a cluster plan no guest is shut down, and no host, while HA is on; unless the
/// freeze's budget is spent and that is recorded. Then no host goes while an agent of HA runs that
/// could have been stopped.
struct HAOffBeforeGuests: LabRule {
    let name = "2: HA is off before guests go down"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        guard event.kind == .guestAsked || event.kind == .hostTold else { return }
        if let plan = site.plan, !plan.kind.isWhole { return }
        let what =
            event.kind == .hostTold
            ? "\(event.object) was told to stop"
            : "guest \(site.name(event.object)) was shut down"
        var isExcused = false
        if case .gaveUp = site.outcomes[.freeze] { isExcused = true }
        tally.judge(
            at: event.atSeconds, site.haAgents && !isExcused ? "\(what) while HA was on" : nil)
        guard event.kind == .hostTold, isExcused else { return }
        let running = site.hostsWithHAAgent.filter { !Self.mayRunHAAgent($0, site) }.sorted()
        tally.judge(
            at: event.atSeconds,
            running.isEmpty ? nil : "\(what) while HA's agent ran on \(running)")
    }

    /// Whether HA's agent of a host could not be stopped, which is on record by name; or came back
    /// with the host, after the run had seen to it.
    private static func mayRunHAAgent(_ host: String, _ site: LabSiteState) -> Bool {
        if site.upSinceRunBegan.contains(host) { return true }
        guard case .gaveUp(let why) = site.outcomes[.stopHAAgents], why.contains(host) else {
            return false
        }
        let faults: [LabFault] = [.hostRefuses, .hostHangs, .hostKeyWrong, .linkCut, .switchDead]
        return site.isFaulted(faults, [host, ""])
    }
}

/// DESIGN 4, freeze: in a cluster plan no guest is shut down while DRS may move one: neither by the
/// cluster's level nor by a guest's own; unless the freeze gave up, and that is recorded.
struct DRSManualBeforeGuests: LabRule {
    let name = "2: DRS moves nothing while guests go down"
    var tally = LabTally()
    private var level: DRSLevel?
    private var overrides: Bool?

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        let before = site.scenario.automation
        switch event.kind {
        case .drsChanged: level = DRSLevel(rawValue: event.detail) ?? level
        case .drsOverridesChanged: overrides = event.detail == "on"
        case .guestAsked:
            if let plan = site.plan, !plan.kind.isWhole { return }
            if case .gaveUp = site.outcomes[StepID("freeze")] { return }
            guard before.drsEnabled else { return }
            let own = overrides ?? before.followsDRSOverrides
            let moving = site.scenario.guests.filter { guest in
                ((own ? guest.drsLevel : nil) ?? level ?? before.drsLevel) == .fullyAutomated
            }
            let names = moving.map(\.name.onOneLine).joined(separator: ", ")
            tally.judge(
                at: event.atSeconds,
                moving.isEmpty
                    ? nil
                    : "guest \(site.name(event.object)) was shut down while DRS may move \(names)")
        default: break
        }
    }
}

/// DESIGN 5.3, down: ordinary tiers, then vCSA, then infrastructure, then hosts, vCSA's last.
struct OrderDown: LabRule {
    let name = "3: down in order"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        switch event.kind {
        case .guestAsked:
            guard let role = site.roles[event.object] else { return }
            let left = site.on(before: role.place).filter { isAwaited($0, site) }
            let names = left.map(site.name).joined(separator: ", ")
            tally.judge(
                at: event.atSeconds,
                left.isEmpty
                    ? nil : "guest \(site.name(event.object)) was shut down before \(names)")
        case .hostTold: hostTold(event, site)
        case .hostLeft:
            let others = site.hostsOn.filter {
                $0 != event.object && site.outcomes[StepID("stop-host/\($0)")] == nil
            }
            tally.judge(
                at: event.atSeconds,
                others.isEmpty
                    ? nil : "vpower went with \(event.object) before \(others.sorted())")
        default: break
        }
    }

    /// On, to be stopped by this run, and nothing recorded that ends the wait for it.
    private func isAwaited(_ guest: String, _ site: LabSiteState) -> Bool {
        site.isToStop(guest) && site.stopOutcome(guest) == nil
    }

    private mutating func hostTold(_ event: LabEvent, _ site: LabSiteState) {
        guard let vcsa = site.vcsa?.id.rawValue else { return }
        var wrong: String?
        if site.power[vcsa] == .on, isAwaited(vcsa, site) {
            wrong = "\(event.object) was told to stop before vCSA was off"
        } else if !site.scenario.hasVSAN, site.place[vcsa] == event.object,
            site.isToStop(vcsa)
        {
            // The controller's own host may come later still.
            let others = site.hostsOn.filter {
                $0 != event.object && site.outcomes[StepID("stop-host/\($0)")] == nil
                    && !site.holdsController($0)
            }
            if !others.isEmpty {
                wrong = "vCSA's host was told to stop before \(others.sorted())"
            }
        }
        tally.judge(at: event.atSeconds, wrong)
    }
}

/// DESIGN 5.4: agent guests, templates and the like are never targets.
struct AgentsLeftAlone: LabRule {
    let name = "4: agent guests are never targets"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        let isAct =
            switch event.kind {
            case .guestAsked, .guestSuspended: true
            case .guestOff: event.detail == "forced"
            default: false
            }
        guard isAct, let spec = site.specs[event.object] else { return }
        tally.judge(
            at: event.atSeconds,
            spec.nature == .ordinary
                ? nil : "\(spec.name.onOneLine) belongs to the cluster and was stopped")
    }
}

/// A question of a guest is answered only as the site file says.
struct AnswersOfTheSiteFile: LabRule {
    let name = "4: questions are answered as the site file says"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        guard event.kind == .guestAnswered else { return }
        let allowed = QuestionAnswer.choice(for: .lab, by: site.scenario.answers)?.label
        tally.judge(
            at: event.atSeconds,
            allowed == event.detail
                ? nil : "guest \(site.name(event.object)) was answered \(event.detail)")
    }
}

/// DESIGN 5.6: every record is on disk before the act it announces.
struct RecordBeforeAct: LabRule {
    let name = "6: the record is on disk before the act"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        if site.hasRecords, event.kind == .guestAnswered {
            let steps = ["stop", "start"].map { StepID("\($0)/\(event.object)") }
            tally.judge(
                at: event.atSeconds,
                site.answered.isDisjoint(with: steps) ? "an answer without a record" : nil)
        }
        if site.hasRecords, event.kind == .autostartSet {
            tally.judge(at: event.atSeconds, Self.whyUnannounced(event, site))
        }
        if site.hasRecords, event.kind == .machineCalledOff {
            // To stay, or to be told anew.
            let steps = ["start", "stop"].map { StepID("\($0)-machine/\(event.object)") }
            tally.judge(
                at: event.atSeconds,
                site.asked.isDisjoint(with: steps) ? "a call-off without a record" : nil)
        }
        guard site.hasRecords, let step = RecordBeforeAct.step(of: event) else { return }
        tally.judge(
            at: event.atSeconds,
            site.asked.contains(step) ? nil : "\(event.kind.rawValue) without a record of \(step)")
    }

    /// What a host starts by itself is changed for an outage once it is on record as it was, and
    /// put back.
    private static func whyUnannounced(_ event: LabEvent, _ site: LabSiteState) -> String? {
        let host = event.object
        if site.asked.contains(StepID("restore-autostart/\(host)")) { return nil }
        guard site.asked.contains(StepID("arm/\(host)")) else {
            return "autostart of \(host) was changed without a record"
        }
        return site.hasAutostartBefore(host)
            ? nil : "autostart of \(host) was changed, and what it was is not on record"
    }

    /// The step that must have been announced; nil for what vpower did not do.
    private static func step(of event: LabEvent) -> StepID? {
        let object = event.object
        switch event.kind {
        case .guestAsked:
            return event.detail == LabState.handOver ? nil : StepID("stop/\(object)")
        case .hostLeft: return StepID("stop-host/\(object)")
        case .machineTold: return StepID("stop-machine/\(object)")
        case .guestOff: return event.detail == "forced" ? StepID("stop/\(object)") : nil
        case .guestOn:
            return ["HA", "boot script", "autostart", "a person", "vSAN"].contains(event.detail)
                ? nil : StepID("start/\(object)")
        case .vsanPowerOff: return .powerOffVSAN
        case .vsanPowerOn: return .startVSAN
        case .vsanPrepared: return event.detail == "vCenter" ? nil : .prepareVSAN
        case .vsanRecovered: return object == "vCenter" ? nil : .startVSAN
        case .hostTold:
            // What is handed over was announced then: see `hostLeft`.
            return ["vSAN", LabState.handOver].contains(event.detail)
                ? nil : StepID("stop-host/\(object)")
        case .maintenanceOn:
            return event.detail == "vSAN" ? nil : .maintenance(of: HostName(object))
        case .armed: return StepID("arm/\(object)")
        case .disarmed:
            return event.detail == LabState.byBootScript ? nil : StepID("disarm/\(object)")
        case .haOff: return .freeze
        case .haOn: return StepID("thaw-ha")
        case .haAgentStopped: return .stopHAAgent(on: HostName(object))
        case .haAgentStarted: return StepID("start-ha-agent/\(object)")
        case .vclsRetreat: return StepID("retreat")
        case .sshStarted: return .openSSH(on: HostName(object))
        case .sshStopped: return StepID("close-ssh/\(object)")
        default: return nil
        }
    }
}

/// DESIGN 5.7: a feed's output is cut only when everything on it is down, or by its battery.
struct OutputAfterHosts: LabRule {
    let name = "7: the output is cut after the hosts"
    var tally = LabTally()
    /// Hosts that go by themselves.
    private var leaving: Set<String> = []
    /// Feeds that were told to cut their output, and have not yet.
    private var wasAsked: Set<String> = []

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        if event.kind == .outputOff, wasAsked.remove(event.object) != nil {
            let on =
                site.hostsOn.filter { leaving.contains($0) }.sorted()
                + (site.isFaulted([.switchDead], [""]) ? [] : site.machinesGoing.sorted())
            tally.judge(
                at: event.atSeconds, on.isEmpty ? nil : "the output did not wait for \(on)")
        }
        if event.kind == .hostLeft { leaving.insert(event.object) }
        if event.kind == .hostOff { leaving.remove(event.object) }
        guard event.kind == .outputCutAsked else { return }
        wasAsked.insert(event.object)
        // A host that was told, and whose own link is cut, is silent before it is off. One that
        // goes by itself is waited for by the UPS.
        let on =
            site.hostsOn.filter {
                !site.isFaulted([.linkCut], [$0]) && !leaving.contains($0)
            }.sorted() + Self.machinesStaying(site)
        tally.judge(
            at: event.atSeconds, on.isEmpty ? nil : "the output was cut with \(on) still on")
    }

    /// Machines that are on and do not go by themselves. One that was told to go, and that a dead
    /// switch has made silent, seems to be off.
    private static func machinesStaying(_ site: LabSiteState) -> [String] {
        if site.isFaulted([.switchDead], [""]) { return [] }
        return site.machinesOn.subtracting(site.machinesGoing).sorted()
    }

    mutating func end(_ site: LabSiteState, _ automation: Automation) {
        for host in site.scenario.hosts {
            let isOn = site.hostsOn.contains(host.name.rawValue)
            let isForgotten = site.isForgotten(StepID("stop-host/\(host.name)"))
            tally.judge(at: nil, isOn || isForgotten ? nil : "\(host.name) is off")
        }
        for machine in site.scenario.machines {
            let isOn = site.machinesOn.contains(machine.name.rawValue)
            let isForgotten = site.isOffRecord(StepID("stop-machine/\(machine.name)"))
            tally.judge(at: nil, isOn || isForgotten ? nil : "\(machine.name) is off")
        }
    }
}
