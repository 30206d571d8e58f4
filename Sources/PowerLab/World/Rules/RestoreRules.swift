import PowerModel

/// DESIGN 5.3, up: vCSA before the guests that are not infrastructure, HA last.
struct OrderUp: LabRule {
    let name = "3: up in reverse order"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        switch event.kind {
        case .guestOn: guestOn(event, site)
        case .haOn:
            let missing = site.scenario.guests.filter { isMissing($0, site) }
            let names = missing.map(\.name.onOneLine).joined(separator: ", ")
            tally.judge(
                at: event.atSeconds, missing.isEmpty ? nil : "HA came back before \(names)")
        default: break
        }
    }

    private mutating func guestOn(_ event: LabEvent, _ site: LabSiteState) {
        guard event.detail != "HA", case .tier = site.roles[event.object], site.hasGoneDown,
            let vcsa = site.vcsa, vcsa.isOn, !site.isOffInSnapshot(vcsa),
            let place = site.place[vcsa.id.rawValue]
        else { return }
        let id = vcsa.id.rawValue
        // Boot scripts wait a time for vCSA, not for what a fault makes of it, nor for a host
        // whose own script will not start it. vpower itself has no such excuse.
        let isVPowers = site.asked.contains(StepID("start/\(event.object)"))
        let isHeldUp =
            (!isVPowers && !site.startingVCSA.contains(place))
            || site.outcomes[StepID("start/\(id)")] != nil
            || !site.hostsOn.contains(place)
            || site.isFaulted([.datastoreLate, .hostStaysOff, .hostComesBack], [place])
            || site.isFaulted([.hostComesBack], site.place[event.object].map { [$0] } ?? [])
            || site.isFaulted([.vcenterDiesEarly, .vcenterDeadBefore, .guestSuspended], [id])
        // A host cannot wait for what is on another, and has an order of its own but for vpower's.
        let isOwn =
            event.detail == "autostart"
            && (site.place[event.object] != place || site.autostarts[place] != "on")
        let isFirst = site.power[id] == .on || site.startedSinceDown.contains(id) || isOwn
        tally.judge(
            at: event.atSeconds,
            isFirst || isHeldUp
                ? nil : "guest \(site.name(event.object)) was started before vCSA")
    }

    /// Was on, is not, and nothing recorded ends the wait for it.
    private func isMissing(_ guest: LabGuestSpec, _ site: LabSiteState) -> Bool {
        let id = guest.id.rawValue
        guard guest.nature == .ordinary, site.isGoal(guest), site.power[id] != .on else {
            return false
        }
        return !site.isFaulted([.guestSuspended], [id])
            && site.outcomes[StepID("start/\(id)")] == nil
    }
}

/// DESIGN 5.5: everything changed is put back to what it was; what was off stays off.
struct EverythingPutBack: LabRule {
    let name = "5: everything is put back"
    var tally = LabTally()
    /// Guests that were off, and that their host has started since, as its administrator wants it.
    private var startedByHost: Set<String> = []

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        guard event.kind == .guestOn, let guest = site.specs[event.object],
            guest.nature == .ordinary
        else { return }
        let isUnchanged = site.place[event.object].map { site.autostarts[$0] == nil } ?? false
        let isHosts = event.detail == "autostart" && isUnchanged
        if isHosts, !guest.isOn { startedByHost.insert(event.object) }
        tally.judge(
            at: event.atSeconds,
            guest.isOn || isHosts
                ? nil : "guest \(site.name(event.object)) was off before the outage")
    }

    mutating func end(_ site: LabSiteState, _ automation: Automation) {
        let before = site.scenario.automation
        func check(_ isSo: Bool, _ what: String) { tally.judge(at: nil, isSo ? nil : what) }
        // Without a vCSA that cannot be started where it is, nothing of this can be put back.
        let isVCSAStuck =
            site.vcsa.map(\.id.rawValue).map { id in
                site.power[id] != .on && site.place[id].map(site.isLeftInMaintenance) == true
            } ?? false
        let isFreezeLost = isVCSAStuck || site.isLost(StepID("freeze"))
        check(isFreezeLost || automation.ha == before.ha, "HA is not as it was")
        let isDRSAsBefore =
            automation.drsLevel == before.drsLevel && automation.drsEnabled == before.drsEnabled
            && automation.drsOverrides == before.drsOverrides
        check(isFreezeLost || isDRSAsBefore, "DRS is not as it was")
        check(isFreezeLost || automation.dpm == before.dpm, "DPM is not as it was")
        check(
            isVCSAStuck || site.isLost(StepID("retreat"))
                || (automation.vcls.keepsGuests == before.vcls.keepsGuests
                    && (automation.vclsMode == .absent) == (before.vclsMode == .absent)),
            "vCLS is not as it was")
        for guest in site.scenario.guests where guest.nature == .ordinary {
            let id = guest.id.rawValue
            let isOn = site.power[id] == .on
            // Somebody suspended it: it is not vpower's to wake.
            let isExplained =
                !isOn
                && (site.isFaulted([.guestSuspended], [id])
                    || site.place[id].map(site.isLeftInMaintenance) == true)
            let isWrong = isOn ? !guest.isOn && !startedByHost.contains(id) : site.isGoal(guest)
            check(
                !isWrong || isExplained,
                "guest \(guest.name.onOneLine) is \(isOn ? "on" : "off")")
        }
        let agentless = automation.ha ? site.haAgentStopped.sorted() : []
        for host in agentless where !isVCSAStuck {
            check(site.isLeftWithoutHAAgent(host), "HA's agent does not run on \(host)")
        }
        for host in site.scenario.hosts {
            let isMaintained = site.inMaintenance.contains(host.name.rawValue)
            check(
                !isMaintained || site.isLeftInMaintenance(host.name.rawValue),
                "\(host.name) is in maintenance mode")
            check(
                site.autostarts[host.name.rawValue] == nil
                    || site.isLeftWithAutostart(host.name.rawValue),
                "autostart of \(host.name) is not as it was")
        }
    }
}

/// DESIGN 5.5 for SSH: it runs or not as before the outage. It is started only where it is on
/// record that it did not run, and stopped only there.
struct SSHPutBack: LabRule {
    let name = "5: SSH is put back"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        guard site.hasRecords else { return }
        switch event.kind {
        case .sshStarted:
            tally.judge(
                at: event.atSeconds,
                site.sshBefore[event.object] != nil
                    ? nil : "SSH was started on \(event.object) before that was on record")
        case .sshStopped:
            tally.judge(
                at: event.atSeconds,
                site.sshBefore[event.object] == false
                    ? nil : "SSH was stopped on \(event.object), where it ran before")
        default: break
        }
    }

    mutating func see(_ record: LabRecord, _ site: LabSiteState) {
        switch record.record.event {
        case .sshFound(let host, let runs):
            tally.judge(
                at: record.atSeconds,
                site.sshRuns.contains(host.rawValue) == runs
                    ? nil : "what is on record of SSH on \(host) is not so")
        case .outageClosed: judge(site, at: record.atSeconds)
        default: break
        }
    }

    mutating func end(_ site: LabSiteState, _ automation: Automation) {
        if site.hasRecords { return judge(site, at: nil) }
        for host in site.scenario.hosts where host.opensSSH {
            let runs = site.sshRuns.contains(host.name.rawValue)
            tally.judge(
                at: nil, runs == host.sshRuns ? nil : "SSH on \(host.name) is not as it was")
        }
    }

    private mutating func judge(_ site: LabSiteState, at seconds: Double?) {
        for (host, ran) in site.sshBefore.sorted(by: { $0.key < $1.key }) {
            let isAsBefore = site.sshRuns.contains(host) == ran
            // A host that slept was not asked.
            let isExcused = site.isLeftWithSSH(host) || !site.hostsOn.contains(host)
            tally.judge(
                at: seconds,
                isAsBefore || isExcused
                    ? nil : "SSH \(ran ? "does not run" : "runs") on \(host), unlike before")
        }
    }
}

/// DESIGN 5.8: a false alarm changes nothing: no act without an outage, no outage with the mains.
struct FalseAlarmsChangeNothing: LabRule {
    let name = "8: a false alarm changes nothing"
    var tally = LabTally()
    /// How long a plan may take to be made after the trigger was confirmed.
    private static let planning = 120.0

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        guard site.hasRecords else { return }
        switch event.kind {
        case .guestAsked, .hostTold, .machineTold, .haOff, .haAgentStopped, .drsChanged,
            .vclsRetreat, .armed, .autostartSet, .maintenanceOn, .sshStarted, .vsanPowerOff,
            .vsanPrepared:
            tally.judge(
                at: event.atSeconds,
                site.outageIsOpen ? nil : "\(event.kind.rawValue) without an outage")
        default: break
        }
    }

    mutating func see(_ record: LabRecord, _ site: LabSiteState) {
        guard case .runStarted(let plan, let cause) = record.record.event,
            plan.kind.isWhole, cause.origin == .outage
        else { return }
        let isRecent =
            site.mainsLastMissing.map { record.atSeconds - $0 < Self.planning } ?? false
        tally.judge(
            at: record.atSeconds,
            !site.feedsWithoutMains.isEmpty || isRecent
                ? nil : "a run began though the mains were there")
    }
}

/// DESIGN 5.9: no secret in a record.
struct NoSecretInRecords: LabRule {
    let name = "9: no secret is recorded"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {}

    mutating func see(_ record: LabRecord, _ site: LabSiteState) {
        for text in record.record.event.texts {
            tally.judge(
                at: record.atSeconds,
                text.contains(LabScenario.secret) ? "a record tells a secret" : nil)
        }
    }
}

/// DESIGN 5.10: nothing from outside reaches people unquoted.
struct NothingUnquoted: LabRule {
    let name = "10: nothing from outside is shown unquoted"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {}

    mutating func see(_ record: LabRecord, _ site: LabSiteState) {
        for text in record.record.event.texts {
            let isRaw = text.utf8.contains { $0 < 0x20 || $0 == 0x7f }
            tally.judge(
                at: record.atSeconds,
                isRaw ? "a record has control characters: \(text.onOneLine)" : nil)
        }
    }
}

/// DESIGN 5.11: every wait has a limit: a phase ends within its budget and what its last calls
/// may take.
struct EveryWaitEnds: LabRule {
    let name = "11: every wait has a limit"
    var tally = LabTally()
    private var began: [PhaseName: Double] = [:]
    /// What calls under way, forced guests and a queue of hosts may take beyond the budget.
    private static let grace = 120.0

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {}

    mutating func see(_ record: LabRecord, _ site: LabSiteState) {
        switch record.record.event {
        case .phaseStarted(let phase): began[phase] = record.atSeconds
        case .phaseEnded(let name):
            guard let start = began[name], let phase = site.plan?.phase(name) else { return }
            let took = record.atSeconds - start
            tally.judge(
                at: record.atSeconds,
                took <= phase.budget.inSeconds + Self.grace
                    ? nil
                    : "phase \(name) took \(took) s of \(phase.budget.inSeconds) s")
        default: break
        }
    }
}

/// DESIGN 5.12: an armed script expires; an outage that is over leaves none armed.
struct ArmedScriptsExpire: LabRule {
    let name = "12: armed scripts expire, none stays armed"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        switch event.kind {
        case .armed where !event.detail.isEmpty:
            let seconds = event.detail.split(separator: " ").compactMap { Double($0) }.first ?? 0
            tally.judge(
                at: event.atSeconds,
                seconds > 0 ? nil : "\(event.object) was armed without an expiry")
        // The script's rule: what vpower does not see to any more starts nothing for ever. A host's
        // own autostart knows no expiry.
        case .bootScriptBegan where site.hasRecords:
            tally.judge(
                at: event.atSeconds,
                site.armed.contains(event.object) ? nil : "\(event.object) was not armed")
        default: break
        }
    }

    mutating func see(_ record: LabRecord, _ site: LabSiteState) {
        guard record.record.event == .outageClosed else { return }
        tally.judge(
            at: record.atSeconds,
            site.armed.isEmpty
                ? nil : "the outage was closed with \(site.armed.sorted()) armed")
        let left = site.autostarts.keys.filter { !site.isLeftWithAutostart($0) }.sorted()
        tally.judge(
            at: record.atSeconds,
            left.isEmpty ? nil : "the outage was closed with autostart changed on \(left)")
    }

    mutating func end(_ site: LabSiteState, _ automation: Automation) {
        for host in site.scenario.hosts {
            let isArmed = site.armed.contains(host.name.rawValue)
            let isForgotten = site.isForgotten(StepID("arm/\(host.name)"))
            tally.judge(
                at: nil, isArmed && !isForgotten ? "\(host.name) is still armed" : nil)
        }
    }
}

extension RunEvent {
    /// What it says in words to people.
    fileprivate var texts: [String] {
        switch self {
        case .outageOpened(_, let reason): [reason]
        case .runStarted(let plan, let cause): plan.steps.map(\.action.summary) + [cause.reason]
        case .asked(_, let what): [what]
        case .stepEnded(_, .gaveUp(let why)), .stepEnded(_, .left(let why)): [why]
        case .budgetChanged(_, _, _, let why): [why]
        case .noted(let text), .pointOfNoReturn(let text): [text]
        default: []
        }
    }
}
