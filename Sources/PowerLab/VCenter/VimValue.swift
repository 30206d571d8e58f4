/// A value of vim25, read from a request or to be written into an answer.
indirect enum VimValue: Hashable, Sendable {
    /// A simple value or an enumeration's: its text, and its type.
    case simple(String, type: String)
    case reference(VimReference)
    case object(VimObject)
    /// An array, and what it is an array of ("ManagedObjectReference" for references).
    case list([VimValue], of: String)

    static func string(_ text: String) -> VimValue { .simple(text, type: "string") }
    static func bool(_ value: Bool) -> VimValue {
        .simple(value ? "true" : "false", type: "boolean")
    }
    static func int(_ value: Int) -> VimValue { .simple(String(value), type: "int") }
    static func long(_ value: Int) -> VimValue { .simple(String(value), type: "long") }
    static func date(_ text: String) -> VimValue { .simple(text, type: "dateTime") }
    static func references(_ list: [VimReference]) -> VimValue {
        .list(list.map { .reference($0) }, of: "ManagedObjectReference")
    }

    /// The text of a simple value.
    var text: String? {
        if case .simple(let text, _) = self { text } else { nil }
    }

    /// A boolean's value.
    var flag: Bool? {
        switch self {
        case .simple("true", "boolean"), .simple("1", "boolean"): true
        case .simple("false", "boolean"), .simple("0", "boolean"): false
        default: nil
        }
    }

    /// A number's value.
    var number: Int? { text.flatMap(Int.init) }

    var reference: VimReference? {
        if case .reference(let reference) = self { reference } else { nil }
    }

    var object: VimObject? {
        if case .object(let object) = self { object } else { nil }
    }

    /// The elements of an array.
    var elements: [VimValue] {
        if case .list(let elements, _) = self { elements } else { [] }
    }

    /// What `xsi:type` calls it.
    var typeName: String {
        switch self {
        case .simple(_, let type): type
        case .reference: "ManagedObjectReference"
        case .object(let object): object.type
        case .list(_, let type): "ArrayOf" + type.prefix(1).uppercased() + type.dropFirst()
        }
    }
}

/// A reference to a managed object.
struct VimReference: Hashable, Comparable, Sendable {
    let type: String
    let id: String

    init(_ type: String, _ id: String) {
        self.type = type
        self.id = id
    }

    static func < (left: VimReference, right: VimReference) -> Bool {
        (left.type, left.id) < (right.type, right.id)
    }
}

/// A data object: its type and those of its fields that are set.
struct VimObject: Hashable, Sendable {
    let type: String
    var fields: [String: VimValue]

    init(_ type: String, _ fields: [String: VimValue?] = [:]) {
        self.type = type
        self.fields = fields.compactMapValues { $0 }
    }

    subscript(name: String) -> VimValue? { fields[name] }
}

/// A fault: what a call, or a task, is refused with.
struct VimFault: Error, Hashable, Sendable {
    let detail: VimObject
    let message: String

    init(_ type: String, _ message: String, _ fields: [String: VimValue?] = [:]) {
        detail = VimObject(type, fields)
        self.message = message
    }

    /// The fault with its message, as tasks carry it.
    var localized: VimValue {
        .object(
            VimObject(
                "LocalizedMethodFault",
                ["fault": .object(detail), "localizedMessage": .string(message)]))
    }

    static func invalidRequest(_ why: String) -> VimFault { VimFault("InvalidRequest", why) }

    static func invalidArgument(_ property: String, _ why: String) -> VimFault {
        VimFault("InvalidArgument", why, ["invalidProperty": .string(property)])
    }

    static func notFound(_ object: VimReference) -> VimFault {
        VimFault(
            "ManagedObjectNotFound",
            "The object '\(object.type):\(object.id)' has already been deleted or has not been "
                + "completely created",
            ["obj": .reference(object)])
    }

    static func notAuthenticated(_ object: VimReference) -> VimFault {
        VimFault(
            "NotAuthenticated", "The session is not authenticated.",
            ["object": .reference(object), "privilegeId": .string("System.View")])
    }
}
