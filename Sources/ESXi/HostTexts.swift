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

/// What `secureBoot.py -s` says.
enum SecureBoot: Hashable, Sendable {
    /// On: local.sh is not run at boot.
    case enabled
    /// Off.
    case disabled
    /// There is no such script (before 6.5, or legacy BIOS), or it says something else.
    case unknown

    /// Reads its output.
    init(_ output: String) {
        switch VimText.lines(of: output).last {
        case "Enabled": self = .enabled
        case "Disabled": self = .disabled
        default: self = .unknown
        }
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
