/// What a boot script says of its work, in the file `BootScript.reportPath`.
public struct BootScriptReport: Hashable, Sendable {
    /// How far it is.
    public enum State: String, Hashable, Sendable {
        /// At work.
        case running
        /// It has done what it could.
        case done
        /// It was called off while it was at work.
        case calledOff = "calledoff"
    }

    /// As what it ran.
    public enum Mode: String, Hashable, Sendable {
        /// Armed: it starts what was on.
        case armed
        /// It was armed, but is past its expiry: it does what an unarmed one does.
        case expired
        /// Nobody had armed it.
        case unarmed
    }

    /// Whether it will act at the next boot too.
    public enum Disarming: String, Hashable, Sendable {
        /// Not disarmed: it is not done, or a guest would not start.
        case no
        /// Disarmed and saved.
        case yes
        /// It could not disarm itself, or not save that.
        case failed
    }

    /// A guest that would not start.
    public struct Failure: Hashable, Sendable {
        /// What was in the way.
        public enum Reason: String, Hashable, Sendable, CaseIterable {
            /// hostd did not answer.
            case hostd
            /// The host is in maintenance mode, and not by vpower.
            case maintenance
            /// The host does not have it.
            case missing
            /// Its configuration file cannot be read: its datastore is not there.
            case invalid
            /// It waits for the answer to a question.
            case question
            /// It did not start.
            case start
        }

        /// What was in the way.
        public var reason: Reason
        /// Its configuration file.
        public var vmxPath: String

        /// A failure.
        public init(_ reason: Reason, _ vmxPath: String) {
            self.reason = reason
            self.vmxPath = vmxPath
        }
    }

    /// The run that it was written for.
    public var run: String
    /// As what it ran.
    public var mode: Mode
    /// How far it is.
    public var state: State
    /// How many guests it has seen on so far.
    public var started: Int
    /// How many it is to start.
    public var of: Int
    /// Whether it has disarmed itself, as it does when every guest is on.
    public var disarmed: Disarming
    /// The guests that would not start, in order.
    public var failed: [Failure]

    /// A report.
    public init(
        run: String, mode: Mode = .armed, state: State, started: Int, of: Int,
        disarmed: Disarming = .no, failed: [Failure] = []
    ) {
        self.run = run
        self.mode = mode
        self.state = state
        self.started = started
        self.of = of
        self.disarmed = disarmed
        self.failed = failed
    }

    /// The format's version, in the first line.
    static let version = "vpower-boot 2"

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
        var failed: [Failure] = []
        for line in lines {
            guard let (key, value) = line.atFirstBlank else { throw bad("a line without a value") }
            if key == "failed" {
                guard let failure = Failure(value) else { throw bad("a damaged guest") }
                failed.append(failure)
            } else if fields.updateValue(value, forKey: key) != nil {
                throw bad("\(key) stands twice")
            }
        }
        guard Set(fields.keys) == ["run", "mode", "state", "started", "of", "disarmed"],
            let run = fields["run"].flatMap(ShellText.decoded),
            let mode = fields["mode"].flatMap({ Mode(rawValue: String($0)) }),
            let state = fields["state"].flatMap({ State(rawValue: String($0)) }),
            let started = fields["started"].flatMap({ Int($0) }), started >= 0,
            let of = fields["of"].flatMap({ Int($0) }), of >= 0,
            let disarmed = fields["disarmed"].flatMap({ Disarming(rawValue: String($0)) })
        else { throw bad("a field is missing or has a value of no meaning") }
        return BootScriptReport(
            run: run, mode: mode, state: state, started: started, of: of,
            disarmed: disarmed, failed: failed)
    }
}

extension BootScriptReport.Failure {
    /// `REASON PATH`.
    fileprivate init?(_ value: Substring) {
        guard let (word, path) = value.atFirstBlank,
            let reason = Reason(rawValue: String(word)), let path = ShellText.decoded(path)
        else { return nil }
        self.init(reason, path)
    }
}

extension Substring {
    fileprivate var atFirstBlank: (Substring, Substring)? {
        firstIndex(of: " ").map { (self[..<$0], self[index(after: $0)...]) }
    }
}
