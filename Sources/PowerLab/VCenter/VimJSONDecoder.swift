import Foundation

/// Reads calls of VI JSON strictly by the type table, as `VimDecoder` reads those of SOAP
/// (facts/vsphere.md 2.0.2).
struct VimJSONDecoder {
    let table: VimTable
    let version: VimVersion

    /// A call: the path names the object and the method, the body holds the arguments.
    func call(
        _ method: String, on receiver: VimReference, _ body: [UInt8]
    ) throws(VimFault) -> VimCall {
        guard let known = table.methods[method],
            table.isManaged(receiver.type, a: known.receiver)
        else {
            throw VimFault(
                "MethodNotFound", "\(receiver.type) has no method \(method)",
                ["receiver": .reference(receiver), "method": .string(method)])
        }
        let parsed: Any?
        do { parsed = try JSONSerialization.jsonObject(with: Data(body)) } catch { parsed = nil }
        guard let members = parsed as? [String: Any] else {
            throw .invalidRequest("the body is not a JSON object")
        }
        // The outermost object needs no type; pyVmomi-like clients name the request's.
        let arguments = try fields(known.parameters, from: members, owner: method)
        return VimCall(
            method: method, receiver: receiver, arguments: arguments, version: version)
    }

    private func fields(
        _ declared: [VimField], from members: [String: Any], owner: String
    ) throws(VimFault) -> [String: VimValue] {
        var values: [String: VimValue] = [:]
        for (name, member) in members where name != "_typeName" {
            guard let field = declared.first(where: { $0.name == name }),
                field.exists(in: version)
            else { throw .invalidRequest("\(owner) has no \(name) in \(version.text)") }
            if member is NSNull { continue }
            values[name] = try value(member, as: field)
        }
        for field in declared
        where field.isRequired && field.exists(in: version) && values[field.name] == nil {
            throw .invalidRequest("\(owner): required \(field.name) is missing")
        }
        return values
    }

    private func value(_ member: Any, as field: VimField) throws(VimFault) -> VimValue {
        guard field.isArray else { return try one(member, as: field) }
        guard let members = member as? [Any] else {
            throw .invalidRequest("\(field.name) must be an array")
        }
        guard !members.isEmpty || field.count == .many else {
            throw .invalidRequest("\(field.name) must not be empty")
        }
        var values: [VimValue] = []
        for member in members { values.append(try one(member, as: field)) }
        return .list(values, of: field.isReference ? "ManagedObjectReference" : field.type)
    }

    private func one(_ member: Any, as field: VimField) throws(VimFault) -> VimValue {
        if field.isReference {
            return .reference(try reference(member, to: field.type, field.name))
        }
        if field.type == "anyType" { return try any(member, field.name) }
        if VimTable.simple.contains(field.type) {
            return try simple(member, field.type, field.name)
        }
        if let values = table.enumerations[field.type] {
            return try enumeration(member, field.type, values, field.name)
        }
        return .object(try object(member, declared: field.type, field.name))
    }

    private func object(
        _ member: Any, declared: String, _ name: String
    ) throws(VimFault) -> VimObject {
        guard let members = member as? [String: Any] else {
            throw .invalidRequest("\(name) must be an object")
        }
        let given = members["_typeName"] as? String
        guard given != nil || !table.isBase(declared) else {
            throw .invalidRequest("\(name) must say its type with _typeName")
        }
        let type = given ?? declared
        guard table.isData(type, a: declared) else { throw mismatch(name, type, declared) }
        guard table.objects[type] != nil, let fields = table.fields(of: type) else {
            throw VimFault("NotSupported", "this vCenter does not serve \(type)")
        }
        return VimObject(type, try self.fields(fields, from: members, owner: type))
    }

    private func any(_ member: Any, _ name: String) throws(VimFault) -> VimValue {
        guard let members = member as? [String: Any], let type = members["_typeName"] as? String
        else { throw .invalidRequest("\(name) must be an object that says its type") }
        if type == "ManagedObjectReference" {
            return .reference(try reference(member, to: "ManagedObject", name))
        }
        if VimTable.simple.contains(type) || table.enumerations[type] != nil {
            guard members.count == 2, let boxed = members["_value"] else {
                throw .invalidRequest("\(name) must be a box with _typeName and _value")
            }
            guard let values = table.enumerations[type] else {
                return try simple(boxed, type, name)
            }
            return try enumeration(boxed, type, values, name)
        }
        return .object(try object(member, declared: type, name))
    }

    private func simple(
        _ member: Any, _ type: String, _ name: String
    ) throws(VimFault) -> VimValue {
        let wrong = VimFault.invalidRequest("\(name): not of type \(type)")
        switch (type, member) {
        case ("boolean", let number as NSNumber) where number.isFlag: return .bool(number.boolValue)
        case ("byte", let number as NSNumber), ("short", let number as NSNumber),
            ("int", let number as NSNumber), ("long", let number as NSNumber):
            guard !number.isFlag, let whole = Int64(number.stringValue),
                type != "int" || Int32(exactly: whole) != nil
            else { throw wrong }
            return .simple(String(whole), type: type)
        case ("float", let number as NSNumber), ("double", let number as NSNumber):
            guard !number.isFlag else { throw wrong }
            return .simple(number.stringValue, type: type)
        case ("string", let text as String), ("dateTime", let text as String),
            ("anyURI", let text as String), ("base64Binary", let text as String):
            return .simple(text, type: type)
        default: throw wrong
        }
    }

    private func enumeration(
        _ member: Any, _ type: String, _ values: [String], _ name: String
    ) throws(VimFault) -> VimValue {
        guard let text = member as? String, values.contains(text) else {
            throw .invalidArgument(name, "\(name) is not one of \(values)")
        }
        return .simple(text, type: type)
    }

    private func reference(
        _ member: Any, to declared: String, _ name: String
    ) throws(VimFault) -> VimReference {
        guard let members = member as? [String: Any], members.count == 3,
            members["_typeName"] as? String == "ManagedObjectReference",
            let type = members["type"] as? String, let id = members["value"] as? String,
            !type.isEmpty, !id.isEmpty
        else { throw .invalidRequest("\(name) must be a reference with its type and value") }
        guard table.isManaged(type, a: declared) else { throw mismatch(name, type, declared) }
        return VimReference(type, id)
    }

    private func mismatch(_ name: String, _ given: String, _ declared: String) -> VimFault {
        VimFault(
            "InvalidType", "\(name) is a \(declared), not a \(given)",
            ["argument": .string(name)])
    }
}

/// Writes answers of VI JSON by the type table, fields newer than the version left out.
struct VimJSONEncoder {
    let table: VimTable
    let version: VimVersion

    /// What a call gives back: an array, an object, or a bare value.
    func text(_ value: VimValue) throws -> String { try text(json(value)) }

    /// The fault itself, with its words.
    func text(_ fault: VimFault) throws -> String {
        var members = object(fault.detail)
        members["faultstring"] = fault.message
        return try text(members as Any)
    }

    private func text(_ json: Any) throws -> String {
        String(
            decoding: try JSONSerialization.data(
                withJSONObject: json, options: [.fragmentsAllowed, .sortedKeys]),
            as: UTF8.self)
    }

    private func json(_ value: VimValue) -> Any {
        switch value {
        case .simple(let text, let type): simple(text, type)
        case .reference(let reference):
            [
                "_typeName": "ManagedObjectReference", "type": reference.type,
                "value": reference.id,
            ]
        case .object(let value): object(value)
        case .list(let values, _): values.map(json)
        }
    }

    /// Where any type is allowed, simple values and arrays are in a box.
    private func boxed(_ value: VimValue) -> Any {
        switch value {
        case .simple, .list: ["_typeName": value.typeName, "_value": json(value)]
        case .reference, .object: json(value)
        }
    }

    private func simple(_ text: String, _ type: String) -> Any {
        switch type {
        case "boolean": text == "true"
        case "byte", "short", "int", "long": Int64(text) ?? 0
        case "float", "double": Double(text) ?? 0
        default: text
        }
    }

    private func object(_ value: VimObject) -> [String: Any] {
        var members: [String: Any] = ["_typeName": value.type]
        for field in table.fields(of: value.type) ?? [] where field.exists(in: version) {
            guard let member = value[field.name] else { continue }
            members[field.name] =
                field.type == "anyType" && !field.isArray ? boxed(member) : json(member)
        }
        return members
    }
}

extension NSNumber {
    /// Whether it was `true` or `false`: nothing else tells those from numbers.
    fileprivate var isFlag: Bool { String(cString: objCType) == "c" }
}
