import PowerModel

/// What a run does beside guests and hosts: the site's own commands, waiting for other clusters.
extension Runner {
    /// A hook run to its end. Its failure is recorded and stops nothing.
    func runHook(
        _ hook: Hook, _ tier: TierName, _ moment: HookMoment, _ wait: Wait
    ) async -> StepOutcome? {
        await recordAsk(wait.step.id, wait.step.action.summary)
        var hook = hook
        hook.limit = min(hook.limit, wait.left)
        let context = HookContext(
            cluster: around.site.name, tier: tier, moment: moment, run: run)
        return switch await around.runHook(hook, context) {
        case .exited(0): .done(.asked)
        case .exited(let status): .gaveUp("it exited with status \(status)")
        case .timedOut: .gaveUp("it was killed after \(hook.limit.inSeconds) s")
        case .failed(let why): .gaveUp(why)
        }
    }

    /// A cluster that needs this one seen to be down: its own run says so. Both runs come of the
    /// same decision, but the other's may begin a little later than this one.
    func awaitClusterDown(_ cluster: ClusterName, _ wait: Wait) async -> StepOutcome? {
        var problem = "nothing was seen"
        var wasSeen = false
        repeat {
            do {
                let mine = try await around.ledger()
                let began = mine.runs.first { $0.id == run }?.firstRecord ?? .max
                let other = try await around.ledger(of: cluster)
                switch other.progress(since: began) {
                case .down(let gaps):
                    for gap in gaps {
                        await record(.noted("\(cluster): \(gap.step) gave up: \(gap.why)"))
                    }
                    return .done(.already)
                case .comingBack: return Self.leftAlone(cluster)
                // Its outage is over: it was reversed and is back.
                case .notBegun where wasSeen: return Self.leftAlone(cluster)
                case .notBegun: problem = "its run has not begun"
                case .atWork:
                    wasSeen = true
                    problem = "it is still at work"
                case .interrupted:
                    wasSeen = true
                    problem = "its run was interrupted; `vpower resume` continues it"
                }
            } catch {
                problem = "\(error)"
            }
        } while await wait.again()
        return wait.gaveUp(problem)
    }

    /// The other cluster has its mains back while this one goes on without: its vCenter dies with
    /// the battery in any case, so it goes down in order.
    private static func leftAlone(_ cluster: ClusterName) -> StepOutcome {
        .left("\(cluster) was brought back: it stays on without what it needs from here")
    }
}

/// How far another cluster's way down has come.
enum ClusterProgress {
    case notBegun, atWork, interrupted, comingBack
    case down(gaps: [(step: StepID, why: String)])
}

extension Ledger {
    /// How far this cluster's way down has come, for a run that began with the record `began`. What
    /// ended before that is another story, unless the cluster has been down since.
    func progress(since began: Int64) -> ClusterProgress {
        guard
            let last = runs.last(where: { $0.plan.kind != .shed && $0.plan.kind != .hosts })
        else { return .notBegun }
        let isNews = last.lastRecord > began
        switch (last.plan.kind, last.result) {
        case (.restore, _): return isNews ? .comingBack : .notBegun
        case (_, .finished), (_, .finishedWithGaps): return .down(gaps: last.gaps)
        case (_, .reversed): return isNews ? .comingBack : .notBegun
        case (_, .interrupted): return .interrupted
        case (_, nil): return .atWork
        }
    }
}
