import Yams

/// Where something stands: from 1, columns in Unicode scalars as libyaml counts them.
struct Position: Hashable {
    var line: Int
    var column: Int
}

/// A YAML value without YAML's opinion of its type.
struct YAMLNode {
    indirect enum Content {
        case text(String)
        case list([YAMLNode])
        case map([(key: YAMLNode, value: YAMLNode)])
    }

    var position: Position
    var content: Content
}

/// A document, and the problems that leave it readable.
struct YAMLTree {
    var root: YAMLNode
    var problems: [SiteProblem]
}

/// Text that is no YAML vpower reads, with where.
struct YAMLFault: Error {
    var problems: [SiteProblem]

    init(_ problems: [SiteProblem]) { self.problems = problems }

    init(_ position: Position, _ message: String) {
        problems = [
            SiteProblem(line: position.line, column: position.column, message: message)
        ]
    }
}

/// Turns bytes into nodes: one document, no anchors, aliases or tags, nothing invisible.
///
/// Yams composes; what it would do by itself and a site file must not have is kept out here.
struct YAMLText {
    /// Deeper nesting has no place in a site file.
    static let depthLimit = 16
    /// Doubled keys that are looked for before reading gives up.
    static let doubledKeysLimit = 64

    private var lines: [[Unicode.Scalar]]
    /// First scalars of keys that had to be told apart from an equal key (see `composed`).
    private var replaced: [Position: Unicode.Scalar] = [:]
    private var problems: [SiteProblem] = []

    /// Reads one document. Problems that leave a readable tree come beside it.
    static func read(_ bytes: [UInt8]) throws(YAMLFault) -> YAMLTree {
        var text = try YAMLText(bytes)
        return try text.tree()
    }

    private init(_ bytes: [UInt8]) throws(YAMLFault) {
        guard bytes.count <= SiteFile.limitBytes else {
            throw YAMLFault([
                SiteProblem(message: "longer than \(SiteFile.limitBytes) bytes; a site file is not")
            ])
        }
        // A byte order mark, as Windows editors write it, says nothing.
        let body = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        guard let text = String(validating: body, as: UTF8.self) else {
            throw YAMLFault(Self.firstBadByte(in: body), "not UTF-8; save the file as UTF-8")
        }
        lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
            .map(Array.init)
        for index in lines.indices.dropLast() where lines[index].last == "\r" {
            lines[index].removeLast()
        }
        try refuseInvisible()
    }

    private static func firstBadByte(in bytes: [UInt8]) -> Position {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var position = Position(line: 1, column: 1)
        while case .scalarValue(let scalar) = decoder.decode(&iterator) {
            if scalar == "\n" {
                position = Position(line: position.line + 1, column: 1)
            } else {
                position.column += 1
            }
        }
        return position
    }

    private func refuseInvisible() throws(YAMLFault) {
        for (index, line) in lines.enumerated() {
            for (offset, scalar) in line.enumerated() where Self.isRefused(scalar) {
                let position = Position(line: index + 1, column: offset + 1)
                throw YAMLFault(position, Self.refusal(of: scalar))
            }
        }
    }

    private static func isRefused(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // Controls; NEL, LS and PS, which YAML takes for line ends; a byte order mark inside.
        case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF: true
        default: false
        }
    }

    private static func refusal(of scalar: Unicode.Scalar) -> String {
        if scalar == "\t" { return "a tab; indent with spaces, in a text write \"\\t\"" }
        let hex = String(scalar.value, radix: 16, uppercase: true)
        let code = String(repeating: "0", count: max(0, 4 - hex.count)) + hex
        return "the invisible character U+\(code) has no place in a site file"
    }
}

extension YAMLText {
    private mutating func tree() throws(YAMLFault) -> YAMLTree {
        try refuseAnchors()
        guard let root = try composed() else {
            throw YAMLFault([
                SiteProblem(
                    message: "nothing in it; `vpower init --example` prints one to start from")
            ])
        }
        let node = converted(root, depth: 1)
        return YAMLTree(root: node, problems: problems)
    }

    /// Anchors are found with `&` read as `!`, so that what is parsed has no alias to expand: an
    /// expansion of expansions takes for ever when it stands in a key.
    private func refuseAnchors() throws(YAMLFault) {
        guard lines.contains(where: { $0.contains("&") }) else { return }
        var harmless = self
        harmless.lines = lines.map { line in line.map { $0 == "&" ? "!" : $0 } }
        guard let root = try harmless.composed() else { return }
        try refuseAnchors(in: root, depth: 1)
    }

    private func refuseAnchors(in node: Node, depth: Int) throws(YAMLFault) {
        let position = Self.position(node.mark)
        if scalar(at: position) == "&" { throw YAMLFault(position, Self.anchorWords) }
        guard depth <= Self.depthLimit else { return }
        switch node {
        case .scalar, .alias: break
        case .sequence(let items):
            for item in items { try refuseAnchors(in: item, depth: depth + 1) }
        case .mapping(let pairs):
            for pair in pairs {
                try refuseAnchors(in: pair.key, depth: depth + 1)
                try refuseAnchors(in: pair.value, depth: depth + 1)
            }
        }
    }

    private static let anchorWords =
        "a YAML anchor (`&`); a site file has none: write the value where it is needed,"
        + " a text that begins with & in quotes"
    private static let aliasWords =
        "a YAML alias (`*`); a site file has none: write a pattern that begins with * in quotes,"
        + " e.g. \"*-db\""

    /// The document's root. Yams stops at the first doubled key; so that all of them are found at
    /// once, the first of an equal pair gets another first character and the text is read again.
    private mutating func composed() throws(YAMLFault) -> Node? {
        for attempt in 0...Self.doubledKeysLimit {
            let error: YamlError
            do {
                return try Parser(
                    yaml: joined(), resolver: .basic, constructor: .default, encoding: .utf8
                ).singleRoot()
            } catch let thrown as YamlError {
                error = thrown
            } catch let thrown {
                throw YAMLFault([SiteProblem(message: "cannot be read as YAML: \(thrown)")])
            }
            guard case .duplicatedKeysInMapping(_, let context) = error else {
                throw fault(for: error)
            }
            let position = Self.position(context.mark)
            guard attempt < Self.doubledKeysLimit, tellApart(keyAt: position, by: attempt) else {
                throw YAMLFault(position, "this key is there more than once")
            }
        }
        return nil
    }

    private func joined() -> String {
        var text = String.UnicodeScalarView()
        for (index, line) in lines.enumerated() {
            if index > 0 { text.append("\n") }
            text.append(contentsOf: line)
        }
        var whole = String(text)
        whole.makeContiguousUTF8()
        return whole
    }

    /// Replaces the first character of a key by one of the private use area. False when the key
    /// is not written plainly enough for that.
    private mutating func tellApart(keyAt position: Position, by number: Int) -> Bool {
        guard let start = scalar(at: position) else { return false }
        var at = position
        if start == "\"" || start == "'" { at.column += 1 }
        guard let old = scalar(at: at), let new = Unicode.Scalar(0xE000 + UInt32(number)),
            !"\\\"'|>[{!&* ".unicodeScalars.contains(old)
        else { return false }
        lines[at.line - 1][at.column - 1] = new
        if replaced[position] == nil { replaced[position] = old }
        return true
    }

    private func scalar(at position: Position) -> Unicode.Scalar? {
        guard lines.indices.contains(position.line - 1),
            lines[position.line - 1].indices.contains(position.column - 1)
        else { return nil }
        return lines[position.line - 1][position.column - 1]
    }

    private static func position(_ mark: Mark?) -> Position {
        Position(line: mark?.line ?? 0, column: mark?.column ?? 0)
    }

    private func fault(for error: YamlError) -> YAMLFault {
        switch error {
        case .scanner(let context, let problem, let mark, _),
            .parser(let context, let problem, let mark, _):
            let position = Self.position(mark)
            for suspect in [position, Self.position(context?.mark)] {
                if scalar(at: suspect) == "*" { return YAMLFault(suspect, Self.aliasWords) }
                if scalar(at: suspect) == "&" { return YAMLFault(suspect, Self.anchorWords) }
            }
            let about = context.map { " (\($0.text) from line \($0.mark.line))" } ?? ""
            return YAMLFault(position, "not YAML: \(problem)\(about)")
        case .composer(_, let problem, let mark, _):
            let position = Self.position(mark)
            if scalar(at: position) == "*" { return YAMLFault(position, Self.aliasWords) }
            if scalar(at: position) == "-" {
                return YAMLFault(position, "a second YAML document; a site file is one")
            }
            return YAMLFault(position, "not YAML: \(problem)")
        case .reader(let problem, _, _, _):
            return YAMLFault([SiteProblem(message: "cannot be read as YAML: \(problem)")])
        default:
            return YAMLFault([SiteProblem(message: "cannot be read as YAML")])
        }
    }
}

extension YAMLText {
    private mutating func converted(_ node: Node, depth: Int) -> YAMLNode {
        let position = Self.position(node.mark)
        if scalar(at: position) == "!" {
            report(position, "a YAML tag (`!`); a site file has none: leave it out")
        }
        guard depth <= Self.depthLimit else {
            report(position, "nested deeper than \(Self.depthLimit) levels")
            return YAMLNode(position: position, content: .list([]))
        }
        let content: YAMLNode.Content
        switch node {
        case .scalar(let scalar): content = .text(restored(scalar.string, at: position))
        case .alias: content = .list([])
        case .sequence(let items):
            var list: [YAMLNode] = []
            for item in items { list.append(converted(item, depth: depth + 1)) }
            content = .list(list)
        case .mapping(let pairs):
            var map: [(key: YAMLNode, value: YAMLNode)] = []
            for pair in pairs {
                map.append(
                    (
                        converted(pair.key, depth: depth + 1),
                        converted(pair.value, depth: depth + 1)
                    ))
            }
            content = .map(map)
        }
        return YAMLNode(position: position, content: content)
    }

    private func restored(_ text: String, at position: Position) -> String {
        guard let first = replaced[position] else { return text }
        var scalars = String.UnicodeScalarView()
        scalars.append(first)
        scalars.append(contentsOf: text.unicodeScalars.dropFirst())
        return String(scalars)
    }

    private mutating func report(_ position: Position, _ message: String) {
        problems.append(
            SiteProblem(line: position.line, column: position.column, message: message))
    }
}
