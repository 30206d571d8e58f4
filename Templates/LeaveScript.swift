/// What a host carries out by itself, detached from the session that starts it: shut the guest
/// down in which vpower runs, and then itself.
public enum LeaveScript {
    /// Exists, with the pid of the script in the file `pid`, while the script is at work. In
    /// memory: a reboot removes it.
    public static let lockPath = "/tmp/vpower-leave.lock"
    /// Its log, besides syslog. In memory.
    public static let logPath = "/tmp/vpower-leave.log"

    private static let templateName = "leave.sh"

    private static let template = Result { () throws(TemplateError) in
        try Template(
            name: templateName,
            text: ShellLimit.included(
                in: String(decoding: PackageResources.leave_sh_mustache, as: UTF8.self)))
    }

    /// The script, for `/bin/sh` of a host.
    /// - Parameters:
    ///   - runID: the run that hands over, for the log.
    ///   - guestID: the guest's id on the host now. It stays as long as the host is up.
    ///   - graceSeconds: before the guest is told, 0 to 600.
    ///   - guestLimitSeconds: how long the guest may take, 1 to 3600; then the host goes.
    /// - Throws: `TemplateError` for numbers that are out of bounds.
    public static func script(
        runID: String, guestID: Int, graceSeconds: Int, guestLimitSeconds: Int
    ) throws(TemplateError) -> String {
        for (name, value, range) in [
            ("guestID", guestID, 0...Int(Int32.max)), ("graceSeconds", graceSeconds, 0...600),
            ("guestLimitSeconds", guestLimitSeconds, 1...3600),
        ] where !range.contains(value) {
            throw TemplateError(
                template: templateName, reason: .outOfBounds,
                detail: "\(name) is \(value), allowed is \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return try template.get().render([
            "run": .text(ShellText.visible(runID)), "id": .number(guestID),
            "grace": .number(graceSeconds), "guestLimit": .number(guestLimitSeconds),
        ])
    }
}
