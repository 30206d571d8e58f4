/// A whole vSAN cluster goes down: every guest off, then vSAN's own procedure, then the hosts.
///
/// No boot script is armed: what a host starts by itself while vSAN is not recovered comes to
/// nothing, and only somebody who sees all hosts can recover it. So a restore needs vpower.
extension Planner {
    func wholeVSAN(
        _ groups: Groups, _ moment: Moment, dependents: [ClusterName]
    ) throws(PlanError) -> Plan {
        if let controller = groups.controller {
            throw PlanError(
                "cluster \(site.name): the controller \(controller.name.onOneLine) is a guest of it, "
                    + "and its storage is vSAN: nobody could recover that",
                try: "run vpower on a machine outside of the cluster")
        }
        let way = VSANWay(for: moment.now) ?? .manual
        if way == .manual { try checkHelper(moment.now.inventory) }
        let hosts = site.hosts.map(\.name).sorted()
        let maintained = Set(hosts.filter { maintains($0, moment.goal) })
        let (tiers, last) = tierPhases(
            groups.leavingNoneOn.tiers, after: [.freeze], withHooks: true)
        let stop: Action = .stopVSAN(
            way, hosts,
            vcsa: way == .wizard && groups.vcsa?.power == .on ? groups.vcsa?.id : nil)
        let before = last + [.retreat, .dependents, .haAgents, .openSSH]
        let infrastructure = stopsThroughHost(groups.infrastructure)
        var phases = opening(moment, dependents, hosts) + tiers
        switch way {
        case .wizard:
            phases.append(phase(.infrastructure, needs: before, infrastructure))
        case .manual:
            phases.append(phase(.vcsa, needs: before, stopsThroughHost(groups.vcsa)))
            phases.append(phase(.infrastructure, needs: [.vcsa], infrastructure))
        }
        phases += [
            phase(.vsan, needs: [.infrastructure], [step(stop, limit: limit(of: way))]),
            phase(.hosts, needs: [.vsan], hostStops(hosts, maintained: maintained)),
            machinesDown(after: .hosts),
        ]
        return Plan(kind: .vsan, cluster: site.name, phases: joined(phases))
    }

    private func limit(of way: VSANWay) -> Duration {
        switch way {
        case .wizard: site.limits.vcsa + site.limits.vsan + site.limits.host
        case .manual: site.limits.vsan
        }
    }

    /// The hosts that can have a part in it: one that vCenter is not in touch with has none.
    private func present(_ hosts: [HostName], _ now: ClusterSnapshot) -> [HostName] {
        hosts.filter { now.inventory.host($0)?.connected != false }
    }

    /// What brings a vSAN cluster back, however it went down: found by looking where nothing of it
    /// is on record.
    func vsanBack(_ ledger: Ledger) -> Step {
        let way = ledger.vsanWentDown ?? .manual
        let start: Action = .startVSAN(way, site.hosts.map(\.name).sorted())
        return step(
            start, limit: site.limits.vsan + (way == .wizard ? site.limits.vcenterBack : .zero))
    }

    /// What an operator should know of a vSAN cluster before it goes down.
    func vsanWarnings(_ now: ClusterSnapshot, _ groups: Groups) -> [String] {
        var warnings: [String] = []
        let members = groups.tiers.flatMap(\.group.members)
        let left = members.filter { $0.guest.power == .on && $0.terms.onLimit == .leave }
        if !left.isEmpty {
            warnings.append(
                "no guest may be on when vSAN stops: powered off at their limit, not left: "
                    + left.map(\.guest.name.onOneLine).sorted().joined(separator: ", "))
        }
        let infrastructure = groups.infrastructure.members.filter { $0.guest.power == .on }
        if VSANWay(for: now) == .wizard, groups.vcsa?.power == .on, !infrastructure.isEmpty {
            warnings.append(
                "vCenter stops itself last, so infrastructure goes down before it, and it must "
                    + "reach its hosts without: "
                    + infrastructure.map(\.guest.name.onOneLine).sorted().joined(separator: ", "))
        }
        let hosts = site.hosts.map(\.name).sorted()
        let absent = Set(hosts).subtracting(present(hosts, now)).sorted()
        if !absent.isEmpty {
            warnings.append(
                "vSAN is made ready without the hosts that are not connected, and cannot be "
                    + "recovered before they are back: "
                    + absent.map(\.rawValue).joined(separator: ", "))
        }
        return warnings
    }

    // MARK: Refusals

    /// Hosts that have no helper to stop vSAN with.
    func checkHelper(_ inventory: Inventory) throws(PlanError) {
        let old = inventory.hosts.filter { host in
            host.apiVersion.map { $0 < VSANWay.helperSince } ?? false
        }
        if old.isEmpty { return }
        throw PlanError(
            "cluster \(site.name) uses vSAN, and hosts older than 6.7U3 have no helper to stop it "
                + "together: " + old.map(\.name.rawValue).joined(separator: ", "),
            try: "update these hosts; until then shut the cluster down by hand "
                + "(VMware KB 2142676)")
    }

    /// Hosts of a vSAN cluster do not go alone: the last ones lose their storage
    /// (facts/vsphere.md 2.16).
    func checkPart(_ now: ClusterSnapshot) throws(PlanError) {
        if !now.hasVSAN { return }
        throw PlanError(
            "cluster \(site.name) uses vSAN, and what its hosts store does not go down in parts",
            try: "shut the whole cluster down, or use vCenter's maintenance mode for a single host")
    }

    /// A boot script starts guests before anybody can have recovered vSAN.
    func checkBootScripts(_ now: ClusterSnapshot) throws(PlanError) {
        if !now.hasVSAN { return }
        throw PlanError(
            "cluster \(site.name) uses vSAN: its hosts start nothing by themselves, and have no "
                + "boot script",
            try: "leave them without: `vpower restore` recovers vSAN and starts the guests")
    }
}

extension Groups {
    /// The same groups, where what policy would leave on is powered off.
    var leavingNoneOn: Groups {
        var groups = self
        for tier in groups.tiers.indices {
            for member in groups.tiers[tier].group.members.indices
            where groups.tiers[tier].group.members[member].terms.onLimit == .leave {
                groups.tiers[tier].group.members[member].terms.onLimit = .powerOff
            }
        }
        return groups
    }
}
