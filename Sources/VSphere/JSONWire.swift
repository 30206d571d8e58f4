import Foundation
import PowerModel
import Transport

/// vim25 as VI JSON: vCenter 8.0U1 and newer, never a host (facts/vsphere.md 1.4, 2.0.2).
struct JSONWire: VimWire {
    let transport = VCenterTransport.json
    /// The release in the path, e.g. `8.0.1.0`.
    let version: String
    /// What proves the login; nil before it.
    var session: String?

    /// The header of the session, both ways.
    private static let sessionHeader = "vmware-api-session-id"

    func request(
        _ call: VimCall, timeout: Duration, stallLimit: Duration?
    ) throws(CallFailure) -> HTTPSRequest {
        HTTPSRequest(
            method: "POST", path: path(to: call.object, call.method.rawValue), headers: headers,
            body: Array(try Self.data(call.arguments)), timeout: timeout,
            stallLimit: stallLimit ?? timeout)
    }

    func contentRequest(timeout: Duration) throws(CallFailure) -> HTTPSRequest {
        HTTPSRequest(
            path: path(to: .serviceInstance, "content"), headers: headers, timeout: timeout)
    }

    private var headers: [HTTPSRequest.Header] {
        [.init("Content-Type", "application/json")]
            + (session.map { [.init(Self.sessionHeader, $0)] } ?? [])
    }

    private func path(to object: Reference, _ last: String) -> String {
        let segments = [version, object.kind, object.id, last].map(URLText.segment)
        return "/sdk/vim25/" + segments.joined(separator: "/")
    }

    func result(
        _ response: HTTPSResponse, of method: VimMethod
    ) throws(CallFailure) -> Element {
        switch response.status {
        case 200, 204:
            var reply = Element(name: method.rawValue + "Response", namespace: "")
            if response.status == 200, !response.body.isEmpty {
                do { reply.children = try JSONReply.elements("returnval", in: response.body) } catch
                {
                    throw .unreadable("to \(method.rawValue) \(error)")
                }
            }
            return reply
        case 500:
            // A proxy's own words are no fault: those have a type.
            guard let fault = JSONReply.fault(in: response.body) else { throw .status(500) }
            throw .fault(fault)
        default: throw .status(response.status)
        }
    }

    func loggedIn(by response: HTTPSResponse) throws(CallFailure) -> any VimWire {
        guard let session = response.header(Self.sessionHeader), !session.isEmpty else {
            throw .unreadable("to Login has no \(Self.sessionHeader)")
        }
        return JSONWire(version: version, session: session)
    }

    // MARK: Writing

    /// The arguments as one JSON object; the outermost one needs no `_typeName`.
    static func data(_ arguments: VimFields) throws(CallFailure) -> Data {
        do { return try encoder.encode(JSONValue.object(nil, arguments)) } catch {
            throw .refused("the request cannot be written as JSON")
        }
    }

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }
}

/// A value of vim25 as JSON has it.
private enum JSONValue: Encodable {
    case object(String?, VimFields)
    case value(VimValue)

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    func encode(to encoder: any Encoder) throws {
        switch self {
        case .object(let type, let fields): try Self.encode(type, fields, to: encoder)
        case .value(.text(let text)): try Self.encode(text, to: encoder)
        case .value(.number(let number)): try Self.encode(number, to: encoder)
        case .value(.flag(let flag)): try Self.encode(flag, to: encoder)
        case .value(.object(let type, _, let fields)):
            try Self.encode(type, fields, to: encoder)
        case .value(.reference(let reference)):
            var object = VimFields()
            object.add("type", reference.kind)
            object.add("value", reference.id)
            try Self.encode("ManagedObjectReference", object, to: encoder)
        case .value(.boxed(let type, let text)):
            var object = VimFields()
            object.add("_value", Self.unboxed(type, text))
            try Self.encode(type, object, to: encoder)
        case .value(.array(let values)):
            var container = encoder.unkeyedContainer()
            for value in values { try container.encode(JSONValue.value(value)) }
        }
    }

    private static func encode(_ value: some Encodable, to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }

    private static func encode(
        _ type: String?, _ fields: VimFields, to encoder: any Encoder
    ) throws {
        var container = encoder.container(keyedBy: Key.self)
        if let type { try container.encode(type, forKey: Key(stringValue: "_typeName")) }
        for field in fields.list {
            try container.encode(
                JSONValue.value(field.value), forKey: Key(stringValue: field.name))
        }
    }

    private static func unboxed(_ type: String, _ text: String) -> VimValue {
        switch type {
        case "boolean": .flag(text == "true")
        case "int", "long", "short", "byte": Int(text).map { .number($0) } ?? .text(text)
        default: .text(text)
        }
    }
}

/// Reads a reply of VI JSON into the same elements that XML is read into.
enum JSONReply {
    /// The reply cannot be read, in words for people.
    struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
        var description: String
    }

    /// As deep as XML may nest.
    static let depthLimit = ReplyReader.depthLimit

    /// What a body holds, under this name: none for `null`, one for each element of an array.
    static func elements(_ name: String, in body: [UInt8]) throws(Problem) -> [Element] {
        let value: Any
        do {
            value = try JSONSerialization.jsonObject(
                with: Data(body), options: [.fragmentsAllowed])
        } catch {
            throw Problem(description: "is not JSON, or ends in the middle")
        }
        return try elements(name, value, depth: 0)
    }

    /// The fault a body holds; nil where it is none.
    static func fault(in body: [UInt8]) -> VimFault? {
        do throws(Problem) {
            let found = try elements("fault", in: body)
            guard found.count == 1, found[0].type != nil else { return nil }
            return VimFault(json: found[0])
        } catch { return nil }
    }

    private static func elements(
        _ name: String, _ value: Any, depth: Int
    ) throws(Problem) -> [Element] {
        guard depth < depthLimit else { throw Problem(description: "nests too deep") }
        var element = Element(name: name, namespace: "")
        switch value {
        case is NSNull: return []
        case let values as [Any]:
            var all: [Element] = []
            for value in values {
                // An array of arrays is not in vim25; its elements would fall together.
                guard !(value is [Any]) else {
                    throw Problem(description: "holds an array of arrays")
                }
                all += try elements(name, value, depth: depth + 1)
            }
            return all
        case let object as [String: Any]:
            try read(object, into: &element, depth: depth)
        default: element.text = try text(value)
        }
        return [element]
    }

    private static func read(
        _ object: [String: Any], into element: inout Element, depth: Int
    ) throws(Problem) {
        element.type = object["_typeName"] as? String
        if element.type == "ManagedObjectReference", object["_value"] == nil {
            guard let kind = object["type"] as? String, let id = object["value"] as? String else {
                throw Problem(description: "has a reference without a type or a value")
            }
            element.referenceKind = kind
            element.text = id
        } else if let boxed = object["_value"] {
            try unbox(boxed, into: &element, depth: depth)
        } else {
            for (name, value) in object where name != "_typeName" {
                element.children += try elements(name, value, depth: depth + 1)
            }
        }
    }

    /// Where any type is allowed, simple values and arrays are in a box that says their type.
    private static func unbox(
        _ value: Any, into element: inout Element, depth: Int
    ) throws(Problem) {
        guard let values = value as? [Any] else {
            element.text = try text(value)
            return
        }
        guard let type = element.type, type.hasPrefix("ArrayOf") else {
            throw Problem(description: "has an array that does not say of what")
        }
        // As XML names them: `ArrayOfString` holds <string>, `ArrayOfOptionValue` <OptionValue>.
        let item = String(type.dropFirst("ArrayOf".count))
        let name = simpleTypes.contains(item) ? item.lowercased() : item
        element.children = try elements(name, values, depth: depth + 1)
    }

    private static let simpleTypes: Set = [
        "String", "Int", "Long", "Short", "Byte", "Boolean", "Double", "Float",
    ]

    /// A simple value in the text that XML has for it.
    private static func text(_ value: Any) throws(Problem) -> String {
        switch value {
        case let text as String: return text
        case let number as NSNumber:
            // Booleans are told from numbers by nothing else.
            let isFlag = String(cString: number.objCType) == "c"
            return isFlag ? (number.boolValue ? "true" : "false") : number.stringValue
        default: throw Problem(description: "has a value of no known kind")
        }
    }
}

/// Text as a part of a path.
enum URLText {
    /// One segment: everything escaped that is not a letter, a digit or one of `-_.~:`; the dots
    /// too where there is nothing else, which would lead upwards.
    static func segment(_ text: String) -> String {
        let isDots = text.allSatisfy { $0 == "." }
        return text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: ".") where isDots: "%2E"
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."), UInt8(ascii: "~"), UInt8(ascii: ":"):
                String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }
}
