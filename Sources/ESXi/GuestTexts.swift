import PowerModel

/// `vim-cmd vmsvc/message`: the question that a guest waits with (facts/esxi.md 1.4).
enum QuestionText {
    private static let end = ":"

    /// The question in an output; nil when none is pending. The choices are keyed by their numbers,
    /// which differ from release to release.
    static func question(_ output: String) -> GuestQuestion? {
        let lines = output.unicodeScalars.split(
            omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" }
        ).map { Substring($0).last == "\r" ? Substring($0).dropLast() : Substring($0) }
        guard let first = lines.firstIndex(where: { $0.hasPrefix(VimText.questionStart) }),
            let id = id(lines[first])
        else { return nil }
        let rest = lines[(first + 1)...].reversed().drop { $0.trimmingBlanks.isEmpty }
        // The words may hold lines that look like choices; the choices are the last lines.
        let choices = rest.prefix { choice($0) != nil }.compactMap(choice)
        let text = rest.dropFirst(choices.count).reversed().joined(separator: "\n")
        return GuestQuestion(
            id: id, text: String(text[...].trimmingBlanks),
            messages: message(text).map { [$0] } ?? [],
            choices: choices.reversed())
    }

    private static func id(_ line: Substring) -> String? {
        let rest = line.dropFirst(VimText.questionStart.count).trimmingBlanks
        guard rest.hasSuffix(end) else { return nil }
        return number(rest.dropLast())
    }

    /// `2. I _copied it (I _copied it) [default]`.
    private static func choice(_ line: Substring) -> GuestQuestion.Choice? {
        let line = line.trimmingBlanks
        guard let dot = line.firstRange(of: ". "), let key = number(line[..<dot.lowerBound]) else {
            return nil
        }
        var label = line[dot.upperBound...]
        let mark = " [default]"
        if label.hasSuffix(mark) { label = label.dropLast(mark.count) }
        label = label.trimmingBlanks
        // Shown twice, the second time in brackets.
        if label.hasSuffix(")"), let open = label.firstRange(of: " ("),
            label[..<open.lowerBound] == label[open.upperBound...].dropLast()
        {
            label = label[..<open.lowerBound]
        }
        return label.isEmpty ? nil : GuestQuestion.Choice(key: key, label: String(label))
    }

    private static func number(_ digits: Substring) -> String? {
        let isNumber = !digits.isEmpty && digits.utf8.allSatisfy { (48...57).contains($0) }
        return isNumber && digits.utf8.count <= 9 ? String(digits) : nil
    }

    /// `msg.uuid.altered` of `msg.uuid.altered:This virtual machine …`.
    private static func message(_ text: String) -> String? {
        guard let colon = text.firstRange(of: end) else { return nil }
        let name = text[..<colon.lowerBound]
        let isName = name.hasPrefix("msg.") && name.allSatisfy { !$0.isWhitespace }
        return isName ? String(name) : nil
    }
}

/// `vim-cmd vmsvc/get.guest`.
enum ToolsText {
    /// Whether the guest's Tools run; nil when the output does not say. Running a script of their
    /// own they take no request, but they will.
    static func run(_ output: String) -> Bool? {
        switch VimText.property("toolsRunningStatus", in: output) {
        case "guestToolsRunning", "guestToolsExecutingScripts": true
        case "guestToolsNotRunning": false
        default: nil
        }
    }
}

/// One task of hostd: `vim-cmd vimsvc/task_info`.
struct HostTask: Hashable, Sendable {
    /// `vim.VirtualMachine.powerOn`.
    var name: String
    /// `queued`, `running`, `success` or `error`.
    var state: String
    /// Why it failed, where it did.
    var fault: VimFault?

    /// Reads one; nil when it is none.
    init?(_ output: String) {
        guard VimText.lines(of: output).contains("(vim.TaskInfo) {"),
            let name = VimText.property("name", in: output),
            let state = VimText.property("state", in: output)
        else { return nil }
        self.name = name
        self.state = state
        let lead = "error = "
        let lines = VimText.lines(of: output)
        if let start = lines.firstIndex(where: { $0.hasPrefix("\(lead)(") }) {
            let dump = [lines[start].dropFirst(lead.count)] + Self.body(lines[(start + 1)...])
            fault = VimFault(dump.joined(separator: "\n"))
        }
    }

    /// The lines up to the bracket that closes one opened before them: what follows belongs to the
    /// task itself.
    private static func body(_ lines: ArraySlice<Substring>) -> ArraySlice<Substring> {
        var depth = 1
        return lines.prefix { line in
            if line.hasPrefix("}") || line.hasPrefix("]") { depth -= 1 }
            if line.hasSuffix("{") || line.hasSuffix("[") { depth += 1 }
            return depth > 0
        }
    }

    /// The names of a guest's tasks, as `vim-cmd vmsvc/get.tasklist` lists them; nil for anything
    /// else. Only such names as can stand in a command.
    static func names(_ output: String) -> [String]? {
        let lines = VimText.lines(of: output)
        guard let start = lines.first, start.hasPrefix("(ManagedObjectReference) [") else {
            return nil
        }
        return lines.dropFirst().compactMap { line in
            let reference = line.hasSuffix(",") ? line.dropLast() : line
            guard let name = VimText.reference(reference, to: "vim.Task"),
                name.utf8.allSatisfy({ isNameByte($0) })
            else { return nil }
            return String(name)
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

/// A guest's process in the host's kernel: `esxcli vm process list`.
struct GuestProcess: Hashable, Sendable {
    /// What `esxcli vm process kill` wants.
    var world: Int
    /// `/vmfs/volumes/UUID/folder/file.vmx`; nil where it is not shown.
    var file: String?

    /// The processes in an output, nothing printed being none; nil when it is no such list.
    static func list(_ output: String) -> [GuestProcess]? {
        guard let records = EsxcliText.records(output) else { return nil }
        let processes = records.compactMap { record in
            record.number("World ID").map { GuestProcess(world: $0, file: record["Config File"]) }
        }
        return processes.isEmpty && !records.isEmpty ? nil : processes
    }
}
