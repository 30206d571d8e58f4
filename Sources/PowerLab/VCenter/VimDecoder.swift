import Foundation

/// A call, read from a request.
struct VimCall: Sendable {
    let method: String
    let receiver: VimReference
    let arguments: [String: VimValue]
    let version: VimVersion

    subscript(name: String) -> VimValue? { arguments[name] }

    /// The path of a property by which `Fetch` asks for it, or nil.
    var fetched: String? { method == "Fetch" ? self["prop"]?.text : nil }
}

/// Reads requests strictly by the type table: what the schema does not allow is refused, and so
/// is never executed (facts/vsphere.md 2.0.1).
struct VimDecoder {
    static let soap = "http://schemas.xmlsoap.org/soap/envelope/"
    static let vim = "urn:vim25"
    static let schema = "http://www.w3.org/2001/XMLSchema"
    static let instance = "http://www.w3.org/2001/XMLSchema-instance"

    let table: VimTable
    let version: VimVersion
    /// The namespace of calls and their types.
    var namespace = VimDecoder.vim

    /// The call inside an envelope.
    func call(in bytes: [UInt8]) throws(VimFault) -> VimCall {
        let root: LabXMLElement
        do { root = try readXML(bytes) } catch {
            throw .invalidRequest("XML document: \(error.detail)")
        }
        guard root.name == "Envelope", root.namespace == VimDecoder.soap else {
            throw .invalidRequest("the document is not a SOAP 1.1 envelope")
        }
        try noText(in: root)
        var parts = root.children[...]
        if parts.first?.name == "Header", parts.first?.namespace == VimDecoder.soap {
            parts = parts.dropFirst()
        }
        guard parts.count == 1, let body = parts.first, body.name == "Body",
            body.namespace == VimDecoder.soap
        else { throw .invalidRequest("the envelope must hold one Body, after at most one Header") }
        try noText(in: body)
        guard body.children.count == 1, let element = body.children.first else {
            throw .invalidRequest("the Body must hold one call")
        }
        return try call(of: element)
    }

    private func call(of element: LabXMLElement) throws(VimFault) -> VimCall {
        guard element.namespace == namespace else {
            throw .invalidRequest(
                "{\(element.namespace)}\(element.name) is not of \(namespace)")
        }
        guard let first = element.children.first, first.name == "_this" else {
            throw .invalidRequest("\(element.name) must begin with _this")
        }
        let receiver = try reference(first, to: "ManagedObject")
        guard let method = table.methods[element.name],
            table.isManaged(receiver.type, a: method.receiver)
        else {
            throw VimFault(
                "MethodNotFound", "\(receiver.type) has no method \(element.name)",
                ["receiver": .reference(receiver), "method": .string(element.name)])
        }
        try noText(in: element)
        try onlyAttributes([], in: element)
        let arguments = try fields(
            method.parameters, from: element.children.dropFirst(), owner: element.name)
        return VimCall(
            method: element.name, receiver: receiver, arguments: arguments, version: version)
    }

    // MARK: Sequences

    /// Reads a sequence of elements as the schema orders it.
    private func fields(
        _ declared: [VimField], from elements: ArraySlice<LabXMLElement>, owner: String
    ) throws(VimFault) -> [String: VimValue] {
        var values: [String: VimValue] = [:]
        var rest = elements
        for field in declared where field.exists(in: version) {
            var found: [VimValue] = []
            while let next = rest.first, next.name == field.name {
                guard next.namespace == namespace else {
                    throw .invalidRequest("\(owner): \(next.name) is not of \(namespace)")
                }
                if !found.isEmpty, !field.isArray {
                    throw .invalidRequest("\(owner): \(field.name) is there twice")
                }
                found.append(try value(next, as: field))
                rest = rest.dropFirst()
            }
            if found.isEmpty, field.isRequired {
                // A wrong element in its place says more than a missing one.
                if let next = rest.first { throw unexpected(next, in: declared, owner: owner) }
                throw .invalidRequest("\(owner): required \(field.name) is missing")
            }
            if field.isArray {
                if !found.isEmpty {
                    let type = field.isReference ? "ManagedObjectReference" : field.type
                    values[field.name] = .list(found, of: type)
                }
            } else {
                values[field.name] = found.first
            }
        }
        if let next = rest.first { throw unexpected(next, in: declared, owner: owner) }
        return values
    }

    private func unexpected(
        _ element: LabXMLElement, in declared: [VimField], owner: String
    ) -> VimFault {
        guard let field = declared.first(where: { $0.name == element.name }) else {
            return .invalidRequest("\(owner) has no \(element.name)")
        }
        return .invalidRequest(
            field.exists(in: version)
                ? "\(owner): \(element.name) is not in its place"
                : "\(owner) has no \(element.name) in \(version.text)")
    }

    // MARK: Values

    private func value(_ element: LabXMLElement, as field: VimField) throws(VimFault) -> VimValue {
        if field.isReference { return .reference(try reference(element, to: field.type)) }
        if field.type == "anyType" { return try any(element) }
        if VimTable.simple.contains(field.type) {
            try onlyAttributes([VimDecoder.typeAttribute], in: element)
            if let given = try givenType(element),
                given != LabXMLName(VimDecoder.schema, field.type)
            {
                throw mismatch(element, given.name, field.type)
            }
            return try simple(element, field.type)
        }
        if let values = table.enumerations[field.type] {
            return try enumeration(element, field.type, values)
        }
        return .object(try object(element, declared: field.type))
    }

    private func object(
        _ element: LabXMLElement, declared: String
    ) throws(VimFault) -> VimObject {
        try onlyAttributes([VimDecoder.typeAttribute], in: element)
        var type = declared
        if let given = try givenType(element) {
            guard given.namespace == namespace, table.isData(given.name, a: declared) else {
                throw mismatch(element, given.name, declared)
            }
            type = given.name
        }
        guard table.objects[type] != nil, let fields = table.fields(of: type) else {
            throw VimFault("NotSupported", "this vCenter does not serve \(type)")
        }
        try noText(in: element)
        return VimObject(type, try self.fields(fields, from: element.children[...], owner: type))
    }

    private func any(_ element: LabXMLElement) throws(VimFault) -> VimValue {
        guard let given = try givenType(element) else {
            throw .invalidRequest("\(element.name) must say its type with xsi:type")
        }
        if given.namespace == VimDecoder.schema, VimTable.simple.contains(given.name) {
            try onlyAttributes([VimDecoder.typeAttribute], in: element)
            return try simple(element, given.name)
        }
        guard given.namespace == namespace else {
            throw mismatch(element, given.name, "anyType")
        }
        if let values = table.enumerations[given.name] {
            return try enumeration(element, given.name, values)
        }
        if given.name == "ManagedObjectReference" {
            return .reference(try reference(element, to: "ManagedObject"))
        }
        return .object(try object(element, declared: given.name))
    }

    private func simple(_ element: LabXMLElement, _ type: String) throws(VimFault) -> VimValue {
        guard element.children.isEmpty else {
            throw .invalidRequest("\(element.name) must hold text only")
        }
        if type == "string" { return .string(element.text) }
        let text = element.text.trimmingCharacters(in: .whitespacesAndNewlines)
        let fits =
            switch type {
            case "boolean": ["true", "false", "0", "1"].contains(text)
            case "byte": Int8(text) != nil
            case "short": Int16(text) != nil
            case "int": Int32(text) != nil
            case "long": Int64(text) != nil
            case "float", "double": Double(text) != nil
            default: !text.isEmpty
            }
        guard fits else { throw .invalidRequest("\(element.name): not of type xsd:\(type)") }
        return .simple(text, type: type)
    }

    private func enumeration(
        _ element: LabXMLElement, _ type: String, _ values: [String]
    ) throws(VimFault) -> VimValue {
        try onlyAttributes([VimDecoder.typeAttribute], in: element)
        if let given = try givenType(element), given != LabXMLName(namespace, type) {
            throw mismatch(element, given.name, type)
        }
        guard element.children.isEmpty, values.contains(element.text) else {
            throw .invalidArgument(element.name, "\(element.name) is not one of \(values)")
        }
        return .simple(element.text, type: type)
    }

    private func reference(
        _ element: LabXMLElement, to declared: String
    ) throws(VimFault) -> VimReference {
        guard element.namespace == namespace else {
            throw .invalidRequest("\(element.name) is not of \(namespace)")
        }
        try onlyAttributes(
            [VimDecoder.typeAttribute, LabXMLName("", "type"), LabXMLName("", "serverGuid")],
            in: element)
        if let given = try givenType(element),
            given != LabXMLName(namespace, "ManagedObjectReference")
        {
            throw mismatch(element, given.name, "ManagedObjectReference")
        }
        guard let type = element.attributes[LabXMLName("", "type")], !type.isEmpty,
            element.children.isEmpty, !element.text.isEmpty
        else { throw .invalidRequest("\(element.name) must be a reference with its type") }
        guard table.isManaged(type, a: declared) else { throw mismatch(element, type, declared) }
        return VimReference(type, element.text)
    }

    // MARK: Attributes

    private static let typeAttribute = LabXMLName(instance, "type")

    private func givenType(_ element: LabXMLElement) throws(VimFault) -> LabXMLName? {
        guard let text = element.attributes[VimDecoder.typeAttribute] else { return nil }
        guard let name = element.resolve(text) else {
            throw .invalidRequest("\(element.name): the prefix of \(text) is not declared")
        }
        return name
    }

    private func onlyAttributes(
        _ allowed: [LabXMLName], in element: LabXMLElement
    ) throws(VimFault) {
        // pyvmomi marks the outermost element with the version once more.
        for name in element.attributes.keys
        where !allowed.contains(name) && name != LabXMLName("", "versionId") {
            throw .invalidRequest("\(element.name) has no attribute \(name.name)")
        }
    }

    private func noText(in element: LabXMLElement) throws(VimFault) {
        guard element.text.allSatisfy(\.isWhitespace) else {
            throw .invalidRequest("\(element.name) must hold elements only")
        }
    }

    private func mismatch(
        _ element: LabXMLElement, _ given: String, _ declared: String
    ) -> VimFault {
        VimFault(
            "InvalidType", "\(element.name) is a \(declared), not a \(given)",
            ["argument": .string(element.name)])
    }
}
