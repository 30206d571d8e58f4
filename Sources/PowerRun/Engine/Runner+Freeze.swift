import PowerModel

/// The cluster's own automation: stopped before the guests, put back after them.
extension Runner {
    /// HA off, DRS manual (never disabled: that deletes resource pools) for guests with a level of
    /// their own too, DPM off; then HA's agents seen to be gone from every connected host.
    func freeze(_ wait: Wait) async -> StepOutcome? {
        await bring(about: .freeze(goal.automation), agents: false, wait)
    }

    /// Puts a part of the automation back to what it was.
    func thaw(_ change: AutomationChange, _ wait: Wait) async -> StepOutcome? {
        await bring(about: change, agents: change.ha, wait)
    }

    /// Makes a change and looks until it is seen; `agents` says whether HA's agents must be there
    /// (true), gone (false), or do not matter (nil).
    private func bring(
        about change: AutomationChange, agents: Bool?, _ wait: Wait
    ) async -> StepOutcome? {
        await untilSeen(wait) { () throws(ClusterError) in
            let left = change.left(of: try await around.cluster.automation())
            if left.isEmpty { return false }
            await recordAsk(wait.step.id, wait.step.action.summary)
            try await around.cluster.change(left)
            return true
        } missing: { inventory in
            guard let agents else { return nil }
            let connected = inventory.hosts.filter(\.connected)
            let late = connected.filter { $0.haAgentConfigured != agents }.map(\.name.rawValue)
            if !late.isEmpty {
                return "HA's agent has not followed on \(late.joined(separator: ", "))"
            }
            return agents ? Self.faults(ofAgentsOn: connected) : nil
        }
    }

    /// Agents that are there and will not work by themselves (facts/vsphere.md 2.4).
    private static func faults(ofAgentsOn hosts: [HostView]) -> String? {
        let failed = hosts.compactMap { host in
            host.haAgentFault.map { "\(host.name) (\($0.onOneLine))" }
        }
        if failed.isEmpty { return nil }
        return "HA's agent has failed on \(failed.joined(separator: ", ")): in vCenter, connect "
            + "the host anew, then \"Reconfigure for vSphere HA\""
    }

    /// Asks vCenter for something where it is not so yet, and looks until the inventory shows it.
    /// - Parameters:
    ///   - ask: asks where it must be; returns whether it did.
    ///   - missing: what an inventory does not show yet, in words.
    private func untilSeen(
        _ wait: Wait, ask: () async throws(ClusterError) -> Bool,
        missing: (Inventory) -> String?
    ) async -> StepOutcome? {
        var wasAsked = false
        var problem = "nothing was seen"
        var last: Inventory?
        repeat {
            do {
                if try await ask() {
                    wasAsked = true
                    last = nil
                }
                let inventory = try await inventory(or: last)
                guard let why = missing(inventory) else {
                    return .done(wasAsked ? .asked : .already)
                }
                problem = why
                last = inventory
            } catch {
                problem = "\(error)"
                last = nil
                if error.isFinal { return wait.gaveUp(problem) }
            }
        } while await wait.change(after: &last, in: around)
        return wait.gaveUp(problem)
    }

    /// The inventory, read where none is at hand.
    private func inventory(or last: Inventory?) async throws(ClusterError) -> Inventory {
        if let last { return last }
        return try await around.cluster.inventory(newerThan: nil, within: .zero)
    }

    /// vCLS into retreat mode; its guests seen to be gone. Not those that a host runs in its own
    /// memory: it ends them itself as it enters maintenance mode (facts/vsphere.md 2.5).
    func retreat(_ wait: Wait) async -> StepOutcome? {
        await untilSeen(wait) { () throws(ClusterError) in
            guard try await around.cluster.automation().keepsVCLS else { return false }
            await recordAsk(wait.step.id, wait.step.action.summary)
            try await around.cluster.retreatVCLS()
            return true
        } missing: { inventory in
            let left = inventory.count(.vcls) { $0 != .off }
            return left == 0 ? nil : "\(left.counted("vCLS guest")) still there"
        }
    }

    /// vCLS as it was; where it was on, what it does for the cluster seen to be back.
    func thawVCLS(
        _ setting: VCLSSetting, _ mode: VCLSMode?, _ wait: Wait
    ) async -> StepOutcome? {
        let before = (setting.keepsGuests, mode != .absent)
        var health: VCLSHealth?
        return await untilSeen(wait) { () throws(ClusterError) in
            let now = try await around.cluster.automation()
            let isAsBefore = before == (now.vcls.keepsGuests, now.vclsMode != .absent)
            // What it was before it is asked says nothing of what comes of it.
            health = isAsBefore ? now.vclsHealth : nil
            if isAsBefore { return false }
            await recordAsk(wait.step.id, wait.step.action.summary)
            try await around.cluster.restoreVCLS(setting, mode: mode)
            return true
        } missing: { inventory in
            before == (true, true) ? missingOfVCLS(health, inventory) : nil
        }
    }

    /// What vCLS does not do yet. vCenter's own word counts first: how many guests there must be
    /// depends on the release and on the hosts. "Degraded" is also what it says in retreat mode.
    private func missingOfVCLS(_ health: VCLSHealth?, _ inventory: Inventory) -> String? {
        switch health {
        case .healthy: return nil
        case .nonhealthy:
            return goal.automation.vclsHealth == .nonhealthy
                ? nil : "vCenter does not find the cluster's own services healthy yet"
        case .degraded, nil:
            let had = goal.inventory.vclsGuestsOn
            return had == 0 || inventory.vclsGuestsOn > 0 ? nil : "no vCLS guest is back yet"
        }
    }

    /// vCenter seen to answer, with every host connected that is back. A refused login is no news
    /// while it starts (single sign-on comes up late), but it is not tried again at once.
    func awaitVCenter(_ wait: Wait) async -> StepOutcome? {
        let expected = goal.inventory.hosts.filter(\.connected).map(\.name)
        var problem = "it does not answer"
        var last: Inventory?
        repeat {
            do {
                let inventory = try await inventory(or: last)
                let connected = Set(inventory.hosts.filter(\.connected).map(\.name))
                let absent = expected.filter { !connected.contains($0) && !facts.isLost($0) }
                if absent.isEmpty { return .done(.already) }
                problem = "not connected: " + absent.map(\.rawValue).joined(separator: ", ")
                last = inventory
            } catch {
                problem = "\(error)"
                last = nil
                if error.reason == .loginRefused {
                    guard await wait.pause(min(around.pace.loginAgain, wait.left)) else { break }
                }
            }
        } while await wait.change(after: &last, in: around)
        return wait.gaveUp(problem)
    }
}

extension Inventory {
    /// How many vCLS guests are on, of both kinds.
    fileprivate var vclsGuestsOn: Int {
        count(.vcls) { $0 == .on } + count(.embeddedVCLS) { $0 == .on }
    }
}
