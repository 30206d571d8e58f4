/// Builds the XML of a request. Order is the caller's: real servers parse sequences in order.
struct XMLText: Sendable {
    /// The text so far.
    private(set) var text = ""
    /// Whether a value contained a character that XML cannot carry, escaped or not.
    private(set) var isUnsendable = false

    /// An empty text.
    init() {}

    /// `<name>value</name>`.
    mutating func add(_ name: String, _ value: String) {
        text += "<\(name)>"
        append(value)
        text += "</\(name)>"
    }

    /// `<name>true</name>` or `<name>false</name>`.
    mutating func add(_ name: String, _ value: Bool) { add(name, value ? "true" : "false") }

    /// `<name type="kind">id</name>`.
    mutating func add(_ name: String, _ reference: Reference) {
        text += "<\(name) type=\""
        append(reference.kind)
        text += "\">"
        append(reference.id)
        text += "</\(name)>"
    }

    /// `<name xsi:type="type">value</name>`, the type with its prefix if it has one.
    mutating func add(_ name: String, typed type: String, _ value: String) {
        text += "<\(name) xsi:type=\"\(type)\">"
        append(value)
        text += "</\(name)>"
    }

    /// `<name>...</name>`, or with an `xsi:type` where the declared type is a base class.
    mutating func add(_ name: String, type: String? = nil, _ inside: (inout XMLText) -> Void) {
        text += type.map { "<\(name) xsi:type=\"\($0)\">" } ?? "<\(name)>"
        inside(&self)
        text += "</\(name)>"
    }

    /// A value with everything escaped that a parser would change or read as markup: line breaks
    /// and tabs too, since an attribute's value or a strict reader would normalise them.
    private mutating func append(_ value: String) {
        for scalar in value.unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&apos;"
            case "\t", "\n", "\r", "\u{7F}"..."\u{9F}", "\u{2028}":
                text += "&#\(scalar.value);"
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": isUnsendable = true
            default: text.unicodeScalars.append(scalar)
            }
        }
    }

    /// A whole request: the method on an object, its arguments inside.
    static func envelope(
        method: String, on object: Reference, operation: String,
        _ arguments: (inout XMLText) -> Void
    ) -> XMLText {
        var xml = XMLText()
        xml.text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" \
            xmlns:xsd="http://www.w3.org/2001/XMLSchema" \
            xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\
            <soapenv:Header>
            """
        xml.add("operationID", operation)
        xml.text += "</soapenv:Header><soapenv:Body><\(method) xmlns=\"urn:vim25\">"
        xml.add("_this", object)
        arguments(&xml)
        xml.text += "</\(method)></soapenv:Body></soapenv:Envelope>"
        return xml
    }
}
