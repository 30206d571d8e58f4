import PowerModel

/// What `vim-cmd` prints besides lists (facts/esxi.md 1.2, 1.3 and 1.6).
enum VimText {
    /// How a pending question begins, in `vmsvc/message`; with none it says something else.
    static let questionStart = "Virtual machine message"

    /// A guest's power, from `vmsvc/power.getstate`; nil for anything else.
    static func power(_ text: String) -> GuestPower? {
        let lines = lines(of: text)
        guard let first = lines.firstIndex(of: "Retrieved runtime info"),
            let state = lines[(first + 1)...].first
        else { return nil }
        switch state {
        case "Powered on": return .on
        case "Powered off": return .off
        case "Suspended": return .suspended
        default: return nil
        }
    }

    /// Whether hostd does not answer (yet). There is no type for it, so the recorded texts are
    /// all there is to go by.
    static func saysNotReady(_ text: String) -> Bool {
        lines(of: text).contains { line in
            line.hasPrefix("Failed to login: ") || line.hasPrefix("Connect to localhost failed")
                || line.contains("std::bad_alloc") || line == "Killed" || line == "Aborted"
        }
    }

    /// The value of a property in a dump, if exactly one line gives it: strings are printed raw,
    /// so a note can hold a line that looks like another.
    static func property(_ name: String, in dump: String) -> String? {
        let values = lines(of: dump).compactMap { line -> Substring? in
            guard line.hasPrefix("\(name) = ") else { return nil }
            let value = line.dropFirst(name.count + 3)
            return value.hasSuffix(",") ? value.dropLast() : value
        }
        guard values.count == 1, let value = values.first else { return nil }
        guard value.count >= 2, value.first == "\"", value.last == "\"" else {
            return String(value)
        }
        return String(value.dropFirst().dropLast())
    }

    /// The objects of this type in a dump, each read from its own lines; nil when the dump is no
    /// list of them, or one cannot be read.
    static func list<Item>(
        of type: String, in dump: String, _ read: (String) -> Item?
    ) -> [Item]? {
        let lines = lines(of: dump)
        if lines == ["(\(type)) []"] { return [] }
        guard lines.first == "(\(type)) [" else { return nil }
        let parts = lines.dropFirst().split { $0 == "(\(type)) {" }
        let items = parts.compactMap { read($0.joined(separator: "\n")) }
        return items.count == parts.count ? items : nil
    }

    /// The id in `'vim.VirtualMachine:3'`; nil for anything else.
    static func reference(_ text: some StringProtocol, to type: String) -> Substring? {
        let (start, text) = ("'\(type):", Substring(text))
        guard text.hasPrefix(start), text.hasSuffix("'"), text.count > start.count + 1 else {
            return nil
        }
        return text.dropFirst(start.count).dropLast()
    }

    /// Lines without blanks at their ends; empty ones are left out.
    static func lines(of text: String) -> [Substring] {
        // By scalars: to Swift CR LF is one character, and no line feed.
        text.unicodeScalars.split { $0 == "\n" || $0 == "\r" }.map { Substring($0).trimmingBlanks }
            .filter { !$0.isEmpty }
    }
}

/// A failure that `vim-cmd` reports, in any of its three forms: a dump on lines of its own, a bare
/// `Power on failed`, and `Power on failed: ` with the dump behind it (facts/esxi.md 1.3).
struct VimFault: Hashable, Sendable {
    /// The fault's type without its namespace, e.g. `InvalidPowerState`; nil for the bare form.
    var type: String?
    /// The fault's message, or the bare line.
    var message: String

    init(type: String?, message: String) {
        self.type = type
        self.message = message
    }

    /// The failure in an output; nil when it tells of none.
    init?(_ text: String) {
        for line in VimText.lines(of: text) {
            let dump = line.firstRange(of: " failed: (").map {
                line[line.index(before: $0.upperBound)...]
            }
            if let type = Self.faultType(dump ?? line) {
                self.init(type: type, message: Self.message(in: text) ?? type)
                return
            }
            if line.hasSuffix(" failed") {
                self.init(type: nil, message: String(line))
                return
            }
        }
        return nil
    }

    /// `(vim.fault.X) {` or `(vmodl.fault.X) {`.
    private static func faultType(_ line: Substring) -> String? {
        for namespace in ["(vim.fault.", "(vmodl.fault."] where line.hasPrefix(namespace) {
            let type = line.dropFirst(namespace.count).prefix { $0.isLetter || $0.isNumber }
            if !type.isEmpty, line.dropFirst(namespace.count + type.count).hasPrefix(") {") {
                return String(type)
            }
        }
        return nil
    }

    /// The last `msg = "…"`: it may hold quotes and go over several lines.
    private static func message(in text: String) -> String? {
        let key = "msg = \""
        guard let start = text.ranges(of: key).last?.upperBound else { return nil }
        let rest = text[start...]
        let end = rest.unicodeScalars.lastIndex { $0 == "\"" } ?? rest.endIndex
        return String(rest[..<end])
    }
}
