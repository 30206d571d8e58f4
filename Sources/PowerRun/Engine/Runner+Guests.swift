import PowerModel

/// The guests of a tier: taken down and brought up together.
extension Runner {
    /// The steps of a phase by how they are carried out.
    struct PhaseSteps {
        var goingDown: [GuestGoingDown] = []
        var comingUp: [GuestComingUp] = []
        var others: [Step] = []
    }

    /// Finds the guests that are watched together among the steps of a phase.
    func sorted(_ steps: [Step]) -> PhaseSteps {
        var sorted = PhaseSteps()
        for step in steps {
            switch step.action {
            case .stopGuest(let id, _, let escalation):
                if let guest = known(id) {
                    let askedBefore = earlier?.hasAsked(step.id) == true
                    sorted.goingDown.append(
                        GuestGoingDown(
                            step, guest, escalation, askedBefore: askedBefore, pace: around.pace,
                            timeEnds: { [step = step.id] in self.end(of: step, limit: $0) }))
                    continue
                }
            case .startGuest(let id, _, let host, let terms):
                if let guest = known(id) {
                    sorted.comingUp.append(
                        GuestComingUp(
                            step, guest, on: host, terms, pace: around.pace,
                            now: around.time.elapsed))
                    continue
                }
            default: break
            }
            sorted.others.append(step)
        }
        return sorted
    }
}
