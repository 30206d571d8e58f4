import PowerModel

/// How guests come up with their host: made so before it goes, undone when everything is back.
extension Runner {
    /// More differences than this are counted, not told: an ESXi 6.7 host shows the whole block
    /// line by line when it is new, and each note is a write to the disk while a battery drains.
    private static let driftLinesMax = 5

    /// A host made to start its guests as it boots, the way that was planned or the next one that
    /// the host allows; and nothing but that.
    func arm(
        _ name: HostName, _ orders: BootOrders, _ planned: BootChoice?, _ wait: Wait
    ) async -> StepOutcome? {
        var choice = planned ?? .older
        // What is planned is on record with the plan.
        var recorded = choice.way
        if plan.kind.isWhole, goal.automation.ha, !facts.isFrozen { choice.mayHaveHA = true }
        var script: StepMeans?
        let outcome = await untilDone(on: name, wait) { host throws(HostError) in
            do throws(HostError) {
                if choice.way == .localsh, script == nil {
                    await recordAsk(wait.step.id, wait.step.action.summary)
                    script = try await installScript(orders, on: host)
                }
                if choice.needsAutostart {
                    try await setAutostart(orders, choice, &recorded, on: host, wait)
                } else if choice.way != recorded {
                    await record(.bootChosen(name, choice, before: nil))
                }
            } catch {
                guard choice.learns(from: error) else { throw error }
                return .notYet("\(error)")
            }
            return .over(choice.outcome(script ?? .asked))
        }
        // With its script the host is armed, whatever else it starts.
        guard case .gaveUp(let why) = outcome, let script else { return outcome }
        await record(.noted("\(name): its own autostart may start guests too: \(why)"))
        return .done(script)
    }

    /// Boot script installed, saved and read back.
    private func installScript(
        _ orders: BootOrders, on host: any HostControl
    ) async throws(HostError) -> StepMeans {
        let install = try await host.arm(orders)
        for line in install.drift.prefix(Self.driftLinesMax) {
            await record(.noted("\(host.host): local.sh: \(line.onOneLine)"))
        }
        let more = install.drift.count - Self.driftLinesMax
        if more > 0 { await record(.noted("\(host.host): local.sh: \(more) more such lines")) }
        return install.unchanged ? .already : .asked
    }

    /// What the host starts by itself made what was chosen: its guests, or nothing.
    private func setAutostart(
        _ orders: BootOrders, _ choice: BootChoice, _ recorded: inout BootWay,
        on host: any HostControl, _ wait: Wait
    ) async throws(HostError) {
        let before = try await host.autostart()
        let wanted =
            choice.way == .autostart
            ? HostAutostart(orders, before: before.defaults)
            : before.isOn ? before.switchedOff : before
        let changes = wanted != before
        if changes || choice.way != recorded {
            await record(.bootChosen(host.host, choice, before: changes ? before : nil))
            recorded = choice.way
        }
        guard changes else { return }
        await recordAsk(
            wait.step.id,
            wanted.isOn
                ? "autostart of \(host.host) set to \(wanted.guests.count.counted("guest"))"
                : "autostart of \(host.host) off")
        try await set(wanted, on: host)
    }

    /// What a host starts by itself as it was before vpower changed it.
    func restoreAutostart(
        of name: HostName, _ before: HostAutostart, _ wait: Wait
    ) async -> StepOutcome? {
        await untilDone(on: name, wait) { host throws(HostError) in
            if try await host.autostart() == before { return .over(.done(.already)) }
            await recordAsk(wait.step.id, wait.step.action.summary)
            try await set(before, on: host)
            return .over(.done(.asked))
        }
    }

    /// Makes a host start this by itself, but for guests that are not registered there any more.
    private func set(
        _ wanted: HostAutostart, on host: any HostControl
    ) async throws(HostError) {
        do throws(HostError) {
            try await host.setAutostart(wanted)
        } catch {
            guard error.reason == .notFound else { throw error }
            let here = Set(try await host.guests().map(\.vmxPath))
            var present = wanted
            present.guests.removeAll { !here.contains($0.vmxPath) }
            let gone = wanted.guests.map(\.vmxPath).filter { !here.contains($0) }
            await record(
                .noted(
                    "\(host.host): autostart without what is not registered there: "
                        + gone.map(\.onOneLine).joined(separator: ", ")))
            try await host.setAutostart(present)
        }
    }

    /// Boot script taken out.
    func disarm(_ name: HostName, _ wait: Wait) async -> StepOutcome? {
        await untilDone(on: name, wait) { host throws(HostError) in
            await recordAsk(wait.step.id, wait.step.action.summary)
            try await host.disarm()
            return .over(.done(.asked))
        }
    }
}

extension BootChoice {
    /// What a record means that says nothing of it.
    fileprivate static let older = BootChoice(.localsh, hasAPI: false)

    /// Takes in what a failure tells of the host; whether that makes another way the one to take.
    fileprivate mutating func learns(from error: HostError) -> Bool {
        let before = way
        switch error.reason {
        case .secureBoot: secureBoot = true
        case .wayUnusable where way == .autostart: hasAPI = false
        default: return false
        }
        return way != before
    }

    /// How the step ends that makes it so.
    fileprivate func outcome(_ means: StepMeans) -> StepOutcome {
        switch way {
        case .localsh: .done(means)
        case .autostart: .done(.asked)
        case .controller: isRefused ? .gaveUp(summary) : .left(summary)
        }
    }
}
