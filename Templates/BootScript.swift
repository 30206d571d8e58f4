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

/// How a host looks whether vCSA answers: what was found to get through when it was installed.
public struct BootScriptProbe: Hashable, Sendable {
    /// The program that looks. ESXi has both, one or none, and its firewall stops either.
    public enum Tool: String, Hashable, Sendable, CaseIterable {
        /// A connection to the port.
        case nc
        /// A page over HTTPS: also says that more than the port is up.
        case wget
    }

    /// The program.
    public var tool: Tool
    /// The address, not a name: DNS may be one of the guests.
    public var address: String
    /// The port.
    public var port: Int

    /// A probe.
    public init(tool: Tool, address: String, port: Int) {
        self.tool = tool
        self.address = address
        self.port = port
    }

    /// The words of the look, the same as the script's own.
    public var command: [String] {
        switch tool {
        case .nc: ["nc", "-z", "-w", "5", argument, "\(port)"]
        case .wget:
            [
                "wget", "-q", "-O", "/dev/null", "--no-check-certificate",
                "https://\(argument):\(port)/",
            ]
        }
    }

    /// The address as the program wants it.
    fileprivate var argument: String {
        tool == .wget && address.contains(":") ? "[\(address)]" : address
    }
}

/// A line or a file of the administrator's that is brought back at every boot.
public struct BootScriptExtra: Hashable, Sendable {
    /// What is brought back.
    public enum Work: Hashable, Sendable {
        /// A command line for sh.
        case line(String)
        /// A text file.
        case file(path: String, content: String)
    }

    /// What is brought back.
    public var work: Work
    /// The longest a line may take, 1 to 3600.
    public var limitSeconds: Int

    /// The most that all of them together may hold.
    public static let sizeLimitBytes = 16_384

    /// A line or a file.
    public init(_ work: Work, limitSeconds: Int) {
        self.work = work
        self.limitSeconds = limitSeconds
    }
}

/// What is written into one host's boot script.
public struct BootScriptValues: Hashable, Sendable {
    /// Whether it acts at the next boot. If not, it is there for `standing` and `extras`.
    public var isArmed = true
    /// The host's name, for the log.
    public var host: String
    /// The run that arms it; comes back in the report.
    public var runID: String
    /// When it was armed, in seconds since 1970. A host's clock that shows less is wrong (battery
    /// empty after a cut), and the script then takes itself for not expired.
    public var armedEpochSeconds: Int
    /// After this moment, in seconds since 1970, the script is not armed any more. Later than
    /// armed.
    public var expiresEpochSeconds: Int
    /// Whether the script leaves maintenance mode, because vpower entered it.
    public var leaveMaintenance: Bool
    /// Infrastructure guests registered on this host, in order: started first.
    public var infrastructure: [BootScriptGuest]
    /// vCSA, if it is registered on this host.
    public var vcsa: BootScriptGuest?
    /// Whether vCSA is anywhere at all: the other guests then wait for it, at most
    /// `afterVCSASeconds`.
    public var waitsForVCSA: Bool
    /// How the host looks whether vCSA answers; nil where it cannot: then all of
    /// `afterVCSASeconds` is waited.
    public var probe: BootScriptProbe?
    /// The other guests, tier by tier, in the order in which they start.
    public var tiers: [[BootScriptGuest]]
    /// Before the first guest, when hostd and its datastore are there, 0 to 3600.
    public var settleSeconds: Int
    /// Between two guests, 0 to 3600.
    public var startGapSeconds: Int
    /// Between vCSA (or where it would have been) and the tiers, at most, 0 to 7200.
    public var afterVCSASeconds: Int
    /// The longest wait for hostd, 1 to 7200.
    public var hostdLimitSeconds: Int
    /// The longest of all waits for storage together, 0 to 7200.
    public var datastoreLimitSeconds: Int
    /// The longest time spent on one guest, 1 to 7200.
    public var guestStartLimitSeconds: Int
    /// What is started where it is registered here, at a boot for which the script is not armed.
    public var standing: [BootScriptGuest] = []
    /// What is brought back at every boot.
    public var extras: [BootScriptExtra] = []

    /// Values. The limits are what an ESXi host with slow storage needs and can be left alone:
    /// hostd answers 1 to 5 minutes after local.sh on old hardware; an NFS or iSCSI array that
    /// lost power too boots for 10 to 15 minutes; a guest on shared storage may have to wait for
    /// its file lock.
    public init(
        host: String, runID: String, armedEpochSeconds: Int, expiresEpochSeconds: Int,
        leaveMaintenance: Bool, infrastructure: [BootScriptGuest], vcsa: BootScriptGuest?,
        waitsForVCSA: Bool, probe: BootScriptProbe? = nil, tiers: [[BootScriptGuest]],
        settleSeconds: Int = 0, startGapSeconds: Int, afterVCSASeconds: Int,
        hostdLimitSeconds: Int = 900, datastoreLimitSeconds: Int = 900,
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
        self.probe = probe
        self.tiers = tiers
        self.settleSeconds = settleSeconds
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

    /// Whether the script has something to do at a boot for which it is not armed.
    public var isOfUseUnarmed: Bool { !standing.isEmpty || !extras.isEmpty }
}

/// The managed block in a host's `/etc/rc.local.d/local.sh`.
public enum BootScript {
    /// The block's first line.
    public static let beginMarker = "# >>> vpower boot script"
    /// The block's last line.
    public static let endMarker = "# <<< vpower boot script"
    /// The line of an armed block; `unarmedLine` differs in one byte, so that a script disarms
    /// itself by writing that.
    public static let armedLine = "        vpower_is_armed='1'"
    static let unarmedLine = "        vpower_is_armed='0'"
    /// What only a block has that does something at a boot for which it is not armed.
    static let linesOfUseUnarmed = [
        "        vpower_standing_work() {", "        vpower_extras() {",
    ]
    /// Calls a running block off: it starts nothing more once this file is there.
    public static let stopPath = "/tmp/vpower-boot.stop"
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
            text: ShellLimit.included(
                in: String(decoding: PackageResources.local_sh_mustache, as: UTF8.self)))
    }

    /// The block, from `beginMarker` to `endMarker` and its line end.
    ///
    /// - Throws: `TemplateError` for a NUL character in a name or path, for numbers that are out of
    ///   bounds, and for extras that are too large or no text.
    public static func block(_ values: BootScriptValues) throws(TemplateError) -> String {
        try checkBounds(values)
        try checkExtras(values.extras)
        var fields: [String: TemplateValue] = [
            "isArmed": .number(values.isArmed ? 1 : 0),
            "host": .text(ShellText.visible(values.host)),
            "run": .text(ShellText.visible(values.runID)),
            "armed": .number(values.armedEpochSeconds),
            "expires": .number(values.expiresEpochSeconds),
            "of": .number(values.guests.count),
            "leaveMaintenance": .flag(values.leaveMaintenance),
            // With nothing to start after it, the wait would only hold up the report.
            "waitsForVCSA": .flag(
                values.waitsForVCSA && values.tiers.contains { !$0.isEmpty }),
            "probe": .text(values.probe?.tool.rawValue ?? "none"),
            "probeAddress": .text(values.probe?.argument ?? ""),
            "probePort": .number(values.probe?.port ?? 0),
            "logLimit": .number(logLimitBytes),
            "settle": .number(values.settleSeconds),
            "startGap": .number(values.startGapSeconds),
            "afterVCSA": .number(values.afterVCSASeconds),
            "hostdLimit": .number(values.hostdLimitSeconds),
            "datastoreLimit": .number(values.datastoreLimitSeconds),
            "guestLimit": .number(values.guestStartLimitSeconds),
        ]
        fields["storage"] = storage(of: values.infrastructure)
        fields["infrastructure"] = .list(values.infrastructure.map(guest))
        fields["vcsa"] = .list(
            values.vcsa.map { vcsa in
                [guest(vcsa).merging(["storage": storage(of: [vcsa])]) { first, _ in first }]
            } ?? [])
        fields["tiers"] = .list(
            values.tiers.filter { !$0.isEmpty }.map {
                ["storage": storage(of: $0), "guests": .list($0.map(guest))]
            })
        fields["standing"] = .list(
            values.standing.isEmpty ? [] : [["guests": .list(values.standing.map(guest))]])
        fields["extras"] = .list(
            values.extras.isEmpty ? [] : [["items": .list(values.extras.map(extra))]])
        return try template.get().render(fields)
    }

    /// What every guest's line needs: its forms for people and for the report stay on one line.
    private static func guest(_ guest: BootScriptGuest) -> [String: TemplateValue] {
        let visible = ShellText.visible(guest.vmxPath)
        return [
            "name": .text(ShellText.visible(guest.name)),
            "vmx": .text(guest.vmxPath),
            // Only where it is another text: a path is most of a guest's line.
            "odd": .list(visible == guest.vmxPath ? [] : [["visible": .text(visible)]]),
            "thenWait": .number(guest.thenWaitSeconds),
        ]
    }

    /// Each datastore once, in the order of first use; nothing where there is none.
    private static func storage(of guests: [BootScriptGuest]) -> TemplateValue {
        var seen: Set<[UInt8]> = []
        let stores = guests.compactMap(\.datastore).filter {
            seen.insert(Array($0.utf8)).inserted
        }
        return .list(
            stores.isEmpty ? [] : [["stores": .list(stores.map { ["store": .text($0)] })]])
    }

    private static func extra(_ extra: BootScriptExtra) -> [String: TemplateValue] {
        switch extra.work {
        case .line(let line):
            let shown = "extra line: \(ShellText.visible(line))"
            let parts: [String: TemplateValue] = [
                "log": .text(shown), "failed": .text("failed: \(shown)"), "line": .text(line),
                "limit": .number(extra.limitSeconds),
            ]
            return ["file": .list([]), "line": .list([parts])]
        case .file(let path, let content):
            let shown = "extra file: \(ShellText.visible(path))"
            let parts: [String: TemplateValue] = [
                "log": .text(shown), "failed": .text("failed: \(shown)"), "path": .text(path),
                "content": .text(content),
            ]
            return ["file": .list([parts]), "line": .list([])]
        }
    }

    private static func checkExtras(_ extras: [BootScriptExtra]) throws(TemplateError) {
        var size = 0
        for extra in extras {
            let texts =
                switch extra.work {
                case .line(let line): [line]
                case .file(let path, let content): [path, content]
                }
            size += texts.map(\.utf8.count).reduce(0, +)
            guard texts.allSatisfy(isText) else {
                throw TemplateError(
                    template: templateName, reason: .notText,
                    detail: "the extra \(ShellText.visible(texts[0])) holds control characters: "
                        + "the host cannot be given binary files")
            }
        }
        guard size <= BootScriptExtra.sizeLimitBytes else {
            throw TemplateError(
                template: templateName, reason: .outOfBounds,
                detail: "the extras hold \(size) bytes, allowed are "
                    + "\(BootScriptExtra.sizeLimitBytes)")
        }
    }

    /// Line ends and tabs are text, other control characters are not.
    private static func isText(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy {
            $0.properties.generalCategory != .control || "\n\r\t".unicodeScalars.contains($0)
        }
    }

    private static func checkBounds(_ values: BootScriptValues) throws(TemplateError) {
        let bounds: [(String, Int, ClosedRange<Int>)] = [
            ("armedEpochSeconds", values.armedEpochSeconds, 0...Int(Int32.max)),
            (
                "expiresEpochSeconds", values.expiresEpochSeconds,
                // 32-bit test(1) on old hosts: the year 2038 ends what can be compared.
                min(values.armedEpochSeconds, Int(Int32.max) - 1) + 1...Int(Int32.max)
            ),
            ("settleSeconds", values.settleSeconds, 0...3600),
            ("startGapSeconds", values.startGapSeconds, 0...3600),
            ("afterVCSASeconds", values.afterVCSASeconds, 0...7200),
            ("hostdLimitSeconds", values.hostdLimitSeconds, 1...7200),
            ("datastoreLimitSeconds", values.datastoreLimitSeconds, 0...7200),
            ("guestStartLimitSeconds", values.guestStartLimitSeconds, 1...7200),
        ]
        let waits = (values.guests + values.standing).map { guest in
            (
                "thenWaitSeconds", guest.thenWaitSeconds,
                0...BootScriptGuest.thenWaitLimitSeconds
            )
        }
        let limits = values.extras.map { ("limitSeconds", $0.limitSeconds, 1...3600) }
        for (name, value, range) in bounds + waits + limits where !range.contains(value) {
            throw TemplateError(
                template: templateName, reason: .outOfBounds,
                detail: "\(name) is \(value), allowed is \(range.lowerBound) to \(range.upperBound)"
            )
        }
    }
}
