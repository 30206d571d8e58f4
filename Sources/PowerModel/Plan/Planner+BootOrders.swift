/// What hosts do by themselves when their power is back.
extension Planner {
    /// What each host's boot script shall do: the guests that were on in the outage's snapshot,
    /// each on the host where it is registered now.
    /// - Throws: also for a vSAN cluster.
    public func bootOrders(
        now: ClusterSnapshot, goal: ClusterSnapshot, run: RunID, wall: Timestamp
    ) throws(PlanError) -> [BootOrders] {
        try checkBootScripts(now)
        let hosts = site.hosts.map(\.name).sorted()
        let groups = try groups(of: goal.inventory)
        return orders(
            of: groups, for: hosts, maintained: maintained(hosts, groups, goal),
            Moment(now: now, goal: goal, run: run, wall: wall))
    }

    /// The groups of the outage's first snapshot; those of now where that is the first.
    func goalGroups(_ moment: Moment, now groups: Groups) throws(PlanError) -> Groups {
        let goal = moment.goal.inventory
        return goal == moment.now.inventory ? groups : try self.groups(of: goal)
    }

    /// The orders of some hosts that go down together. They wait for vCSA only where it goes down
    /// with them.
    func orders(
        of groups: Groups, for hosts: [HostName], maintained: Set<HostName>, _ moment: Moment
    ) -> [BootOrders] {
        func place(_ guest: Guest) -> HostName? {
            moment.now.inventory.guest(guest.id)?.host ?? guest.host
        }
        func byHost(_ group: GuestGroup) -> [HostName: [BootGuest]] {
            var starts: [HostName: [BootGuest]] = [:]
            for (member, _) in group.upwards
            where member.guest.power == .on && !member.terms.keepOff {
                guard let host = place(member.guest) else { continue }
                starts[host, default: []].append(
                    BootGuest(
                        name: member.guest.name, vmxPath: member.guest.vmxPath,
                        thenWait: member.terms.startDelay))
            }
            return starts
        }
        var infrastructure = byHost(groups.infrastructure)
        // Before all others: who else sees to what the hosts cannot do by themselves?
        if let controller = groups.controller, let host = place(controller) {
            infrastructure[host, default: []].insert(
                BootGuest(name: controller.name, vmxPath: controller.vmxPath), at: 0)
        }
        let tiers = groups.tiers.reversed().map { byHost($0.group) }
        // One that was started during the outage goes down now, and is needed to restore.
        let vcsa = groups.vcsa.flatMap { vcsa in
            let now = moment.now.inventory.guest(vcsa.id)?.power
            return vcsa.power == .on || now == .on ? vcsa : nil
        }
        let vcsaHost = vcsa.flatMap(place)
        let waits = vcsa != nil && (vcsaHost.map(hosts.contains) ?? true)
        return hosts.map { host in
            BootOrders(
                host: host, run: moment.run, armed: moment.wall,
                expires: moment.wall + site.limits.armedFor,
                leaveMaintenance: maintained.contains(host),
                infrastructure: infrastructure[host] ?? [],
                vcsa: vcsaHost == host
                    ? vcsa.map { BootGuest(name: $0.name, vmxPath: $0.vmxPath) } : nil,
                waitsForVCSA: waits, tiers: tiers.compactMap { $0[host] },
                startGap: site.limits.startGap, afterVCSA: site.limits.afterVCSA)
        }
    }
}
