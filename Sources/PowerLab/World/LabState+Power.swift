import PowerModel
import PowerRun

/// The mains, the UPSes and their outputs. Where no feed is named, every one of them is meant.
extension LabState {
    /// The numbers of the UPSes that are meant.
    func numbers(of feed: FeedName?) -> [Int] {
        units.indices.filter { feed == nil || units[$0].name == feed }
    }

    mutating func setMains(_ feed: FeedName?, on: Bool) {
        for number in numbers(of: feed) { setMains(number, on: on) }
    }

    mutating func setMains(_ number: Int, on: Bool) {
        guard units[number].mainsOn != on else { return }
        units[number].mainsOn = on
        units[number].outageBegan = on ? nil : now
        note(on ? .mainsOn : .mainsOff, units[number].name.rawValue)
        if !on { schedule(.batteryDies(number), in: battery(of: units[number])) }
        if on, !units[number].outputOn { schedule(.outputMayReturn(number), in: .zero) }
    }

    /// Whether any host gets power now.
    var hasOutput: Bool { units.contains { $0.outputOn } }

    /// Whether the mains of any feed are there.
    var hasMains: Bool { units.contains { $0.mainsOn } }

    /// The UPS of this name, or else the first.
    func unit(_ feed: FeedName?) -> LabUnit { units[numbers(of: feed).first ?? 0] }

    /// What upsd says of the UPS.
    func upsVariables(of feed: FeedName?) -> [String: String] {
        let unit = unit(feed)
        return [
            "ups.status": status(of: unit), "battery.charge": String(charge(of: unit)),
            "battery.runtime": String(runtimeLeft(of: unit).components.seconds),
            "ups.load": String(LabState.loadPercent), "device.mfr": "LAB",
            "device.model": "Lab UPS",
            "ups.delay.shutdown": String(scenario.pace.outputCuts.components.seconds),
        ]
    }

    static let loadPercent = 23

    func status(of unit: LabUnit) -> String {
        if unit.mainsOn { return "OL CHRG" }
        return runtimeLeft(of: unit) < LabState.lowRuntime ? "OB DISCHRG LB" : "OB DISCHRG"
    }

    func charge(of unit: LabUnit) -> Int {
        Int(100 * runtimeLeft(of: unit).inSeconds / max(battery(of: unit).inSeconds, 1))
    }

    /// The UPS is told to cut its output and to return with the mains.
    mutating func cutOutput(_ feed: FeedName?) {
        for number in numbers(of: feed)
        where units[number].outputOn && !units[number].outputCutAsked {
            units[number].outputCutAsked = true
            note(.outputCutAsked, units[number].name.rawValue)
            schedule(.outputCuts(number), in: scenario.pace.outputCuts)
        }
    }

    /// Below this the UPS says LB.
    static let lowRuntime: Duration = .seconds(60)

    func battery(of unit: LabUnit) -> Duration { unit.battery ?? scenario.pace.battery }

    func runtimeLeft(of unit: LabUnit) -> Duration {
        guard let began = unit.outageBegan else { return battery(of: unit) }
        return max(.zero, battery(of: unit) - (now - began))
    }

    mutating func batteryDies(_ number: Int) {
        let unit = units[number]
        guard let began = unit.outageBegan, unit.outputOn, now - began >= battery(of: unit) else {
            return
        }
        let others = units.indices.contains { $0 != number && units[$0].outputOn }
        let isNeeded = !others && hosts.all.contains { hosts[$0].power != .off }
        if isNeeded { took(.batteryDies, unit.name.rawValue) }
        cutOutputNow(number)
    }

    mutating func cutOutputNow(_ number: Int) {
        guard units[number].outputOn else { return }
        units[number].outputOn = false
        units[number].outputCutAsked = false
        note(.outputOff, units[number].name.rawValue)
        if !hasOutput {
            for host in hosts.all { losePower(host) }
            for number in machines.indices { losePower(machine: number) }
        }
        schedule(.outputMayReturn(number), in: scenario.pace.outputStaysOff)
    }

    mutating func outputMayReturn(_ number: Int) {
        guard !units[number].outputOn, units[number].mainsOn else { return }
        let hadPower = hasOutput
        units[number].outputOn = true
        note(.outputOn, units[number].name.rawValue)
        if hadPower { return }
        for number in machines.indices { powerOnMachine(number) }
        // The BIOS says "power on after AC loss", unless it says "last state".
        for host in hosts.all {
            let name = hosts[host].spec.name.rawValue
            if hosts[host].stoppedCleanly, hits(.hostStaysOff, name) { continue }
            powerOnHost(host)
        }
    }
}

/// The hosts. Every one of them hangs on all feeds.
extension LabState {
    /// Enters or leaves maintenance mode; false when a guest runs there, or hostd is not ready.
    mutating func setMaintenance(_ host: HostPlace, on: Bool, by: String = "") -> Bool {
        guard hosts[host].hostdAnswers else { return false }
        if hosts[host].inMaintenance == on { return true }
        let embedded = registered(on: host).filter {
            guests[$0].spec.nature == .embeddedVCLS && guests[$0].power == .on
        }
        let running = registered(on: host).count { guests[$0].power == .on }
        if on, running > embedded.count { return false }
        if on { for guest in embedded { guests[guest].stop(.off, cleanly: true) } }
        hosts[host].inMaintenance = on
        hostChanged(host)
        note(on ? .maintenanceOn : .maintenanceOff, hosts[host].spec.name.rawValue, by)
        if !on {
            mendVCSA()
            schedule(.vclsFollows, in: scenario.pace.vclsFollows)
        }
        return true
    }

    /// Whether HA's agent runs on a host: then HA restarts guests there.
    func runsHAAgent(_ host: HostPlace) -> Bool {
        haAgents && hosts[host].answers && !hosts[host].haAgentStopped
    }

    /// Stops HA's agent on one host, where it is configured, or starts it again.
    mutating func setHAAgent(_ host: HostPlace, runs: Bool) {
        guard haAgents, hosts[host].answers, hosts[host].haAgentStopped == runs else { return }
        hosts[host].haAgentStopped = !runs
        note(runs ? .haAgentStarted : .haAgentStopped, hosts[host].spec.name.rawValue)
    }

    /// A host's SSH service; nil while its hostd does not answer.
    func sshService(_ host: HostPlace) -> SSHService? {
        guard hosts[host].hostdAnswers else { return nil }
        return SSHService(
            runs: hosts[host].sshRuns, policy: hosts[host].spec.sshStartsAtBoot ? "on" : "off")
    }

    /// Starts or stops a host's SSH service.
    mutating func setSSH(_ host: HostPlace, runs: Bool) {
        guard hosts[host].sshRuns != runs else { return }
        let name = hosts[host].spec.name
        hosts[host].sshRuns = runs
        note(runs ? .sshStarted : .sshStopped, name.rawValue)
        tell(.ssh(name, runs: runs))
    }

    /// Tells the host to power itself off.
    mutating func shutDownHost(_ host: HostPlace, by: String = "") {
        guard hosts[host].power == .on else { return }
        let name = hosts[host].spec.name.rawValue
        hosts[host].power = .stopping
        hostChanged(host)
        note(.hostTold, name, by)
        if hits(.hostNeverStops, name) { return }
        let late = bites(.hostStopsLate, name)?.amount ?? .zero
        schedule(.hostStops(host), in: scenario.pace.hostStops + late)
    }

    mutating func powerOnHost(_ host: HostPlace) {
        guard hasOutput, hosts[host].power == .off else { return }
        hosts[host].power = .booting
        hosts[host].inStandby = false
        schedule(.hostUp(host), in: scenario.pace.hostBoots)
    }

    mutating func hostStops(_ host: HostPlace) {
        guard hosts[host].power == .stopping else { return }
        leave(host, orderly: true)
        if let fault = bites(.hostComesBack, hosts[host].spec.name.rawValue) {
            schedule(.hostReturns(host), in: fault.amount)
        }
    }

    mutating func losePower(_ host: HostPlace) {
        if hosts[host].power != .off { leave(host, orderly: false) }
    }

    private mutating func leave(_ host: HostPlace, orderly: Bool) {
        let name = hosts[host].spec.name
        hosts[host].stop(orderly: orderly)
        hostChanged(host)
        var lost: [GuestPlace] = []
        for guest in registered(on: host) where guests[guest].power == .on {
            guests[guest].stop(.off, cleanly: false)
            // One in the host's memory ends with it, and nothing is lost.
            if guests[guest].spec.nature != .embeddedVCLS {
                note(.guestLost, guests[guest].spec.id.rawValue, "with \(name)")
            }
            if guests[guest].spec.nature == .ordinary { lost.append(guest) }
            vcsaStopped(guest)
        }
        note(orderly ? .hostOff : .hostLost, name.rawValue)
        tell(.hostOff(name, orderly: orderly))
        if automation.ha, haAgents, !lost.isEmpty {
            schedule(.haRestarts(lost), in: scenario.pace.haRestarts)
        }
    }

    mutating func hostUp(_ host: HostPlace) {
        guard hasOutput, hosts[host].power == .booting else { return }
        let name = hosts[host].spec.name
        hosts[host].power = .on
        hosts[host].sshRuns = hosts[host].spec.sshStartsAtBoot
        hosts[host].bootFailed = []
        hosts[host].bootStarted = 0
        hosts[host].ordersAtBoot = hosts[host].orders
        hosts[host].bootReport = hosts[host].unarmed.map { ($0, .done(failed: [])) }
        hostChanged(host)
        note(.hostUp, name.rawValue)
        tell(.hostUp(name))
        schedule(.hostdUp(host), in: scenario.pace.hostdUp)
        if hosts[host].orders != nil {
            let generation = hosts[host].generation
            schedule(.bootScript(host, generation: generation), in: scenario.pace.hostdUp)
        }
    }

    mutating func hostdUp(_ host: HostPlace) {
        guard hosts[host].power == .on else { return }
        hosts[host].hostdReady = true
        hosts[host].hostdUpAt = now
        hostChanged(host)
        note(.hostdUp, hosts[host].spec.name.rawValue)
        runAutostart(host)
        if scenario.hasVSAN { vsanHostBack() }
        // After a cut of everything HA starts by itself what it had protected.
        if scenario.haStartsAtBoot, automation.ha, haAgents {
            let lost = guests.all.filter {
                guests[$0].spec.nature == .ordinary && guests[$0].power == .off
                    && !guests[$0].stoppedCleanly
            }
            if !lost.isEmpty { schedule(.haRestarts(lost), in: scenario.pace.haRestarts) }
        }
        // EAM deploys what is missing as soon as a host can take it.
        if vcenterState() == .up { schedule(.vclsFollows, in: scenario.pace.vclsFollows) }
        mendVCSA()
    }

    mutating func haRestarts(_ lost: [GuestPlace]) {
        guard automation.ha, haAgents else { return }
        for guest in lost where guests[guest].power == .off && !guests[guest].stoppedCleanly {
            let target = hosts.all.first { hosts[$0].takesGuests && runsHAAgent($0) }
            guard let target else { return }
            if guests[guest].host != target {
                move(guest, to: target)
                note(
                    .guestMoved, guests[guest].spec.id.rawValue, hosts[target].spec.name.rawValue)
            }
            start(guest, on: target, by: "HA")
        }
    }
}
