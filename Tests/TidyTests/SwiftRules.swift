/// Rules about Swift files. Each gives what breaks it as `path:line: what`.
enum SwiftRules {
    /// A function that does not fit a screen is two functions.
    static let functionLinesLimit = 70
    /// As in .swift-format, which does not see comments and long literals.
    static let lineLengthLimit = 100

    /// Whether the tokens from `index` on are these words.
    private static func match(_ text: SwiftText, _ index: Int, _ words: [String]) -> Bool {
        guard index + words.count <= text.tokens.count else { return false }
        return words.indices.allSatisfy { text.tokens[index + $0].text == words[$0] }
    }

    private static func findings(
        _ text: SwiftText, _ sequences: [[String]], _ why: String
    ) -> [String] {
        text.tokens.indices.flatMap { index in
            sequences.filter { match(text, index, $0) }.map {
                "\(text.path):\(text.tokens[index].line): \($0.joined()) \(why)"
            }
        }
    }

    /// `try!` and `as!`: a crash in the middle of an outage.
    static func forced(_ text: SwiftText) -> [String] {
        findings(text, [["try", "!"], ["as", "!"]], "stops the program; handle the error")
    }

    /// What makes the engine depend on anything but what it is given.
    static func nondeterminism(_ text: SwiftText) -> [String] {
        let why = "makes the simulation depend on more than its seed"
        let sequences = [
            ["Task", "{"], ["Task", "("], ["Task", "<"], ["Task", ".", "detached"],
            ["Task", ".", "immediate"], ["Task", ".", "sleep"], ["ContinuousClock", "("],
            ["SuspendingClock", "("], ["Date", "("], ["SystemRandomNumberGenerator"],
            ["randomElement", "(", ")"], ["shuffled", "(", ")"], ["shuffle", "(", ")"],
            ["Dispatch"], ["DispatchQueue"], ["DispatchTime"], ["DispatchSemaphore"],
        ]
        let now = text.tokens.indices.filter { index in
            guard match(text, index, [".", "now"]) else { return false }
            // `clock.now` asks a clock that was given; `.now` and `Date.now` ask the machine.
            if text.tokens[index].spaced || index == 0 { return true }
            let owner = text.tokens[index - 1].text
            return owner.first.map { $0.isUppercase || "([,:=".contains($0) } ?? true
        }
        let random = text.tokens.indices.filter { index in
            match(text, index, ["random", "("])
                && !arguments(text, from: index + 1).contains { $0.text == "using" }
        }
        return findings(text, sequences, why)
            + now.map { "\(text.path):\(text.tokens[$0].line): .now \(why)" }
            + random.map { "\(text.path):\(text.tokens[$0].line): random( without using: \(why)" }
    }

    /// The tokens between the parenthesis at `index` and the one that closes it.
    private static func arguments(_ text: SwiftText, from index: Int) -> [SwiftText.Token] {
        guard let end = closing(text, index, "(", ")") else { return [] }
        return Array(text.tokens[(index + 1)..<end])
    }

    private static func closing(
        _ text: SwiftText, _ index: Int, _ open: String, _ close: String
    ) -> Int? {
        var depth = 0
        for position in index..<text.tokens.count {
            if text.tokens[position].text == open { depth += 1 }
            if text.tokens[position].text == close {
                depth -= 1
                if depth == 0 { return position }
            }
        }
        return nil
    }

    /// `try?` without a `//` remark on its line or alone on the line before.
    static func silencedErrors(_ text: SwiftText) -> [String] {
        text.tokens.indices.filter { match(text, $0, ["try", "?"]) }.map { text.tokens[$0].line }
            .filter { line in
                let above = line >= 2 ? text.lines[line - 2].drop(while: \.isWhitespace) : ""
                let explained =
                    text.remarks.contains(line)
                    || (text.remarks.contains(line - 1) && above.hasPrefix("//"))
                return !explained
            }
            .map { "\(text.path):\($0): try? without a comment that says why no error matters" }
    }

    /// A wait whose length is a bare number.
    static func unnamedWaits(_ text: SwiftText) -> [String] {
        let units: Set<String> = ["seconds", "milliseconds", "microseconds", "nanoseconds"]
        return text.tokens.indices.filter { index in
            guard ["sleep", "usleep"].contains(text.tokens[index].text),
                match(text, index + 1, ["("])
            else { return false }
            let inside = arguments(text, from: index + 1)
            return inside.indices.contains { position in
                guard inside[position].text.first?.isNumber == true else { return false }
                if position == 0 { return true }
                return position >= 2 && ["(", ":"].contains(inside[position - 1].text)
                    && units.contains(inside[position - 2].text)
            }
        }
        .map {
            "\(text.path):\(text.tokens[$0].line): a wait's length is a number; give it a name"
        }
    }

    /// Functions and computed properties longer than the limit.
    static func longFunctions(_ text: SwiftText) -> [String] {
        text.tokens.indices.compactMap { index in
            guard let open = body(text, of: index), let end = closing(text, open, "{", "}")
            else { return nil }
            let lines = text.tokens[end].line - text.tokens[index].line + 1
            guard lines > functionLinesLimit else { return nil }
            let name = index + 1 < text.tokens.count ? text.tokens[index + 1].text : ""
            return "\(text.path):\(text.tokens[index].line): \(text.tokens[index].text) \(name) "
                + "has \(lines) lines, more than \(functionLinesLimit)"
        }
    }

    /// Where the body of the declaration at `index` opens; nil when there is none.
    private static func body(_ text: SwiftText, of index: Int) -> Int? {
        let word = text.tokens[index]
        guard ["func", "init", "deinit", "subscript", "var"].contains(word.text),
            index + 1 < text.tokens.count, index == 0 || text.tokens[index - 1].text != "."
        else { return nil }
        let next = text.tokens[index + 1].text
        if word.text == "init", !["(", "<", "?"].contains(next) { return nil }
        if word.text == "subscript", !["(", "<"].contains(next) { return nil }
        let ends: Set<String> = [
            "}", "func", "init", "deinit", "subscript", "var", "let", "public", "private",
            "internal", "fileprivate", "package", "static", "struct", "class", "enum", "actor",
            "extension", "protocol", "typealias", "associatedtype", "mutating",
        ]
        var depth = 0
        for position in (index + 1)..<text.tokens.count {
            let token = text.tokens[position]
            switch token.text {
            case "(", "[": depth += 1
            case ")", "]": depth -= 1
            case "{" where depth == 0: return position
            case _ where depth > 0: continue
            case "=" where word.text == "var": return nil
            case _ where ends.contains(token.text): return nil
            case _ where word.text == "var" && token.line > word.line: return nil
            default: continue
            }
        }
        return nil
    }

    /// Lines too long to read side by side. Text of a multi-line string is somebody's format, an
    /// address cannot be broken, and neither can a literal or a test's name.
    static func longLines(_ text: SwiftText) -> [String] {
        text.lines.indices.filter { index in
            text.lines[index].count > lineLengthLimit && !text.textLines.contains(index + 1)
                && !text.lines[index].contains("://") && !text.lines[index].contains("\"")
                && !text.lines[index].contains("`")
        }
        .map { "\(text.path):\($0 + 1): more than \(lineLengthLimit) columns" }
    }

    /// Tests that do not run, or that may not count.
    static func disabledTests(_ text: SwiftText) -> [String] {
        findings(
            text,
            [
                [".", "disabled", "("], [".", "enabled", "("], ["withKnownIssue"], ["XCTSkip"],
                ["Test", ".", "cancel"],
            ], "lets a test pass without running")
    }
}
