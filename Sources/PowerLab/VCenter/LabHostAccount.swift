public import PowerRun
import Synchronization

/// The one account of a simulated host, which SSH and SOAP log in to, or of the lab's vCenter, with
/// SOAP, VI JSON and REST: five refused logins lock it for all of them (facts/vsphere.md 2.1).
public final class LabHostAccount: Sendable {
    /// How many refused logins lock it.
    public static let refusalsMax = 5
    /// For how long.
    public static let lockedFor: Duration = .seconds(900)

    private struct State {
        var refusals = 0
        var lockedAt: Duration?
    }

    let user: String
    private let password: String
    private let time: any TimeSource
    private let state = Mutex(State())

    /// An account that is not locked.
    public init(user: String, password: String, time: any TimeSource) {
        self.user = user
        self.password = password
        self.time = time
    }

    /// Locks it as refused logins do, or unlocks it as an administrator does.
    public func setLocked(_ isLocked: Bool) {
        let now = time.elapsed
        state.withLock { $0 = State(refusals: 0, lockedAt: isLocked ? now : nil) }
    }

    /// Refused logins since the last one that was accepted.
    public var refusals: Int { state.withLock { $0.refusals } }

    /// Whether nobody can log in, with the right password either.
    public var isLocked: Bool {
        let now = time.elapsed
        return state.withLock { state in
            guard let since = state.lockedAt else { return false }
            if now - since < Self.lockedFor { return true }
            state = State()
            return false
        }
    }

    /// Whether a login with this password is accepted.
    public func accepts(user: String, password: String) -> Bool {
        if isLocked { return false }
        guard user == self.user, password == self.password else {
            noteRefusal()
            return false
        }
        state.withLock { $0.refusals = 0 }
        return true
    }

    /// A login was refused, over whichever way.
    public func noteRefusal() {
        let now = time.elapsed
        state.withLock { state in
            state.refusals += 1
            if state.refusals >= Self.refusalsMax, state.lockedAt == nil { state.lockedAt = now }
        }
    }
}
