/// How long steps are expected to take, from what they took before.
public struct Estimates: Hashable, Codable, Sendable {
    /// By step: a step has the same identity in every plan that does the same.
    public var bySteps: [StepID: Duration]

    /// As many of the newest samples of a step are looked at: a guest that was given more memory
    /// last year is not what it was before.
    public static let samplesMax = 20
    /// Nine times of ten a step took no longer than this says (nearest rank).
    public static let quantilePercent = 90
    /// A step is seen to be over up to this much after its limit: looks have an interval.
    public static let lateMax: Duration = .seconds(10)

    /// Estimates; none by default.
    public init(bySteps: [StepID: Duration] = [:]) { self.bySteps = bySteps }

    /// What past runs tell, newest first.
    ///
    /// A step that was asked and did it counts with the time between. One that was forced or gave
    /// up counts with its limit, however early that was cut short: or an outage with little
    /// runtime would teach the next one to allow still less. What was already so, or was left,
    /// tells nothing; neither does a time that is negative or longer than the limit: the wall
    /// clock was set, or vpower was not there to see the end.
    public init(from runs: some Sequence<RunLedger>) {
        var samples: [StepID: [Duration]] = [:]
        for run in runs {
            for step in run.plan.steps where samples[step.id, default: []].count < Self.samplesMax {
                if let took = run.timeTaken(by: step) { samples[step.id, default: []].append(took) }
            }
        }
        bySteps = samples.mapValues { durations in
            let rank = (Self.quantilePercent * durations.count + 99) / 100
            return durations.sorted()[rank - 1]
        }
    }

    /// How long a step is expected to take; nil where no past run tells.
    public subscript(step: StepID) -> Duration? { bySteps[step] }
}

extension RunLedger {
    /// How long a step took as a sample for estimates; nil where this run does not tell.
    fileprivate func timeTaken(by step: Step) -> Duration? {
        let progress = progress[step.id]
        switch progress?.outcome {
        case .done(.forced), .done(.suspended), .gaveUp: return step.limit
        case .done(.already), .left, nil: return nil
        case .done(.asked):
            guard let asked = progress?.asked, let ended = progress?.ended else {
                return nil
            }
            let took = ended - asked
            guard took >= .zero, took <= step.limit + Estimates.lateMax else { return nil }
            return min(took, step.limit)
        }
    }
}
