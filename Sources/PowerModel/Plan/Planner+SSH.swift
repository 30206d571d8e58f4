/// SSH on the hosts where the site file wants it for a run only.
extension Planner {
    /// SSH seen to run on those of these hosts. Guests do not wait for it: nothing that is done to
    /// them through vCenter needs it.
    func openSSH(
        _ hosts: [HostName], needs: [PhaseName] = [], limit: Duration? = nil
    ) -> Phase {
        let opened = Set(site.hosts.filter { $0.sshPolicy == .run }.map(\.name))
        return phase(
            .openSSH, needs: needs,
            hosts.filter(opened.contains).map {
                step(.openSSH($0), limit: limit ?? site.limits.arm)
            })
    }

    /// SSH stopped again where vpower started it in this outage, in an earlier run or in this one:
    /// also where the site file has changed its mind since. Never where it ran before.
    func closeSSH(_ ledger: Ledger, opened phases: [Phase], needs: [PhaseName]) -> Phase {
        let before = ledger.sshBefore
        let wasOpened = Set(before.filter { !$0.value }.keys)
        var hosts = wasOpened
        for case .openSSH(let host) in phases.flatMap(\.steps).map(\.action)
        where before[host] == nil { hosts.insert(host) }
        return phase(
            .closeSSH, needs: needs,
            hosts.sorted().map { host in
                step(
                    .closeSSH(host, wasOpened: wasOpened.contains(host)),
                    limit: site.limits.arm)
            })
    }
}
