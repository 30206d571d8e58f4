/// What one esxcli command shows, in both of esxcli's forms (facts/esxi.md section 2).
struct LabEsxcliPage: Sendable {
    /// A value: JSON shows what it is, the text aligns numbers and truths to the right.
    enum Value: Hashable, Sendable {
        case text(String)
        case number(Int)
        case truth(Bool)

        fileprivate var shown: String {
            switch self {
            case .text(let text): text
            case .number(let number): "\(number)"
            case .truth(let truth): "\(truth)"
            }
        }

        fileprivate var json: String {
            if case .text(let text) = self { return LabEsxcliPage.quoted(text) }
            return shown
        }

        fileprivate var isText: Bool {
            if case .text = self { return true }
            return false
        }
    }

    /// How the text form lays it out.
    enum Shape: Hashable, Sendable {
        /// One record, `   Key: value`.
        case record
        /// A table.
        case table
        /// A record for each, under the value of this column.
        case blocks(title: Int)
    }

    var shape: Shape
    var columns: [String]
    var rows: [[Value]]

    /// One record.
    init(_ fields: KeyValuePairs<String, Value>) {
        shape = .record
        columns = fields.map(\.key)
        rows = [fields.map(\.value)]
    }

    /// Many.
    init(_ shape: Shape, _ columns: [String], _ rows: [[Value]]) {
        self.shape = shape
        self.columns = columns
        self.rows = rows
    }

    /// As esxcli prints it by itself.
    var text: String {
        switch shape {
        case .record: return rows.map(record).joined()
        case .table:
            let right = columns.indices.filter { column in
                rows.contains { !$0[column].isText }
            }
            return LabESXiOutput.table(
                columns, rightAligned: Set(right), rows.map { $0.map(\.shown) })
        case .blocks(let title):
            return rows.map { "\($0[title].shown)\n" + record($0) }.joined(separator: "\n")
        }
    }

    /// As `--formatter=json` prints it: on one line, the keys without blanks and hyphens.
    var json: String {
        let objects = rows.map { row in
            let fields = zip(columns, row).map { (Self.key($0), $1.json) }.sorted { $0.0 < $1.0 }
            return "{" + fields.map { "\(Self.quoted($0)): \($1)" }.joined(separator: ", ") + "}"
        }
        return (shape == .record ? objects.joined() : "[\(objects.joined(separator: ", "))]") + "\n"
    }

    private func record(_ row: [Value]) -> String {
        zip(columns, row).map { "   \($0): \($1.shown)\n" }.joined()
    }

    private static func key(_ column: String) -> String {
        column.filter { $0.isLetter || $0.isNumber }
    }

    /// As Python's json writes it: everything but printable ASCII escaped.
    fileprivate static func quoted(_ text: String) -> String {
        var quoted = "\""
        for unit in text.utf16 {
            switch unit {
            case 0x22: quoted += "\\\""
            case 0x5c: quoted += "\\\\"
            case 0x20..<0x7f: quoted.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            default:
                let digits = String(unit, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return quoted + "\""
    }
}
