import PowerModel

/// Collects problems while the sections of a site file are read.
final class SiteReader {
    private(set) var problems: Set<SiteProblem> = []
    /// Feeds by name, with the line; nil while the list itself could not be read.
    var feedLines: [String: Int]?

    var sortedProblems: [SiteProblem] { problems.sorted() }

    func report(_ node: YAMLNode, _ message: String) {
        problems.insert(
            SiteProblem(
                line: node.position.line, column: node.position.column, message: message))
    }

    func report(_ found: [SiteProblem]) { problems.formUnion(found) }

    /// Reports a name that was given before and says where.
    func checkUnique(
        _ kind: String, _ name: String, at node: YAMLNode, in lines: inout [String: Int]
    ) {
        if let line = lines[name] {
            report(node, "\(kind) \(quoted(name)) is there already, at line \(line)")
        } else {
            lines[name] = node.position.line
        }
    }

    /// Reports a name that nothing has.
    func checkKnown(_ kind: String, _ name: String, at node: YAMLNode, in lines: [String: Int]?) {
        guard let lines, lines[name] == nil else { return }
        let known = lines.keys.sorted()
        let shown = known.isEmpty ? "none" : known.map(\.onOneLine).joined(separator: ", ")
        report(
            node,
            "no \(kind) is named \(quoted(name))\(suggestion(for: name, among: known));"
                + " there are: \(shown)")
    }
}

/// A text in quotation marks, harmless on a terminal.
func quoted(_ text: String) -> String { "\"\(text.onOneLine)\"" }

/// ` (did you mean "x"?)` when one of the candidates is close.
func suggestion(for text: String, among candidates: [String]) -> String {
    guard text.unicodeScalars.count <= 64 else { return "" }
    let lowered = text.lowercased()
    let close = candidates.map { (distance(lowered, $0.lowercased()), $0) }
        .filter { $0.0 <= min(3, $0.1.count / 3) }
        .min { $0 < $1 }
    return close.map { " (did you mean \(quoted($0.1))?)" } ?? ""
}

/// How many characters differ (Levenshtein).
private func distance(_ left: String, _ right: String) -> Int {
    let right = Array(right.unicodeScalars)
    guard right.count <= 64 else { return Int.max }
    var row = Array(0...right.count)
    for (index, scalar) in left.unicodeScalars.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in right.indices {
            let cost =
                scalar == right[column] ? diagonal : 1 + min(diagonal, row[column], row[column + 1])
            diagonal = row[column + 1]
            row[column + 1] = cost
        }
    }
    return row[right.count]
}

/// A mapping whose keys are known.
struct SiteMap {
    let node: YAMLNode
    let what: String
    let reader: SiteReader
    private let values: [String: YAMLNode]

    /// Reads the keys. Nil (and reported) when the node is no mapping.
    init?(_ node: YAMLNode, _ what: String, keys allowed: [String], _ reader: SiteReader) {
        guard case .map(let pairs) = node.content else {
            reader.report(
                node,
                "\(what) is \(node.kind); expected the keys \(allowed.joined(separator: ", "))")
            return nil
        }
        var values: [String: YAMLNode] = [:]
        var lines: [String: Int] = [:]
        for pair in pairs {
            guard case .text(let key) = pair.key.content else {
                reader.report(pair.key, "a key must be a word, not \(pair.key.kind)")
                continue
            }
            reader.checkUnique("the key", key, at: pair.key, in: &lines)
            guard allowed.contains(key) else {
                reader.report(pair.key, Self.unknown(key, in: what, allowed))
                continue
            }
            if values[key] == nil { values[key] = pair.value }
        }
        self.node = node
        self.what = what
        self.reader = reader
        self.values = values
    }

    private static func unknown(_ key: String, in what: String, _ allowed: [String]) -> String {
        if key == "<<" {
            return "a YAML merge key (`<<`); a site file has none: write the keys where they belong"
        }
        let close = suggestion(for: key, among: allowed)
        return "unknown key \(quoted(key)) in \(what)\(close);"
            + " allowed: \(allowed.joined(separator: ", "))"
    }

    /// The node of a key, if it is there.
    subscript(key: String) -> YAMLNode? { values[key] }

    /// A value that need not be there; nil also when it is wrong, which is then reported.
    func value<T>(_ key: String, _ kind: SiteValue<T>) -> T? {
        guard let node = values[key] else { return nil }
        return reader.value(of: node, named: "`\(key)`", kind)
    }

    /// A value that must be there; nil when it is not or is wrong, which is reported.
    func required<T>(_ key: String, _ kind: SiteValue<T>) -> T? {
        guard values[key] != nil else {
            missing(key, kind.expected)
            return nil
        }
        return value(key, kind)
    }

    /// Reports that a key is missing and what it would say.
    func missing(_ key: String, _ expected: String) {
        reader.report(node, "\(what) has no `\(key)`: \(expected)")
    }

    /// The items of a list; nil when it is not there or is no list.
    func list(_ key: String, of expected: String) -> [YAMLNode]? {
        guard let node = values[key] else { return nil }
        guard case .list(let items) = node.content else {
            reader.report(node, "`\(key)` is \(node.kind); expected a list of \(expected)")
            return nil
        }
        return items
    }

    /// The items of a list that must be there and have at least one.
    func requiredList(_ key: String, of expected: String) -> [YAMLNode]? {
        guard let node = values[key] else {
            missing(key, "a list of \(expected)")
            return nil
        }
        let items = list(key, of: expected)
        if items?.isEmpty == true {
            reader.report(node, "`\(key)` is empty; expected at least one of \(expected)")
        }
        return items
    }
}

extension SiteReader {
    /// A value of a kind; nil when it is wrong, which is reported.
    func value<T>(of node: YAMLNode, named name: String, _ kind: SiteValue<T>) -> T? {
        guard case .text(let text) = node.content else {
            report(node, "\(name) is \(node.kind); expected \(kind.expected)")
            return nil
        }
        guard !text.isEmpty else {
            report(node, "\(name) is empty; expected \(kind.expected)")
            return nil
        }
        do {
            return try kind.read(text)
        } catch {
            report(node, "\(name) \(error.words); expected \(kind.expected)")
            return nil
        }
    }
}

extension YAMLNode {
    /// What it is, for messages: never its content, which may be a secret.
    var kind: String {
        switch content {
        case .text(let text): text.isEmpty ? "empty" : "a single value"
        case .list: "a list"
        case .map: "a group of keys"
        }
    }
}
