import Foundation

/// Rules about files of any kind, and about what the tools outside say of them.
enum TextRules {
    /// `.embedInCode` is slow (81 KB take 23 s to compile): all embedded files together.
    static let embeddedBytesLimit = 60_000

    // Put together from halves, so that this file passes its own rules.
    private static let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    private static let machinePaths = ["/wo" + "rk/", "/opt/sw" + "ift", "/opt/wh" + "eels"]
    private static let registrySettings = ["index" + "-url", "find" + "-links", "--regis" + "try"]

    private static func lines(_ text: String) -> [Substring] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Whether a word stands in a line, not as a part of a longer one.
    private static func holds(_ line: Substring, word: String) -> Bool {
        line.ranges(of: word).contains { range in
            let before =
                range.lowerBound == line.startIndex
                ? " " : line[line.index(before: range.lowerBound)]
            let after = range.upperBound == line.endIndex ? " " : line[range.upperBound]
            return ![before, after].contains { $0.isLetter || $0.isNumber || $0 == "_" }
        }
    }

    /// Marks of work that was left for later.
    static func unfinished(_ path: String, _ text: String) -> [String] {
        lines(text).enumerated().flatMap { index, line in
            marks.filter { holds(line, word: $0) }.map { "\(path):\(index + 1): \($0)" }
        }
    }

    /// Paths and package servers of the machine this was written on.
    static func machineTraces(
        _ path: String, _ text: String, registryHosts: Set<String>
    ) -> [String] {
        lines(text).enumerated().flatMap { index, line in
            let folders = machinePaths.filter { folder in
                line.ranges(of: folder).contains { range in
                    if range.lowerBound == line.startIndex { return true }
                    let before = line[line.index(before: range.lowerBound)]
                    return !(before.isLetter || before.isNumber || "._-}".contains(before))
                }
            }
            let servers = (registrySettings + registryHosts).filter { line.contains($0) }
            return (folders + servers).map { "\(path):\(index + 1): \($0) is this machine's own" }
        }
    }

    /// The hosts of this machine's own package servers, by its environment.
    static func registryHosts(environment: [String: String]) -> Set<String> {
        let known: Set<String> = [
            "pypi.org", "proxy.golang.org", "sum.golang.org", "deb.debian.org", "github.com",
        ]
        let hosts = environment.filter { name, _ in
            let name = name.uppercased()
            return ["PROXY", "REGISTRY", "INDEX", "MIRROR"].contains { name.contains($0) }
                && !name.contains("NO_PROXY")
        }
        .values.flatMap { $0.split(whereSeparator: { ",| ".contains($0) }) }
        .compactMap { URL(string: String($0))?.host() }
        return Set(hosts).subtracting(known).subtracting(["127.0.0.1", "localhost"])
    }

    /// Mustache tags that go round the quoting of values.
    static func unquotedTags(_ path: String, _ text: String) -> [String] {
        lines(text).enumerated().compactMap { index, line in
            let bypasses = line.ranges(of: "{{").contains { range in
                let rest = line[range.upperBound...].drop { $0 == " " || $0 == "\t" }
                return rest.first.map { "{&=".contains($0) } ?? false
            }
            return bypasses ? "\(path):\(index + 1): a tag that does not quote its value" : nil
        }
    }

    /// The files named by `.embedInCode` in a manifest.
    static func embeddedFiles(manifest: String) -> [String] {
        manifest.split(separator: ".embedInCode(\"").dropFirst().map { rest in
            String(rest.prefix { $0 != "\"" })
        }
    }

    /// A mustache template as a shell script: sections always taken, values as quoted words.
    static func shellScript(template: String) -> String {
        lines(template).map { line in
            var rest = line
            var out = ""
            while let open = rest.range(of: "{{"),
                let close = rest[open.upperBound...].range(of: "}}")
            {
                let tag = rest[open.upperBound..<close.lowerBound].drop { $0 == " " }
                out += rest[..<open.lowerBound]
                if let first = tag.first, !"#/^!>$<".contains(first) { out += "'value'" }
                rest = rest[close.upperBound...]
            }
            return out + rest
        }
        .joined(separator: "\n")
    }

    /// What a page for an administrator in a hurry must have, in this order.
    static let runbookSections = [
        "## Do not", "## You are here when", "## What to do", "## What you should see",
        "## How to go back",
    ]

    /// Sections that a runbook lacks or has in another order, and executable lines that are no
    /// `vpower` command.
    static func runbookMistakes(_ path: String, _ text: String) -> [String] {
        let headings = lines(text).filter { $0.hasPrefix("## ") }.map(String.init)
        var mistakes = headings == runbookSections ? [] : ["\(path): sections are \(headings)"]
        var inBlock = false
        var commands = 0
        for (index, line) in lines(text).enumerated() {
            if line.hasPrefix("```") {
                inBlock = line == "```sh runbook"
            } else if line.contains("```") {
                mistakes.append("\(path):\(index + 1): a block that does not begin its line")
            } else if inBlock {
                commands += 1
                if !line.hasPrefix("vpower ") {
                    mistakes.append("\(path):\(index + 1): not a vpower command")
                }
            }
        }
        if commands == 0 { mistakes.append("\(path): no command that a test can run") }
        return mistakes
    }
}
