import ArgumentParser
import FoundationEssentials
import Glibc
import PowerModel

/// Where text goes: results to stdout, progress and problems to stderr.
enum Terminal {
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
        let count = self.count
        if count > columns { return prefix(columns - 1) + "…" }
        return self + String(repeating: " ", count: columns - count)
    }

    /// Filled with blanks on the left to a number of columns.
    func leftPadded(_ columns: Int) -> String {
        String(repeating: " ", count: max(0, columns - count)) + self
    }
}

extension Duration {
    /// As people write it: `90s`, `5m`, `1h 30m`, `1.5s`.
    var short: String {
        let milliseconds = self.milliseconds
        if milliseconds % 1000 != 0, milliseconds < 60_000 { return "\(tenths)s" }
        let seconds = milliseconds / 1000
        if seconds < 120 { return "\(seconds)s" }
        if seconds < 7200 {
            return seconds % 60 == 0 ? "\(seconds / 60)m" : "\(seconds / 60)m \(seconds % 60)s"
        }
        let minutes = seconds / 60
        return minutes % 60 == 0 ? "\(minutes / 60)h" : "\(minutes / 60)h \(minutes % 60)m"
    }

    /// Seconds with one decimal, e.g. `12.3`.
    var tenths: String { "\(milliseconds / 1000).\(abs(milliseconds) % 1000 / 100)" }
}
