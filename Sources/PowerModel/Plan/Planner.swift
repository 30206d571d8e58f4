/// Turns a site and what is seen of it into plans. Pure: the same input gives the same plan.
public struct Planner: Sendable {
    /// The cluster, as the site file has it.
    public let site: ClusterSite
    /// Machines that go down after its hosts.
    public var machines: [MachineSite]

    /// What past runs tell of how long things take.
    public var estimates: Estimates

    private let choices: GuestChoices
    private let rules: GuestRules

    /// A planner of one cluster.
    public init(
        site: ClusterSite, machines: [MachineSite] = [], estimates: Estimates = Estimates()
    ) {
        self.site = site
        self.machines = machines
        self.estimates = estimates
        choices = Roles.choices(of: site)
        rules = GuestRules(of: site)
    }

    /// The plan that takes the cluster down, or the part of it that the scope names. All hosts
    /// are the whole cluster.
    /// - Parameters:
    ///   - now: the cluster as it is: what is on is shut down.
    ///   - goal: the outage's first snapshot: what was on then is what boot scripts start.
    ///   - run: the run's identity, for the boot scripts.
    ///   - wall: the present moment, for their expiry.
    /// - Throws: when vCSA cannot be told or found, a host of the cluster is not in the site file,
    ///   the scope names what is not there, guests wait for one another in a circle, some hosts of
    ///   a vSAN cluster are to go down, or one that has no procedure for it.
    public func shutdown(
        _ scope: PlanScope = .wholeCluster, now: ClusterSnapshot, goal: ClusterSnapshot, run: RunID,
        wall: Timestamp
    ) throws(PlanError) -> Plan {
        try proposal(scope, now: now, goal: goal, run: run, wall: wall).plan
    }

    /// The same plan, with what an operator should know before it is carried out: see `warnings`.
    /// - Throws: as `shutdown` does.
    public func proposal(
        _ scope: PlanScope, now: ClusterSnapshot, goal: ClusterSnapshot, run: RunID,
        wall: Timestamp
    ) throws(PlanError) -> (plan: Plan, warnings: [String]) {
        let groups = try groups(of: now.inventory)
        let moment = Moment(now: now, goal: goal, run: run, wall: wall)
        let plan = try plan(scope, groups, moment)
        let warnings =
            partWarnings(scope, groups) + warnings(now, groups, isWhole: plan.kind.isWhole)
            + bootWarnings(plan)
        return (plan, warnings)
    }

    /// Where only some hosts go, the one that vpower runs on stays: nobody else would go on.
    private func partWarnings(_ scope: PlanScope, _ groups: Groups) -> [String] {
        guard case .hosts(let names) = scope, names.count < site.hosts.count,
            let host = groups.controller?.host, names.contains(host)
        else { return [] }
        return [
            "\(host) stays on: vpower itself runs on it. Move the controller to a host that keeps "
                + "its power"
        ]
    }

    private func plan(
        _ scope: PlanScope, _ groups: Groups, _ moment: Moment
    ) throws(PlanError) -> Plan {
        switch scope {
        case .cluster(let dependents):
            return try wholeCluster(groups, moment, dependents: dependents)
        case .tiers(let names):
            return try shed(names, groups)
        case .hosts(let names):
            let hosts = try known(names)
            return hosts.count == site.hosts.count
                ? try wholeCluster(groups, moment, dependents: [])
                : try part(hosts, groups, moment)
        }
    }

    /// What an operator should know of the guests of this cluster before they go down: those that
    /// no tier names, and orders among them that the tiers forbid.
    /// - Throws: also for a vSAN cluster that has no procedure to go down by.
    public func warnings(now: ClusterSnapshot) throws(PlanError) -> [String] {
        if VSANWay(for: now) == .manual { try checkHelper(now.inventory) }
        return warnings(now, try groups(of: now.inventory), isWhole: true)
    }

    private func warnings(
        _ now: ClusterSnapshot, _ groups: Groups, isWhole: Bool
    ) -> [String] {
        let inventory = now.inventory
        let unnamed = groups.unnamed.map(\.name.onOneLine).sorted()
        var warnings: [String] = []
        if !unnamed.isEmpty {
            warnings.append(
                "in no tier, so in \(site.defaultTier): " + unnamed.joined(separator: ", "))
        }
        for choice in rules.unmatched(among: inventory.guests) {
            warnings.append("a rule under `guests` fits no guest: \(choice.summary)")
        }
        for (guest, after) in groups.unmet {
            warnings.append(
                "\(guest.name.onOneLine) is to go down after \(after.name.onOneLine), but that is "
                    + "in a later tier: it goes down before it")
        }
        return warnings + (now.hasVSAN && isWhole ? vsanWarnings(now, groups) : [])
    }
}

/// What a plan is made of, at one moment.
struct Moment {
    var now: ClusterSnapshot
    var goal: ClusterSnapshot
    var run: RunID
    var wall: Timestamp
}

/// Who goes down together, with what holds for each.
struct Groups {
    var vcsa: Guest?
    /// The guest in which vpower runs.
    var controller: Guest?
    var infrastructure: GuestGroup
    /// In the order in which they go down.
    var tiers: [(tier: TierSite, group: GuestGroup)]
    var unnamed: [Guest]

    /// Guests whose rules want an order that the tiers forbid.
    var unmet: [(guest: Guest, after: Guest)] {
        tiers.flatMap(\.group.unmet) + infrastructure.unmet
    }
}

extension Planner {
    /// The guests of an inventory by role, with the rules of the site.
    func groups(of inventory: Inventory) throws(PlanError) -> Groups {
        let roles = try Roles(of: inventory, in: site, by: choices)
        var later = GuestRules.Later()
        let infrastructure = try rules.group(
            roles.infrastructure,
            terms: GuestTerms(throughHostWithin: site.limits.infrastructure), later: later)
        rules.note(roles.infrastructure + (roles.vcsa.map { [$0] } ?? []), in: &later)
        var tiers: [(tier: TierSite, group: GuestGroup)] = []
        for (tier, guests) in roles.tiers.reversed() {
            tiers.append((tier, try rules.group(guests, terms: GuestTerms(tier), later: later)))
            rules.note(guests, in: &later)
        }
        return Groups(
            vcsa: roles.vcsa, controller: roles.controller, infrastructure: infrastructure,
            tiers: tiers.reversed(),
            unnamed: roles.unnamed.compactMap(inventory.guest))
    }

    /// A step, with what past runs tell of it.
    func step(_ action: Action, limit: Duration) -> Step {
        var step = Step(action, limit: limit)
        step.estimate = estimates[step.id].map { min($0, limit) }
        return step
    }

    /// Steps for guests, each needing the steps of the guests it waits for, where they have one.
    func steps(_ parts: [(guest: GuestID, needs: [GuestID], step: Step)]) -> [Step] {
        if parts.allSatisfy({ $0.needs.isEmpty }) { return parts.map { $0.step } }
        let ids = Dictionary(
            parts.map { ($0.guest, $0.step.id) }, uniquingKeysWith: { first, _ in first })
        return parts.map { part in
            var step = part.step
            step.needs = part.needs.compactMap { ids[$0] }
            return step
        }
    }

    /// A phase whose budget is its longest chain of steps that need one another: all else in it
    /// runs side by side.
    func phase(_ name: PhaseName, needs: [PhaseName], _ steps: [Step]) -> Phase {
        var phase = Phase(name: name, needs: needs, budget: .zero, steps: steps)
        phase.budget = phase.longest { $0.limit }
        return phase
    }

    /// The phases that have something to do. Where one needs a phase that has nothing to do, it
    /// needs what that one needed.
    func joined(_ phases: [Phase]) -> [Phase] {
        var present: [Phase] = []
        var names: [PhaseName] = []
        // What those that have nothing to do needed: a phase needs only such as are above it.
        var absent: [(name: PhaseName, needs: [PhaseName])] = []
        for var phase in phases {
            var needs: [PhaseName] = []
            func add(_ need: PhaseName) { if !needs.contains(need) { needs.append(need) } }
            for need in phase.needs {
                if names.contains(need) {
                    add(need)
                } else {
                    absent.first { $0.name == need }?.needs.forEach(add)
                }
            }
            if phase.steps.isEmpty {
                absent.append((phase.name, needs))
            } else {
                names.append(phase.name)
                phase.needs = needs
                present.append(phase)
            }
        }
        return present
    }
}
