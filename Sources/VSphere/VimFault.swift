/// A fault, from a SOAP or JSON reply or from a task: all carry the same types (facts/vsphere.md
/// 2.0, 2.13). The type comes from `xsi:type` or `_typeName`, never from words or a status.
struct VimFault: Error, Hashable, Sendable {
    /// The concrete type, from `xsi:type`: e.g. `InvalidPowerState`. Empty when there is none.
    var type: String
    /// The server's words. Never decided on.
    var message: String
    /// The fault's own fields.
    var fields: Element?

    /// From `<Fault>` in a SOAP body.
    init(envelope fault: Element) {
        let detail = fault["detail"]?.children.first
        message = fault["faultstring"]?.text ?? ""
        fields = detail
        // The element's name is the *declared* fault and "Fault"; only the type is concrete.
        type = detail?.type ?? Self.declared(detail?.name)
    }

    /// From the body of a VI JSON reply: the fault itself, its words beside its fields.
    init(json fault: Element) {
        message = fault["faultstring"]?.text ?? fault["localizedMessage"]?.text ?? ""
        fields = fault
        type = fault.type ?? ""
    }

    /// From a `LocalizedMethodFault`: a task's `error`, a missing property's `fault`.
    init(localized fault: Element) {
        message = fault["localizedMessage"]?.text ?? ""
        fields = fault["fault"]
        type = fields?.type ?? ""
    }

    private static func declared(_ name: String?) -> String {
        guard let name else { return "" }
        return name.hasSuffix("Fault") ? String(name.dropLast("Fault".count)) : name
    }

    /// Whether the session is gone: log in again.
    var isNotAuthenticated: Bool { type == "NotAuthenticated" }

    /// The power state the guest already has, when that is why the call was refused.
    var existingPowerState: String? {
        type == "InvalidPowerState" ? fields?["existingState"]?.text : nil
    }

    /// What the fault adds to the server's words.
    var details: String {
        var parts: [String] = []
        if let privilege = fields?["privilegeId"]?.text, !privilege.isEmpty {
            parts.append("privilege \(privilege)")
        }
        if let object = fields?["object"]?.reference ?? fields?["obj"]?.reference {
            parts.append("on \(object.kind) \(object.id)")
        }
        if let state = existingPowerState { parts.append("it is \(state)") }
        // `CannotPowerOffVmInCluster` says of what, `MethodDisabled` by whom.
        for field in ["operation", "source", "name"] {
            if let text = fields?[field]?.text, !text.isEmpty { parts.append(text) }
        }
        return parts.joined(separator: " ")
    }

    /// One line: type, words, details.
    var description: String {
        let words = [message, details].filter { !$0.isEmpty }.joined(separator: "; ")
        let name = type.isEmpty ? "fault without a type" : type
        return words.isEmpty ? name : "\(name): \(words)"
    }
}

extension VimFault {
    /// A fault found by looking at what could not be read.
    init(type: String, message: String) {
        self.type = type
        self.message = message
        fields = nil
    }
}
