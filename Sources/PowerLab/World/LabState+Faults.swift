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

    /// Whether such a fault is at work; nothing comes of it yet.
    func isActive(_ kind: LabFault, _ object: String = "") -> Bool {
        faults.active[kind]?[object] != nil
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
        for name in scenario.feeds { units[name]?.battery = nil }
        setMains(nil, on: true)
        note(.healed)
        mendVCSA()
    }

    /// A person starts a vCSA that had crashed, as soon as its host can run it.
    mutating func mendVCSA() {
        let crashes: [LabFault] = [.vcenterDiesEarly, .vcenterDeadBefore]
        guard faults.areOver, crashes.contains(where: { faults.took[$0] != nil }),
            let vcsa, let host = guests[vcsa]?.host, hosts[host]?.hostdReady == true
        else { return }
        start(vcsa, on: host, by: "a person")
    }

    mutating func faultBegins(_ index: Int) {
        guard !faults.areOver else { return }
        let fault = scenario.faults[index]
        if happensAtOnce(fault) { return }
        faults.active[fault.kind, default: [:]][fault.object] = fault
        view.forget()
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
        view.forget()
        touch()
        let host = HostName(fault.object)
        if fault.kind == .hostNeverStops, hosts[host]?.power == .stopping {
            schedule(.hostStops(host), in: scenario.pace.hostStops)
        }
    }

    /// What happens in a moment; false for a fault that lasts.
    private mutating func happensAtOnce(_ fault: PlannedFault) -> Bool {
        let feed = FeedName(fault.object)
        switch fault.kind {
        case .drsMoves: drsMoves(GuestID(fault.object))
        case .guestSuspended: suspendByHand(GuestID(fault.object))
        case .vclsComesBack: redeployVCLS()
        case .vcenterDiesEarly, .vcenterDeadBefore: crashVCSA(fault.kind)
        case .powerFlaps: flap(fault)
        case .feedsDisagree:
            took(.feedsDisagree, fault.object)
            setMains(feed, on: false)
            schedule(.mains(feed, on: true), in: fault.lasts)
        case .mainsReturnEarly:
            if units.values.contains(where: { !$0.mainsOn }) { took(.mainsReturnEarly) }
            setMains(nil, on: true)
        case .secondOutage:
            if units.values.contains(where: { $0.mainsOn }) { took(.secondOutage) }
            setMains(nil, on: false)
        case .wallClockStepped:
            took(.wallClockStepped)
            (time as? VirtualTime)?.stepWall(by: fault.amount)
        case .lowBatteryWithoutWarning:
            guard let began = units[feed]?.outageBegan else { return true }
            took(.lowBatteryWithoutWarning, fault.object)
            let lasts = now - began + fault.amount
            units[feed]?.battery = lasts
            schedule(.batteryDies(feed), in: fault.amount)
        default: return false
        }
        return true
    }

    private mutating func flap(_ fault: PlannedFault) {
        took(.powerFlaps, fault.object)
        var on = units[FeedName(fault.object)]?.mainsOn == true
        var after: Duration = .zero
        for _ in 0..<LabState.flaps {
            on.toggle()
            schedule(.mains(FeedName(fault.object), on: on), in: after)
            after += fault.amount
        }
    }

    /// How often the mains come and go when they flap; even, so that they end as they were.
    private static let flaps = 6

    private mutating func drsMoves(_ id: GuestID) {
        guard automation.drsEnabled, automation.drsLevel == .fullyAutomated,
            vcenterState() == .up, let guest = guests[id], guest.power == .on, !guest.stopping
        else { return }
        let target = hosts.values.filter {
            $0.spec.name != guest.host && $0.power == .on && $0.hostdReady && !$0.inMaintenance
        }.map(\.spec.name).min()
        guard let target, hosts[guest.host]?.power == .on else { return }
        took(.drsMoves, id.rawValue)
        move(id, to: target)
        note(.guestMoved, id.rawValue, target.rawValue)
    }

    private mutating func suspendByHand(_ id: GuestID) {
        guard guests[id]?.power == .on, guests[id]?.spec.isVCSA == false else { return }
        took(.guestSuspended, id.rawValue)
        // Just seen to be on: nothing stands against it.
        do { try suspendGuest(id) } catch { return }
    }

    /// EAM deploys a vCLS guest anew, as it does whenever one is missing and none may be.
    private mutating func redeployVCLS() {
        guard vcenterState() == .up, automation.vcls.keepsGuests else { return }
        guard
            let spec = scenario.guests.first(where: {
                $0.nature == .vcls && guests[$0.id]?.power == .on
            })
        else { return }
        took(.vclsComesBack, spec.id.rawValue)
        guests[spec.id]?.power = .off
        view.guestChanged(spec.id)
        note(.guestOff, spec.id.rawValue, "fault")
        schedule(.vclsFollows, in: scenario.pace.vclsFollows)
    }

    private mutating func crashVCSA(_ kind: LabFault) {
        guard let vcsa, guests[vcsa]?.power == .on else { return }
        took(kind, vcsa.rawValue)
        guests[vcsa]?.power = .off
        guests[vcsa]?.toolsRunning = false
        guests[vcsa]?.stopping = false
        view.guestChanged(vcsa)
        note(.guestLost, vcsa.rawValue, "fault")
        vcsaStopped(vcsa)
    }

    /// A guest that stops by itself while HA is on, and HA will not have it.
    mutating func restartByHA(_ id: GuestID) {
        guard automation.ha, haAgents, bites(.guestRestartedByHA, id.rawValue) != nil else {
            return
        }
        guests[id]?.stoppedCleanly = false
        schedule(.haRestarts([id]), in: scenario.pace.haRestarts)
    }

    mutating func isDatastoreLate(_ host: HostName) -> Bool {
        guard let fault = faults.active[.datastoreLate]?[host.rawValue],
            let upAt = hosts[host]?.hostdUpAt, upAt > .zero, now < upAt + fault.amount
        else { return false }
        return bites(.datastoreLate, host.rawValue) != nil
    }

    // MARK: Calls

    /// What a call to a host runs into; nil when it goes through.
    /// - Parameters:
    ///   - hostd: the call needs hostd.
    ///   - acting: the call changes something.
    mutating func obstacle(to name: HostName, hostd: Bool, acting: Bool) -> LabObstacle? {
        let host = name.rawValue
        guard answers(name) else {
            return LabObstacle(reason: .unreachable, detail: "nobody answers")
        }
        if !faults.active.isEmpty {
            if bites(.switchDead) != nil || bites(.linkCut, host) != nil {
                return LabObstacle(reason: .unreachable, detail: "no route to it")
            }
            if let hang = bites(.hostHangs, host) {
                return LabObstacle(
                    delay: hang.amount, reason: .timedOut, detail: "it took the call, no more")
            }
            if bites(.hostKeyWrong, host) != nil {
                return LabObstacle(reason: .keyRefused, detail: "its host key has changed")
            }
            if hostd, bites(.hostdNotReady, host) != nil {
                return LabObstacle(reason: .notReady, detail: "hostd does not answer")
            }
            if acting, bites(.hostRefuses, host) != nil {
                return LabObstacle(reason: .refused, detail: "it says no")
            }
        }
        if hostd, !hostdReady(name) {
            return LabObstacle(reason: .notReady, detail: "hostd does not answer")
        }
        return slowNames()
    }

    /// Whether nobody answers on any port of a host, as far as vpower can see.
    mutating func isSilent(_ name: HostName) -> Bool {
        if !answers(name) { return true }
        return bites(.switchDead) != nil || bites(.linkCut, name.rawValue) != nil
    }

    /// Whether the witness behind the hosts' switch answers.
    mutating func witnessAnswers() -> Bool { bites(.switchDead) == nil }

    /// What a call to vCenter runs into; nil when it goes through.
    mutating func obstacleToVCenter() -> LabObstacle? {
        switch vcenterState() {
        case .up: break
        case .starting: return LabObstacle(reason: .notReady, detail: "it answers 503")
        case .down: return LabObstacle(reason: .unreachable, detail: "nobody answers")
        }
        if faults.active.isEmpty { return nil }
        if bites(.switchDead) != nil || bites(.linkCut, LabWorld.vcenterLink) != nil {
            return LabObstacle(reason: .unreachable, detail: "no route to it")
        }
        if let slow = bites(.vcenterSlow) { return LabObstacle(delay: slow.amount) }
        // Once: the next call logs in anew.
        if bites(.vcenterSessionExpired) != nil {
            faults.active[.vcenterSessionExpired] = nil
            return LabObstacle(reason: .session, detail: "the session is not authenticated")
        }
        return slowNames()
    }

    /// How long vCenter's inventory is behind.
    mutating func inventoryLag() -> Duration? { bites(.vcenterStateLags)?.amount }

    /// Whether the task that changes HA fails.
    mutating func haTaskFails() -> Bool { bites(.haTaskFails) != nil }

    private mutating func slowNames() -> LabObstacle? {
        guard let dns, guests[dns]?.power != .on, let fault = bites(.dnsDies) else { return nil }
        return LabObstacle(delay: fault.amount)
    }

    /// What vpower reads of a UPS.
    mutating func reading(of feed: FeedName) -> FeedReading {
        let name = feed.rawValue
        if bites(.feedSilent, name) != nil || bites(.linkCut, name) != nil {
            return FeedReading(status: nil, problem: "no answer")
        }
        var status = status(of: feed)
        if units[feed]?.mainsOn == true, bites(.staleFSD, name) != nil { status += " FSD" }
        let left = runtimeLeft(of: feed)
        var runtime: Duration? = .seconds(left.components.seconds)
        if units[feed]?.mainsOn == false {
            if let jump = bites(.runtimeJumps, name) { runtime = jump.amount }
            if bites(.runtimeMissing, name) != nil { runtime = nil }
        }
        return FeedReading(
            status: UPSStatus(status), runtime: runtime, chargePercent: charge(of: feed),
            loadPercent: LabState.loadPercent)
    }
}
