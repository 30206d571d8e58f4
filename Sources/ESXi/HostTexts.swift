import PowerModel

/// What `auto-backup.sh` says (facts/esxi.md 2.1).
enum AutoBackup {
    /// More lines than this are not kept: a whole /etc that differs is one finding, not a book.
    static let linesMax = 1000

    /// How its own progress begins; everything else it prints is a difference.
    private static let progress = [
        "Saving current state in ", "Clock updated.", "Time: ", "Bootbank lock is ",
        "INFO: Successfully claimed lock file", "Creating ConfigStore Backup", "Locking esx.conf",
        "Creating archive", "Unlocked esx.conf", "Using key ID ",
    ]

    /// The lines that tell of differences, as they are. In a diff the `-` side is the live file.
    static func drift(_ output: String) -> [String] {
        let lines = output.unicodeScalars.split { $0 == "\n" || $0 == "\r" }
            .map { String(Substring($0)) }
            .filter { line in
                !line.allSatisfy { $0 == " " } && !progress.contains { line.hasPrefix($0) }
            }
        guard lines.count > linesMax else { return lines }
        return lines.prefix(linesMax) + ["… and \(lines.count - linesMax) more lines"]
    }
}

/// Whether UEFI Secure Boot is on.
public enum SecureBoot: String, Hashable, Sendable {
    /// On: local.sh is not run at boot.
    case enabled
    /// Off.
    case disabled
    /// Nothing on the host says so: before 6.5 and with legacy BIOS there is no `secureBoot.py`.
    case unknown

    /// Whether it is on; nil where that is not known.
    public var isOn: Bool? {
        switch self {
        case .enabled: true
        case .disabled: false
        case .unknown: nil
        }
    }

    /// Reads the output of `secureBoot.py -s`.
    init(_ output: String) {
        switch VimText.lines(of: output).last {
        case "Enabled": self = .enabled
        case "Disabled": self = .disabled
        default: self = .unknown
        }
    }

    /// The same; and where that does not say, from `esxcli system settings encryption get`: what
    /// requires Secure Boot boots only with it. That it is not required says nothing.
    init(_ output: String, settings: String) {
        self.init(output)
        if self == .unknown, EncryptionSettings(settings)?.requiresSecureBoot == true {
            self = .enabled
        }
    }
}

/// `esxcli system settings encryption get`, from 7.0U2 on.
struct EncryptionSettings: Hashable, Sendable {
    /// `NONE` or `TPM`.
    var mode: String
    /// Whether what no VIB brought is not run.
    var requiresInstalledVIBs: Bool
    /// Whether the host boots with Secure Boot only.
    var requiresSecureBoot: Bool

    /// Reads an output; nil when it is none.
    init?(_ output: String) {
        guard let record = EsxcliText.record(output), let mode = record["Mode"],
            let vibs = record.truth("Require Executables Only From Installed VIBs"),
            let secure = record.truth("Require Secure Boot")
        else { return nil }
        self.mode = mode
        requiresInstalledVIBs = vibs
        requiresSecureBoot = secure
    }
}

/// What a host runs: `esxcli system version get`.
public struct HostRelease: Hashable, Sendable, CustomStringConvertible {
    /// `VMware ESXi`.
    public var product: String
    /// `8.0.3`.
    public var version: String
    /// Its build's number.
    public var build: String

    /// `VMware ESXi 8.0.3, build 25205845`.
    public var description: String {
        "\(product.onOneLine) \(version.onOneLine), build \(build.onOneLine)"
    }

    /// Reads an output; nil when it is none.
    init?(_ output: String) {
        guard let record = EsxcliText.record(output), let product = record["Product"],
            let version = record["Version"], let build = record["Build"]
        else { return nil }
        self.product = product
        self.version = version
        self.build = build.split(separator: "-").last.map(String.init) ?? build
    }
}

/// What a host calls itself: `esxcli system hostname get`.
struct HostNames: Hashable, Sendable {
    var short: String
    var full: String

    /// Reads an output; nil when it is none.
    init?(_ output: String) {
        guard let record = EsxcliText.record(output), let short = record["Host Name"],
            let full = record["Fully Qualified Domain Name"], !short.isEmpty
        else { return nil }
        self.short = short
        self.full = full
    }

    /// Whether that can be the host of this name: by its first part, since who gives it a domain
    /// and who does not differs. An address says nothing.
    func fit(_ host: HostName) -> Bool {
        let name = host.rawValue.lowercased()
        if name.contains(":") || name.allSatisfy({ $0.isNumber || $0 == "." }) { return true }
        let first = name.prefix { $0 != "." }
        return [short, full].contains { $0.lowercased().prefix { $0 != "." } == first }
    }
}

/// root's crontab of a host.
enum Crontab {
    /// The minute of every hour at which the host saves its files by itself; nil when it does not.
    static func savesAtMinute(_ text: String) -> Int? {
        for line in VimText.lines(of: text) where !line.hasPrefix("#") {
            let words = line.split { $0 == " " || $0 == "\t" }
            guard words.count >= 6, words[1...4].allSatisfy({ $0 == "*" }),
                words[5].hasSuffix("/auto-backup.sh"), let minute = Int(words[0]),
                (0...59).contains(minute)
            else { continue }
            return minute
        }
        return nil
    }
}

/// `esxcli system maintenanceMode get`.
enum MaintenanceText {
    /// Whether it is on; nil for anything else.
    static func isEnabled(_ output: String) -> Bool? {
        switch VimText.lines(of: output) {
        case ["Enabled"]: true
        case ["Disabled"]: false
        default: nil
        }
    }
}

/// What a script in /etc/init.d says of its service.
enum ServiceText {
    /// Whether it runs; nil for anything else. The exact words differ from service to service:
    /// `hostd is running.`, `vmware-fdm is not running`, `… is stopped`.
    static func isRunning(_ output: String) -> Bool? {
        let lines = VimText.lines(of: output).map { $0.lowercased() }
        func says(_ words: String) -> Bool { lines.contains { $0.contains(words) } }
        if says("not running") || says("not started") || says("stopped") { return false }
        return says("running") || says("started") ? true : nil
    }
}
