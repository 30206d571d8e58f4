import PowerModel
import Transport

/// vim25 as SOAP 1.1: every release, vCenter and host (facts/vsphere.md 2.0.1).
struct SOAPWire: VimWire {
    let transport = VCenterTransport.soap
    let version: String
    /// The session's own cookies: a new login never sends an old one (facts/vsphere.md 2.1).
    let cookies: HTTPSCookieJar

    func request(
        _ call: VimCall, timeout: Duration, stallLimit: Duration?
    ) throws(CallFailure) -> HTTPSRequest {
        let xml = XMLText(call)
        guard !xml.isUnsendable else {
            throw .refused("a value holds a control character that XML cannot carry")
        }
        return HTTPSRequest(
            method: "POST", path: call.method.isOfVSAN ? "/vsanHealth" : "/sdk",
            headers: [
                .init("Content-Type", "text/xml; charset=\"utf-8\""),
                .init("SOAPAction", "\"\(call.method.namespace)/\(version(of: call.method))\""),
            ],
            body: Array(xml.text.utf8), timeout: timeout, stallLimit: stallLimit ?? timeout,
            cookies: cookies)
    }

    /// The first version of vSAN's calls that has those that vpower makes: newer servers know it.
    static let vsanVersion = "vSAN 7.0U3"

    private func version(of method: VimMethod) -> String {
        method.isOfVSAN ? Self.vsanVersion : version
    }

    func contentRequest(timeout: Duration) throws(CallFailure) -> HTTPSRequest {
        try request(
            VimCall(
                method: .retrieveServiceContent,
                object: .serviceInstance, arguments: VimFields(), operation: "vpower-greet"),
            timeout: timeout, stallLimit: nil)
    }

    func result(
        _ response: HTTPSResponse, of method: VimMethod
    ) throws(CallFailure) -> Element {
        // Any other status is not vim's: a proxy's words, never to be read as an answer.
        guard response.status == 200 || response.status == 500 else {
            throw .status(response.status)
        }
        let payload: Element
        do {
            payload = try ReplyReader.payload(of: response.body)
        } catch {
            if response.status == 500 { throw .status(500) }
            throw .unreadable("to \(method.rawValue) \(error)")
        }
        if payload.name == "Fault", payload.namespace == ReplyReader.envelopeNamespace {
            throw .fault(VimFault(envelope: payload))
        }
        // `PowerOffVM_Task` is answered by `PowerOffVM_TaskResponse`.
        guard response.status == 200, payload.name == method.rawValue + "Response" else {
            throw .unreadable(
                "to \(method.rawValue) is <\(payload.name)> with status \(response.status)")
        }
        return payload
    }

    /// The cookie jar has it already.
    func loggedIn(by response: HTTPSResponse) throws(CallFailure) -> any VimWire { self }
}

/// The XML of a request.
struct XMLText: Sendable {
    /// The text so far.
    private(set) var text = ""
    /// Whether a value contained a character that XML cannot carry, escaped or not.
    private(set) var isUnsendable = false

    /// A whole envelope: the method on an object, its arguments inside.
    init(_ call: VimCall) {
        text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" \
            xmlns:xsd="http://www.w3.org/2001/XMLSchema" \
            xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\
            <soapenv:Header>
            """
        write("operationID", .text(call.operation))
        text += "</soapenv:Header><soapenv:Body><\(call.method.rawValue)"
        text += " xmlns=\"\(call.method.namespace)\">"
        write("_this", .reference(call.object))
        write(call.arguments)
        text += "</\(call.method.rawValue)></soapenv:Body></soapenv:Envelope>"
    }

    private mutating func write(_ fields: VimFields) {
        for field in fields.list { write(field.name, field.value) }
    }

    private mutating func write(_ name: String, _ value: VimValue) {
        switch value {
        case .text(let text): write(name, "", text)
        case .number(let number): write(name, "", String(number))
        case .flag(let flag): write(name, "", flag ? "true" : "false")
        case .boxed(let type, let text): write(name, " xsi:type=\"xsd:\(type)\"", text)
        case .array(let values): for value in values { write(name, value) }
        case .reference(let reference):
            text += "<\(name) type=\""
            append(reference.kind)
            text += "\">"
            append(reference.id)
            text += "</\(name)>"
        case .object(let type, let isDerived, let fields):
            text += isDerived ? "<\(name) xsi:type=\"\(type)\">" : "<\(name)>"
            write(fields)
            text += "</\(name)>"
        }
    }

    private mutating func write(_ name: String, _ attribute: String, _ value: String) {
        text += "<\(name)\(attribute)>"
        append(value)
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
}
