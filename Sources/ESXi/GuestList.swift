/// One row of `vim-cmd vmsvc/getallvms`.
struct ListedGuest: Hashable, Sendable {
    /// Its id on this host. It changes when the guest is registered anew: never kept.
    var vmid: Int
    var name: String
    /// `[datastore] folder/file.vmx`; the datastore may be empty (vCLS on 9.0).
    var vmxPath: String
    /// The guest system's API id.
    var guestOS: String
    var hardwareVersion: String
    /// Its notes, with their line breaks.
    var annotation: String
}

/// The output of `vim-cmd vmsvc/getallvms` (facts/esxi.md 1.1).
///
/// Nothing in it is escaped, so a note or a name may hold lines that look like rows. A row is
/// therefore a candidate only: who acts on one asks the host once more by its id.
struct GuestList: Hashable, Sendable {
    /// The rows, by id as a number (the host sorts by its text).
    var guests: [ListedGuest]

    /// A name with line breaks may go over this many lines.
    static let nameLinesMax = 8

    /// Reads a listing; nil when its header is not there.
    init?(_ text: String) {
        let lines = text.utf8.split(separator: 10, omittingEmptySubsequences: false).map {
            $0.last == 13 ? $0.dropLast() : $0
        }
        guard let header = lines.firstIndex(where: { !$0.allSatisfy { $0 == 32 } }),
            Self.isHeader(lines[header])
        else { return nil }
        guests = Self.rows(lines[(header + 1)...].map(Array.init)).sorted { $0.vmid < $1.vmid }
    }

    private static func rows(_ lines: [[UInt8]]) -> [ListedGuest] {
        var rows: [ListedGuest] = []
        // Lines since the last row, and where among them one began as a row does.
        var pending: [[UInt8]] = []
        var head: Int?
        func append(_ row: ListedGuest, notes: [[UInt8]]) {
            addNotes(notes, to: &rows)
            rows.append(row)
            pending = []
            head = nil
        }
        for line in lines {
            if let row = ListedGuest(row: line) {
                append(row, notes: pending)
            } else if let start = head, pending.count - start < nameLinesMax,
                let row = ListedGuest(
                    row: Array((pending[start...] + [line]).joined(separator: [10])))
            {
                // A line break in a name: the id's line and those after it are one row.
                append(row, notes: Array(pending[..<start]))
            } else {
                if ListedGuest.hasID(line) { head = pending.count }
                pending.append(line)
            }
        }
        addNotes(pending, to: &rows)
        return rows
    }

    private static func addNotes(_ notes: [[UInt8]], to rows: inout [ListedGuest]) {
        guard let last = rows.indices.last, !notes.isEmpty else { return }
        let more = notes.map { String(decoding: $0, as: UTF8.self) }
        rows[last].annotation =
            ([rows[last].annotation] + more).joined(separator: "\n")
            .trimmingLineEnds
    }

    private static func isHeader(_ line: Substring.UTF8View) -> Bool {
        let words = Substring(line).split(separator: " ")
        return words == ["Vmid", "Name", "File", "Guest", "OS", "Version", "Annotation"]
    }

    /// The ids of guests whose configuration cannot be read, from standard error: at boot the
    /// sign that a datastore is late.
    static func skipped(_ standardError: String) -> [Int] {
        let prefix = "Skipping invalid VM '"
        return standardError.split(whereSeparator: \.isNewline).compactMap { line in
            guard line.hasPrefix(prefix), let end = line.lastIndex(of: "'") else { return nil }
            let from = line.index(line.startIndex, offsetBy: prefix.count)
            return end > from ? Int(line[from..<end]) : nil
        }
    }
}

extension ListedGuest {
    /// Columns are at least this far apart.
    private static let gap = 3

    /// Reads one row, by hand: from the first bracket after a gap at which everything that must
    /// follow does follow. nil for anything else.
    fileprivate init?(row: [UInt8]) {
        guard let id = Self.id(row[...]) else { return nil }
        var start = id.rest.startIndex
        while let bracket = Self.firstGapAndBracket(row, from: start) {
            if let file = Self.file(row, from: bracket),
                let guest = Self.word(row, after: file.end),
                let version = Self.word(row, after: guest.end), Self.isVersion(row[version.range]),
                let note = Self.note(row, after: version.end)
            {
                let name = Self.text(row[id.rest.startIndex..<bracket])
                guard !name.isEmpty else { return nil }
                self.init(
                    vmid: id.value, name: name, vmxPath: Self.text(row[bracket..<file.end]),
                    guestOS: Self.text(row[guest.range]),
                    hardwareVersion: Self.text(row[version.range]), annotation: note)
                return
            }
            start = bracket + 1
        }
        return nil
    }

    /// Whether a line begins as a row does.
    fileprivate static func hasID(_ line: [UInt8]) -> Bool { id(line[...]) != nil }

    private static func id(_ row: ArraySlice<UInt8>) -> (value: Int, rest: ArraySlice<UInt8>)? {
        let digits = row.prefix { (48...57).contains($0) }
        let blanks = row[digits.endIndex...].prefix { $0 == 32 }
        // Ten digits: an id is a 32-bit number.
        guard !digits.isEmpty, digits.count <= 10, blanks.count >= gap,
            blanks.endIndex < row.endIndex,
            let value = Int(String(decoding: digits, as: UTF8.self))
        else { return nil }
        return (value, row[blanks.endIndex...])
    }

    private static func firstGapAndBracket(_ row: [UInt8], from start: Int) -> Int? {
        var index = start
        while index < row.count {
            if row[index] == UInt8(ascii: "["), index >= gap,
                row[(index - gap)..<index].allSatisfy({ $0 == 32 })
            {
                return index
            }
            index += 1
        }
        return nil
    }

    /// `[datastore] path.vmx` or `.vmtx`, up to the first such ending with a gap after it.
    private static func file(_ row: [UInt8], from bracket: Int) -> (end: Int, Void)? {
        guard let close = row[bracket...].firstIndex(of: UInt8(ascii: "]")),
            row[(close + 1)...].first == 32
        else { return nil }
        for ending in row.indices[(close + 1)...] where row[ending] == UInt8(ascii: ".") {
            for suffix in [".vmx", ".vmtx"] {
                let rest = row[ending...]
                guard rest.starts(with: suffix.utf8) else { continue }
                let end = ending + suffix.utf8.count
                if row[end...].prefix(gap).elementsEqual([32, 32, 32]) { return (end, ()) }
            }
        }
        return nil
    }

    private static func word(_ row: [UInt8], after end: Int) -> (range: Range<Int>, end: Int)? {
        let blanks = row[end...].prefix { $0 == 32 }
        guard blanks.count >= gap else { return nil }
        let word = row[blanks.endIndex...].prefix { $0 != 32 && $0 != 10 }
        return word.isEmpty ? nil : (word.indices, word.endIndex)
    }

    private static func isVersion(_ word: ArraySlice<UInt8>) -> Bool {
        let digits = word.dropFirst(4)
        return word.starts(with: "vmx-".utf8) && !digits.isEmpty
            && digits.allSatisfy { (48...57).contains($0) }
    }

    /// The rest of the line, if it is blank or a gap comes first.
    private static func note(_ row: [UInt8], after end: Int) -> String? {
        let blanks = row[end...].prefix { $0 == 32 }
        guard blanks.count >= gap || blanks.endIndex == row.endIndex else { return nil }
        return text(row[blanks.endIndex...])
    }

    /// Text without the blanks that pad it.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let end = bytes.lastIndex { $0 != 32 }.map { $0 + 1 } ?? bytes.startIndex
        return String(decoding: bytes[..<end], as: UTF8.self)
    }
}

extension String {
    /// Without blanks and line feeds at its end.
    fileprivate var trimmingLineEnds: String {
        var text = self
        while let last = text.unicodeScalars.last, last == " " || last == "\n" {
            text.unicodeScalars.removeLast()
        }
        return text
    }
}
