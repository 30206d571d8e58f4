/// The way back.
extension Planner {
    /// The plan that brings back what the outage's snapshot has. Where only parts of the cluster
    /// went down, it brings back those: what vpower did not touch lived on.
    /// - Parameters:
    ///   - goal: the outage's first snapshot.
    ///   - ledger: what was done since: which hosts were armed, stopped, put in maintenance mode.
    public func restore(goal: ClusterSnapshot, ledger: Ledger) throws(PlanError) -> Plan {
        let groups = try groups(of: goal.inventory)
        let extent = Extent(of: ledger)
        let isBack = [PhaseName.vcsaBack, .hostsBack]
        var phases = [
            phase(.left, needs: [], leaveSteps(ledger)),
            phase(.machinesBack, needs: [.left], machineSteps(ledger)),
            phase(.hostsBack, needs: [.machinesBack], hostSteps(ledger, extent)),
            // Beside them: where SSH is the only way to a host, it is back when SSH runs.
            openSSH(
                awaitedHosts(extent), needs: [.machinesBack], limit: site.limits.hostBack),
            phase(.bootScripts, needs: [.hostsBack, .openSSH], scriptSteps(ledger)),
            // What was not touched may have lost its power too.
            phase(
                .vsanBack, needs: [.bootScripts],
                goal.hasVSAN && extent.isWhole ? [vsanBack(ledger)] : []),
            phase(.vcsaBack, needs: [.vsanBack], throughHosts(groups, extent, ledger)),
        ]
        // While vCSA and all hosts stayed on, there is nothing to wait for.
        let wasAway =
            extent.isWhole || phases.contains { isBack.contains($0.name) && !$0.steps.isEmpty }
        phases.append(
            phase(
                .vcenterBack, needs: [.vcsaBack],
                wasAway ? [step(.awaitVCenter, limit: site.limits.vcenterBack)] : []))
        phases.append(
            phase(
                .thaw, needs: [.vcenterBack],
                extent.isWhole ? thawSteps(goal.automation) : []))
        var before: PhaseName = .thaw
        for (tier, group) in groups.tiers.reversed() {
            let starts = starts(group, extent, mayAdopt: false) { guest, host, terms in
                .startGuest(guest.id, name: guest.name, host, terms)
            }
            phases.append(phase(.guests(tier.name), needs: [before], starts))
            before = .guests(tier.name)
        }
        // Before HA, with which on a host's autostart is out of use: as it was changed.
        phases.append(phase(.autostartBack, needs: [before], autostartSteps(ledger)))
        phases.append(
            phase(
                .haBack, needs: [.autostartBack],
                extent.isWhole ? haSteps(isOn: goal.automation.ha, ledger) : []))
        phases.append(phase(.disarm, needs: [.haBack], disarmSteps(ledger, extent)))
        phases.append(closeSSH(ledger, opened: phases, needs: [.disarm]))
        return Plan(kind: .restore, cluster: site.name, phases: joined(phases))
    }

    /// How much there is to bring back.
    private struct Extent {
        /// Whether it is the whole cluster: so too when the power went and nobody did anything.
        var isWhole: Bool
        /// The guests that a run was to shut down: where it is not, those that went down.
        let guestsMeant: Set<GuestID>
        /// The hosts that went down, where it is not.
        var hosts: Set<HostName>
        /// The guests that may still obey a request to shut down.
        var stopping: Set<GuestID>

        init(of ledger: Ledger) {
            isWhole = !ledger.onlyPartsWentDown
            guestsMeant = isWhole ? [] : ledger.guestsMeant
            hosts = isWhole ? [] : ledger.hostsTouched
            stopping = ledger.guestsThatMayStillStop
        }

        /// Whether a guest went down, by itself or with its host.
        func has(_ guest: Guest) -> Bool {
            isWhole || guestsMeant.contains(guest.id) || guest.host.map(hosts.contains) == true
        }
    }

    private func machineSteps(_ ledger: Ledger) -> [Step] {
        let departures = ledger.departures
        return ledger.machinesStopped.sorted().map { machine in
            let limit = machines.first { $0.name == machine }?.limit ?? site.limits.hostBack
            let going = departures[machine]
            return step(
                .startMachine(machine, going: going),
                limit: limit + (going?.goneWithin ?? .zero))
        }
    }

    /// The mains may be back before the controller's host has gone. It goes all the same, and its
    /// output with it: nothing is brought back into that.
    private func leaveSteps(_ ledger: Ledger) -> [Step] {
        ledger.hostsLeft.sorted().map { host in
            step(.awaitLeave(host), limit: site.limits.leave)
        }
    }

    private func hostSteps(_ ledger: Ledger, _ extent: Extent) -> [Step] {
        let maintained = ledger.hostsPutInMaintenance
        return awaitedHosts(extent).map { host in
            step(
                .awaitHost(host, leaveMaintenance: maintained.contains(host)),
                limit: site.limits.hostBack)
        }
    }

    private func awaitedHosts(_ extent: Extent) -> [HostName] {
        site.hosts.map(\.name).sorted().filter { extent.isWhole || extent.hosts.contains($0) }
    }

    private func scriptSteps(_ ledger: Ledger) -> [Step] {
        let awaited = ledger.bootsAwaited
        let pauses = Dictionary(
            uniqueKeysWithValues: Set(awaited.values).map { ($0, ledger.bootPauses(of: $0)) })
        return awaited.sorted { $0.key < $1.key }.map { host, run in
            step(
                .awaitBootScript(host, run),
                limit: site.limits.bootScript + (pauses[run]?[host] ?? .zero))
        }
    }

    /// Infrastructure guests and then vCSA, through their hosts.
    private func throughHosts(
        _ groups: Groups, _ extent: Extent, _ ledger: Ledger
    ) -> [Step] {
        func action(_ guest: Guest, _ host: HostName, _ terms: StartTerms) -> Action {
            .startGuestOnHost(guest.id, name: guest.name, host, terms)
        }
        let first = starts(
            groups.infrastructure, extent, mayAdopt: site.adoptGuests, action)
        guard var vcsa = groups.vcsa else { return first }
        // Somebody started it during the outage and vpower shut it down, or was about to: without
        // it nothing of the cluster's automation can be put back.
        if ledger.wasMeant(vcsa.id) { vcsa.power = .on }
        let alone = GuestGroup.Member(
            guest: vcsa, terms: GuestTerms(throughHostWithin: site.limits.vcsa), after: [])
        return first
            + starts(
                GuestGroup(members: [alone], unmet: []), extent,
                mayAdopt: site.adoptGuests, action
            ).map { start in
                var start = start
                start.needs = first.map(\.id)
                return start
            }
    }

    /// The guests of a group that were on and are not kept off, in the order in which they come
    /// up.
    private func starts(
        _ group: GuestGroup, _ extent: Extent, mayAdopt: Bool,
        _ action: (Guest, HostName, StartTerms) -> Action
    ) -> [Step] {
        steps(
            group.upwards.compactMap { member, before in
                let (guest, terms) = (member.guest, member.terms)
                guard guest.power == .on, !terms.keepOff, extent.has(guest), let host = guest.host
                else { return nil }
                let start = StartTerms(
                    mayStopFor: extent.stopping.contains(guest.id) ? terms.limit : .zero,
                    toolsWithin: terms.waitForTools ? site.limits.tools : nil,
                    delay: terms.startDelay, mayAdopt: mayAdopt)
                let limit =
                    site.limits.start + start.mayStopFor + (start.toolsWithin ?? .zero)
                    + start.delay
                return (guest.id, before, step(action(guest, host, start), limit: limit))
            })
    }

    private func thawSteps(_ automation: Automation) -> [Step] {
        [
            step(
                .thawVCLS(automation.vcls, mode: automation.vclsMode), limit: site.limits.vcls),
            step(
                .thawDRS(
                    automation.drsLevel, overrides: automation.drsOverrides, dpm: automation.dpm),
                limit: site.limits.freeze),
        ]
    }

    /// HA as it was; then its agents on the hosts where vpower stopped them: they run again by
    /// themselves only where the host was really down.
    private func haSteps(isOn: Bool, _ ledger: Ledger) -> [Step] {
        let thaw = step(.thawHA(isOn), limit: site.limits.freeze)
        let agents = isOn ? ledger.haAgentsStopped.sorted() : []
        return [thaw]
            + agents.map { host in
                var start = step(.startHAAgent(host), limit: site.limits.arm)
                start.needs = [thaw.id]
                return start
            }
    }

    private func autostartSteps(_ ledger: Ledger) -> [Step] {
        ledger.autostartBefore.sorted { $0.key < $1.key }.map { host, before in
            step(.restoreAutostart(host, before), limit: site.limits.arm)
        }
    }

    private func disarmSteps(_ ledger: Ledger, _ extent: Extent) -> [Step] {
        let armed = extent.isWhole ? [] : ledger.hostsArmed
        return site.hosts.map(\.name).sorted()
            .filter { extent.isWhole || armed.contains($0) }
            .map { step(.disarm($0), limit: site.limits.arm) }
    }
}
