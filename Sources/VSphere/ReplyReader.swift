import CLibXML2
import Foundation

/// Reads a reply as a whole or not at all.
///
/// With libxml2 itself: Foundation's parser, which stands on it, dies of an empty processing
/// instruction (`<?x?>`, Swift 6.3), says "true" to documents that end in the middle, leaves the
/// prefixes of attributes alone, and keeps 80 bytes of each document and far more of a broken one:
/// 250 MB in a year of a daemon that asks every ten seconds. Here a DOCTYPE, processing
/// instructions and any encoding but UTF-8 are refused, and every prefix must be declared.
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
        let result = bytes.withUnsafeBytes { raw in
            raw.withMemoryRebound(to: CChar.self) { text -> Result<Element, Problem> in
                do throws(Problem) {
                    var builder = try TreeBuilder(text)
                    return .success(try builder.root())
                } catch { return .failure(error) }
            }
        }
        return try result.get()
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

/// Builds the tree of a document from libxml2's pull parser (<https://gnome.pages.gitlab.gnome.org/
/// libxml2/html/xmlreader_8h.html>), which resolves the prefixes of names. Stops at the first thing
/// that is wrong.
private struct TreeBuilder: ~Copyable {
    private let reader: xmlTextReaderPtr
    private var open: [Element] = []

    init(_ bytes: UnsafeBufferPointer<CChar>) throws(ReplyReader.Problem) {
        guard let reader = vp_xml_reader(bytes.baseAddress, Int32(bytes.count)) else {
            throw ReplyReader.Problem(description: "cannot be read: out of memory")
        }
        self.reader = reader
    }

    deinit { xmlFreeTextReader(reader) }

    /// The root, once the whole document is read and well-formed.
    mutating func root() throws(ReplyReader.Problem) -> Element {
        var root: Element?
        while true {
            switch xmlTextReaderRead(reader) {
            case 1:
                if let whole = try take() { root = whole }
            case 0:
                guard let root, open.isEmpty else {
                    throw ReplyReader.Problem(description: "has no root")
                }
                return root
            default:
                throw ReplyReader.Problem(
                    description: "is not well-formed XML, or ends in the middle (line "
                        + "\(vp_xml_line(reader)))")
            }
        }
    }

    /// Takes one event in; the root when it is complete.
    private mutating func take() throws(ReplyReader.Problem) -> Element? {
        switch xmlTextReaderNodeType(reader) {
        case 1:  // an element begins
            let isEmpty = xmlTextReaderIsEmptyElement(reader) == 1
            guard open.count < ReplyReader.depthLimit else {
                throw ReplyReader.Problem(description: "nests too deep")
            }
            open.append(try element())
            return isEmpty ? close() : nil
        case 15: return close()
        case 3, 4, 14:  // text, CDATA, white space that counts
            if !open.isEmpty { open[open.count - 1].text += text(xmlTextReaderConstValue(reader)) }
            return nil
        case 8, 13: return nil  // a comment, white space between elements
        case let kind:
            throw ReplyReader.Problem(
                description: "has what no vCenter sends: a node of kind \(kind)")
        }
    }

    private mutating func close() -> Element? {
        guard let element = open.popLast() else { return nil }
        if open.isEmpty { return element }
        open[open.count - 1].children.append(element)
        return nil
    }

    private func element() throws(ReplyReader.Problem) -> Element {
        var element = Element(
            name: try name(text(xmlTextReaderConstLocalName(reader))),
            namespace: text(xmlTextReaderConstNamespaceUri(reader)))
        while xmlTextReaderMoveToNextAttribute(reader) == 1 {
            let attribute = try name(text(xmlTextReaderConstLocalName(reader)))
            let space = text(xmlTextReaderConstNamespaceUri(reader))
            let value = text(xmlTextReaderConstValue(reader))
            if attribute == "type", space.isEmpty { element.referenceKind = value }
            if attribute == "type", space == ReplyReader.instanceNamespace {
                element.type = try localName(ofType: value)
            }
        }
        _ = xmlTextReaderMoveToElement(reader)
        return element
    }

    /// libxml2 goes on with `a:b` as a name where the prefix is not declared.
    private func name(_ local: String) throws(ReplyReader.Problem) -> String {
        guard !local.contains(":") else {
            throw ReplyReader.Problem(description: "uses the undeclared prefix of <\(local)>")
        }
        return local
    }

    /// The value of `xsi:type` without its prefix, which must be in scope.
    private func localName(ofType value: String) throws(ReplyReader.Problem) -> String {
        guard let colon = value.firstIndex(of: ":") else { return value }
        let local = value[value.index(after: colon)...]
        let space = String(value[..<colon]).withCString { prefix in
            prefix.withMemoryRebound(to: xmlChar.self, capacity: 1) {
                xmlTextReaderLookupNamespace(reader, $0)
            }
        }
        guard let space, !local.isEmpty, !local.contains(":") else {
            throw ReplyReader.Problem(description: "uses the undeclared prefix of \(value)")
        }
        vp_xml_free(space)
        return String(local)
    }

    private func text(_ bytes: UnsafePointer<xmlChar>?) -> String {
        bytes.map { String(cString: $0) } ?? ""
    }
}
