public import PowerModel

/// What a simulated host's commands ask of the site behind it.
public protocol LabHostBackend: Sendable {
    /// The guests registered on a host.
    func guests(on host: String) async -> [LabHostGuest]
    /// Acts on one guest. Returns when the host's shell would: after a start or a stop, and at
    /// once for a shutdown that the guest then takes its time for.
    func power(_ verb: LabPowerVerb, vmid: Int, on host: String) async -> LabPowerAnswer
    /// Registers the guest of this configuration file (`[datastore] folder/file.vmx`) on a host.
    func register(_ vmxPath: String, on host: String) async -> LabRegisterAnswer
    /// Answers the question that a guest waits with; false where it asks none, or the choice is
    /// none of the question's.
    func answer(vmid: Int, on host: String, question: String, choice: String) async -> Bool
    /// Whether hostd answers by now.
    func hostdReady(_ host: String) async -> Bool
    /// Whether the host is in maintenance mode.
    func inMaintenance(_ host: String) async -> Bool
    /// Enters or leaves maintenance mode; entering waits until no guest runs, at most
    /// `limitSeconds` (0: as long as it takes, but still bounded by the lab). False when it did
    /// not come to it.
    func setMaintenance(_ host: String, on: Bool, limitSeconds: Int) async -> Bool
    /// Whether HA's agent runs on a host.
    func runsHAAgent(_ host: String) async -> Bool
    /// HA's agent is stopped on a host, or started, where HA is configured.
    func setHAAgent(_ host: String, runs: Bool) async
    /// Whether a host keeps its list of a vSAN cluster's members.
    func keepsVSANMembers(_ host: String) async -> Bool
    /// It keeps that list from now on, or does not.
    func keepVSANMembers(_ host: String, _ on: Bool) async
    /// The host prepares its vSAN cluster, or recovers it; what it says where it does not.
    func helpVSAN(_ host: String, _ verb: LabVSANVerb) async -> String?
    /// What the host sees of its vSAN cluster; nil where it is in none.
    func vsanMembership(_ host: String) async -> VSANMembership?
    /// The volumes a host sees, mounted or not.
    func datastores(on host: String) async -> [LabHostDatastore]
    /// The host looks for storage anew.
    func rescanStorage(_ host: String) async
    /// The host was told, by its shell, to power itself off. When this returns, the host's files
    /// are saved and all its processes end.
    func powerOffHost(_ host: String) async
    /// auto-backup.sh has saved the host's files: what local.sh now holds of a boot script.
    func bootScriptSaved(_ host: String, _ saved: LabBootScript) async
}

/// A verb of `vim-cmd vmsvc/power.*`.
public enum LabPowerVerb: String, Hashable, Sendable {
    /// The guest's Tools are asked to shut it down.
    case shutdown
    /// The power is cut.
    case off
    /// It is started, or resumed.
    case on
    /// Its memory is written to disk.
    case suspend
}

/// A verb of vSAN's `reboot_helper.py`.
public enum LabVSANVerb: String, Hashable, Sendable {
    /// Before all hosts go.
    case prepare
    /// When all hosts are back.
    case recover
}

/// What came of registering a guest.
public enum LabRegisterAnswer: Hashable, Sendable {
    /// Done: its id on that host.
    case done(vmid: Int)
    /// There is no such file.
    case notFound
    /// A guest of this id has the file already.
    case alreadyExists(vmid: Int)
    /// The host could not, for this reason.
    case failed(String)
}

/// What came of a power verb.
public enum LabPowerAnswer: Hashable, Sendable {
    /// Done, or asked for.
    case done
    /// It is in a state that does not allow it.
    case wrongState(existing: LabGuestPower)
    /// Its Tools do not run.
    case toolsUnavailable
    /// No such id on this host.
    case notFound
    /// The host could not, for this reason.
    case failed(String)
    /// A question is pending (moved or copied?): the command blocks.
    case question
}

/// Whether a guest is on.
public enum LabGuestPower: String, Hashable, Sendable {
    /// Running.
    case on
    /// Off.
    case off
    /// Suspended.
    case suspended
}

/// A guest as its host knows it.
public struct LabHostGuest: Hashable, Sendable {
    /// Its id on this host.
    public var vmid: Int
    /// Its name: any text.
    public var name: String
    /// Its configuration file, e.g. `[datastore1] web/web.vmx`.
    public var vmxPath: String
    /// The guest system's API id, e.g. `ubuntu64Guest`.
    public var guestOS: String
    /// Its hardware version, e.g. `vmx-19`.
    public var hardwareVersion: String
    /// Its notes: any text, with line breaks.
    public var annotation: String
    /// Whether it is on.
    public var power: LabGuestPower
    /// Whether its Tools run.
    public var toolsRunning: Bool
    /// Its configuration file cannot be read (its datastore is late): it is not listed.
    public var invalid: Bool
    /// Whether it waits for the answer to a question.
    public var hasQuestion: Bool
    /// Whether its process stays when it is off, as with storage that does not answer.
    public var processStays: Bool

    /// A guest.
    public init(
        vmid: Int, name: String, vmxPath: String, guestOS: String = "ubuntu64Guest",
        hardwareVersion: String = "vmx-19", annotation: String = "", power: LabGuestPower = .off,
        toolsRunning: Bool = true, invalid: Bool = false, hasQuestion: Bool = false,
        processStays: Bool = false
    ) {
        self.vmid = vmid
        self.name = name
        self.vmxPath = vmxPath
        self.guestOS = guestOS
        self.hardwareVersion = hardwareVersion
        self.annotation = annotation
        self.power = power
        self.toolsRunning = toolsRunning
        self.invalid = invalid
        self.hasQuestion = hasQuestion
        self.processStays = processStays
    }
}

/// A volume as a host sees it.
public struct LabHostDatastore: Hashable, Sendable {
    /// Its name; may hold blanks, may be empty.
    public var name: String
    /// Its UUID.
    public var uuid: String
    /// Whether it is mounted.
    public var mounted: Bool
    /// Its type, e.g. `VMFS-6`.
    public var type: String
    /// Whether what is on it can be reached.
    public var accessible: Bool
    /// Where it comes from, for NFS.
    public var share: Share?

    /// What an NFS server shares.
    public struct Share: Hashable, Sendable {
        /// The server's address.
        public var server: String
        /// The path there.
        public var path: String

        /// A share.
        public init(server: String, path: String) {
            self.server = server
            self.path = path
        }
    }

    /// A volume.
    public init(
        name: String, uuid: String, mounted: Bool = true, type: String = "VMFS-6",
        accessible: Bool = true, share: Share? = nil
    ) {
        self.name = name
        self.uuid = uuid
        self.mounted = mounted
        self.type = type
        self.accessible = accessible
        self.share = share
    }
}

/// What differs between the releases a simulated host can be.
public struct LabHostOptions: Hashable, Sendable {
    /// How a failed power verb is printed (facts/esxi.md 1.3).
    public enum FailureText: String, Hashable, Sendable, CaseIterable {
        /// Up to 5.x: the fault's dump on lines of its own.
        case dump
        /// 6.0 to 7.x: `Power on failed`, and nothing of the reason.
        case bare
        /// 8.0.2 and newer: `Power on failed: ` and the dump.
        case sameLine
    }

    /// How failures are printed.
    public var failureText: FailureText
    /// With which exit status: unknown for real hosts, so 0 and 1 must both be understood.
    public var failureStatus: Int32
    /// Whether UEFI Secure Boot is on: local.sh is then not run at boot.
    public var secureBoot: Bool
    /// What `esxcli system version get` says.
    public var version: String
    /// What it says of the build.
    public var build: String
    /// What its sshd accepts.
    public var sshProfile: LabSSHProfile
    /// Whether its esxcli offers `--formatter=json`.
    public var esxcliHasJSON: Bool = true
    /// Whether it has `secureBoot.py`, as from 6.5 on.
    public var hasSecureBootScript: Bool = true
    /// Whether esxcli shows the encryption settings, as from 7.0U2 on.
    public var hasEncryptionSettings: Bool = true
    /// Whether those require Secure Boot.
    public var requiresSecureBoot: Bool = false
    /// The guests that autostart starts, by id; it is on where there are any.
    public var autostartIDs: [Int] = []
    /// Public keys that may log in besides the host's own `userKeyPath`, as lines of
    /// authorized_keys.
    public var authorizedKeys: [String]

    /// Options; an ESXi 8.0.2 without Secure Boot when nothing is said.
    public init(
        failureText: FailureText = .sameLine, failureStatus: Int32 = 1, secureBoot: Bool = false,
        version: String = "8.0.2", build: String = "Releasebuild-22380479",
        sshProfile: LabSSHProfile = .v802, authorizedKeys: [String] = []
    ) {
        self.failureText = failureText
        self.failureStatus = failureStatus
        self.secureBoot = secureBoot
        self.version = version
        self.build = build
        self.sshProfile = sshProfile
        self.authorizedKeys = authorizedKeys
    }
}
