/// How long each phase of a plan that takes something down may take, so that hosts are down before
/// the battery ends. Pure: milliseconds, the same for the same input.
///
/// When time runs short, budgets shrink in this order, and grow back in the reverse one, never
/// above the plan's:
///
/// 1. what the tiers have beyond what they are expected to take: all together, in proportion;
/// 2. the same of freeze, SSH, HA's agents, vCLS retreat, arming and hooks; of infrastructure; of
///    vCSA; of the hosts;
/// 3. then tiers get less than they are expected to take: the tier that goes first gives first, the
///    last tier (databases) keeps its time longest; each keeps `floor`;
/// 4. then freeze, SSH, HA's agents, retreat, arming and hooks; then infrastructure; then vCSA:
///    each keeps `floor`.
///
/// Hosts and machines never get less than they are expected to take.
public struct Budgets: Sendable {
    /// A moment of the run at which budgets are asked for.
    public struct Progress: Hashable, Sendable {
        /// When each phase that has begun did so, in the run's monotonic time.
        public var started: [PhaseName: Duration]
        /// The phases that are over.
        public var ended: Set<PhaseName>
        /// The present moment.
        public var now: Duration

        /// Progress; by default nothing has begun.
        public init(
            started: [PhaseName: Duration] = [:], ended: Set<PhaseName> = [], now: Duration = .zero
        ) {
            self.started = started
            self.ended = ended
            self.now = now
        }
    }

    /// A budget that is to be another one.
    public struct Change: Hashable, Sendable {
        /// The phase.
        public let phase: PhaseName
        /// Its budget until now.
        public let from: Duration
        /// Its budget from now on.
        public let to: Duration
    }

    /// What is left to a phase that gets less than it is expected to take.
    public static let floor: Duration = .seconds(10)
    /// Where no past run tells, a step is taken to need this part of its limit: limits are set for
    /// the worst, and who reserves the worst for hosts leaves nothing to guests.
    public static let usualPart = 3
    /// A budget that would shrink by less than this stays: not worth a record.
    public static let shrinksBy: Duration = .seconds(5)
    /// A budget that would grow by less than this stays, unless it would be the plan's again.
    public static let growsBy: Duration = .seconds(15)

    private let names: [PhaseName]
    private let graph: PhaseGraph
    private let demands: [Demand]

    /// The budgets of a plan.
    public init(of plan: Plan) {
        names = plan.phases.map(\.name)
        graph = PhaseGraph(plan)
        demands = plan.phases.map(Demand.init)
    }

    /// What each phase that is not over may take so that all are over by the deadline, as far as
    /// the floors allow. For plans as the planner makes them, more time never makes a budget less.
    public func allotted(_ progress: Progress, deadline: Duration) -> [PhaseName: Duration] {
        var sheet = Sheet(
            graph: graph, left: max(.zero, deadline - progress.now),
            elapsed: names.map { name in
                if progress.ended.contains(name) { return nil }
                return progress.started[name].map { max(.zero, progress.now - $0) } ?? .zero
            }, budgets: demands.map(\.floor))
        // The reverse of the order in which they shrink.
        let tiers = places(of: .tier)
        let others = Demand.Rank.allCases.filter { $0 != .tier }.flatMap(places)
        for index in others + tiers.reversed() { sheet.grow(index, to: demands[index].expected) }
        for index in others { sheet.grow(index, to: demands[index].limit) }
        sheet.growTogether(tiers, to: demands.map(\.limit))
        return sheet.open(names)
    }

    private func places(of rank: Demand.Rank) -> [Int] {
        demands.indices.filter { demands[$0].rank == rank }
    }

    /// The budgets worth changing, in the plan's order: what is allotted, compared with what holds.
    /// - Parameters:
    ///   - budgets: those that are not the plan's now.
    ///   - deadline: nil where nobody knows it: then budgets are the plan's.
    public func changes(
        from budgets: [PhaseName: Duration], _ progress: Progress, deadline: Duration?
    ) -> [Change] {
        let wanted = deadline.map { allotted(progress, deadline: $0) }
        return names.indices.compactMap { index in
            if progress.ended.contains(names[index]) { return nil }
            let to = wanted?[names[index]] ?? demands[index].limit
            let from = budgets[names[index]] ?? demands[index].limit
            let isWorthIt =
                to < from
                ? from - to >= Self.shrinksBy
                : to - from >= Self.growsBy || (to > from && to == demands[index].limit)
            return isWorthIt ? Change(phase: names[index], from: from, to: to) : nil
        }
    }
}

/// What one phase wants of the battery.
private struct Demand: Hashable, Sendable {
    /// Who gives last comes first.
    enum Rank: CaseIterable {
        case hosts, vcsa, infrastructure, waits, tier
    }

    let rank: Rank
    let floor: Duration
    let expected: Duration
    let limit: Duration

    init(_ phase: Phase) {
        rank = Rank(phase)
        limit = phase.budget.wholeMilliseconds
        let usual = phase.longest { step in
            min(step.estimate ?? step.limit / Budgets.usualPart, step.limit)
        }
        expected = min(usual.wholeMilliseconds, limit)
        floor = rank == .hosts ? expected : min(Budgets.floor, expected)
    }
}

extension Demand.Rank {
    init(_ phase: Phase) {
        if phase.isTier {
            self = .tier
        } else if phase.name == .vcsa {
            self = .vcsa
        } else if phase.name == .infrastructure {
            self = .infrastructure
        } else if phase.steps.contains(where: \.action.stopsMachinery) {
            self = .hosts
        } else {
            self = .waits
        }
    }
}

extension Action {
    /// Whether it shuts a host or a machine down, or must come before that.
    fileprivate var stopsMachinery: Bool {
        switch self {
        case .stopVSAN, .stopHost, .leaveHost, .stopMachine, .tellMachine: true
        default: false
        }
    }
}

extension Duration {
    fileprivate var wholeMilliseconds: Duration { .milliseconds(milliseconds) }
}

/// Budgets while they are handed out: each grows as far as all are still over in time.
private struct Sheet {
    let graph: PhaseGraph
    /// What is left until the deadline.
    let left: Duration
    /// By phase: for how long it has been going on; nil when it is over.
    let elapsed: [Duration?]
    var budgets: [Duration]

    /// How long each phase still takes.
    private var remaining: [Duration] {
        zip(elapsed, budgets).map { elapsed, budget in
            elapsed.map { max(.zero, budget - $0) } ?? .zero
        }
    }

    /// Grows one budget as far as the time allows, no further than this.
    mutating func grow(_ index: Int, to most: Duration) {
        guard let elapsed = elapsed[index], most > budgets[index] else { return }
        let remaining = remaining
        let others = graph.starts(remaining)[index] + graph.rests(remaining)[index]
        budgets[index] = max(budgets[index], min(most, left - others + elapsed))
    }

    /// Grows some budgets by the same share of what each may still grow.
    mutating func growTogether(_ indices: [Int], to most: [Duration]) {
        let base = budgets
        // 65,536 shares: finer than milliseconds for anything that fits a battery.
        let shares = 1 << 16
        func share(_ count: Int) -> [Duration] {
            var grown = base
            for index in indices {
                let room = max(0, (most[index] - base[index]).milliseconds)
                grown[index] += .milliseconds(room * Int64(count) / Int64(shares))
            }
            return grown
        }
        func fits(_ count: Int) -> Bool {
            var tried = self
            tried.budgets = share(count)
            return graph.total(tried.remaining) <= left
        }
        var low = 0
        var high = shares
        if fits(high) { low = high }
        while high - low > 1 {
            let middle = (low + high) / 2
            if fits(middle) { low = middle } else { high = middle }
        }
        budgets = share(low)
    }

    /// The budgets of the phases that are not over.
    func open(_ names: [PhaseName]) -> [PhaseName: Duration] {
        var open: [PhaseName: Duration] = [:]
        for (index, name) in names.enumerated() where elapsed[index] != nil {
            open[name] = budgets[index]
        }
        return open
    }
}
