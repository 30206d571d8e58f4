/// When each phase of a plan is expected to run, and whether that fits the battery. Pure.
///
/// A phase starts when those it needs are over; its steps run side by side, each after those it
/// needs. All moments count from the run's beginning.
public struct Schedule: Hashable, Sendable {
    /// One phase in time.
    public struct Entry: Hashable, Sendable {
        /// The phase.
        public let phase: PhaseName
        /// When it is expected to start.
        public let start: Duration
        /// How long it is expected to take.
        public let expected: Duration
        /// The longest it may take.
        public let limit: Duration
        /// The latest moment at which it may start, if everything after it takes as long as
        /// expected; nil where nobody knows the deadline, negative where it is too late already.
        public let latestStart: Duration?

        /// When it is expected to be over.
        public var end: Duration { start + expected }
    }

    /// Its phases, in the plan's order.
    public let entries: [Entry]
    /// How long the run is expected to take.
    public let total: Duration
    /// How long it takes when every phase takes its limit.
    public let worst: Duration
    /// The phases that nothing can be shortened without: each begins when the one before it ends.
    public let criticalPath: [PhaseName]
    /// The tier that costs most: without its guests' shutdown the run would be over earliest. Nil
    /// where no tier makes the run any longer.
    public let costliest: Costliest?
    /// When the battery is expected to end, less the margin; nil when nobody knows.
    public let deadline: Duration?

    /// A tier, and how much earlier the run would be over without it.
    public struct Costliest: Hashable, Sendable {
        /// The tier's phase.
        public let phase: PhaseName
        /// How much earlier.
        public let gain: Duration
    }

    /// The schedule of a plan.
    /// - Parameters:
    ///   - deadline: when the battery is expected to end, less the margin, counted from now.
    ///   - took: how long steps really took, where that is known: then `total` is the least time
    ///     in which the run could be over, which a drill compares with its own.
    public init(_ plan: Plan, deadline: Duration? = nil, taking took: [StepID: Duration] = [:]) {
        let graph = PhaseGraph(plan)
        let expected = plan.phases.map { phase in
            phase.longest { took[$0.id] ?? min($0.estimate ?? $0.limit, $0.limit) }
        }
        let limits = plan.phases.map { phase in max(phase.budget, phase.longest(\.limit)) }
        let starts = graph.starts(expected)
        let rests = graph.rests(expected)
        let total = graph.total(expected)
        entries = plan.phases.indices.map { index in
            Entry(
                phase: plan.phases[index].name, start: starts[index], expected: expected[index],
                limit: limits[index],
                latestStart: deadline.map { $0 - expected[index] - rests[index] })
        }
        self.total = total
        worst = graph.total(limits)
        criticalPath = graph.critical(expected).map { plan.phases[$0].name }
        self.deadline = deadline
        let gains = plan.phases.indices.filter { plan.phases[$0].isTier }.map { index in
            var without = expected
            without[index] = .zero
            return Costliest(phase: plan.phases[index].name, gain: total - graph.total(without))
        }
        // Of two that cost the same, the one that goes first.
        costliest = gains.reduce(nil) { best, one in
            one.gain > (best?.gain ?? .zero) ? one : best
        }
    }

    /// The latest moment at which the run may begin; nil where nobody knows the deadline, negative
    /// where it is too late already.
    public var startNoLaterThan: Duration? { deadline.map { $0 - total } }

    /// Whether the run is expected to be over before the deadline; true where nobody knows it.
    public var fits: Bool { startNoLaterThan.map { $0 >= .zero } ?? true }

    /// Whether it is over before the deadline even when every phase takes its limit.
    public var fitsAtWorst: Bool { deadline.map { $0 >= worst } ?? true }
}

/// A plan's phases as numbers: what comes before what. Phases are in the plan's order, in which
/// each comes after those it needs.
struct PhaseGraph: Sendable {
    /// By phase: the places of those it needs.
    let needs: [[Int]]

    init(_ plan: Plan) {
        var places: [PhaseName: Int] = [:]
        needs = plan.phases.enumerated().map { index, phase in
            defer { places[phase.name] = index }
            // A need that the plan does not have, or has further down, holds nothing up.
            return phase.needs.compactMap { places[$0] }
        }
    }

    /// When each starts if each takes this long.
    func starts(_ durations: [Duration]) -> [Duration] {
        var starts: [Duration] = []
        for index in needs.indices {
            starts.append(needs[index].map { starts[$0] + durations[$0] }.max() ?? .zero)
        }
        return starts
    }

    /// How long what comes after each takes.
    func rests(_ durations: [Duration]) -> [Duration] {
        var rests = [Duration](repeating: .zero, count: needs.count)
        for index in needs.indices.reversed() {
            for need in needs[index] {
                rests[need] = max(rests[need], rests[index] + durations[index])
            }
        }
        return rests
    }

    /// When all are over.
    func total(_ durations: [Duration]) -> Duration {
        zip(starts(durations), durations).map { $0 + $1 }.max() ?? .zero
    }

    /// The phases of the longest chain, first to last.
    func critical(_ durations: [Duration]) -> [Int] {
        let starts = starts(durations)
        func end(_ index: Int) -> Duration { starts[index] + durations[index] }
        func last(of some: some Sequence<Int>) -> Int? {
            some.reduce(nil) { best, one in
                guard let best else { return one }
                return end(one) > end(best) ? one : best
            }
        }
        var path: [Int] = []
        var next = last(of: needs.indices)
        while let index = next {
            path.append(index)
            next = last(of: needs[index])
        }
        return path.reversed()
    }
}

extension Phase {
    /// Whether its steps shut a tier's guests down.
    var isTier: Bool {
        steps.contains { if case .stopGuest = $0.action { true } else { false } }
    }

    /// How long it takes if each step takes this long: they run side by side, each after those it
    /// needs.
    func longest(_ duration: (Step) -> Duration) -> Duration {
        var longest = Duration.zero
        if steps.allSatisfy({ $0.needs.isEmpty }) {
            for step in steps { longest = max(longest, duration(step)) }
            return longest
        }
        var ends: [StepID: Duration] = [:]
        for step in inOrder {
            let end = (step.needs.compactMap { ends[$0] }.max() ?? .zero) + duration(step)
            ends[step.id] = end
            longest = max(longest, end)
        }
        return longest
    }

    /// Its steps, each after those it needs. Steps that need each other come last, as shown.
    private var inOrder: [Step] {
        let places = Dictionary(
            steps.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        var missing = steps.map { step in step.needs.count { places[$0] != nil } }
        var followers: [Int: [Int]] = [:]
        for (index, step) in steps.enumerated() {
            for need in step.needs { places[need].map { followers[$0, default: []].append(index) } }
        }
        var ready = steps.indices.filter { missing[$0] == 0 }
        var next = 0
        while next < ready.count {
            for follower in followers[ready[next]] ?? [] {
                missing[follower] -= 1
                if missing[follower] == 0 { ready.append(follower) }
            }
            next += 1
        }
        let inCircles = steps.indices.filter { missing[$0] > 0 }
        return (ready + inCircles).map { steps[$0] }
    }
}
