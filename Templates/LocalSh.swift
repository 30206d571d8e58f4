/// Pure text functions on the whole of a local.sh.
///
/// They work on lines that end in LF. Lines of the user are kept byte for byte, with one
/// exception: a CR at the end of the first line and of the `exit 0` that `install` uses is
/// dropped, because with it sh runs neither. (To Swift CR LF is one character, so everything here
/// works on bytes.)
extension BootScript {
    /// local.sh with the block in it, once: before the last `exit 0`, or at the end with an
    /// `exit 0` of its own when that was lost. The first line stays the first; a file without
    /// `#!` gets `#!/bin/sh`. A block that is there already is replaced, wherever it stood.
    /// Installing twice is the same as once.
    public static func install(block: String, into text: String) -> String {
        var lines = withoutBlock(LocalShLines(text).lines)
        if let first = lines.first, first.starts(with: "#!".utf8) {
            lines[0] = first.droppingCR
        } else {
            lines.insert(Array("#!/bin/sh".utf8), at: 0)
        }
        let wanted = LocalShLines(block).lines
        if let exit = lastExit(lines) {
            lines[exit] = lines[exit].droppingCR
            lines.insert(contentsOf: wanted, at: exit)
        } else {
            lines += wanted + [Array("exit 0".utf8)]
        }
        return LocalShLines(lines).text
    }

    /// local.sh without the block; unchanged when there is none.
    public static func remove(_ text: String) -> String {
        let lines = LocalShLines(text).lines
        let kept = withoutBlock(lines)
        return kept.count == lines.count ? text : LocalShLines(kept).text
    }

    /// local.sh with a block that is not armed: without one that would have nothing to do then.
    public static func disarm(_ text: String) -> String {
        guard let block = block(in: text) else { return remove(text) }
        let lines = LocalShLines(block).lines
        let isOfUse = lines.contains { line in
            linesOfUseUnarmed.contains { line.elementsEqual($0.utf8) }
        }
        guard isOfUse else { return remove(text) }
        let unarmed = LocalShLines(
            lines.map { $0.elementsEqual(armedLine.utf8) ? Array(unarmedLine.utf8) : $0 })
        return install(block: unarmed.text, into: text)
    }

    /// What the block in a local.sh says of itself; nil when there is none that is whole.
    public static func installed(in text: String) -> Installed? {
        guard let block = block(in: text) else { return nil }
        let lines = LocalShLines(block).lines.map { String(decoding: $0, as: UTF8.self) }
        func value(_ name: String) -> Substring? {
            let lead = "        \(name)='"
            return lines.first { $0.hasPrefix(lead) && $0.hasSuffix("'") }?
                .dropFirst(lead.count).dropLast()
        }
        guard let run = value("vpower_run").flatMap(ShellText.decoded),
            let expires = value("vpower_expires").flatMap({ Int($0) })
        else { return nil }
        return Installed(
            isArmed: lines.contains(armedLine), run: run, expiresEpochSeconds: expires)
    }

    /// What a block says of itself.
    public struct Installed: Hashable, Sendable {
        /// Whether it acts at the next boot, until it expires.
        public var isArmed: Bool
        /// The run that it was written for.
        public var run: String
        /// After this moment, in seconds since 1970, it is not armed any more.
        public var expiresEpochSeconds: Int
    }

    /// The block in a local.sh, from its first marker to its end marker and a line end; nil when
    /// there is none, or when it has no end.
    public static func block(in text: String) -> String? {
        let lines = LocalShLines(text).lines
        guard let begin = lines.firstIndex(where: { $0.isMarker(beginMarker) }),
            let end = lines[begin...].firstIndex(where: { $0.isMarker(endMarker) })
        else { return nil }
        return LocalShLines(Array(lines[begin...end])).text
    }

    /// Takes every block out. One without an end was cut short while it was written: what follows
    /// is its rest, except a last `exit 0` in the first column, which no block contains.
    private static func withoutBlock(_ all: [[UInt8]]) -> [[UInt8]] {
        var lines = all
        while let begin = lines.firstIndex(where: { $0.isMarker(beginMarker) }) {
            if let end = lines[begin...].firstIndex(where: { $0.isMarker(endMarker) }) {
                lines.removeSubrange(begin...end)
            } else if let exit = lines[begin...].lastIndex(where: { $0.isExit(indented: false) }) {
                lines.removeSubrange(begin..<exit)
            } else {
                lines.removeSubrange(begin...)
            }
        }
        return lines
    }

    /// The line of the last `exit 0`. An indented one counts only as the last line that is not
    /// empty: elsewhere it stands in a condition, and the block would too.
    private static func lastExit(_ lines: [[UInt8]]) -> Int? {
        if let last = lines.lastIndex(where: { !$0.isBlank }), lines[last].isExit(indented: true) {
            return last
        }
        return lines.lastIndex { $0.isExit(indented: false) }
    }
}

/// A text as lines without their LF.
private struct LocalShLines {
    var lines: [[UInt8]]

    init(_ lines: [[UInt8]]) { self.lines = lines }

    init(_ text: String) {
        lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map(Array.init)
        // The text after the last LF is a line only if there is any.
        if lines.last?.isEmpty == true { lines.removeLast() }
    }

    /// The lines, each with its LF.
    var text: String {
        String(decoding: lines.flatMap { $0 + [UInt8(ascii: "\n")] }, as: UTF8.self)
    }
}

extension [UInt8] {
    fileprivate var droppingCR: [UInt8] { last == UInt8(ascii: "\r") ? dropLast() : self }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 }

    private var trimmedEnd: ArraySlice<UInt8> {
        self[..<((lastIndex { !Self.isSpace($0) } ?? -1) + 1)]
    }

    fileprivate var isBlank: Bool { trimmedEnd.isEmpty }

    fileprivate func isMarker(_ marker: String) -> Bool { trimmedEnd.elementsEqual(marker.utf8) }

    /// `exit 0`, with any blanks, a semicolon or a comment after it.
    fileprivate func isExit(indented: Bool) -> Bool {
        let words = String(decoding: trimmedEnd, as: UTF8.self)
            .split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)[0]
            .split { $0 == " " || $0 == "\t" || $0 == ";" || $0 == "\r" }
        guard words == ["exit", "0"] else { return false }
        return indented || first == UInt8(ascii: "e")
    }
}
