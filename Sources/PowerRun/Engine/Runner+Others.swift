import PowerModel

/// What a run does beside guests and hosts: the site's own commands, and waiting for other clusters.
extension Runner {
    /// A hook run to its end. Its failure is recorded and stops nothing.
    func runHook(_ hook: Hook, _ wait: Wait) async -> StepOutcome? {
        await recordAsk(wait.step.id, wait.step.action.summary)
        var hook = hook
        hook.limit = min(hook.limit, wait.left)
        return switch await around.runHook(hook) {
        case .exited(0): .done(.asked)
        case .exited(let status): .gaveUp("it exited with status \(status)")
        case .timedOut: .gaveUp("it was killed after \(hook.limit.inSeconds) s")
        case .failed(let why): .gaveUp(why)
        }
    }

    /// A cluster that needs this one seen to be down: its own run says so.
    func awaitClusterDown(_ cluster: ClusterName, _ wait: Wait) async -> StepOutcome? {
        var problem = "nothing was seen"
        repeat {
            do {
                let ledger = Ledger(try await around.journal.openOutage(of: cluster))
                if let run = ledger.lastRun, run.plan.kind != .restore, run.result != nil {
                    return .done(.already)
                }
                problem = ledger.lastRun == nil ? "its run has not begun" : "it is still at work"
            } catch {
                problem = "\(error)"
            }
        } while await wait.again()
        return wait.gaveUp(problem)
    }
}
