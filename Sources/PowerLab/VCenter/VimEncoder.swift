/// Writes answers by the type table: fields in the schema's order, those newer than the version
/// asked for left out.
struct VimEncoder {
    let table: VimTable
    let version: VimVersion
    /// The namespace of answers and their types.
    var namespace = VimDecoder.vim

    /// The answer to a call; nil for a method that gives nothing back.
    func response(to method: String, _ result: VimValue?) -> String {
        var text = "<\(method)Response xmlns=\"\(namespace)\">"
        switch result {
        case .list(let elements, let type)? where method != "Fetch":
            for element in elements { write(element, as: "returnval", declared: type, to: &text) }
        case let value?:
            let declared = method == "Fetch" ? "anyType" : value.typeName
            write(value, as: "returnval", declared: declared, to: &text)
        case nil: break
        }
        return VimEncoder.envelope(text + "</\(method)Response>")
    }

    /// The answer that refuses a call.
    func fault(_ fault: VimFault) -> String {
        var text = "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>"
        text += VimEncoder.escape(fault.message) + "</faultstring><detail>"
        let name = fault.detail.type + "Fault"
        text += "<\(name) xmlns=\"\(namespace)\"" + typeAttribute(fault.detail.type) + ">"
        writeFields(of: fault.detail, to: &text)
        text += "</\(name)></detail></soapenv:Fault>"
        return VimEncoder.envelope(text)
    }

    private static func envelope(_ body: String) -> String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            + "<soapenv:Envelope xmlns:soapenv=\"\(VimDecoder.soap)\">\n<soapenv:Body>\n"
            + body + "\n</soapenv:Body>\n</soapenv:Envelope>"
    }

    private func write(
        _ value: VimValue, as name: String, declared: String, to text: inout String
    ) {
        text += "<" + name
        if declared != value.typeName { text += typeAttribute(value.typeName) }
        switch value {
        case .simple(let content, _): text += ">" + VimEncoder.escape(content)
        case .reference(let reference):
            text += " type=\"\(VimEncoder.escape(reference.type))\">"
            text += VimEncoder.escape(reference.id)
        case .object(let object):
            text += ">"
            writeFields(of: object, to: &text)
        case .list(let elements, let type):
            text += ">"
            for element in elements { write(element, as: type, declared: type, to: &text) }
        }
        text += "</\(name)>"
    }

    private func writeFields(of object: VimObject, to text: inout String) {
        for field in table.fields(of: object.type) ?? [] where field.exists(in: version) {
            guard let value = object[field.name] else { continue }
            let declared = field.isReference ? "ManagedObjectReference" : field.type
            if field.isArray {
                for element in value.elements {
                    write(element, as: field.name, declared: declared, to: &text)
                }
            } else {
                write(value, as: field.name, declared: declared, to: &text)
            }
        }
    }

    /// Says a type with prefixes declared on the spot, as simulators and some servers do: a
    /// client that looks for the letters `xsi:type` finds nothing (facts/vsphere.md 2.0.1).
    private func typeAttribute(_ type: String) -> String {
        let start = " xmlns:q1=\"\(VimDecoder.instance)\""
        if VimTable.simple.contains(type) {
            return start + " xmlns:q2=\"\(VimDecoder.schema)\" q1:type=\"q2:\(type)\""
        }
        return start + " q1:type=\"\(type)\""
    }

    /// Text as XML has it. What XML 1.0 cannot hold at all becomes U+FFFD.
    static func escape(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "\r": escaped += "&#13;"
            case "\t", "\n": escaped.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
