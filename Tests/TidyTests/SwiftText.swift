/// A Swift file taken apart far enough for the rules: tokens without comments and texts.
struct SwiftText: Sendable {
    /// One word or one punctuation character of the code.
    struct Token: Sendable {
        var text: String
        var line: Int
        /// Whether a blank, a line break or a comment stands before it.
        var spaced: Bool
    }

    /// The file's path below the repository's root.
    let path: String
    /// The file's lines as they are.
    let lines: [String]
    /// The code, in order. A string literal is one `"` token at each end and the code of its
    /// interpolations between them.
    let tokens: [Token]
    /// Lines (from 1) that hold a `//` comment, but not a `///` one.
    let remarks: Set<Int>
    /// Lines (from 1) that begin inside a multi-line string.
    let textLines: Set<Int>

    init(path: String, text: String) {
        var scanner = SwiftScanner(Array(text.utf8))
        scanner.run()
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        tokens = scanner.tokens
        remarks = scanner.remarks
        textLines = scanner.textLines
    }
}

/// Walks over a Swift file once. Knows comments (nested), all forms of string literal with their
/// interpolations, extended regex literals and raw identifiers; a bare `/regex/` it takes for
/// code, which no file of ours has needed.
private struct SwiftScanner {
    private enum Frame {
        case code(openParentheses: Int)
        case text(pounds: Int, multiline: Bool)
    }

    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var spaced = true
    private var frames: [Frame] = [.code(openParentheses: 0)]
    private(set) var tokens: [SwiftText.Token] = []
    private(set) var remarks: Set<Int> = []
    private(set) var textLines: Set<Int> = []

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func run() {
        while index < bytes.count {
            switch frames[frames.count - 1] {
            case .code(let open): stepInCode(open)
            case .text(let pounds, let multiline): stepInText(pounds, multiline)
            }
        }
    }

    private func at(_ offset: Int) -> UInt8 {
        index + offset < bytes.count ? bytes[index + offset] : 0
    }

    private func has(_ word: String, at offset: Int = 0) -> Bool {
        var position = index + offset
        for byte in word.utf8 {
            guard position < bytes.count, bytes[position] == byte else { return false }
            position += 1
        }
        return true
    }

    private mutating func skip(_ count: Int) {
        let end = min(index + count, bytes.count)
        while index < end {
            if bytes[index] == UInt8(ascii: "\n") { line += 1 }
            index += 1
        }
    }

    private mutating func emit(_ text: String) {
        tokens.append(SwiftText.Token(text: text, line: line, spaced: spaced))
        spaced = false
    }

    private mutating func stepInCode(_ open: Int) {
        let byte = at(0)
        if has("//") {
            if at(2) != UInt8(ascii: "/") { remarks.insert(line) }
            while index < bytes.count, at(0) != UInt8(ascii: "\n") { index += 1 }
            spaced = true
        } else if has("/*") {
            skipBlockComment()
        } else if let pounds = poundsBeforeText() {
            openText(pounds)
        } else if has("#/") {
            while index < bytes.count, !has("/#") { skip(1) }
            skip(2)
        } else if byte == UInt8(ascii: "`") {
            skip(1)
            while index < bytes.count, at(0) != UInt8(ascii: "`"), at(0) != UInt8(ascii: "\n") {
                skip(1)
            }
            skip(1)
            emit("`")
        } else if isWord(byte) {
            let start = index
            while index < bytes.count, isWord(at(0)) { index += 1 }
            emit(String(decoding: bytes[start..<index], as: UTF8.self))
        } else if byte <= UInt8(ascii: " ") {
            skip(1)
            spaced = true
        } else {
            punctuation(byte, open)
        }
    }

    private mutating func punctuation(_ byte: UInt8, _ open: Int) {
        let nested = frames.count > 1
        if nested, byte == UInt8(ascii: "(") {
            frames[frames.count - 1] = .code(openParentheses: open + 1)
        } else if nested, byte == UInt8(ascii: ")") {
            if open == 0 {
                frames.removeLast()
                skip(1)
                return
            }
            frames[frames.count - 1] = .code(openParentheses: open - 1)
        }
        emit(String(UnicodeScalar(byte)))
        skip(1)
    }

    private func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
            true
        default: false
        }
    }

    private mutating func skipBlockComment() {
        var depth = 0
        repeat {
            if has("/*") {
                depth += 1
                skip(2)
            } else if has("*/") {
                depth -= 1
                skip(2)
            } else {
                skip(1)
            }
        } while depth > 0 && index < bytes.count
        spaced = true
    }

    /// How many `#` stand before a string literal that begins here; nil when none begins.
    private func poundsBeforeText() -> Int? {
        var pounds = 0
        while at(pounds) == UInt8(ascii: "#") { pounds += 1 }
        return at(pounds) == UInt8(ascii: "\"") ? pounds : nil
    }

    private mutating func openText(_ pounds: Int) {
        let multiline = has("\"\"\"", at: pounds)
        emit("\"")
        skip(pounds + (multiline ? 3 : 1))
        frames.append(.text(pounds: pounds, multiline: multiline))
    }

    private mutating func stepInText(_ pounds: Int, _ multiline: Bool) {
        let fence = String(repeating: "#", count: pounds)
        let quotes = multiline ? "\"\"\"" : "\""
        if has("\\" + fence + "(") {
            skip(pounds + 2)
            frames.append(.code(openParentheses: 0))
        } else if has("\\" + fence) {
            skip(pounds + 2)
        } else if has(quotes + fence) {
            skip(quotes.utf8.count + pounds)
            frames.removeLast()
            emit("\"")
        } else if at(0) == UInt8(ascii: "\n") {
            skip(1)
            // A literal of one line that has no end is somebody's bare regex: give it up here.
            if multiline { textLines.insert(line) } else { frames.removeLast() }
        } else {
            skip(1)
        }
    }
}
