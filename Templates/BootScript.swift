/// A guest that a boot script starts.
public struct BootScriptGuest: Hashable, Sendable {
    /// Its name, for the log only: any text.
    public var name: String
    /// Its configuration file as its host lists it, e.g. `[datastore1] web/web.vmx`.
    public var vmxPath: String
    /// What the next guest waits after this one was started, if that is more than the gap between
    /// any two: 0 to `thenWaitLimitSeconds`.
    public var thenWaitSeconds: Int

    /// The longest wait after one guest.
    public static let thenWaitLimitSeconds = 3600

    /// A guest.
    public init(name: String, vmxPath: String, thenWaitSeconds: Int = 0) {
        self.name = name
        self.vmxPath = vmxPath
        self.thenWaitSeconds = thenWaitSeconds
    }

    /// The datastore in front of the path; nil where there is none (`[] /var/run/crx/...`).
    var datastore: String? {
        guard vmxPath.hasPrefix("["), let end = vmxPath.firstRange(of: "] ") else { return nil }
        let name = vmxPath[vmxPath.index(after: vmxPath.startIndex)..<end.lowerBound]
        return name.isEmpty ? nil : String(name)
    }
}

/// What is written into one host's boot script.
public struct BootScriptValues: Hashable, Sendable {
    /// The host's name, for the log.
    public var host: String
    /// The run that arms it; comes back in the report.
    public var runID: String
    /// When it was armed, in seconds since 1970. A host's clock that shows less is wrong (battery
    /// empty after a cut), and the script then takes itself for not expired.
    public var armedEpochSeconds: Int
    /// After this moment, in seconds since 1970, the script does nothing. Later than armed.
    public var expiresEpochSeconds: Int
    /// Whether the script leaves maintenance mode, because vpower entered it.
    public var leaveMaintenance: Bool
    /// Infrastructure guests registered on this host, in order: started first.
    public var infrastructure: [BootScriptGuest]
    /// vCSA, if it is registered on this host.
    public var vcsa: BootScriptGuest?
    /// Whether vCSA is anywhere at all: the other guests then wait `afterVCSASeconds`.
    public var waitsForVCSA: Bool
    /// The other guests, tier by tier, in the order in which they start.
    public var tiers: [[BootScriptGuest]]
    /// Between two guests, 0 to 3600.
    public var startGapSeconds: Int
    /// Between vCSA (or where it would have been) and the tiers, 0 to 7200.
    public var afterVCSASeconds: Int
    /// The longest wait for hostd, 1 to 7200.
    public var hostdLimitSeconds: Int
    /// The longest wait for the datastores, 0 to 7200.
    public var datastoreLimitSeconds: Int
    /// The longest time spent on one guest, 1 to 7200.
    public var guestStartLimitSeconds: Int

    /// Values. The limits are what an ESXi host with slow storage needs and can be left alone:
    /// hostd answers 1 to 5 minutes after local.sh on old hardware; an NFS or iSCSI array that
    /// lost power too boots for 10 to 15 minutes; a guest on shared storage may have to wait for
    /// its file lock.
    public init(
        host: String, runID: String, armedEpochSeconds: Int, expiresEpochSeconds: Int,
        leaveMaintenance: Bool, infrastructure: [BootScriptGuest], vcsa: BootScriptGuest?,
        waitsForVCSA: Bool, tiers: [[BootScriptGuest]], startGapSeconds: Int,
        afterVCSASeconds: Int, hostdLimitSeconds: Int = 900, datastoreLimitSeconds: Int = 900,
        guestStartLimitSeconds: Int = 300
    ) {
        self.host = host
        self.runID = runID
        self.armedEpochSeconds = armedEpochSeconds
        self.expiresEpochSeconds = expiresEpochSeconds
        self.leaveMaintenance = leaveMaintenance
        self.infrastructure = infrastructure
        self.vcsa = vcsa
        self.waitsForVCSA = waitsForVCSA
        self.tiers = tiers
        self.startGapSeconds = startGapSeconds
        self.afterVCSASeconds = afterVCSASeconds
        self.hostdLimitSeconds = hostdLimitSeconds
        self.datastoreLimitSeconds = datastoreLimitSeconds
        self.guestStartLimitSeconds = guestStartLimitSeconds
    }

    /// Every guest, in the order in which it is started.
    public var guests: [BootScriptGuest] {
        infrastructure + (vcsa.map { [$0] } ?? []) + tiers.flatMap(\.self)
    }
}

/// The managed block in a host's `/etc/rc.local.d/local.sh`.
public enum BootScript {
    /// The block's first line.
    public static let beginMarker = "# >>> vpower boot script"
    /// The block's last line.
    public static let endMarker = "# <<< vpower boot script"
    /// Where a running block says what it does; `BootScriptReport.parse` reads it. In memory: a
    /// reboot removes it.
    public static let reportPath = "/tmp/vpower-boot.state"
    /// Its log, besides syslog. In memory, at most twice `logLimitBytes`.
    public static let logPath = "/tmp/vpower-boot.log"
    /// The size at which the log is moved to `.1`: /tmp is a ramdisk that other software needs
    /// (a full one makes even power-on fail, facts/esxi.md section 4).
    public static let logLimitBytes = 65_536
    /// The file that ESXi runs at boot, when Secure Boot is off.
    public static let localShPath = "/etc/rc.local.d/local.sh"

    static let templateName = "local.sh"

    private static let template = Result { () throws(TemplateError) in
        try Template(
            name: templateName,
            text: String(decoding: PackageResources.local_sh_mustache, as: UTF8.self))
    }

    /// The block, from `beginMarker` to `endMarker` and its line end.
    ///
    /// - Throws: `TemplateError` for a NUL character in a name or path, and for numbers that are
    ///   out of bounds.
    public static func block(_ values: BootScriptValues) throws(TemplateError) -> String {
        try checkBounds(values)
        return try template.get().render([
            "host": .text(ShellText.visible(values.host)),
            "run": .text(ShellText.visible(values.runID)),
            "armed": .number(values.armedEpochSeconds),
            "expires": .number(values.expiresEpochSeconds),
            "leaveMaintenance": .flag(values.leaveMaintenance),
            // With nothing to start after it, the wait would only hold up the report.
            "waitsForVCSA": .flag(
                values.waitsForVCSA && values.tiers.contains { !$0.isEmpty }),
            "startGap": .number(values.startGapSeconds),
            "afterVCSA": .number(values.afterVCSASeconds),
            "hostdLimit": .number(values.hostdLimitSeconds),
            "datastoreLimit": .number(values.datastoreLimitSeconds),
            "guestLimit": .number(values.guestStartLimitSeconds),
            "logLimit": .number(logLimitBytes),
            "datastores": .list(datastores(of: values).map { ["datastore": .text($0)] }),
            "infrastructure": .list(values.infrastructure.map(guest)),
            "vcsa": .list(values.vcsa.map { [guest($0)] } ?? []),
            "tiers": .list(
                values.tiers.filter { !$0.isEmpty }.map { ["guests": .list($0.map(guest))] }),
        ])
    }

    /// What every guest's line needs: its forms for people and for the report stay on one line.
    private static func guest(_ guest: BootScriptGuest) -> [String: TemplateValue] {
        [
            "name": .text(ShellText.visible(guest.name)),
            "vmx": .text(guest.vmxPath),
            "vmxVisible": .text(ShellText.visible(guest.vmxPath)),
            "thenWait": .number(guest.thenWaitSeconds),
        ]
    }

    /// Each datastore once, in the order of first use.
    private static func datastores(of values: BootScriptValues) -> [String] {
        var seen: Set<String> = []
        return values.guests.compactMap(\.datastore).filter { seen.insert($0).inserted }
    }

    private static func checkBounds(_ values: BootScriptValues) throws(TemplateError) {
        let bounds: [(String, Int, ClosedRange<Int>)] = [
            ("armedEpochSeconds", values.armedEpochSeconds, 0...Int(Int32.max)),
            (
                "expiresEpochSeconds", values.expiresEpochSeconds,
                // 32-bit test(1) on old hosts: the year 2038 ends what can be compared.
                min(values.armedEpochSeconds, Int(Int32.max) - 1) + 1...Int(Int32.max)
            ),
            ("startGapSeconds", values.startGapSeconds, 0...3600),
            ("afterVCSASeconds", values.afterVCSASeconds, 0...7200),
            ("hostdLimitSeconds", values.hostdLimitSeconds, 1...7200),
            ("datastoreLimitSeconds", values.datastoreLimitSeconds, 0...7200),
            ("guestStartLimitSeconds", values.guestStartLimitSeconds, 1...7200),
        ]
        let waits = values.guests.map { guest in
            (
                "thenWaitSeconds", guest.thenWaitSeconds,
                0...BootScriptGuest.thenWaitLimitSeconds
            )
        }
        for (name, value, range) in bounds + waits where !range.contains(value) {
            throw TemplateError(
                template: templateName, reason: .outOfBounds,
                detail: "\(name) is \(value), allowed is \(range.lowerBound) to \(range.upperBound)"
            )
        }
    }
}
