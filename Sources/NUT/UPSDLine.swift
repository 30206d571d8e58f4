/// One line of upsd's, taken apart (parseconf's rules, facts/nut.md 1.2).
package struct UPSDLine: Hashable, Sendable {
    /// More words than this are dropped, as parseconf does.
    package static let wordsMax = 32
    /// A longer word is cut, as parseconf does.
    package static let wordBytesMax = 512

    /// The words: quotes and backslashes resolved, ASCII only.
    package let words: [String]
    /// Whether the closing quote was missing: the value may be shorter than what was meant.
    package let isOpen: Bool

    /// Takes any bytes apart. There is no line it refuses.
    package init(_ bytes: some Sequence<UInt8>) {
        var parser = Parser()
        for byte in bytes where !parser.isDone { parser.take(byte) }
        parser.finish()
        words = parser.words
        isOpen = parser.isQuoted
    }

    /// Takes a text's bytes apart.
    package init(_ text: String) { self.init(Array(text.utf8)) }
}

extension UPSDLine {
    /// parseconf as a value: fed byte by byte.
    private struct Parser {
        var words: [String] = []
        var isQuoted = false
        var isDone = false
        private var isEscaped = false
        private var isInWord = false
        private var word: [UInt8] = []

        mutating func take(_ byte: UInt8) {
            // Anything but printable ASCII is thrown away, as upsd does with what it is sent.
            guard (0x20...0x7e).contains(byte) else { return }
            if isEscaped {
                isEscaped = false
                append(byte)
                return
            }
            switch byte {
            case UInt8(ascii: "\\"):
                isEscaped = true
                isInWord = true
            case UInt8(ascii: "\""):
                isQuoted.toggle()
                isInWord = true
                if !isQuoted { endWord() }
            case UInt8(ascii: " ") where !isQuoted:
                endWord()
            case UInt8(ascii: "=") where !isQuoted:
                endWord()
                append(byte)
                endWord()
            case UInt8(ascii: "#") where !isQuoted:
                isDone = true
            default:
                append(byte)
            }
        }

        mutating func finish() { endWord() }

        private mutating func append(_ byte: UInt8) {
            isInWord = true
            if word.count < UPSDLine.wordBytesMax { word.append(byte) }
        }

        private mutating func endWord() {
            guard isInWord else { return }
            if words.count < UPSDLine.wordsMax {
                words.append(String(decoding: word, as: UTF8.self))
            }
            word.removeAll(keepingCapacity: true)
            isInWord = false
        }
    }
}

/// Cuts upsd's bytes into lines.
///
/// upsd builds each reply in a buffer of 512 bytes: a longer one arrives without its closing quote
/// *and* without its newline, so a line also ends where that buffer does (seen with 2.8.0).
package struct UPSDLineSplitter: Sendable {
    /// What one reply of upsd can hold (NUT_NET_ANSWER_MAX).
    package static let lineBytesMax = 512

    private var held: [UInt8] = []
    // The newline that follows a line of exactly 512 bytes belongs to that line.
    private var swallowsNewline = false

    /// Starts with nothing.
    package init() {}

    /// Bytes of a line that has not ended yet.
    package var pendingBytes: Int { held.count }

    /// Takes bytes as they came and gives the lines that are now complete, without line ends.
    package mutating func take(_ bytes: some Sequence<UInt8>) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for byte in bytes {
            let follows = swallowsNewline
            swallowsNewline = false
            if byte == UInt8(ascii: "\n") {
                if follows { continue }
                if held.last == UInt8(ascii: "\r") { held.removeLast() }
                lines.append(held)
                held.removeAll(keepingCapacity: true)
            } else {
                held.append(byte)
                if held.count == Self.lineBytesMax {
                    lines.append(held)
                    held.removeAll(keepingCapacity: true)
                    swallowsNewline = true
                }
            }
        }
        return lines
    }
}
