/// When the SSH service of a host runs (the key `ssh`).
public enum SSHPolicy: String, CaseIterable, Hashable, Sendable {
    /// All the time: it is nobody's to start or stop.
    case always
    /// While vpower needs it: it is started for a run, and stopped afterwards.
    case run
}

/// The SSH service of a host (TSM-SSH), as its management shows it.
public struct SSHService: Hashable, Sendable {
    /// Its key among a host's services.
    public static let key = "TSM-SSH"

    /// Whether it runs.
    public var runs: Bool
    /// What holds at a boot: `on`, `off` or `automatic` in vim25 (`HostServicePolicy`).
    public var policy: String

    /// A service.
    public init(runs: Bool, policy: String) {
        self.runs = runs
        self.policy = policy
    }
}
