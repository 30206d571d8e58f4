/// What a host's boot script shall do at its next boot.
public struct BootOrders: Hashable, Codable, Sendable {
    /// The host.
    public var host: HostName
    /// Whether it acts at the next boot. One that does not is kept for what it does at every boot.
    public var isArmed = true
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
    /// Whether vCSA is anywhere at all: every host waits for it before its other guests.
    public var waitsForVCSA: Bool
    /// Where vCSA answers once it is up: addresses, since DNS may be a guest. Empty where nobody
    /// knows them.
    public var vcenter: [Endpoint] = []
    /// The other guests of the snapshot, tier by tier, in the order in which they come up.
    public var tiers: [[BootGuest]]
    /// Before the first guest, when all that it needs is there.
    public var settle: Duration = .zero
    /// Between two guests.
    public var startGap: Duration
    /// Between vCSA (or where it would have been) and the other guests, at most; exactly that where
    /// the host cannot look whether vCSA answers.
    public var afterVCSA: Duration
    /// What is started, where it is registered on this host, at a boot for which it is not armed:
    /// of all hosts, since nobody knows where it is by then.
    public var standing: [BootGuest] = []
    /// What is brought back at every boot, armed or not.
    public var extras: [BootExtra] = []

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

    /// Reads orders; those of an earlier release do not say all.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            host: try values.decode(HostName.self, forKey: .host),
            run: try values.decode(RunID.self, forKey: .run),
            armed: try values.decode(Timestamp.self, forKey: .armed),
            expires: try values.decode(Timestamp.self, forKey: .expires),
            leaveMaintenance: try values.decode(Bool.self, forKey: .leaveMaintenance),
            infrastructure: try values.decode([BootGuest].self, forKey: .infrastructure),
            vcsa: try values.decodeIfPresent(BootGuest.self, forKey: .vcsa),
            waitsForVCSA: try values.decode(Bool.self, forKey: .waitsForVCSA),
            tiers: try values.decode([[BootGuest]].self, forKey: .tiers),
            startGap: try values.decode(Duration.self, forKey: .startGap),
            afterVCSA: try values.decode(Duration.self, forKey: .afterVCSA))
        isArmed = try values.decodeIfPresent(Bool.self, forKey: .isArmed) ?? true
        vcenter = try values.decodeIfPresent([Endpoint].self, forKey: .vcenter) ?? []
        settle = try values.decodeIfPresent(Duration.self, forKey: .settle) ?? .zero
        standing = try values.decodeIfPresent([BootGuest].self, forKey: .standing) ?? []
        extras = try values.decodeIfPresent([BootExtra].self, forKey: .extras) ?? []
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
    /// How long after it was started the script waits before it starts the next.
    public var thenWait: Duration

    /// A guest.
    public init(name: String, vmxPath: String, thenWait: Duration = .zero) {
        self.name = name
        self.vmxPath = vmxPath
        self.thenWait = thenWait
    }
}

/// What a host's boot script starts at a boot that nobody announced.
public enum UnarmedBoot: String, CaseIterable, Hashable, Codable, Sendable {
    /// Nothing: only an armed script acts.
    case nothing
    /// Infrastructure guests and vCSA, each where it is registered.
    case infrastructureAndVCSA = "infrastructure+vcsa"
}

/// A line or a file of the administrator's own that a boot script brings back at every boot:
/// ESXi forgets most of what is not in its image.
public struct BootExtra: Hashable, Codable, Sendable {
    /// What is brought back.
    public enum Work: Hashable, Codable, Sendable {
        /// A command line for the host's shell, as it is written.
        case line(String)
        /// A text file. The host has no base64, so other files cannot be carried.
        case file(path: String, content: String)
    }

    /// What is brought back.
    public var work: Work
    /// How long a line may take; then it is killed.
    public var limit: Duration

    /// Long enough for esxcli, whose first call after a boot takes several seconds.
    public static let limitDefault: Duration = .seconds(60)
    /// The most that all lines and files of one host may hold together: local.sh is kept in memory
    /// and in a boot bank of some hundred MB, with everything else of the host.
    public static let sizeLimitBytes = 16_384

    /// A line or a file.
    public init(_ work: Work, limit: Duration = BootExtra.limitDefault) {
        self.work = work
        self.limit = limit
    }

    /// What of it counts for the limit.
    public var sizeBytes: Int {
        switch work {
        case .line(let line): line.utf8.count
        case .file(let path, let content): path.utf8.count + content.utf8.count
        }
    }
}

/// What a boot script says of its work.
public enum BootReport: Hashable, Codable, Sendable {
    /// No script of this run has reported: not booted since, or not armed.
    case none
    /// It is at work.
    case running
    /// It has done what it could; the guests that would not start, each with why.
    case done(failed: [String])
    /// It was past its expiry and did nothing.
    case expired
    /// It was called off while it was at work: another shutdown, or somebody took it out.
    case calledOff
}

/// What a host holds of a boot script, and what the one that ran at its last boot says.
public struct BootScriptState: Hashable, Codable, Sendable {
    /// What stands in local.sh.
    public enum Installed: Hashable, Codable, Sendable {
        /// No boot script.
        case none
        /// One that acts at the next boot until it expires.
        case armed(RunID, until: Timestamp)
        /// One that does only what it does at every boot.
        case unarmed
    }

    /// What one boot's script says.
    public struct LastBoot: Hashable, Codable, Sendable {
        /// How far it is.
        public enum Progress: String, Hashable, Codable, Sendable {
            /// At work.
            case running
            /// It has done what it could.
            case done
            /// It was called off.
            case calledOff
        }
        /// As what it ran.
        public enum Mode: String, Hashable, Codable, Sendable {
            /// Armed: it starts what was on.
            case armed
            /// It was armed, but too long ago.
            case expired
            /// Nobody had armed it.
            case unarmed
        }

        /// The run that it was written for.
        public var run: RunID
        /// As what it ran.
        public var mode: Mode
        /// How far it is.
        public var progress: Progress
        /// How many guests it has seen on.
        public var started: Int
        /// How many it is to start, where it is armed.
        public var of: Int
        /// The guests that would not start, each with why.
        public var failed: [String]

        /// A report.
        public init(
            run: RunID, mode: Mode, progress: Progress, started: Int, of: Int, failed: [String]
        ) {
            self.run = run
            self.mode = mode
            self.progress = progress
            self.started = started
            self.of = of
            self.failed = failed
        }
    }

    /// What stands in local.sh.
    public var installed: Installed
    /// What ran at the host's last boot; nil where none did.
    public var lastBoot: LastBoot?

    /// A state.
    public init(installed: Installed, lastBoot: LastBoot?) {
        self.installed = installed
        self.lastBoot = lastBoot
    }
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
