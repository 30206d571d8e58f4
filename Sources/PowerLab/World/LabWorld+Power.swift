public import PowerModel
import PowerRun

/// The mains, the UPS and its output.
extension LabWorld {
    /// The mains fail.
    public func failMains() {
        advance()
        guard mainsOn else { return }
        mainsOn = false
        outageBegan = time.elapsed
        note(.mainsOff)
        schedule(.batteryDies, in: scenario.pace.battery)
    }

    /// The mains come back.
    public func returnMains() {
        advance()
        guard !mainsOn else { return }
        mainsOn = true
        outageBegan = nil
        note(.mainsOn)
        if !outputOn { schedule(.outputMayReturn, in: .zero) }
    }

    /// Whether hosts get power now.
    public var hasOutput: Bool {
        advance()
        return outputOn
    }

    /// What upsd says of the UPS.
    public func upsVariables() -> [String: String] {
        advance()
        var status = mainsOn ? "OL CHRG" : "OB DISCHRG"
        let left = runtimeLeft
        if !mainsOn, left < LabWorld.lowRuntime { status += " LB" }
        let charge = Int(100 * left.inSeconds / max(scenario.pace.battery.inSeconds, 1))
        return [
            "ups.status": status, "battery.charge": String(charge),
            "battery.runtime": String(Int(left.inSeconds)), "ups.load": "23",
            "device.mfr": "LAB", "device.model": "Lab UPS", "ups.delay.shutdown": "1",
        ]
    }

    /// The UPS is told to cut its output and to return with the mains.
    public func cutOutput() {
        advance()
        guard outputOn, !outputCutAsked else { return }
        outputCutAsked = true
        note(.outputCutAsked)
        schedule(.outputCuts, in: scenario.pace.outputCuts)
    }

    /// Below this the UPS says LB.
    static let lowRuntime: Duration = .seconds(60)

    private var runtimeLeft: Duration {
        guard let outageBegan else { return scenario.pace.battery }
        return max(.zero, scenario.pace.battery - (time.elapsed - outageBegan))
    }

    func batteryDies() {
        guard let outageBegan, !mainsOn, time.elapsed - outageBegan >= scenario.pace.battery else {
            return
        }
        cutOutputNow()
    }

    func cutOutputNow() {
        guard outputOn else { return }
        outputOn = false
        outputCutAsked = false
        note(.outputOff)
        for name in hosts.keys.sorted() { losePower(name) }
        schedule(.outputMayReturn, in: scenario.pace.outputStaysOff)
    }

    func outputMayReturn() {
        guard !outputOn, mainsOn else { return }
        outputOn = true
        note(.outputOn)
        // The BIOS says "power on after AC loss".
        for name in hosts.keys.sorted() { powerOnHost(name) }
    }
}

/// The hosts.
extension LabWorld {
    /// Whether the host's SSH daemon would answer.
    public func answers(_ name: HostName) -> Bool {
        advance()
        return hosts[name]?.power == .on || hosts[name]?.power == .stopping
    }

    /// Whether hostd answers.
    public func hostdReady(_ name: HostName) -> Bool {
        advance()
        return answers(name) && hosts[name]?.hostdReady == true
    }

    /// Whether the host is in maintenance mode.
    public func inMaintenance(_ name: HostName) -> Bool {
        advance()
        return hosts[name]?.inMaintenance == true
    }

    /// Enters or leaves maintenance mode; false when a guest runs there, or hostd is not ready.
    public func setMaintenance(_ name: HostName, on: Bool) -> Bool {
        advance()
        guard hostdReady(name), let host = hosts[name] else { return false }
        if host.inMaintenance == on { return true }
        if on, guests.values.contains(where: { $0.host == name && $0.power == .on && $0.exists }) {
            return false
        }
        hosts[name]?.inMaintenance = on
        note(on ? .maintenanceOn : .maintenanceOff, name.rawValue)
        return true
    }

    /// Tells the host to power itself off.
    public func shutDownHost(_ name: HostName) {
        advance()
        guard hosts[name]?.power == .on else { return }
        hosts[name]?.power = .stopping
        note(.hostTold, name.rawValue)
        schedule(.hostStops(name), in: scenario.pace.hostStops)
    }

    /// Starts the host as Wake-on-LAN would.
    public func wakeHost(_ name: HostName) {
        advance()
        powerOnHost(name)
    }

    func powerOnHost(_ name: HostName) {
        guard outputOn, hosts[name]?.power == .off else { return }
        hosts[name]?.power = .booting
        schedule(.hostUp(name), in: scenario.pace.hostBoots)
    }

    func hostStops(_ name: HostName) {
        guard hosts[name]?.power == .stopping else { return }
        leaveHost(name, orderly: true)
    }

    func losePower(_ name: HostName) {
        guard let power = hosts[name]?.power, power != .off else { return }
        leaveHost(name, orderly: false)
    }

    private func leaveHost(_ name: HostName, orderly: Bool) {
        hosts[name]?.power = .off
        hosts[name]?.hostdReady = false
        hosts[name]?.generation += 1
        hosts[name]?.bootReport = nil
        var lost: [GuestID] = []
        for id in guests.keys.sorted()
        where guests[id]?.host == name && guests[id]?.power == .on && guests[id]?.exists == true {
            guests[id]?.power = .off
            guests[id]?.toolsRunning = false
            guests[id]?.stopping = false
            guests[id]?.stoppedCleanly = false
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

    func hostUp(_ name: HostName) {
        guard outputOn, hosts[name]?.power == .booting else { return }
        hosts[name]?.power = .on
        note(.hostUp, name.rawValue)
        tell(.hostUp(name))
        schedule(.hostdUp(name), in: scenario.pace.hostdUp)
        if let orders = hosts[name]?.orders {
            schedule(.bootScript(name, orders), in: scenario.pace.hostdUp)
        }
    }

    func hostdUp(_ name: HostName) {
        guard hosts[name]?.power == .on else { return }
        hosts[name]?.hostdReady = true
        note(.hostdUp, name.rawValue)
    }

    func haRestarts(_ ids: [GuestID]) {
        guard automation.ha, haAgents else { return }
        for id in ids where guests[id]?.power == .off && guests[id]?.stoppedCleanly == false {
            let alive = hosts.values.filter {
                $0.power == .on && $0.hostdReady && !$0.inMaintenance
            }
            guard let target = alive.map(\.spec.name).min() else { return }
            move(id, to: target)
            start(id, on: target, by: "HA")
        }
    }

    /// Does in memory what local.sh does on the wire.
    func runBootScript(_ name: HostName, _ orders: BootOrders) {
        guard hosts[name]?.power == .on, let generation = hosts[name]?.generation else { return }
        guard time.wall < orders.expires else {
            hosts[name]?.bootReport = (orders.run, .expired)
            return
        }
        note(.bootScriptBegan, name.rawValue)
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

    /// The boot script in memory mode.
    public func setOrders(_ orders: BootOrders?, on name: HostName) {
        advance()
        let had = hosts[name]?.orders != nil
        hosts[name]?.orders = orders
        if orders != nil { bootScriptChanged(name, installed: true) }
        if orders == nil, had { bootScriptChanged(name, installed: false) }
    }

    /// A boot script was installed, or taken out.
    public func bootScriptChanged(_ name: HostName, installed: Bool) {
        note(installed ? .armed : .disarmed, name.rawValue)
    }

    /// What the boot script of a run has reported since the host booted (memory mode).
    public func bootReport(of run: RunID, on name: HostName) -> BootReport {
        advance()
        guard let report = hosts[name]?.bootReport, report.run == run else { return .none }
        return report.report
    }

    /// A boot script began or ended on the wire, where the host itself runs it.
    public func bootScriptNoted(_ name: HostName, done: Bool) {
        note(done ? .bootScriptDone : .bootScriptBegan, name.rawValue)
    }
}
