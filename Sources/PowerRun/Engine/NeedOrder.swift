import PowerModel

/// The order among the steps of one phase: each begins when those it needs are over.
struct StepOrder: Sendable {
    /// How many of a step's needs are not over; only steps that need any.
    private var missing: [StepID: Int] = [:]
    private var dependents: [StepID: [StepID]] = [:]

    /// The order of these steps. A need that is none of them is over, or of no concern here.
    /// Needs that go round in a circle cannot be met: they are dropped, since nothing may stop a
    /// shutdown that began.
    init(of steps: [Step]) {
        if steps.allSatisfy(\.needs.isEmpty) { return }
        let here = Set(steps.map(\.id))
        for step in steps {
            let needs = Set(step.needs).intersection(here)
            if needs.isEmpty { continue }
            missing[step.id] = needs.count
            for need in needs.sorted() { dependents[need, default: []].append(step.id) }
        }
        var trial = self
        var open = steps.map(\.id).filter { missing[$0] == nil }
        while let next = open.popLast() { open += trial.end(next) }
        for circular in trial.missing.keys { missing[circular] = nil }
    }

    /// Whether everything a step needs is over.
    func mayBegin(_ step: StepID) -> Bool { missing.isEmpty || missing[step] == nil }

    /// Takes in that a step is over; returns the steps that may begin now.
    mutating func end(_ step: StepID) -> [StepID] {
        var freed: [StepID] = []
        for dependent in dependents[step] ?? [] {
            guard let count = missing[dependent] else { continue }
            missing[dependent] = count > 1 ? count - 1 : nil
            if count == 1 { freed.append(dependent) }
        }
        return freed
    }
}
