import Testing

/// A page of Markdown, as far as its commands go.
///
/// ` ```sh runbook ` begins commands that a test executes; `exit=N` behind it tells the exit code,
/// 0 without one. ` ```text seen ` begins lines that those commands print, in this order: times
/// are not compared, and `…` stands for anything.
struct Page {
    struct Command {
        var line: String
        var code: Int32
    }

    var name: String
    var commands: [Command] = []
    var seen: [String] = []
    var text: String

    init(_ path: String) throws {
        text = try contents(of: path)
        name = path.lastPart
        var fence: String?
        for line in text.asLines {
            if line.hasPrefix("```") {
                fence = fence == nil ? String(line.dropFirst(3)) : nil
            } else if let fence, fence.hasPrefix("sh runbook") {
                try #require(line.hasPrefix("vpower "), "\(name): not a vpower command: \(line)")
                let code = fence.split(separator: " ").last { $0.hasPrefix("exit=") }
                commands.append(
                    Command(line: line, code: code.flatMap { Int32($0.dropFirst(5)) } ?? 0))
            } else if fence == "text seen" {
                seen.append(line)
            }
        }
        try #require(fence == nil, "\(name): a code block does not end")
    }

    /// Which of the page's lines were not printed, each behind the one before it.
    func notSeen(in output: [String]) -> [String] {
        var rest = output.map(Self.withoutTimes)[...]
        return seen.filter { line in
            let pattern = Self.withoutTimes(line).split(
                separator: "…", omittingEmptySubsequences: false)
            guard let found = rest.firstIndex(where: { Self.matches($0, pattern) }) else {
                return true
            }
            rest = rest[(found + 1)...]
            return false
        }
    }

    /// Whether a line has these parts in order, the first at its start and the last at its end.
    private static func matches(_ line: String, _ parts: [Substring]) -> Bool {
        guard let first = parts.first, let last = parts.last, line.hasPrefix(first) else {
            return false
        }
        if parts.count == 1 { return line == first }
        var rest = line.dropFirst(first.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let range = rest.firstRange(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(last)
    }

    /// A line of a timeline without its times; the columns stay where they are.
    private static func withoutTimes(_ line: String) -> String {
        line.replacing(/^\ +\d+\.\d+s\ /, with: "   time ").replacing(
            /,\ \d+\.\d+\ s$/, with: ", time")
    }
}
