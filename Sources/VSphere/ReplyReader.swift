import Foundation
import FoundationXML

/// Reads a reply as a whole or not at all.
///
/// Foundation's parser on Linux says "true" to documents that end in the middle, accepts a
/// DOCTYPE, dies of an empty processing instruction (`<?x?>`, Swift 6.3), and leaves the prefixes
/// of attributes alone (DESIGN 3). So here: the root's end tag must have been seen, `parserError`
/// must be nil, a DOCTYPE, processing instructions and any encoding but UTF-8 are refused, and
/// every prefix is resolved from the `xmlns` declarations that are in scope.
struct ReplyReader {
    /// The document cannot be read, in words for people.
    struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
        var description: String
    }

    /// The namespace of `xsi:type`.
    static let instanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"
    /// The namespace of SOAP 1.1's envelope.
    static let envelopeNamespace = "http://schemas.xmlsoap.org/soap/envelope/"
    /// Replies nest some twenty deep; more is an attack on the stack.
    static let depthLimit = 100

    /// The root element of an XML document.
    static func root(of bytes: [UInt8]) throws(Problem) -> Element {
        try refuseUnwanted(bytes)
        // `XMLParser(data:)` fails above 10 MB; the stream does not.
        let parser = XMLParser(stream: InputStream(data: Data(bytes)))
        parser.shouldResolveExternalEntities = false
        let builder = TreeBuilder()
        parser.delegate = builder
        let parsed = parser.parse()
        if let problem = builder.problem { throw problem }
        if let error = parser.parserError {
            throw Problem(
                description: "is not well-formed XML (line \(parser.lineNumber): \(error))")
        }
        guard parsed, let root = builder.root else {
            throw Problem(description: "ends in the middle, after \(bytes.count) bytes")
        }
        return root
    }

    /// The one element in the body of a SOAP envelope: a response, or a `Fault`.
    static func payload(of bytes: [UInt8]) throws(Problem) -> Element {
        let envelope = try root(of: bytes)
        guard envelope.name == "Envelope", envelope.namespace == envelopeNamespace else {
            throw Problem(description: "is not a SOAP envelope but <\(envelope.name)>")
        }
        let bodies = envelope.children.filter {
            $0.name == "Body" && $0.namespace == envelopeNamespace
        }
        guard bodies.count == 1, bodies[0].children.count == 1 else {
            throw Problem(description: "does not have exactly one element in one Body")
        }
        return bodies[0].children[0]
    }

    /// What libxml2 would accept and vim never sends.
    private static func refuseUnwanted(_ bytes: [UInt8]) throws(Problem) {
        guard !bytes.isEmpty else { throw Problem(description: "is empty") }
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let document = bytes.starts(with: byteOrderMark) ? bytes[3...] : bytes[...]
        guard let first = document.first(where: { !isSpace($0) }), first == UInt8(ascii: "<") else {
            throw Problem(description: "is not XML")
        }
        // In well-formed data these bytes can only be a DOCTYPE, a comment or CDATA: vim sends
        // none of them.
        if Data(document).range(of: Data("<!DOCTYPE".utf8)) != nil {
            throw Problem(description: "has a DOCTYPE, which no vCenter sends")
        }
        var content = document
        let mark = Array("<?xml".utf8)
        // `<?xmlx?>` is no declaration.
        if document.starts(with: mark), document.dropFirst(mark.count).first.map(isSpace) == true,
            let end = document.firstIndex(of: UInt8(ascii: ">"))
        {
            let declaration = String(decoding: document[..<end], as: UTF8.self).lowercased()
            if let name = declaration.range(of: "encoding"),
                !declaration[name.upperBound...].contains("utf-8")
            {
                throw Problem(description: "is not encoded in UTF-8")
            }
            content = document[end...]
        }
        if Data(content).range(of: Data("<?".utf8)) != nil {
            throw Problem(
                description: "has a processing instruction, which no vCenter sends")
        }
        guard String(validating: document, as: UTF8.self) != nil else {
            throw Problem(description: "is not encoded in UTF-8")
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}

/// Collects the parser's events into a tree. Stops at the first thing that is wrong.
private final class TreeBuilder: NSObject, XMLParserDelegate {
    private(set) var root: Element?
    private(set) var problem: ReplyReader.Problem?
    private var open: [(element: Element, qualifiedName: String)] = []
    /// The prefixes in scope, one table per open element.
    private var scopes: [[String: String]] = [
        ["": "", "xml": "http://www.w3.org/XML/1998/namespace"]
    ]

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
    ) {
        guard problem == nil else { return }
        guard open.count < ReplyReader.depthLimit else { return fail("nests too deep", parser) }
        guard root == nil else { return fail("has more than one root", parser) }
        var scope = scopes[scopes.count - 1]
        for (key, value) in attributes {
            if key == "xmlns" {
                scope[""] = value
            } else if key.hasPrefix("xmlns:") {
                scope[String(key.dropFirst("xmlns:".count))] = value
            }
        }
        guard let (namespace, local) = resolve(name, in: scope) else {
            return fail("uses the undeclared prefix of <\(name)>", parser)
        }
        var element = Element(name: local, namespace: namespace)
        for (key, value) in attributes where key != "xmlns" && !key.hasPrefix("xmlns:") {
            if key == "type" {
                element.referenceKind = value
            } else if key.contains(":") {
                guard let (space, attribute) = resolve(key, in: scope) else {
                    return fail("uses the undeclared prefix of \(key)", parser)
                }
                if space == ReplyReader.instanceNamespace, attribute == "type" {
                    guard let (_, type) = resolve(value, in: scope) else {
                        return fail("uses the undeclared prefix of \(value)", parser)
                    }
                    element.type = type
                }
            }
        }
        scopes.append(scope)
        open.append((element, name))
    }

    func parser(
        _ parser: XMLParser, didEndElement name: String, namespaceURI: String?,
        qualifiedName: String?
    ) {
        guard problem == nil else { return }
        // After an error libxml2 closes open elements by itself: never take those for real.
        guard let (element, opened) = open.popLast(), opened == name else {
            return fail("closes <\(name)>, which is not open", parser)
        }
        scopes.removeLast()
        if open.isEmpty {
            root = element
        } else {
            open[open.count - 1].element.children.append(element)
        }
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) {
        guard problem == nil, !open.isEmpty else { return }
        open[open.count - 1].element.text += text
    }

    func parser(_ parser: XMLParser, foundCDATA data: Data) {
        self.parser(parser, foundCharacters: String(decoding: data, as: UTF8.self))
    }

    private func resolve(
        _ name: String, in scope: [String: String]
    ) -> (namespace: String, local: String)? {
        guard let colon = name.firstIndex(of: ":") else { return (scope[""] ?? "", name) }
        let local = String(name[name.index(after: colon)...])
        guard let namespace = scope[String(name[..<colon])], !namespace.isEmpty,
            !local.isEmpty, !local.contains(":")
        else { return nil }
        return (namespace, local)
    }

    private func fail(_ words: String, _ parser: XMLParser) {
        problem = ReplyReader.Problem(description: words)
        parser.abortParsing()
    }
}
