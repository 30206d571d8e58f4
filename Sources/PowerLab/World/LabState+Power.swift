import PowerModel
import PowerRun

/// The mains, the UPSes and their outputs. Where no feed is named, every one of them is meant.
extension LabState {
    mutating func setMains(_ feed: FeedName?, on: Bool) {
        let outageBegan = on ? nil : now
        for name in feed.map({ [$0] }) ?? scenario.feeds where units[name]?.mainsOn == !on {
            units[name]?.mainsOn = on
            units[name]?.outageBegan = outageBegan
            note(on ? .mainsOn : .mainsOff, name.rawValue)
            if !on { schedule(.batteryDies(name), in: battery(of: name)) }
            if on, units[name]?.outputOn == false { schedule(.outputMayReturn(name), in: .zero) }
        }
    }

    /// Whether any host gets power now.
    var hasOutput: Bool { units.values.contains { $0.outputOn } }

    /// Whether the mains of any feed are there.
    var hasMains: Bool { units.values.contains { $0.mainsOn } }

    /// What upsd says of the UPS.
    func upsVariables(of feed: FeedName?) -> [String: String] {
        let name = feed ?? scenario.feed
        return [
            "ups.status": status(of: name), "battery.charge": String(charge(of: name)),
            "battery.runtime": String(runtimeLeft(of: name).components.seconds),
            "ups.load": String(LabState.loadPercent), "device.mfr": "LAB",
            "device.model": "Lab UPS", "ups.delay.shutdown": "1",
        ]
    }

    static let loadPercent = 23

    func status(of feed: FeedName) -> String {
        if units[feed]?.mainsOn != false { return "OL CHRG" }
        return runtimeLeft(of: feed) < LabState.lowRuntime ? "OB DISCHRG LB" : "OB DISCHRG"
    }

    func charge(of feed: FeedName) -> Int {
        Int(100 * runtimeLeft(of: feed).inSeconds / max(battery(of: feed).inSeconds, 1))
    }

    /// The UPS is told to cut its output and to return with the mains.
    mutating func cutOutput(_ feed: FeedName?) {
        for name in feed.map({ [$0] }) ?? scenario.feeds {
            guard units[name]?.outputOn == true, units[name]?.outputCutAsked == false else {
                continue
            }
            units[name]?.outputCutAsked = true
            note(.outputCutAsked, name.rawValue)
            schedule(.outputCuts(name), in: scenario.pace.outputCuts)
        }
    }

    /// Below this the UPS says LB.
    static let lowRuntime: Duration = .seconds(60)

    func battery(of feed: FeedName) -> Duration { units[feed]?.battery ?? scenario.pace.battery }

    func runtimeLeft(of feed: FeedName) -> Duration {
        guard let began = units[feed]?.outageBegan else { return battery(of: feed) }
        return max(.zero, battery(of: feed) - (now - began))
    }

    mutating func batteryDies(_ feed: FeedName) {
        guard let unit = units[feed], let began = unit.outageBegan, unit.outputOn,
            now - began >= battery(of: feed)
        else { return }
        let isNeeded = hosts.keys.contains { !hasPower($0, without: feed) && isOn($0) }
        if isNeeded { took(.batteryDies, feed.rawValue) }
        cutOutputNow(feed)
    }

    mutating func cutOutputNow(_ feed: FeedName) {
        guard units[feed]?.outputOn == true else { return }
        units[feed]?.outputOn = false
        units[feed]?.outputCutAsked = false
        note(.outputOff, feed.rawValue)
        for name in hosts.keys.sorted() where !hasPower(name) { losePower(name) }
        schedule(.outputMayReturn(feed), in: scenario.pace.outputStaysOff)
    }

    mutating func outputMayReturn(_ feed: FeedName) {
        guard let unit = units[feed], !unit.outputOn, unit.mainsOn else { return }
        let hadPower = Set(hosts.keys.filter { hasPower($0) })
        units[feed]?.outputOn = true
        note(.outputOn, feed.rawValue)
        // The BIOS says "power on after AC loss", unless it says "last state".
        for name in hosts.keys.sorted() where !hadPower.contains(name) {
            if hosts[name]?.stoppedCleanly == true, bites(.hostStaysOff, name.rawValue) != nil {
                continue
            }
            powerOnHost(name)
        }
    }

    /// Whether a host gets power, through any of its supplies.
    func hasPower(_ name: HostName, without other: FeedName? = nil) -> Bool {
        scenario.feeds.contains { $0 != other && units[$0]?.outputOn == true }
    }

    private func isOn(_ name: HostName) -> Bool { hosts[name].map { $0.power != .off } ?? false }
}

/// The hosts.
extension LabState {
    /// Whether the host's SSH daemon would answer.
    func answers(_ name: HostName) -> Bool {
        hosts[name]?.power == .on || hosts[name]?.power == .stopping
    }

    /// Whether hostd answers.
    func hostdReady(_ name: HostName) -> Bool { answers(name) && hosts[name]?.hostdReady == true }

    /// Whether the host is in maintenance mode.
    func inMaintenance(_ name: HostName) -> Bool { hosts[name]?.inMaintenance == true }

    /// Enters or leaves maintenance mode; false when a guest runs there, or hostd is not ready.
    mutating func setMaintenance(_ name: HostName, on: Bool) -> Bool {
        guard hostdReady(name), let host = hosts[name] else { return false }
        if host.inMaintenance == on { return true }
        if on, registered(on: name).contains(where: { guests[$0]?.power == .on }) { return false }
        hosts[name]?.inMaintenance = on
        view.hostChanged(name)
        note(on ? .maintenanceOn : .maintenanceOff, name.rawValue)
        if !on { mendVCSA() }
        return true
    }

    /// Tells the host to power itself off.
    mutating func shutDownHost(_ name: HostName) {
        guard hosts[name]?.power == .on else { return }
        hosts[name]?.power = .stopping
        view.hostChanged(name)
        note(.hostTold, name.rawValue)
        if bites(.hostNeverStops, name.rawValue) != nil { return }
        let late = bites(.hostStopsLate, name.rawValue)?.amount ?? .zero
        schedule(.hostStops(name), in: scenario.pace.hostStops + late)
    }

    mutating func powerOnHost(_ name: HostName) {
        guard hasPower(name), hosts[name]?.power == .off else { return }
        hosts[name]?.power = .booting
        schedule(.hostUp(name), in: scenario.pace.hostBoots)
    }

    mutating func hostStops(_ name: HostName) {
        guard hosts[name]?.power == .stopping else { return }
        leaveHost(name, orderly: true)
        if let fault = bites(.hostComesBack, name.rawValue) {
            schedule(.hostReturns(name), in: fault.amount)
        }
    }

    mutating func losePower(_ name: HostName) {
        guard let power = hosts[name]?.power, power != .off else { return }
        leaveHost(name, orderly: false)
    }

    private mutating func leaveHost(_ name: HostName, orderly: Bool) {
        hosts[name]?.stop(orderly: orderly)
        view.hostChanged(name)
        var lost: [GuestID] = []
        for id in registered(on: name) where guests[id]?.power == .on {
            guests[id]?.stop(.off, cleanly: false)
            note(.guestLost, id.rawValue, "with \(name)")
            if guests[id]?.spec.nature == .ordinary { lost.append(id) }
            vcsaStopped(id)
        }
        note(orderly ? .hostOff : .hostLost, name.rawValue)
        tell(.hostOff(name, orderly: orderly))
        if automation.ha, haAgents, !lost.isEmpty {
            schedule(.haRestarts(lost), in: scenario.pace.haRestarts)
        }
    }

    mutating func hostUp(_ name: HostName) {
        guard hasPower(name), hosts[name]?.power == .booting else { return }
        hosts[name]?.power = .on
        hosts[name]?.bootFailed = []
        view.hostChanged(name)
        note(.hostUp, name.rawValue)
        tell(.hostUp(name))
        schedule(.hostdUp(name), in: scenario.pace.hostdUp)
        if let orders = hosts[name]?.orders {
            schedule(.bootScript(name, orders), in: scenario.pace.hostdUp)
        }
    }

    mutating func hostdUp(_ name: HostName) {
        guard hosts[name]?.power == .on else { return }
        let upAt = now
        hosts[name]?.hostdReady = true
        hosts[name]?.hostdUpAt = upAt
        view.hostChanged(name)
        note(.hostdUp, name.rawValue)
        // EAM deploys what is missing as soon as a host can take it.
        if vcenterState() == .up { schedule(.vclsFollows, in: scenario.pace.vclsFollows) }
        mendVCSA()
    }

    mutating func haRestarts(_ ids: [GuestID]) {
        guard automation.ha, haAgents else { return }
        for id in ids where guests[id]?.power == .off && guests[id]?.stoppedCleanly == false {
            let alive = hosts.values.filter {
                $0.power == .on && $0.hostdReady && !$0.inMaintenance
            }
            guard let target = alive.map(\.spec.name).min() else { return }
            if guests[id]?.host != target {
                move(id, to: target)
                note(.guestMoved, id.rawValue, target.rawValue)
            }
            start(id, on: target, by: "HA")
        }
    }

    /// Does in memory what local.sh does on the wire.
    mutating func runBootScript(_ name: HostName, _ orders: BootOrders) {
        guard hosts[name]?.power == .on, let generation = hosts[name]?.generation else { return }
        guard wall < orders.expires else {
            hosts[name]?.bootReport = (orders.run, .expired)
            return
        }
        note(.bootScriptBegan, name.rawValue, orders.run.rawValue)
        hosts[name]?.bootReport = (orders.run, .running)
        if orders.leaveMaintenance { _ = setMaintenance(name, on: false) }
        var after: Duration = .milliseconds(10)
        func plan(_ list: [BootGuest]) {
            for wanted in list {
                if let id = guest(at: wanted.vmxPath, on: name) {
                    schedule(.bootStart(name, id, generation: generation), in: after)
                }
                after += orders.startGap
            }
        }
        plan(orders.infrastructure)
        plan(orders.vcsa.map { [$0] } ?? [])
        if orders.waitsForVCSA { after += orders.afterVCSA }
        for tier in orders.tiers { plan(tier) }
        schedule(.bootScriptDone(name, orders.run), in: after)
    }

    /// One guest of a boot script is started; what will not start is reported at its end.
    mutating func bootStart(_ id: GuestID, on name: HostName) {
        guard guests[id]?.power != .on, let path = guests[id]?.spec.vmxPath else { return }
        start(id, on: name, by: "boot script")
        if guests[id]?.power != .on { hosts[name]?.bootFailed.append(path) }
    }

    mutating func bootScriptDone(_ name: HostName, _ run: RunID) {
        guard let host = hosts[name], host.bootReport?.run == run else { return }
        hosts[name]?.bootReport = (run, .done(failed: host.bootFailed))
        note(.bootScriptDone, name.rawValue)
    }

    /// The boot script in memory mode.
    mutating func setOrders(_ orders: BootOrders?, on name: HostName) {
        let had = hosts[name]?.orders != nil
        hosts[name]?.orders = orders
        if let orders {
            let valid = (orders.expires - wall).milliseconds / 1000
            note(.armed, name.rawValue, "for \(valid) s")
        }
        if orders == nil, had { bootScriptChanged(name, installed: false) }
    }

    /// A boot script was installed, or taken out.
    mutating func bootScriptChanged(_ name: HostName, installed: Bool) {
        note(installed ? .armed : .disarmed, name.rawValue)
    }

    /// What the boot script of a run has reported since the host booted (memory mode).
    func bootReport(of run: RunID, on name: HostName) -> BootReport {
        guard let report = hosts[name]?.bootReport, report.run == run else { return .none }
        return report.report
    }
}
