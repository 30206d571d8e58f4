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
        func upwards(_ group: GuestGroup) -> [(guest: Guest, boots: BootGuest)] {
            group.upwards.map(\.member).filter { $0.guest.power == .on && !$0.terms.keepOff }.map {
                let boots = BootGuest(
                    name: $0.guest.name, vmxPath: $0.guest.vmxPath, thenWait: $0.terms.startDelay)
                return ($0.guest, boots)
            }
        }
        func byHost(_ group: GuestGroup) -> [HostName: [BootGuest]] {
            var starts: [HostName: [BootGuest]] = [:]
            for (guest, boots) in upwards(group) {
                if let host = place(guest) { starts[host, default: []].append(boots) }
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
        let vcsaBoots = vcsa.map { BootGuest(name: $0.name, vmxPath: $0.vmxPath) }
        let standing =
            site.unarmedBoot == .nothing
            ? [] : upwards(groups.infrastructure).map(\.boots) + (vcsaBoots.map { [$0] } ?? [])
        return hosts.map { host in
            var orders = BootOrders(
                host: host, run: moment.run, armed: moment.wall,
                expires: moment.wall + site.limits.armedFor,
                leaveMaintenance: maintained.contains(host),
                infrastructure: infrastructure[host] ?? [],
                vcsa: vcsaHost == host ? vcsaBoots : nil,
                waitsForVCSA: waits, tiers: tiers.compactMap { $0[host] },
                startGap: site.limits.startGap, afterVCSA: site.limits.afterVCSA)
            orders.settle = site.limits.bootSettle
            orders.vcenter = waits ? vcenterAddresses(moment) : []
            orders.standing = standing
            orders.extras = site.extras + (site.hosts.first { $0.name == host }?.extras ?? [])
            return orders
        }
    }

    /// Where vCSA answers, by address: DNS may be a guest that is not up yet.
    private func vcenterAddresses(_ moment: Moment) -> [Endpoint] {
        let name = site.vcenter.endpoint.host
        let isAddress =
            name.contains(":") || name.utf8.allSatisfy { $0 == 0x2E || (0x30...0x39).contains($0) }
        let known = moment.now.addresses[name] ?? moment.goal.addresses[name] ?? []
        return (isAddress ? [name] : known).map {
            Endpoint(host: $0, port: site.vcenter.endpoint.port)
        }
    }
}
