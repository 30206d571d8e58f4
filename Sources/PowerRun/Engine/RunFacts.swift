import PowerModel
import Synchronization

/// What one step of a run has learned that others go by.
final class RunFacts: Sendable {
    private let lost: Mutex<Set<HostName>>
    private let clusterIsGone = Mutex(false)

    /// What an earlier try of the run had learned.
    init(_ earlier: RunLedger?) {
        var lost = Set<HostName>()
        for step in earlier?.plan.steps ?? [] {
            if case .awaitHost(let host, _) = step.action,
                case .gaveUp = earlier?.outcomes[step.id]
            {
                lost.insert(host)
            }
        }
        self.lost = Mutex(lost)
    }

    /// Hosts that did not come back within their limit: nothing waits for them any more.
    var lostHosts: Set<HostName> { lost.withLock { $0 } }

    /// Whether a host did not come back within its limit.
    func isLost(_ host: HostName) -> Bool { lost.withLock { $0.contains(host) } }

    /// Whether vCenter was found to be gone: each phase that finds it out again waits for it again.
    var isClusterGone: Bool { clusterIsGone.withLock(\.self) }

    func loseCluster() { clusterIsGone.withLock { $0 = true } }

    func lose(_ host: HostName) { lost.withLock { _ = $0.insert(host) } }
}
