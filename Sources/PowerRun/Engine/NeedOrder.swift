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
        var places: [ID: Int] = [:]
        places.reserveCapacity(things.count)
        for place in things.indices.reversed() { places[things[place].id] = place }
        dependents = Array(repeating: [], count: things.count)
        var mayGoRound = false
        for place in things.indices {
            // One that is named twice is missing twice, and over twice when it ends.
            for need in things[place].needs {
                guard let need = places[need] else { continue }
                missing[place] += 1
                dependents[need].append(place)
                mayGoRound = mayGoRound || need >= place
            }
        }
        if mayGoRound { dropCircles() }
    }

    private mutating func dropCircles() {
        var trial = self
        var open = ready
        while let next = open.popLast() { open += trial.end(next) }
        for place in missing.indices where trial.missing[place] > 0 { missing[place] = 0 }
    }

    /// How many things there are.
    var count: Int { missing.count }

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
