/// A whole cluster goes down.
extension Planner {
    func wholeCluster(
        _ groups: Groups, _ moment: Moment, dependents: [ClusterName]
    ) throws(PlanError) -> Plan {
        let now = moment.now
        try checkHosts(now.inventory)
        try checkPlaces(groups)
        if now.hasVSAN { return try wholeVSAN(groups, moment, dependents: dependents) }
        let hosts = site.hosts.map(\.name).sorted()
        let maintained = maintained(hosts, groups, moment.goal)
        let orders = orders(
            of: try goalGroups(moment, now: groups), for: hosts, maintained: maintained, moment)
        var phases = opening(moment, dependents, hosts)
        phases.append(arm(orders, moment, mayHaveHA: false, needs: [.freeze, .openSSH]))
        let (tiers, last) = tierPhases(groups.tiers, after: [.freeze], withHooks: true)
        phases += tiers
        phases.append(
            phase(
                .vcsa, needs: last + [.retreat, .dependents, .openSSH],
                stopsThroughHost(groups.vcsa)))
        phases.append(
            phase(.infrastructure, needs: [.vcsa], stopsThroughHost(groups.infrastructure)))
        phases += hostPhases(
            hosts.filter { $0 != groups.controller?.host }, maintained: maintained,
            vcsaHost: groups.vcsa?.host)
        let leave = leave(groups.controller)
        phases.append(machinesDown(after: .vcsaHost, before: leave))
        phases.append(leave)
        return Plan(kind: .cluster, cluster: site.name, phases: joined(phases))
    }

    /// What every shutdown of a whole cluster begins with: its automation off, others awaited.
    func opening(
        _ moment: Moment, _ dependents: [ClusterName], _ hosts: [HostName]
    ) -> [Phase] {
        var phases = [
            phase(.freeze, needs: [], [step(.freeze, limit: site.limits.freeze)]),
            openSSH(hosts),
            // Beside the tiers from the beginning: the others go down at the same time.
            phase(
                .dependents, needs: [],
                dependents.sorted().map {
                    step(.awaitClusterDown($0), limit: site.limits.dependents)
                }),
        ]
        if moment.now.automation.keepsVCLS {
            phases.append(phase(.retreat, needs: [], [step(.retreat, limit: site.limits.vcls)]))
        }
        if moment.now.automation.ha || moment.goal.automation.ha {
            let stop = step(.stopHAAgents(hosts), limit: site.limits.arm)
            phases.append(phase(.haAgents, needs: [.freeze, .openSSH], [stop]))
        }
        return phases
    }

    /// Storage and others, after the last host. Where vpower's own host goes later than that, by
    /// itself, those that can wait are told last, and go later still.
    func machinesDown(after hosts: PhaseName, before leave: Phase? = nil) -> Phase {
        let isInside = leave?.steps.isEmpty == false
        var stops: [Step] = []
        var orders: [Step] = []
        for machine in machines {
            if isInside, let delay = machine.delay {
                let order: Action = .tellMachine(
                    machine.name, delay: delay, goneWithin: machine.goneWithin)
                orders.append(step(order, limit: site.limits.arm))
            } else {
                stops.append(stop(machine))
            }
        }
        for index in orders.indices { orders[index].needs = stops.map(\.id) }
        return phase(.machines, needs: [hosts], stops + orders)
    }

    /// What waits before it goes is not expected to be down any earlier.
    private func stop(_ machine: MachineSite) -> Step {
        var stop = step(
            .stopMachine(machine.name, delay: machine.delay), limit: machine.goneWithin)
        if let delay = machine.delay {
            let least = delay + machine.limit / Budgets.usualPart
            stop.estimate = max(stop.estimate ?? .zero, least)
        }
        return stop
    }

    /// The phases of tiers, one after the other, each with its hooks around it; and what
    /// comes after them needs. A tier with nothing to shut down has no phases, and runs no hooks.
    func tierPhases(
        _ tiers: [(tier: TierSite, group: GuestGroup)], after first: [PhaseName], withHooks: Bool,
        where isMeant: (Guest) -> Bool = { _ in true }
    ) -> (phases: [Phase], last: [PhaseName]) {
        var phases: [Phase] = []
        var last = first
        for (tier, group) in tiers {
            let stops = stops(group, where: isMeant)
            if stops.isEmpty { continue }
            if withHooks, !tier.before.isEmpty {
                phases.append(hooks(tier.before, .before, tier.name, needs: last))
                last = [.before(tier.name)]
            }
            phases.append(phase(.guests(tier.name), needs: last, stops))
            last = [.guests(tier.name)]
            if withHooks, !tier.after.isEmpty {
                phases.append(hooks(tier.after, .after, tier.name, needs: last))
                last = [.after(tier.name)]
            }
        }
        return (phases, last)
    }

    /// The hooks of one moment, one after the other.
    private func hooks(
        _ hooks: [Hook], _ moment: HookMoment, _ tier: TierName, needs: [PhaseName]
    ) -> Phase {
        var steps: [Step] = []
        for (index, hook) in hooks.enumerated() {
            var next = step(.runHook(hook, tier, moment, place: index + 1), limit: hook.limit)
            next.needs = steps.last.map { [$0.id] } ?? []
            steps.append(next)
        }
        let name: PhaseName = moment == .before ? .before(tier) : .after(tier)
        return phase(name, needs: needs, steps)
    }

    private func stops(_ group: GuestGroup, where isMeant: (Guest) -> Bool) -> [Step] {
        steps(
            group.members.filter { $0.guest.power == .on && isMeant($0.guest) }.map { member in
                let action: Action = .stopGuest(
                    member.guest.id, name: member.guest.name, member.terms.onLimit)
                return (member.guest.id, member.after, step(action, limit: member.terms.limit))
            })
    }

    /// Infrastructure guests shut down through their hosts.
    func stopsThroughHost(
        _ group: GuestGroup, where isMeant: (Guest) -> Bool = { _ in true }
    ) -> [Step] {
        steps(
            group.members.filter { isMeant($0.guest) }.compactMap { member in
                stopThroughHost(member.guest, limit: member.terms.limit).map {
                    (member.guest.id, member.after, $0)
                }
            })
    }

    /// vCSA shut down through its host; nothing where it is off, or no guest of this cluster.
    func stopsThroughHost(_ vcsa: Guest?) -> [Step] {
        vcsa.flatMap { stopThroughHost($0, limit: site.limits.vcsa) }.map { [$0] } ?? []
    }

    private func stopThroughHost(_ guest: Guest, limit: Duration) -> Step? {
        guard guest.power == .on, let host = guest.host else { return nil }
        return step(.stopGuestOnHost(guest.id, name: guest.name, host), limit: limit)
    }

    /// The hosts side by side, then the one that vCSA was on: while it is up, so is the way to
    /// what vCSA knows.
    func hostPhases(
        _ hosts: [HostName], maintained: Set<HostName>, vcsaHost: HostName?
    ) -> [Phase] {
        let stops = hostStops(hosts, maintained: maintained)
        let isLast = zip(hosts, stops).filter { $0.0 == vcsaHost }.map(\.1)
        let others = zip(hosts, stops).filter { $0.0 != vcsaHost }.map(\.1)
        return [
            phase(
                .hosts, needs: [.infrastructure, .arm, .retreat, .haAgents, .openSSH], others),
            phase(.vcsaHost, needs: [.hosts], isLast),
        ]
    }

    /// The controller's host, when everything else is down. It is not put in maintenance mode,
    /// which it could not enter while vpower runs on it.
    private func leave(_ controller: Guest?) -> Phase {
        let steps = controller.flatMap { controller in
            controller.host.map { host in
                step(
                    .leaveHost(host, controller: controller.id, name: controller.name),
                    limit: site.limits.host)
            }
        }
        return phase(.controllerHost, needs: [.machines], steps.map { [$0] } ?? [])
    }

    /// The hosts that vpower puts in maintenance mode before they go.
    func maintained(
        _ hosts: [HostName], _ groups: Groups, _ goal: ClusterSnapshot
    ) -> Set<HostName> {
        guard site.maintenanceMode else { return [] }
        return Set(hosts.filter { $0 != groups.controller?.host && maintains($0, goal) })
    }

    func hostStops(_ hosts: [HostName], maintained: Set<HostName>) -> [Step] {
        hosts.map { host in
            step(
                .stopHost(host, maintenance: maintained.contains(host)),
                limit: site.limits.host + site.limits.settle)
        }
    }

    /// Whether maintenance mode of this host is vpower's to set: one that was in it before the
    /// outage stays in it.
    func maintains(_ host: HostName, _ goal: ClusterSnapshot) -> Bool {
        goal.inventory.host(host)?.inMaintenance != true
    }

    // MARK: Refusals

    private func checkHosts(_ inventory: Inventory) throws(PlanError) {
        let known = Set(site.hosts.map(\.name))
        let strangers = inventory.hosts.map(\.name).filter { !known.contains($0) }
        if strangers.isEmpty { return }
        throw PlanError(
            "cluster \(site.name): the site file does not have "
                + strangers.map(\.rawValue).joined(separator: ", "),
            try: "add every host of the cluster under `hosts`: one left on would restart nothing "
                + "but keep the battery busy")
    }

    /// What is shut down through its host must be on a known one.
    func checkPlaces(_ groups: Groups) throws(PlanError) {
        let guests =
            [groups.vcsa, groups.controller].compactMap(\.self)
            + groups.infrastructure.members.map(\.guest)
        for guest in guests where guest.power == .on && guest.host == nil {
            throw PlanError(
                "cluster \(site.name): \(guest.name.onOneLine) is on, but nobody knows where",
                try: "wait until vCenter shows its host, and plan again")
        }
    }
}
