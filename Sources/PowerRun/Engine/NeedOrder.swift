import PowerModel

/// The order among things of which each begins when those it needs are over: the phases of a plan,
/// the steps of a phase. Speaks of each by its place in the list it was made from.
struct NeedOrder: Sendable {
    /// How many of what each needs are not over.
    private var missing: [Int]
    /// Those that need it; empty where nothing needs anything.
    private var dependents: [[Int]] = []

    /// The order of these. A need that is none of them is over, or of no concern here.
    /// Needs that go round in a circle cannot be met: they are dropped, since nothing may stop a
    /// shutdown that began.
    init<ID: Hashable>(of things: [(id: ID, needs: [ID])]) {
        missing = Array(repeating: 0, count: things.count)
        if things.allSatisfy({ $0.needs.isEmpty }) { return }
        let places = Dictionary(
            things.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        dependents = Array(repeating: [], count: things.count)
        for (place, thing) in things.enumerated() {
            for need in Set(thing.needs.compactMap { places[$0] }) {
                missing[place] += 1
                dependents[need].append(place)
            }
        }
        var trial = self
        var open = ready
        while let next = open.popLast() { open += trial.end(next) }
        for place in missing.indices where trial.missing[place] > 0 { missing[place] = 0 }
    }

    /// Those that need nothing, or nothing any more.
    var ready: [Int] { missing.indices.filter(mayBegin) }

    /// Whether those it needs are over.
    func mayBegin(_ place: Int) -> Bool { missing[place] == 0 }

    /// Takes in that one is over; returns those that may begin now.
    mutating func end(_ place: Int) -> [Int] {
        if dependents.isEmpty { return [] }
        var freed: [Int] = []
        for dependent in dependents[place] where missing[dependent] > 0 {
            missing[dependent] -= 1
            if missing[dependent] == 0 { freed.append(dependent) }
        }
        return freed
    }
}
