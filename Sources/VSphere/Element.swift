/// One element of a reply: a small tree of value types, namespaces resolved.
struct Element: Hashable, Sendable {
    /// The name without its prefix.
    var name: String
    /// The namespace's URI; empty for none.
    var namespace: String
    /// `xsi:type` without its prefix: the concrete vim type, or nil.
    var type: String?
    /// The attribute `type` without a namespace: the kind of a managed object reference.
    var referenceKind: String?
    /// The character data of the element itself.
    var text: String = ""
    /// The elements in it, in order.
    var children: [Element] = []

    /// The first child of this name.
    subscript(_ name: String) -> Element? { children.first { $0.name == name } }

    /// All children of this name, in order.
    func all(_ name: String) -> [Element] { children.filter { $0.name == name } }

    /// The element at the end of this path of names.
    func at(_ path: String...) -> Element? {
        var element = self
        for name in path {
            guard let child = element[name] else { return nil }
            element = child
        }
        return element
    }

    /// `xsd:boolean`, as its lexical forms allow; nil for anything else.
    var bool: Bool? {
        switch text {
        case "true", "1": true
        case "false", "0": false
        default: nil
        }
    }

    /// The element as a managed object reference; nil without a kind or a value.
    var reference: Reference? {
        guard let kind = referenceKind, !text.isEmpty else { return nil }
        return Reference(kind: kind, id: text)
    }
}

/// A managed object reference, e.g. `HostSystem` `host-9`.
struct Reference: Hashable, Comparable, Sendable {
    /// The managed object's type.
    var kind: String
    /// Its identity ("MoId") within the vCenter.
    var id: String

    /// Where every client begins, at vCenter and at a host.
    static let serviceInstance = Reference(kind: "ServiceInstance", id: "ServiceInstance")

    static func < (left: Reference, right: Reference) -> Bool {
        (left.kind, left.id) < (right.kind, right.id)
    }
}
