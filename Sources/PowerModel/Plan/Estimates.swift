/// How long steps are expected to take, from what they took before.
public struct Estimates: Hashable, Codable, Sendable {
    /// By step: a step has the same identity in every plan that does the same.
    public var bySteps: [StepID: Duration]

    /// Estimates; none by default.
    public init(bySteps: [StepID: Duration] = [:]) { self.bySteps = bySteps }

    /// How long a step is expected to take; nil where no past run tells.
    public subscript(step: StepID) -> Duration? { bySteps[step] }
}
