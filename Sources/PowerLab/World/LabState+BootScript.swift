import PowerModel

/// The boot script in memory mode.
extension LabState {
    /// Does in memory what local.sh does on the wire.
    mutating func runBootScript(_ host: HostPlace) {
        guard hosts[host].power == .on, let orders = hosts[host].ordersAtBoot else { return }
        guard wall < orders.expires else {
            hosts[host].bootReport = (orders.run, .expired)
            return
        }
        let generation = hosts[host].generation
        note(.bootScriptBegan, hosts[host].spec.name.rawValue, orders.run.rawValue)
        hosts[host].bootReport = (orders.run, .running)
        if orders.leaveMaintenance { _ = setMaintenance(host, on: false) }
        let first = orders.infrastructure + (orders.vcsa.map { [$0] } ?? [])
        let settled = max(.milliseconds(10), orders.settle)
        var after = plan(first, of: orders, on: host, after: settled)
        if orders.waitsForVCSA { after += orders.afterVCSA }
        for tier in orders.tiers { after = plan(tier, of: orders, on: host, after: after) }
        schedule(.bootScriptDone(host, generation: generation), in: after)
    }

    /// Plans the starts of some guests, one after the other; returns when the last is over.
    private mutating func plan(
        _ list: [BootGuest], of orders: BootOrders, on host: HostPlace, after: Duration
    ) -> Duration {
        var after = after
        for wanted in list {
            if let guest = guest(at: wanted.vmxPath, on: host) {
                let generation = hosts[host].generation
                schedule(.bootStart(host, guest, generation: generation), in: after)
            } else {
                hosts[host].bootFailed.append(wanted.vmxPath)
            }
            after += orders.startGap
        }
        return after
    }

    /// One guest of a boot script is started; what will not start is reported at its end.
    mutating func bootStart(_ guest: GuestPlace, on host: HostPlace) {
        if isCalledOff(host) { return }
        if guests[guest].power != .on { start(guest, on: host, by: Self.byBootScript) }
        if guests[guest].power == .on {
            hosts[host].bootStarted += 1
        } else {
            hosts[host].bootFailed.append(guests[guest].spec.vmxPath)
        }
    }

    mutating func bootScriptDone(_ host: HostPlace) {
        guard let (run, report) = hosts[host].bootReport, report == .running else { return }
        let name = hosts[host].spec.name.rawValue
        if isCalledOff(host) {
            hosts[host].bootReport = (run, .calledOff)
        } else {
            hosts[host].bootReport = (run, .done(failed: hosts[host].bootFailed))
            if hosts[host].bootFailed.isEmpty {
                hosts[host].orders = nil
                hosts[host].unarmed = run
                note(.disarmed, name, Self.byBootScript)
            }
        }
        note(.bootScriptDone, name)
    }

    /// Who started a guest, or disarmed a script.
    static let byBootScript = "boot script"

    /// Whether somebody does not want the script any more that runs here: a shutdown has armed it
    /// anew, or a restore has taken it out.
    private func isCalledOff(_ host: HostPlace) -> Bool {
        hosts[host].orders != hosts[host].ordersAtBoot
    }

    /// What the host has of a boot script (memory mode).
    func bootScriptState(_ host: HostPlace) -> BootScriptState {
        BootScriptState(
            installed: hosts[host].orders.map { .armed($0.run, until: $0.expires) } ?? .none,
            lastBoot: hosts[host].bootReport.flatMap { run, report in
                let orders = hosts[host].ordersAtBoot
                var state = BootScriptState.LastBoot(
                    run: run, mode: orders == nil ? .unarmed : .armed, progress: .done, started: 0,
                    of: orders?.guests.count ?? 0, failed: hosts[host].bootFailed)
                switch report {
                case .none: return nil
                case .running: state.progress = .running
                case .calledOff: state.progress = .calledOff
                case .expired: state.mode = .expired
                case .done: break
                }
                state.started = hosts[host].bootStarted
                return state
            })
    }

    /// The boot script in memory mode.
    mutating func setOrders(_ orders: BootOrders?, on host: HostPlace) {
        let had = hosts[host].orders != nil
        hosts[host].orders = orders
        hosts[host].unarmed = nil
        let name = hosts[host].spec.name.rawValue
        if let orders {
            let valid = (orders.expires - wall).milliseconds / 1000
            note(.armed, name, "for \(valid) s")
        } else if had {
            note(.disarmed, name)
        }
    }

    /// What the boot script of a run has reported since the host booted (memory mode).
    func bootReport(of run: RunID, on host: HostPlace) -> BootReport {
        guard let report = hosts[host].bootReport, report.run == run else { return .none }
        return report.report
    }
}
