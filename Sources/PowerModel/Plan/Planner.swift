/// Turns a site and what is seen of it into plans. Pure: the same input gives the same plan.
public struct Planner: Sendable {
    /// The cluster, as the site file has it.
    public var site: ClusterSite
    /// Machines that go down after its hosts.
    public var machines: [MachineSite]

    /// What past runs tell of how long things take.
    public var estimates: Estimates

    /// A planner of one cluster.
    public init(
        site: ClusterSite, machines: [MachineSite] = [], estimates: Estimates = Estimates()
    ) {
        self.site = site
        self.machines = machines
        self.estimates = estimates
    }

    /// The plan that takes the cluster down, or the part of it that the scope names.
    /// - Parameters:
    ///   - now: the cluster as it is: what is on is shut down.
    ///   - goal: the outage's first snapshot: what was on then is what boot scripts start.
    ///   - run: the run's identity, for the boot scripts.
    ///   - wall: the present moment, for their expiry.
    /// - Throws: when vCSA cannot be told or found, a host of the cluster is not in the site file,
    ///   or the cluster uses vSAN.
    public func shutdown(
        _ scope: PlanScope = .wholeCluster, now: ClusterSnapshot, goal: ClusterSnapshot, run: RunID,
        wall: Timestamp
    ) throws(PlanError) -> Plan {
        guard case .cluster = scope else {
            throw PlanError("not there yet", try: "shut the whole cluster down")
        }
        try checkHosts(now.inventory)
        if now.hasVSAN {
            // Host by host, the last ones lose their storage (facts/vsphere.md 2.16).
            throw PlanError(
                "cluster \(site.name) uses vSAN, and this version cannot shut that down",
                try: "use vCenter's own \"Shutdown cluster\" for it")
        }
        let roles = try Roles(of: now.inventory, in: site)
        for guest in [roles.vcsa].compactMap(\.self) + roles.infrastructure
        where guest.power == .on && guest.host == nil {
            throw PlanError(
                "cluster \(site.name): \(guest.name.onOneLine) is on, but nobody knows where",
                try: "wait until vCenter shows its host, and plan again")
        }
        let orders = try bootOrders(now: now, goal: goal, run: run, wall: wall)
        var phases = [
            phase(.freeze, needs: [], [Step(.freeze, limit: site.limits.freeze)])
        ]
        if now.automation.vcls.keepsGuests {
            phases.append(phase(.retreat, needs: [], [Step(.retreat, limit: site.limits.vcls)]))
        }
        phases.append(
            phase(
                .arm, needs: [.freeze],
                orders.map { Step(.arm($0.host, $0), limit: site.limits.arm) }))
        var before: PhaseName = .freeze
        for (tier, guests) in roles.tiers {
            let steps = guests.filter { $0.power == .on }.map { guest in
                Step(.stopGuest(guest.id, name: guest.name, tier.onLimit), limit: tier.limit)
            }
            if steps.isEmpty { continue }
            phases.append(phase(.guests(tier.name), needs: [before], steps))
            before = .guests(tier.name)
        }
        let vcsa = throughHost([roles.vcsa].compactMap(\.self), limit: site.limits.vcsa)
        phases.append(phase(.vcsa, needs: [before, .retreat], vcsa))
        let infrastructure = throughHost(roles.infrastructure, limit: site.limits.infrastructure)
        phases.append(phase(.infrastructure, needs: [.vcsa], infrastructure))
        phases += hostPhases(vcsaHost: roles.vcsa?.host, goal: goal)
        return Plan(kind: .cluster, cluster: site.name, phases: joined(phases))
            .estimated(by: estimates)
    }

    /// The plan that brings back what the outage's snapshot has.
    /// - Parameters:
    ///   - goal: the outage's first snapshot.
    ///   - ledger: what was done since: which hosts were armed, stopped, put in maintenance mode.
    public func restore(goal: ClusterSnapshot, ledger: Ledger) throws(PlanError) -> Plan {
        let roles = try Roles(of: goal.inventory, in: site)
        let hosts = site.hosts.map(\.name).sorted()
        let maintained = ledger.hostsPutInMaintenance
        let back = hosts.map { host in
            Step(
                .awaitHost(host, leaveMaintenance: maintained.contains(host)),
                limit: site.limits.hostBack)
        }
        let scripts = ledger.bootsAwaited.sorted { $0.key < $1.key }.map { host, run in
            Step(.awaitBootScript(host, run), limit: site.limits.bootScript)
        }
        let stopping = ledger.guestsThatMayStillStop
        func start(_ guest: Guest, mayStopFor limit: Duration, onHost: Bool) -> Step? {
            guard guest.power == .on, let host = guest.host else { return nil }
            let settle = stopping.contains(guest.id) ? limit : .zero
            let terms = StartTerms(mayStopFor: settle)
            let action: Action =
                onHost
                ? .startGuestOnHost(guest.id, name: guest.name, host, terms)
                : .startGuest(guest.id, name: guest.name, host, terms)
            return Step(action, limit: site.limits.start + settle)
        }
        let needed =
            roles.infrastructure.compactMap { guest in
                start(guest, mayStopFor: site.limits.infrastructure, onHost: true)
            }
            + [roles.vcsa].compactMap(\.self).compactMap { vcsa in
                start(vcsa, mayStopFor: site.limits.vcsa, onHost: true)
            }
        let stopped = ledger.machinesStopped.sorted().map { machine in
            Step(.startMachine(machine), limit: limit(of: machine))
        }
        var phases = [
            phase(.machinesBack, needs: [], stopped),
            phase(.hostsBack, needs: [.machinesBack], back),
            phase(.bootScripts, needs: [.hostsBack], scripts),
            phase(.vcsaBack, needs: [.bootScripts], needed),
            phase(
                .vcenterBack, needs: [.vcsaBack],
                [Step(.awaitVCenter, limit: site.limits.vcenterBack)]),
            phase(.thaw, needs: [.vcenterBack], thawSteps(goal.automation)),
        ]
        var before: PhaseName = .thaw
        for (tier, guests) in roles.tiers.reversed() {
            let steps = guests.compactMap { start($0, mayStopFor: tier.limit, onHost: false) }
            if steps.isEmpty { continue }
            phases.append(phase(.guests(tier.name), needs: [before], steps))
            before = .guests(tier.name)
        }
        phases.append(
            phase(
                .haBack, needs: [before],
                [Step(.thawHA(goal.automation.ha), limit: site.limits.freeze)]))
        phases.append(
            phase(
                .disarm, needs: [.haBack],
                hosts.map { Step(.disarm($0), limit: site.limits.arm) }))
        return Plan(kind: .restore, cluster: site.name, phases: joined(phases))
            .estimated(by: estimates)
    }

    /// What each host's boot script shall do: the guests that were on in the outage's snapshot,
    /// each on the host where it is registered now.
    public func bootOrders(
        now: ClusterSnapshot, goal: ClusterSnapshot, run: RunID, wall: Timestamp
    ) throws(PlanError) -> [BootOrders] {
        let roles = try Roles(of: goal.inventory, in: site)
        func here(_ guests: [Guest], _ host: HostName) -> [BootGuest] {
            guests.filter { $0.power == .on }.filter { guest in
                (now.inventory.guest(guest.id)?.host ?? guest.host) == host
            }.map { BootGuest(name: $0.name, vmxPath: $0.vmxPath) }
        }
        return site.hosts.map(\.name).sorted().map { host in
            BootOrders(
                host: host, run: run, armed: wall, expires: wall + site.limits.armedFor,
                leaveMaintenance: maintains(host, goal),
                infrastructure: here(roles.infrastructure, host),
                vcsa: here([roles.vcsa].compactMap(\.self), host).first,
                waitsForVCSA: roles.vcsa?.power == .on,
                tiers: roles.tiers.reversed().map { here($0.guests, host) }
                    .filter { !$0.isEmpty },
                startGap: site.limits.startGap, afterVCSA: site.limits.afterVCSA)
        }
    }

    private func hostPhases(vcsaHost: HostName?, goal: ClusterSnapshot) -> [Phase] {
        func stop(_ host: HostName) -> Step {
            Step(
                .stopHost(host, maintenance: maintains(host, goal)),
                limit: site.limits.host + site.limits.settle)
        }
        let others = site.hosts.map(\.name).sorted().filter { $0 != vcsaHost }
        let last = vcsaHost.map { [stop($0)] } ?? []
        let machineSteps = machines.map { Step(.stopMachine($0.name), limit: $0.limit) }
        return [
            phase(.hosts, needs: [.infrastructure, .arm, .retreat], others.map(stop)),
            phase(.vcsaHost, needs: [.hosts], last),
            phase(.machines, needs: [.vcsaHost], machineSteps),
        ]
    }

    /// Whether vpower puts this host in maintenance mode and out again. One that was in it before
    /// the outage stays in it.
    private func maintains(_ host: HostName, _ goal: ClusterSnapshot) -> Bool {
        site.maintenanceMode && goal.inventory.host(host)?.inMaintenance != true
    }

    private func throughHost(_ guests: [Guest], limit: Duration) -> [Step] {
        guests.filter { $0.power == .on }.compactMap { guest in
            guest.host.map { host in
                Step(.stopGuestOnHost(guest.id, name: guest.name, host), limit: limit)
            }
        }
    }

    private func thawSteps(_ automation: Automation) -> [Step] {
        [
            Step(.thawVCLS(automation.vcls), limit: site.limits.vcls),
            Step(
                .thawDRS(automation.drsLevel, dpm: automation.dpm), limit: site.limits.freeze),
        ]
    }

    private func limit(of machine: MachineName) -> Duration {
        machines.first { $0.name == machine }?.limit ?? site.limits.hostBack
    }

    /// A phase with the budget its steps add up to: they run side by side.
    private func phase(_ name: PhaseName, needs: [PhaseName], _ steps: [Step]) -> Phase {
        Phase(name: name, needs: needs, budget: steps.map(\.limit).max() ?? .zero, steps: steps)
    }

    /// The phases that have something to do. Where one needs a phase that has nothing to do, it
    /// needs what that one needed.
    private func joined(_ phases: [Phase]) -> [Phase] {
        // What a need comes to. A phase needs only phases that are shown above it.
        var standIns: [PhaseName: [PhaseName]] = [:]
        var present: [Phase] = []
        for var phase in phases {
            var needs: [PhaseName] = []
            for need in phase.needs.flatMap({ standIns[$0] ?? [] }) where !needs.contains(need) {
                needs.append(need)
            }
            phase.needs = needs
            standIns[phase.name] = phase.steps.isEmpty ? needs : [phase.name]
            if !phase.steps.isEmpty { present.append(phase) }
        }
        return present
    }

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
}

extension Ledger {
    /// The hosts whose boot script is to report, and the run that armed each: those that were
    /// armed and then told to stop.
    public var bootsAwaited: [HostName: RunID] {
        var armed: [HostName: RunID] = [:]
        var awaited: [HostName: RunID] = [:]
        for run in runs {
            for step in run.plan.steps {
                if case .arm(let host, _) = step.action, case .done = run.outcomes[step.id] {
                    armed[host] = run.id
                }
                // What was taken out does not act at the next boot.
                if case .disarm(let host) = step.action, case .done = run.outcomes[step.id] {
                    armed[host] = nil
                    awaited[host] = nil
                }
                // Only a host that was told to stop after it was armed boots into that script.
                if case .stopHost(let host, _) = step.action, run.asked.contains(step.id) {
                    awaited[host] = armed[host]
                }
            }
        }
        return awaited
    }

    /// Guests that were asked to shut down, were not seen off, and whose host was not told to stop:
    /// they may still do so after the run was reversed.
    public var guestsThatMayStillStop: Set<GuestID> {
        var guests = Set<GuestID>()
        for run in runs where !run.isPastReturn {
            for step in run.plan.steps where run.asked.contains(step.id) {
                guard let guest = step.action.stoppedGuest else { continue }
                if case .done = run.outcomes[step.id] {
                    guests.remove(guest)
                } else {
                    guests.insert(guest)
                }
            }
        }
        return guests
    }

    /// The machines that were told to stop.
    public var machinesStopped: Set<MachineName> {
        var stopped = Set<MachineName>()
        for run in runs {
            for step in run.plan.steps {
                if case .stopMachine(let machine) = step.action, run.asked.contains(step.id) {
                    stopped.insert(machine)
                }
            }
        }
        return stopped
    }
}

extension Action {
    /// The guest this shuts down, if it shuts one down.
    fileprivate var stoppedGuest: GuestID? {
        switch self {
        case .stopGuest(let guest, _, _), .stopGuestOnHost(let guest, _, _): guest
        default: nil
        }
    }
}
