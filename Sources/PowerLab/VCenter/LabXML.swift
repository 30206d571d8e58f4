import Foundation
import FoundationXML

/// An element of a request, with its namespaces resolved.
struct LabXMLElement: Sendable {
    let name: String
    let namespace: String
    /// Attributes by their namespace and local name; declarations of namespaces are not among them.
    var attributes: [LabXMLName: String] = [:]
    /// The prefixes that are declared here, for names inside attribute values.
    var prefixes: [String: String] = [:]
    var children: [LabXMLElement] = []
    /// The text directly inside it.
    var text = ""

    /// The name an attribute's value such as `xsd:string` means.
    func resolve(_ qualified: String) -> LabXMLName? {
        let parts = qualified.split(separator: ":", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return LabXMLName(prefixes[""] ?? "", qualified)
        case 2: return prefixes[String(parts[0])].map { LabXMLName($0, String(parts[1])) }
        default: return nil
        }
    }
}

/// A name in a namespace.
struct LabXMLName: Hashable, Sendable {
    let namespace: String
    let name: String

    init(_ namespace: String, _ name: String) {
        self.namespace = namespace
        self.name = name
    }
}

/// Why a document is not one.
struct LabXMLError: Error, Sendable {
    let detail: String
}

/// Reads a whole document, or says why it is none. A document type is refused: SOAP forbids it,
/// and entities of one's own have no use but to do harm.
func readXML(_ bytes: [UInt8]) throws(LabXMLError) -> LabXMLElement {
    if hasDocumentType(bytes) { throw LabXMLError(detail: "a document type is not allowed") }
    let reader = LabXMLReader()
    let parser = XMLParser(data: Data(bytes))
    parser.delegate = reader
    parser.shouldProcessNamespaces = true
    parser.shouldReportNamespacePrefixes = true
    parser.shouldResolveExternalEntities = false
    let whole = parser.parse()
    if let problem = reader.problem { throw LabXMLError(detail: problem) }
    guard whole, reader.open.isEmpty, let root = reader.root,
        endsWithRoot(bytes, named: reader.rootName)
    else {
        throw LabXMLError(
            detail: "not well-formed (line \(parser.lineNumber), column \(parser.columnNumber))")
    }
    return root
}

/// Whether the document has a DOCTYPE: it can only stand in the prolog, among processing
/// instructions, comments and white space, so that is what is walked.
private func hasDocumentType(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    func skip(past end: String) -> Bool {
        let mark = Array(end.utf8)
        while !rest.isEmpty {
            if rest.starts(with: mark) {
                rest = rest.dropFirst(mark.count)
                return true
            }
            rest = rest.dropFirst()
        }
        return false
    }
    if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
    while true {
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
        if rest.starts(with: "<?".utf8) {
            if !skip(past: "?>") { return false }
        } else if rest.starts(with: "<!--".utf8) {
            if !skip(past: "-->") { return false }
        } else {
            return rest.starts(with: "<!DOCTYPE".utf8)
        }
    }
}

/// Whether the document ends with the root's end, and nothing after it: Foundation's parser stops
/// there and does not look at what follows.
private func endsWithRoot(_ bytes: [UInt8], named name: String) -> Bool {
    func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
    var rest = bytes[...]
    while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
    guard rest.last == UInt8(ascii: ">") else { return false }
    rest = rest.dropLast()
    while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
    let end = Array("</\(name)".utf8)
    guard rest.count >= end.count, Array(rest.suffix(end.count)) == end else { return false }
    // Only one such end: two would be two documents.
    return !rest.dropLast(end.count).indices.contains { bytes[$0...].starts(with: end) }
}

/// Builds the tree. Foundation calls it on the thread that parses, and nobody else has it.
private final class LabXMLReader: NSObject, XMLParserDelegate {
    var root: LabXMLElement?
    /// The root's name as it is written, with its prefix.
    var rootName = ""
    var open: [LabXMLElement] = []
    var problem: String?
    private var scopes: [String: [String]] = ["xml": ["http://www.w3.org/XML/1998/namespace"]]

    private var prefixes: [String: String] { scopes.compactMapValues(\.last) }

    /// Deeper than any request of vim25; a bound, so that nesting cannot use up the stack.
    private static let deepest = 64

    func parser(_ parser: XMLParser, didStartMappingPrefix prefix: String, toURI uri: String) {
        scopes[prefix, default: []].append(uri)
    }

    func parser(_ parser: XMLParser, didEndMappingPrefix prefix: String) {
        _ = scopes[prefix]?.popLast()
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
    ) {
        var element = LabXMLElement(name: name, namespace: namespaceURI ?? "")
        element.prefixes = prefixes
        for (qualified, value) in attributes {
            if qualified == "xmlns" || qualified.hasPrefix("xmlns:") { continue }
            // An attribute without a prefix is in no namespace.
            let key =
                qualified.contains(":")
                ? element.resolve(qualified) : LabXMLName("", qualified)
            guard let key else {
                problem = "the prefix of attribute \(qualified) is not declared"
                return parser.abortParsing()
            }
            element.attributes[key] = value
        }
        if (qualifiedName ?? name).contains(":"), (namespaceURI ?? "").isEmpty {
            problem = "the prefix of element \(qualifiedName ?? name) is not declared"
            return parser.abortParsing()
        }
        if open.isEmpty { rootName = qualifiedName ?? name }
        open.append(element)
        if open.count > LabXMLReader.deepest {
            problem = "nested too deeply"
            parser.abortParsing()
        }
    }

    func parser(
        _ parser: XMLParser, didEndElement name: String, namespaceURI: String?,
        qualifiedName: String?
    ) {
        guard let element = open.popLast() else { return }
        if open.isEmpty { root = element } else { open[open.count - 1].children.append(element) }
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        guard !open.isEmpty else { return }
        open[open.count - 1].text += string
    }

    func parser(_ parser: XMLParser, foundCDATA block: Data) {
        guard !open.isEmpty else { return }
        open[open.count - 1].text += String(decoding: block, as: UTF8.self)
    }
}
