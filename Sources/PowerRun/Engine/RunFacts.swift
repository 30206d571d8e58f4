import PowerModel
import Synchronization

/// What one step of a run has learned that others go by.
final class RunFacts: Sendable {
    private let lost: Mutex<Set<HostName>>
    private let clusterIsGone = Mutex(false)
    private let frozen: Mutex<Bool>
    private let maintenanceRefused: Mutex<Set<HostName>>
    private let vsanPoweredOff: Mutex<Bool>
    private let vsanReady: Mutex<Bool>
    private let told: Mutex<[MachineName: Timestamp]>
    private let sshFound: Mutex<[HostName: Bool]>
    private let stops = Mutex<[String: LateStop]?>(nil)

    /// What an earlier try of the run had learned.
    init(_ earlier: RunLedger?) {
        var lost = Set<HostName>()
        var refused = Set<HostName>()
        for step in earlier?.steps ?? [] {
            if case .awaitHost(let host, _) = step.action,
                case .gaveUp = earlier?.outcome(of: step.id)
            {
                lost.insert(host)
            }
            if case .stopHost(let host, _) = step.action,
                earlier?.outcome(of: .maintenance(of: host)) != nil
            {
                refused.insert(host)
            }
        }
        told = Mutex(earlier?.machinesTold ?? [:])
        self.lost = Mutex(lost)
        frozen = Mutex(earlier?.isFrozen == true)
        sshFound = Mutex(earlier?.sshFound ?? [:])
        maintenanceRefused = Mutex(refused)
        vsanPoweredOff = Mutex(earlier?.hasAsked(.powerOffVSAN) == true)
        if case .done = earlier?.outcome(of: .stopVSAN) {
            vsanReady = Mutex(true)
        } else {
            vsanReady = Mutex(false)
        }
    }

    /// A step of this kind is over.
    func note(_ outcome: StepOutcome, of action: Action) {
        switch (action, outcome) {
        case (.awaitHost(let host, _), .gaveUp): lost.withLock { _ = $0.insert(host) }
        case (.stopVSAN, .done): vsanReady.withLock { $0 = true }
        case (.freeze, .done): frozen.withLock { $0 = true }
        default: break
        }
    }

    /// Whether the automation was seen to be stopped.
    var isFrozen: Bool { frozen.withLock(\.self) }

    /// Whether vCenter was asked to shut the vSAN cluster down: then nobody else does.
    var hasPoweredOffVSAN: Bool { vsanPoweredOff.withLock(\.self) }

    func powerOffVSAN() { vsanPoweredOff.withLock { $0 = true } }

    /// Whether the vSAN cluster is ready for its hosts to go.
    var isVSANReady: Bool { vsanReady.withLock(\.self) }

    /// Hosts that did not come back within their limit: nothing waits for them any more.
    var lostHosts: Set<HostName> { lost.withLock { $0 } }

    /// Whether a host did not come back within its limit.
    func isLost(_ host: HostName) -> Bool { lost.withLock { $0.contains(host) } }

    /// Whether vCenter was found to be gone: each phase that finds it out again waits for it again.
    var isClusterGone: Bool { clusterIsGone.withLock(\.self) }

    /// Whether a host refused maintenance mode: the record of it must stay true.
    func hasRefusedMaintenance(_ host: HostName) -> Bool {
        maintenanceRefused.withLock { $0.contains(host) }
    }

    func refuseMaintenance(_ host: HostName) {
        maintenanceRefused.withLock { _ = $0.insert(host) }
    }

    /// Whether SSH ran on a host before this run changed it; nil where nobody has looked.
    func sshFound(on host: HostName) -> Bool? { sshFound.withLock { $0[host] } }

    func findSSH(on host: HostName, runs: Bool) { sshFound.withLock { $0[host] = runs } }

    /// How guests go down that no plan could foresee, by configuration file; nil while nobody
    /// needed to know.
    var lateStops: [String: LateStop]? { stops.withLock(\.self) }

    func keep(_ lateStops: [String: LateStop]) { stops.withLock { $0 = lateStops } }

    /// When each machine took it that it is to go by itself.
    var machinesTold: [MachineName: Timestamp] { told.withLock { $0 } }

    func tell(_ machine: MachineName, at moment: Timestamp?) {
        told.withLock { $0[machine] = moment }
    }

    func loseCluster() { clusterIsGone.withLock { $0 = true } }
}

extension RunLedger {
    /// When each machine was told that is to go by itself, as far as it took that.
    fileprivate var machinesTold: [MachineName: Timestamp] {
        var told: [MachineName: Timestamp] = [:]
        for step in steps {
            guard case .tellMachine(let machine, _, _) = step.action,
                case .done = outcome(of: step.id)
            else { continue }
            told[machine] = progress[step.id]?.askedLast
        }
        return told
    }
}
