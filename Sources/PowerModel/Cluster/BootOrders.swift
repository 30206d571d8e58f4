/// What a host's boot script shall do at its next boot.
public struct BootOrders: Hashable, Codable, Sendable {
    /// The host.
    public var host: HostName
    /// The run that armed it: reports are matched by it.
    public var run: RunID
    /// When it was armed: a clock that shows less is wrong, and then nothing has expired.
    public var armed: Timestamp
    /// After this moment the script does nothing.
    public var expires: Timestamp
    /// Whether vpower put the host in maintenance mode, so that the script leaves it.
    public var leaveMaintenance: Bool
    /// Guests of the infrastructure tier that are registered here, in order.
    public var infrastructure: [BootGuest]
    /// vCSA, if it is registered here.
    public var vcsa: BootGuest?
    /// Whether vCSA is anywhere at all: every host waits `afterVCSA` before its other guests.
    public var waitsForVCSA: Bool
    /// The other guests of the snapshot, tier by tier, in the order in which they come up.
    public var tiers: [[BootGuest]]
    /// Between two guests.
    public var startGap: Duration
    /// Between vCSA (or where it would have been) and the other guests.
    public var afterVCSA: Duration

    /// Orders.
    public init(
        host: HostName, run: RunID, armed: Timestamp, expires: Timestamp, leaveMaintenance: Bool,
        infrastructure: [BootGuest], vcsa: BootGuest?, waitsForVCSA: Bool, tiers: [[BootGuest]],
        startGap: Duration, afterVCSA: Duration
    ) {
        self.host = host
        self.run = run
        self.armed = armed
        self.expires = expires
        self.leaveMaintenance = leaveMaintenance
        self.infrastructure = infrastructure
        self.vcsa = vcsa
        self.waitsForVCSA = waitsForVCSA
        self.tiers = tiers
        self.startGap = startGap
        self.afterVCSA = afterVCSA
    }

    /// Every guest the script starts, in its order.
    public var guests: [BootGuest] {
        infrastructure + (vcsa.map { [$0] } ?? []) + tiers.flatMap(\.self)
    }
}

/// A guest that a boot script starts: known to its host by its configuration file.
public struct BootGuest: Hashable, Codable, Sendable {
    /// Its name, for the log only.
    public var name: String
    /// Its configuration file, e.g. `[datastore1] web/web.vmx`.
    public var vmxPath: String
    /// How long the next guests wait after this one was started.
    public var thenWait: Duration

    /// A guest.
    public init(name: String, vmxPath: String, thenWait: Duration = .zero) {
        self.name = name
        self.vmxPath = vmxPath
        self.thenWait = thenWait
    }
}

/// What a boot script says of its work.
public enum BootReport: Hashable, Codable, Sendable {
    /// No script of this run has reported: not booted since, or not armed.
    case none
    /// It is at work.
    case running
    /// It has done what it could; the guests that would not start, by name.
    case done(failed: [String])
    /// It was past its expiry and did nothing.
    case expired
}

/// One guest as its host lists it.
public struct HostGuest: Hashable, Codable, Sendable {
    /// Its name.
    public var name: String
    /// Its configuration file.
    public var vmxPath: String
    /// Whether it is on.
    public var power: GuestPower

    /// A guest.
    public init(name: String, vmxPath: String, power: GuestPower) {
        self.name = name
        self.vmxPath = vmxPath
        self.power = power
    }
}

/// What installing a boot script showed.
public struct BootScriptInstall: Hashable, Codable, Sendable {
    /// SHA-256 of the whole local.sh as read back, 64 hexadecimal digits.
    public var sha256: String
    /// What auto-backup.sh printed of differences: drift that was there to be saved.
    public var drift: [String]
    /// Whether the file was already as wanted and nothing was written.
    public var unchanged: Bool

    /// The outcome of an installation.
    public init(sha256: String, drift: [String], unchanged: Bool) {
        self.sha256 = sha256
        self.drift = drift
        self.unchanged = unchanged
    }
}
