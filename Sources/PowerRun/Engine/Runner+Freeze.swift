import PowerModel

/// The cluster's own automation: stopped before the guests, put back after them.
extension Runner {
    /// HA off, DRS manual (never disabled: that deletes resource pools), DPM off; then HA's
    /// agents seen to be gone from every connected host.
    func freeze(_ wait: Wait) async -> StepOutcome? {
        let change = AutomationChange(ha: false, drsLevel: .manual, dpm: false)
        return await bring(about: change, agents: false, wait)
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
        var wasAsked = false
        var problem = "nothing was seen"
        repeat {
            do {
                if try await !change.isSatisfied(by: around.cluster.automation()) {
                    await recordAsk(wait.step.id, wait.step.action.summary)
                    wasAsked = true
                    try await around.cluster.change(change)
                }
                let late = try await hostsWhoseAgent(isNot: agents)
                if late.isEmpty { return .done(wasAsked ? .asked : .already) }
                problem = "HA's agent has not followed on \(late.joined(separator: ", "))"
            } catch {
                problem = "\(error)"
            }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    /// The connected hosts on which HA's agent is not as wanted, by name.
    private func hostsWhoseAgent(isNot wanted: Bool?) async throws(ClusterError) -> [String] {
        guard let wanted else { return [] }
        let inventory = try await around.cluster.inventory(newerThan: nil, within: .zero)
        return inventory.hosts.filter { $0.connected && $0.haAgentConfigured != wanted }
            .map(\.name.rawValue)
    }

    /// vCLS into retreat mode; its guests seen to be gone.
    func retreat(_ wait: Wait) async -> StepOutcome? {
        await setVCLS(.retreat, wait) { inventory in
            let left = inventory.guests.filter { $0.nature == .vcls && $0.power != .off }
            return left.isEmpty ? nil : "\(left.count) vCLS guests are still there"
        }
    }

    /// vCLS as it was; some of its guests seen to be back where it had any.
    func thawVCLS(_ setting: VCLSSetting, _ wait: Wait) async -> StepOutcome? {
        let hadGuests = goal.inventory.guests.contains { $0.nature == .vcls && $0.power == .on }
        // A key cannot be deleted: what was never set comes back as on (facts/vsphere.md 2.5).
        return await setVCLS(setting == .unset ? .on : setting, wait) { inventory in
            if !setting.keepsGuests || !hadGuests { return nil }
            let back = inventory.guests.contains { $0.nature == .vcls && $0.power == .on }
            return back ? nil : "no vCLS guest is back yet"
        }
    }

    private func setVCLS(
        _ wanted: VCLSSetting, _ wait: Wait, missing: (Inventory) -> String?
    ) async -> StepOutcome? {
        var wasAsked = false
        var problem = "nothing was seen"
        repeat {
            do {
                let now = try await around.cluster.automation().vcls
                if now.keepsGuests != wanted.keepsGuests {
                    await recordAsk(wait.step.id, wait.step.action.summary)
                    wasAsked = true
                    try await around.cluster.setVCLS(wanted)
                }
                let inventory = try await around.cluster.inventory(newerThan: nil, within: .zero)
                guard let why = missing(inventory) else {
                    return .done(wasAsked ? .asked : .already)
                }
                problem = why
            } catch {
                problem = "\(error)"
            }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    /// vCenter seen to answer, with every host connected that is back.
    func awaitVCenter(_ wait: Wait) async -> StepOutcome? {
        let expected = goal.inventory.hosts.filter(\.connected).map(\.name)
        var problem = "it does not answer"
        repeat {
            do {
                let inventory = try await around.cluster.snapshot().inventory
                let absent = expected.filter { inventory.host($0)?.connected != true }
                if absent.isEmpty { return .done(.already) }
                problem = "not connected: " + absent.map(\.rawValue).joined(separator: ", ")
            } catch {
                problem = "\(error)"
            }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    /// A guest of the snapshot seen to be on: started, on the host where it is now, if it is not.
    func startGuest(
        _ id: GuestID, _ planned: HostName, _ terms: StartTerms, _ wait: Wait
    ) async -> StepOutcome? {
        guard let guest = known[id] else { return .gaveUp("no inventory has this guest") }
        let staysOnAt = around.time.elapsed + terms.mayStopFor
        var wasAsked = false
        var problem = "it is not in vCenter's inventory"
        repeat {
            do {
                let now = try await around.cluster.inventory(newerThan: nil, within: .zero)
                switch now.guest(id)?.power {
                case .on where wasAsked: return .done(.asked)
                case .on where around.time.elapsed < staysOnAt:
                    problem = "it was asked to shut down and may still do so"
                case .on: return .done(.already)
                case .suspended: return .left("it is suspended")
                case .off:
                    let host = now.guest(id)?.host ?? planned
                    await recordAsk(wait.step.id, "start \(guest.name.onOneLine) on \(host)")
                    wasAsked = true
                    problem = "it was started, but is not seen on"
                    try await around.cluster.powerOn(now.guest(id) ?? guest, on: host)
                case .unknown: problem = "its host is not connected"
                case nil: break
                }
            } catch {
                problem = "\(error)"
            }
        } while await wait.again()
        return wait.gaveUp(problem)
    }
}
