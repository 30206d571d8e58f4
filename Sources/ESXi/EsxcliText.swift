import FoundationEssentials

/// One thing that esxcli tells of: its fields by name.
struct EsxcliRecord: Hashable, Sendable {
    private var fields: [String: String] = [:]
    private var doubled: Set<String> = []

    /// Whether it tells nothing.
    var isEmpty: Bool { fields.isEmpty }

    /// A field by the name that the text form gives it. JSON leaves out blanks and hyphens
    /// (`DisplayName`, `ReadOnly`), so only letters and digits count.
    subscript(name: String) -> String? { fields[Self.plain(name)] }

    /// Whether a field says yes or no; nil for anything else.
    func truth(_ name: String) -> Bool? {
        switch self[name] {
        case "true": true
        case "false": false
        default: nil
        }
    }

    /// A whole number; nil for anything else.
    func number(_ name: String) -> Int? { self[name].flatMap { Int($0) } }

    /// Adds a field. One that comes twice is none: a name with a line break in it can look like
    /// another field.
    mutating func add(_ name: some StringProtocol, _ value: String) {
        let name = Self.plain(name)
        if doubled.contains(name) { return }
        if fields.updateValue(value, forKey: name) != nil {
            fields[name] = nil
            doubled.insert(name)
        }
    }

    private static func plain(_ name: some StringProtocol) -> String {
        name.lowercased().filter { $0.isLetter || $0.isNumber }
    }
}

/// What esxcli prints (facts/esxi.md section 2): JSON where the release offers it, else its text,
/// a table under a line of dashes or blocks of `   Key: value`.
enum EsxcliText {
    /// Asks for JSON, and takes the text where there is none: a function for a host's shell.
    static let ask = """
        vpower_esxcli() {
            vpower_said=$(esxcli --formatter=json "$@" </dev/null 2>/dev/null)
            case $vpower_said in
            '{'*|'['*) printf '%s\\n' "$vpower_said" ;;
            *) esxcli "$@" </dev/null 2>&1 ;;
            esac
        }
        """

    /// Whether the release does not have the command.
    static func isUnknownCommand(_ output: String) -> Bool {
        VimText.lines(of: output).contains { $0.hasPrefix("Error: Unknown command or namespace") }
    }

    /// The records in an output, nothing printed being none of them; nil for anything else.
    static func records(_ output: String) -> [EsxcliRecord]? {
        let start = output.unicodeScalars.first { $0 != " " && $0 != "\n" && $0 != "\r" }
        switch start {
        case nil: return []
        case "{", "[": return fromJSON(output)
        default: return table(output) ?? blocks(output)
        }
    }

    /// The one record of an output; nil when there is another number of them.
    static func record(_ output: String) -> EsxcliRecord? {
        guard let records = records(output), records.count == 1 else { return nil }
        return records[0]
    }

    // MARK: JSON

    private static func fromJSON(_ output: String) -> [EsxcliRecord]? {
        do {
            return try JSONDecoder().decode(Page.self, from: Data(output.utf8)).records
        } catch {
            return nil
        }
    }

    /// One object, or a list of them.
    private struct Page: Decodable {
        var records: [EsxcliRecord]

        init(from decoder: any Decoder) throws {
            let box = try decoder.singleValueContainer()
            do { records = [Self.record(try box.decode([String: Value].self))] } catch {
                records = try box.decode([[String: Value]].self).map(Self.record)
            }
        }

        private static func record(_ fields: [String: Value]) -> EsxcliRecord {
            var record = EsxcliRecord()
            for (name, value) in fields { if let text = value.text { record.add(name, text) } }
            return record
        }
    }

    /// A text, number or truth as the text form shows it; nil for lists and objects.
    private struct Value: Decodable {
        var text: String?

        init(from decoder: any Decoder) throws {
            let box = try decoder.singleValueContainer()
            do { text = try box.decode(String.self) } catch {
                do { text = try "\(box.decode(Bool.self))" } catch {
                    do { text = try "\(box.decode(Int64.self))" } catch { text = nil }
                }
            }
        }
    }

    // MARK: Text

    /// Records of `   Key: value`; a line without blanks in front begins the next one.
    private static func blocks(_ output: String) -> [EsxcliRecord]? {
        var records = [EsxcliRecord()]
        for line in output.unicodeScalars.split(whereSeparator: { $0 == "\n" || $0 == "\r" }) {
            let line = Substring(line)
            guard line.hasPrefix("   ") else {
                if !line.allSatisfy({ $0 == " " }) { records.append(EsxcliRecord()) }
                continue
            }
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...]
            records[records.count - 1].add(line[..<colon], String(value.trimmingBlanks))
        }
        let found = records.filter { !$0.isEmpty }
        return found.isEmpty ? nil : found
    }

    private static func table(_ output: String) -> [EsxcliRecord]? {
        let lines = output.unicodeScalars.split(separator: "\n").map { line in
            line.last == "\r" ? Array(line.dropLast()) : Array(line)
        }
        guard
            let dashes = lines.firstIndex(where: { line in
                line.contains("-") && line.allSatisfy { $0 == "-" || $0 == " " }
            }), dashes > 0
        else { return nil }
        let columns = Columns(lines[dashes])
        let names = columns.cells(of: lines[dashes - 1])
        var records: [EsxcliRecord] = []
        for line in lines[(dashes + 1)...] where !line.allSatisfy({ $0 == " " }) {
            guard let names, let cells = columns.cells(of: line) else { return nil }
            var record = EsxcliRecord()
            for (name, cell) in zip(names, cells) { record.add(name, cell) }
            records.append(record)
        }
        return records
    }

    /// The columns of a table, by its line of dashes.
    private struct Columns {
        private var ranges: [Range<Int>] = []

        init(_ dashes: [Unicode.Scalar]) {
            var start: Int?
            for (index, scalar) in (dashes + [" "]).enumerated() {
                if scalar == "-" {
                    start = start ?? index
                } else if let begin = start {
                    ranges.append(begin..<index)
                    start = nil
                }
            }
        }

        /// A line's cells: by the columns, or, where the line does not keep to them, by the two
        /// blanks between them.
        func cells(of line: [Unicode.Scalar]) -> [String]? {
            if keepsToColumns(line) {
                return ranges.indices.map { column in
                    // The last one may be longer than its dashes.
                    let end = column == ranges.count - 1 ? line.count : ranges[column].upperBound
                    let start = min(ranges[column].lowerBound, line.count)
                    return Self.text(line[start..<max(start, min(end, line.count))])
                }
            }
            let cells = Self.byGaps(line)
            return cells.count == ranges.count ? cells : nil
        }

        private func keepsToColumns(_ line: [Unicode.Scalar]) -> Bool {
            zip(ranges, ranges.dropFirst()).allSatisfy { left, right in
                (left.upperBound..<right.lowerBound).allSatisfy {
                    $0 >= line.count || line[$0] == " "
                }
            } && line.prefix(ranges.first?.lowerBound ?? 0).allSatisfy { $0 == " " }
        }

        private static func byGaps(_ line: [Unicode.Scalar]) -> [String] {
            text(line[...]).components(separatedByBlanks: 2)
        }

        private static func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars)
            return String(String(view)[...].trimmingBlanks)
        }
    }
}

extension Substring {
    /// Without blanks at both ends.
    var trimmingBlanks: Substring {
        var text = self
        while text.unicodeScalars.first == " " { text.unicodeScalars.removeFirst() }
        while text.unicodeScalars.last == " " { text.unicodeScalars.removeLast() }
        return text
    }
}

extension String {
    /// What stands between runs of at least so many blanks.
    fileprivate func components(separatedByBlanks count: Int) -> [String] {
        var parts: [String] = []
        var part = String.UnicodeScalarView()
        var blanks = 0
        for scalar in unicodeScalars {
            if scalar == " " {
                blanks += 1
                continue
            }
            if blanks >= count {
                parts.append(String(part))
                part = String.UnicodeScalarView()
            } else {
                part.append(contentsOf: repeatElement(" ", count: blanks))
            }
            part.append(scalar)
            blanks = 0
        }
        parts.append(String(part))
        return parts
    }
}
