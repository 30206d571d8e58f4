/// A part of a cluster goes down; HA stays on, since a clean shutdown of a guest is not its
/// business. Neither kind changes the cluster's automation.
extension Planner {
    /// Some tiers only. vCSA and infrastructure are in no tier.
    func shed(_ names: [TierName], _ groups: Groups) throws(PlanError) -> Plan {
        let wanted = Set(names)
        let there = site.tiers.map(\.name)
        if let stranger = names.first(where: { !there.contains($0) }) {
            throw PlanError(
                "cluster \(site.name): there is no tier \(stranger.rawValue.onOneLine)",
                try: "name some of these: " + list(there.map(\.rawValue)))
        }
        if wanted.isEmpty {
            throw PlanError(
                "cluster \(site.name): no tier is named to be shed",
                try: "name some of these: " + list(there.map(\.rawValue)))
        }
        let (phases, _) = tierPhases(
            groups.tiers.filter { wanted.contains($0.tier.name) }, after: [], withHooks: true)
        return Plan(kind: .shed, cluster: site.name, phases: joined(phases))
    }

    /// Some hosts with what is on them. No hook runs: no tier goes down. Maintenance mode keeps
    /// DRS from moving guests onto them meanwhile.
    func part(
        _ hosts: [HostName], _ groups: Groups, _ moment: Moment
    ) throws(PlanError) -> Plan {
        try checkPart(moment.now)
        try checkPlaces(groups)
        let hosts = hosts.filter { $0 != groups.controller?.host }
        if hosts.isEmpty {
            throw PlanError(
                "cluster \(site.name): vpower itself runs on the only host that is meant",
                try: "move the controller to a host that stays on, or shut the whole cluster down")
        }
        let wanted = Set(hosts)
        func isHere(_ guest: Guest) -> Bool { guest.host.map(wanted.contains) ?? false }
        let maintained = wanted.filter { maintains($0, moment.goal) }
        let vcsa = groups.vcsa.flatMap { isHere($0) ? $0 : nil }
        let (tiers, last) = tierPhases(
            groups.tiers, after: [], withHooks: false, where: isHere)
        var phases = [
            openSSH(hosts),
            arm(
                orders(
                    of: try goalGroups(moment, now: groups), for: hosts, maintained: maintained,
                    moment), moment, mayHaveHA: hasHA(moment), needs: [.openSSH]),
        ]
        phases += tiers
        phases.append(phase(.vcsa, needs: last + [.openSSH], stopsThroughHost(vcsa)))
        phases.append(
            phase(
                .infrastructure, needs: [.vcsa],
                stopsThroughHost(groups.infrastructure, where: isHere)))
        phases += hostPhases(hosts, maintained: maintained, vcsaHost: vcsa?.host)
        return Plan(kind: .hosts, cluster: site.name, phases: joined(phases))
    }

    /// Hosts of the site, sorted, each once.
    func known(_ names: [HostName]) throws(PlanError) -> [HostName] {
        let there = Set(site.hosts.map(\.name))
        if let stranger = names.first(where: { !there.contains($0) }) {
            throw PlanError(
                "cluster \(site.name): the site file does not have "
                    + stranger.rawValue.onOneLine,
                try: "name hosts as `hosts` of the cluster has them: "
                    + list(there.map(\.rawValue).sorted()))
        }
        if names.isEmpty {
            throw PlanError(
                "cluster \(site.name): no host is named to be shut down",
                try: "name some of these: " + list(there.map(\.rawValue).sorted()))
        }
        return Set(names).sorted()
    }

    private func list(_ names: [String]) -> String {
        names.map(\.onOneLine).joined(separator: ", ")
    }
}
