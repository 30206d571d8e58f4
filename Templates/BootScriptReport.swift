/// What a boot script says of its work, in the file `BootScript.reportPath`.
public struct BootScriptReport: Hashable, Sendable {
    /// How far it is.
    public enum State: String, Hashable, Sendable {
        /// At work.
        case running
        /// It has done what it could.
        case done
        /// It was past its expiry and did nothing.
        case expired
    }

    /// The run that armed it.
    public var run: String
    /// How far it is.
    public var state: State
    /// How many guests it has seen on so far.
    public var started: Int
    /// The configuration files of the guests that would not start, in order.
    public var failed: [String]

    /// A report.
    public init(run: String, state: State, started: Int, failed: [String]) {
        self.run = run
        self.state = state
        self.started = started
        self.failed = failed
    }

    /// The format's version, in the first line.
    static let version = "vpower-boot 1"

    /// Reads a report. The script writes it beside and moves it into place, so a report is whole
    /// or not there; its last line is `end`, and one without it is refused.
    public static func parse(_ text: String) throws(TemplateError) -> BootScriptReport {
        func bad(_ what: String) -> TemplateError {
            TemplateError(
                template: BootScript.reportPath, reason: .badReport,
                detail: "\(what): look at \(BootScript.logPath) on the host")
        }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        guard lines.popFirst() == version[...] else {
            throw bad("not a boot report of this vpower")
        }
        guard lines.popLast() == "", lines.popLast() == "end" else { throw bad("cut short") }
        var fields: [Substring: Substring] = [:]
        var failed: [String] = []
        for line in lines {
            guard let blank = line.firstIndex(of: " ") else { throw bad("a line without a value") }
            let key = line[..<blank]
            let value = line[line.index(after: blank)...]
            if key == "failed" {
                guard let path = ShellText.decoded(value) else { throw bad("a damaged path") }
                failed.append(path)
            } else if fields.updateValue(value, forKey: key) != nil {
                throw bad("\(key) stands twice")
            }
        }
        guard Set(fields.keys) == ["run", "state", "started"],
            let run = fields["run"].flatMap(ShellText.decoded),
            let state = fields["state"].flatMap({ State(rawValue: String($0)) }),
            let started = fields["started"].flatMap({ Int($0) }), started >= 0
        else { throw bad("a field is missing or has a value of no meaning") }
        return BootScriptReport(run: run, state: state, started: started, failed: failed)
    }
}
