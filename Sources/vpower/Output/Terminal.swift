import ArgumentParser
import FoundationEssentials
import Glibc
import PowerModel

/// Where text goes: results to stdout, progress and problems to stderr.
enum Terminal {
    /// What a terminal of the usual width shows.
    static let columns = 80

    /// Prints a result.
    static func out(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

    /// Prints progress or a problem.
    static func error(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    /// Asks a person; the answer is what was typed, nil at the end of input.
    static func ask(_ question: String) -> String? {
        write(question, to: STDERR_FILENO)
        return readLine()
    }

    /// Whether a person sits at standard input.
    static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 }

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            // A closed terminal must not stop a shutdown: what cannot be printed is dropped.
            if written <= 0 { return }
            bytes = bytes.dropFirst(written)
        }
    }

    /// One JSON object, keys sorted, on stdout.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        out(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}

/// `--format text|json`.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

extension String {
    /// Cut or filled with blanks to a number of columns.
    func padded(_ columns: Int) -> String {
        if self.columns > columns { return prefix(columns: columns - 1) + "…" }
        return self + String(repeating: " ", count: columns - self.columns)
    }

    /// The text without the name of what it is about, for a line that names that already: many
    /// errors do too.
    func without(lead name: String) -> String {
        let lead = "\(name): "
        return hasPrefix(lead) ? String(dropFirst(lead.count)) : self
    }

    /// The text behind a lead, in lines that fit a terminal: words stay whole, and what does not
    /// fit goes on two columns further in than it began.
    func wrapped(after lead: String = "") -> [String] {
        let room = Terminal.columns - lead.columns
        let indent = String(repeating: " ", count: prefix { $0 == " " }.count)
        var rest = self[...]
        var lead = lead
        var lines: [String] = []
        while true {
            let line = rest.columns <= room ? rest : rest.prefix(columns: room).upToLastBlank
            lines.append(lead + line)
            rest = rest.dropFirst(line.count).drop { $0 == " " }
            if rest.isEmpty { return lines }
            rest = (indent + "  " + rest)[...]
            lead = String(repeating: " ", count: lead.columns)
        }
    }

    /// Filled with blanks on the left to a number of columns.
    func leftPadded(_ columns: Int) -> String {
        String(repeating: " ", count: max(0, columns - self.columns)) + self
    }
}

extension StringProtocol where SubSequence == Substring {
    /// How many columns of a terminal it takes.
    var columns: Int { reduce(0) { $0 + $1.columns } }

    /// As much of its beginning as fits so many columns.
    fileprivate func prefix(columns room: Int) -> Substring {
        var taken = 0
        return prefix { character in
            taken += character.columns
            return taken <= room
        }
    }
}

extension Character {
    /// East Asian characters and pictures take two columns of a terminal.
    fileprivate var columns: Int {
        switch unicodeScalars.first?.value ?? 0 {
        case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
            0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd:
            2
        default: 1
        }
    }
}

extension Substring {
    /// Up to its last blank that has text before it, so that words stay whole; all of it when
    /// there is none.
    fileprivate var upToLastBlank: Substring {
        let text = drop { $0 == " " }
        guard let blank = text.lastIndex(of: " "), blank > text.startIndex else { return self }
        return self[..<blank]
    }
}
