import PowerModel
import PowerRun

/// The faults of one run: which are at work now, and how often each kind did something.
struct LabFaults {
    var active: [LabFault: [String: PlannedFault]] = [:]
    var took: [LabFault: Int] = [:]
    var noted: Set<PlannedFault> = []
    /// Nothing goes wrong any more.
    var areOver = false
}

/// What stands in the way of a call.
struct LabObstacle: Error {
    enum Reason { case unreachable, refused, keyRefused, notReady, timedOut, session }
    /// How long the caller waits for its answer.
    var delay: Duration = .zero
    /// Why there is none, or not the one that was wanted; nil for a call that is only slow.
    var reason: Reason?
    var detail = ""
}

/// What goes wrong at the site.
extension LabState {
    /// A fault of vpower itself took effect: the lab does not run vpower.
    mutating func took(_ kind: LabFault, _ object: String = "") {
        faults.took[kind, default: 0] += 1
        note(.fault, object, kind.rawValue)
    }

    /// The fault of this kind that is at work on an object: it takes effect now.
    mutating func bites(_ kind: LabFault, _ object: String = "") -> PlannedFault? {
        guard let fault = faults.active[kind]?[object] else { return nil }
        faults.took[kind, default: 0] += 1
        if faults.noted.insert(fault).inserted { note(.fault, object, kind.rawValue) }
        return fault
    }

    /// Whether a fault of this kind is at work on an object: it takes effect now. Mostly none is
    /// at work anywhere, and to say so costs less than to look for one.
    mutating func hits(_ kind: LabFault, _ object: String = "") -> Bool {
        !faults.active.isEmpty && bites(kind, object) != nil
    }

    /// Whether such a fault is at work; nothing comes of it yet.
    func isActive(_ kind: LabFault, _ object: String = "") -> Bool {
        !faults.active.isEmpty && faults.active[kind]?[object] != nil
    }

    /// Ends every fault for good: links are up, hosts mended, keys right, the mains are there.
    mutating func heal() {
        faults.areOver = true
        for (kind, objects) in faults.active.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            for fault in objects.values.sorted(by: { $0.object < $1.object }) {
                end(fault)
            }
            faults.active[kind] = nil
        }
        for number in units.indices {
            units[number].battery = nil
            setMains(number, on: true)
        }
        note(.healed)
        mendVCSA()
    }

    /// A person starts a vCSA that had crashed, as soon as its host can run it.
    mutating func mendVCSA() {
        let crashes: [LabFault] = [.vcenterDiesEarly, .vcenterDeadBefore]
        guard faults.areOver, crashes.contains(where: { faults.took[$0] != nil }),
            let vcsa, hosts[guests[vcsa].host].hostdReady
        else { return }
        start(vcsa, on: guests[vcsa].host, by: "a person")
    }

    mutating func faultBegins(_ index: Int) {
        guard !faults.areOver else { return }
        let fault = scenario.faults[index]
        if happensAtOnce(fault) { return }
        faults.active[fault.kind, default: [:]][fault.object] = fault
        forgetView()
        touch()
        schedule(.faultEnds(index), in: fault.lasts)
    }

    mutating func faultEnds(_ index: Int) {
        let fault = scenario.faults[index]
        guard faults.active[fault.kind]?[fault.object] == fault else { return }
        faults.active[fault.kind]?[fault.object] = nil
        end(fault)
    }

    /// What a fault held up goes on.
    private mutating func end(_ fault: PlannedFault) {
        forgetView()
        touch()
        if fault.kind == .hostNeverStops, let host = hosts.place(of: HostName(fault.object)),
            hosts[host].power == .stopping
        {
            schedule(.hostStops(host), in: scenario.pace.hostStops)
        }
    }

    /// What happens in a moment; false for a fault that lasts.
    private mutating func happensAtOnce(_ fault: PlannedFault) -> Bool {
        let unit = units.firstIndex { $0.name.rawValue == fault.object }
        let guest = guests.place(of: GuestID(fault.object))
        switch fault.kind {
        case .drsMoves: if let guest { drsMoves(guest) }
        case .guestSuspended: if let guest { suspendByHand(guest) }
        case .vclsComesBack: redeployVCLS()
        case .vcenterDiesEarly, .vcenterDeadBefore: crashVCSA(fault.kind)
        case .powerFlaps: if let unit { flap(fault, unit) }
        case .feedsDisagree:
            guard let unit else { return true }
            took(.feedsDisagree, fault.object)
            setMains(unit, on: false)
            schedule(.mains(unit, on: true), in: fault.lasts)
        case .mainsReturnEarly:
            if units.contains(where: { !$0.mainsOn }) { took(.mainsReturnEarly) }
            setMains(nil, on: true)
        case .secondOutage:
            if hasMains { took(.secondOutage) }
            setMains(nil, on: false)
        case .wallClockStepped:
            took(.wallClockStepped)
            (time as? VirtualTime)?.stepWall(by: fault.amount)
        case .lowBatteryWithoutWarning:
            guard let unit, let began = units[unit].outageBegan else { return true }
            took(.lowBatteryWithoutWarning, fault.object)
            units[unit].battery = now - began + fault.amount
            schedule(.batteryDies(unit), in: fault.amount)
        default: return false
        }
        return true
    }

    private mutating func flap(_ fault: PlannedFault, _ unit: Int) {
        took(.powerFlaps, fault.object)
        var on = units[unit].mainsOn
        var after: Duration = .zero
        for _ in 0..<LabState.flaps {
            on.toggle()
            schedule(.mains(unit, on: on), in: after)
            after += fault.amount
        }
    }

    /// How often the mains come and go when they flap; even, so that they end as they were.
    private static let flaps = 6

    private mutating func drsMoves(_ guest: GuestPlace) {
        let host = guests[guest].host
        guard automation.drsEnabled, drsLevel(of: guest) == .fullyAutomated,
            vcenterState() == .up, guests[guest].power == .on, !guests[guest].stopping,
            hosts[host].power == .on,
            let target = hosts.all.first(where: { $0 != host && hosts[$0].takesGuests })
        else { return }
        let id = guests[guest].spec.id.rawValue
        took(.drsMoves, id)
        move(guest, to: target)
        note(.guestMoved, id, hosts[target].spec.name.rawValue)
    }

    /// How far DRS acts on a guest: its own level counts where the cluster lets it.
    private func drsLevel(of guest: GuestPlace) -> DRSLevel {
        let own = automation.followsDRSOverrides ? guests[guest].spec.drsLevel : nil
        return own ?? automation.drsLevel
    }

    private mutating func suspendByHand(_ guest: GuestPlace) {
        guard guests[guest].power == .on, !guests[guest].spec.isVCSA else { return }
        took(.guestSuspended, guests[guest].spec.id.rawValue)
        // Just seen to be on: nothing stands against it.
        do { try suspendGuest(guest) } catch { return }
    }

    /// EAM deploys a vCLS guest anew, as it does whenever one is missing and none may be.
    private mutating func redeployVCLS() {
        guard vcenterState() == .up, automation.keepsVCLS else { return }
        let deployed = guests.all.first {
            guests[$0].spec.nature == .vcls && guests[$0].power == .on
        }
        guard let guest = deployed else { return }
        let id = guests[guest].spec.id.rawValue
        took(.vclsComesBack, id)
        guests[guest].power = .off
        guestChanged(guest)
        note(.guestOff, id, "fault")
        schedule(.vclsFollows, in: scenario.pace.vclsFollows)
    }

    private mutating func crashVCSA(_ kind: LabFault) {
        guard let vcsa, guests[vcsa].power == .on else { return }
        let id = guests[vcsa].spec.id.rawValue
        took(kind, id)
        guests[vcsa].power = .off
        guests[vcsa].toolsRunning = false
        guests[vcsa].stopping = false
        guestChanged(vcsa)
        note(.guestLost, id, "fault")
        vcsaStopped(vcsa)
    }

    /// A guest that stops by itself while HA is on, and HA will not have it.
    mutating func restartByHA(_ guest: GuestPlace) {
        guard automation.ha, hosts.all.contains(where: runsHAAgent),
            hits(.guestRestartedByHA, guests[guest].spec.id.rawValue)
        else { return }
        guests[guest].stoppedCleanly = false
        schedule(.haRestarts([guest]), in: scenario.pace.haRestarts)
    }

    mutating func isDatastoreLate(_ host: HostPlace) -> Bool {
        let name = hosts[host].spec.name.rawValue
        let upAt = hosts[host].hostdUpAt
        guard let fault = faults.active[.datastoreLate]?[name], upAt > .zero,
            now < upAt + fault.amount
        else { return false }
        return hits(.datastoreLate, name)
    }

    // MARK: Calls

    /// What a call to a host runs into; nil when it goes through.
    /// - Parameters:
    ///   - route: over what it is made; nil where either way will do.
    ///   - hostd: the call needs hostd.
    ///   - acting: the call changes something.
    mutating func obstacle(
        to place: HostPlace, over route: HostRoute?, hostd: Bool, acting: Bool
    ) -> LabObstacle? {
        guard hosts[place].answers else {
            return LabObstacle(reason: .unreachable, detail: "nobody answers")
        }
        let needsSSH = route == .ssh || (route == nil && !hosts[place].spec.hasAPI)
        if needsSSH, !hosts[place].sshRuns {
            return LabObstacle(
                reason: .unreachable,
                detail: "SSH is stopped on \(hosts[place].spec.name) (TSM-SSH)")
        }
        if !faults.active.isEmpty {
            let host = hosts[place].spec.name.rawValue
            if hits(.switchDead) || hits(.linkCut, host) {
                return LabObstacle(reason: .unreachable, detail: "no route to it")
            }
            if let hang = bites(.hostHangs, host) {
                return LabObstacle(
                    delay: hang.amount, reason: .timedOut, detail: "it took the call, no more")
            }
            if hits(.hostKeyWrong, host) {
                return LabObstacle(reason: .keyRefused, detail: "its host key has changed")
            }
            if hostd, hits(.hostdNotReady, host) {
                return LabObstacle(reason: .notReady, detail: "hostd does not answer")
            }
            if acting, hits(.hostRefuses, host) {
                return LabObstacle(reason: .refused, detail: "it says no")
            }
        }
        if hostd, !hosts[place].hostdReady {
            return LabObstacle(reason: .notReady, detail: "hostd does not answer")
        }
        return slowNames()
    }

    /// Whether nobody answers on any port of a host, as far as vpower can see.
    mutating func isSilent(_ host: HostPlace) -> Bool {
        if !hosts[host].answers { return true }
        return hits(.switchDead)
            || hits(.linkCut, hosts[host].spec.name.rawValue)
    }

    /// Whether a host is off, as its management controller says; nil where nobody can ask it. It is
    /// behind the hosts' switch, with a link of its own.
    mutating func isOffByBMC(_ host: HostPlace) -> Bool? {
        hits(.switchDead) ? nil : hosts[host].power == .off
    }

    /// Whether the witness behind the hosts' switch answers.
    mutating func witnessAnswers() -> Bool { !hits(.switchDead) }

    /// What a call to vCenter runs into; nil when it goes through.
    mutating func obstacleToVCenter() -> LabObstacle? {
        switch vcenterState() {
        case .up: break
        case .starting: return LabObstacle(reason: .notReady, detail: "it answers 503")
        case .down: return LabObstacle(reason: .unreachable, detail: "nobody answers")
        }
        if faults.active.isEmpty { return nil }
        if hits(.switchDead) || hits(.linkCut, LabWorld.vcenterLink) {
            return LabObstacle(reason: .unreachable, detail: "no route to it")
        }
        if let slow = bites(.vcenterSlow) { return LabObstacle(delay: slow.amount) }
        // Once: the next call logs in anew.
        if hits(.vcenterSessionExpired) {
            faults.active[.vcenterSessionExpired] = nil
            return LabObstacle(reason: .session, detail: "the session is not authenticated")
        }
        return slowNames()
    }

    /// How long vCenter's inventory is behind.
    mutating func inventoryLag() -> Duration? { bites(.vcenterStateLags)?.amount }

    /// Whether the task that changes HA fails.
    mutating func haTaskFails() -> Bool { hits(.haTaskFails) }

    mutating func slowNames() -> LabObstacle? {
        guard let dns, guests[dns].power != .on, let fault = bites(.dnsDies) else { return nil }
        return LabObstacle(delay: fault.amount)
    }

    /// What vpower reads of a UPS.
    mutating func reading(of feed: FeedName) -> FeedReading {
        let name = feed.rawValue
        if hits(.feedSilent, name) || hits(.linkCut, name) {
            return FeedReading(status: nil, problem: "no answer")
        }
        let unit = unit(feed)
        var status = status(of: unit)
        if unit.mainsOn, hits(.staleFSD, name) { status += " FSD" }
        let left = runtimeLeft(of: unit)
        var runtime: Duration? = .seconds(left.components.seconds)
        if !unit.mainsOn {
            if let jump = bites(.runtimeJumps, name) { runtime = jump.amount }
            if hits(.runtimeMissing, name) { runtime = nil }
        }
        return FeedReading(
            status: UPSStatus(status), runtime: runtime, chargePercent: charge(of: unit),
            loadPercent: LabState.loadPercent)
    }
}
