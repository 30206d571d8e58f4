/// One field of a vim25 type, or one parameter of a method.
struct VimField: Hashable, Sendable {
    /// How often it may be there.
    enum Count: String, Sendable {
        case one = ""
        case optional = "?"
        case many = "*"
        case oneOrMore = "+"
    }

    let name: String
    /// A simple type ("string"), a data object, an enumeration, or, with `isReference`, the type
    /// of the managed object it points to.
    let type: String
    let isReference: Bool
    let count: Count
    /// The first version that has it; nil when every supported one does.
    let since: VimVersion?

    /// Reads `name type[?|*|+] [since]`; a `&` before the type makes it a reference. The notation
    /// keeps the table readable as a list; the tests compare every entry with pyvmomi's.
    init(_ text: String) {
        let parts = text.split(separator: " ")
        name = parts.first.map(String.init) ?? ""
        var kind = parts.count > 1 ? parts[1] : ""
        count = kind.last.flatMap { Count(rawValue: String($0)) } ?? .one
        if count != .one { kind = kind.dropLast() }
        isReference = kind.hasPrefix("&")
        type = String(isReference ? kind.dropFirst() : kind)
        since = parts.count > 2 ? VimVersion(String(parts[2])) : nil
    }

    /// The same notation again.
    var text: String {
        "\(name) \(isReference ? "&" : "")\(type)\(count.rawValue)"
            + (since.map { " \($0.text)" } ?? "")
    }

    var isRequired: Bool { count == .one || count == .oneOrMore }
    var isArray: Bool { count == .many || count == .oneOrMore }

    func exists(in version: VimVersion) -> Bool { since.map { $0 <= version } ?? true }
}

/// A version of vim25, e.g. 8.0.3.0.
struct VimVersion: Hashable, Comparable, Sendable {
    let text: String
    private let numbers: [Int]

    init(_ text: String) {
        self.text = text
        numbers = text.split(separator: ".").map { Int($0) ?? 0 }
    }

    static func < (left: VimVersion, right: VimVersion) -> Bool {
        left.numbers.lexicographicallyPrecedes(right.numbers)
    }

    /// Those of the lab's releases, newest first (facts/vsphere.md 1.2).
    static let known: [VimVersion] = [
        "9.0.0.0",
        "8.0.3.0", "8.0.2.0", "8.0.1.0", "8.0.0.2", "8.0.0.1", "8.0.0.0", "7.0.3.2", "7.0.3.1",
        "7.0.3.0", "7.0.2.1", "7.0.2.0", "7.0.1.1", "7.0.1.0", "7.0.0.2", "7.0.0.0", "6.9.1",
        "6.8.7", "6.7.3", "6.7.2", "6.7.1", "6.7",
    ].map(VimVersion.init)
}

/// A data object of vim25: its own fields in the schema's order; its base's come before.
struct VimObjectType: Sendable {
    let name: String
    let base: String?
    let fields: [VimField]

    init(_ name: String, base: String?, _ fields: [String]) {
        self.name = name
        self.base = base
        self.fields = fields.map(VimField.init)
    }
}

/// A method of vim25: on which managed type, with which parameters in which order.
struct VimMethod: Sendable {
    let name: String
    let receiver: String
    let parameters: [VimField]

    init(_ name: String, on receiver: String, _ parameters: [String]) {
        self.name = name
        self.receiver = receiver
        self.parameters = parameters.map(VimField.init)
    }
}

/// The part of vim25 that the lab's vCenter speaks, as data: what it reads and what it writes.
struct VimTable: Sendable {
    let objects: [String: VimObjectType]
    let enumerations: [String: [String]]
    let methods: [String: VimMethod]
    let managed: [String: VimObjectType]
    private let everyField: [String: [VimField]]

    init(
        objects: [VimObjectType], enumerations: [String: [String]], methods: [VimMethod],
        managed: [VimObjectType]
    ) {
        func byName(_ types: [VimObjectType]) -> [String: VimObjectType] {
            Dictionary(types.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        }
        self.objects = byName(objects)
        self.enumerations = enumerations
        self.methods = Dictionary(
            methods.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.managed = byName(managed)
        let all = self.objects.merging(self.managed) { first, _ in first }
        everyField = all.mapValues { type in
            var fields: [VimField] = []
            var next: VimObjectType? = type
            while let now = next {
                fields = now.fields + fields
                next = now.base.flatMap { all[$0] }
            }
            return fields
        }
    }

    /// All fields of a data object or managed object, its bases' first; nil for a type that is
    /// not in the table.
    func fields(of type: String) -> [VimField]? { everyField[type] }

    /// Whether one data object is the other or derived from it.
    func isData(_ type: String, a base: String) -> Bool { VimTable.walks(type, to: base, objects) }

    /// Whether one managed object is the other or derived from it.
    func isManaged(_ type: String, a base: String) -> Bool {
        base == "ManagedObject" || VimTable.walks(type, to: base, managed)
    }

    /// Whether other data objects are derived from it.
    func isBase(_ type: String) -> Bool { objects.values.contains { $0.base == type } }

    private static func walks(
        _ type: String, to base: String, _ types: [String: VimObjectType]
    ) -> Bool {
        var next: String? = type
        while let now = next {
            if now == base { return true }
            next = types[now]?.base
        }
        return false
    }

    /// The simple types of XML Schema that the table uses.
    static let simple: Set<String> = [
        "string", "boolean", "byte", "short", "int", "long", "float", "double", "dateTime",
        "anyURI", "base64Binary",
    ]
}
