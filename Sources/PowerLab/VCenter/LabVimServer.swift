import Foundation
import HTTPTypes
import PowerModel

/// What the lab's vCenter and its hosts have in common: sessions with views and pages of answers,
/// and what their user may do.
protocol LabVimServer: Actor {
    /// The types that are spoken.
    var table: VimTable { get }
    /// The most objects in one answer, whatever a client asks for.
    var pageSize: Int { get }
    /// Which release of vSphere it is.
    var release: LabRelease { get }
    /// The logins, by key.
    var sessions: [String: LabSession] { get set }
    /// What the user may not do, on any object.
    var withheld: Set<String> { get }
}

/// Views, and reading properties.
extension LabVimServer {
    func createView(
        _ call: VimCall, _ key: String, _ reader: LabPropertyReader
    ) throws(VimFault) -> VimValue {
        guard let container = call["container"]?.reference,
            reader.tree.properties(of: container) != nil
        else {
            throw .notFound(call["container"]?.reference ?? call.receiver)
        }
        let types = (call["type"]?.elements ?? []).compactMap(\.text)
        for type in types where table.managed[type] == nil {
            throw .invalidArgument("type", "there is no managed type \(type)")
        }
        let id = "session[\(key)]\(UUID().uuidString.lowercased())"
        sessions[key]?.views[id] = LabView(
            container: container, types: types, isRecursive: call["recursive"]?.flag == true)
        return .reference(VimReference("ContainerView", id))
    }

    /// RetrievePropertiesEx: everything at once, or the first page of it.
    func retrieve(
        _ call: VimCall, _ reader: LabPropertyReader, session key: String?
    ) throws(VimFault) -> VimValue? {
        var contents: [VimValue] = []
        for spec in (call["specSet"]?.elements ?? []).compactMap(\.object) {
            for (reference, values) in try reader.select(spec) {
                let properties = values.map { pair in
                    VimValue.object(
                        VimObject(
                            "DynamicProperty", ["name": .string(pair.path), "val": pair.value]))
                }
                contents.append(
                    .object(
                        VimObject(
                            "ObjectContent",
                            [
                                "obj": .reference(reference),
                                "propSet": .list(properties, of: "DynamicProperty"),
                            ])))
            }
        }
        var size = pageSize
        if let wanted = call["options"]?.object?["maxObjects"]?.number {
            guard wanted > 0 else {
                throw .invalidArgument("options.maxObjects", "maxObjects must be more than 0")
            }
            size = min(size, wanted)
        }
        if contents.isEmpty { return nil }
        return page(contents, size, collector: call.receiver.id, key)
    }

    private func page(
        _ contents: [VimValue], _ size: Int, collector: String, _ key: String?
    ) -> VimValue {
        var token: String?
        if contents.count > size, let key {
            let name = UUID().uuidString.lowercased()
            sessions[key]?.pages[name] = LabPage(
                collector: collector, size: size, rest: Array(contents.dropFirst(size)))
            token = name
        }
        return .object(
            VimObject(
                "RetrieveResult",
                [
                    "token": token.map { .string($0) },
                    "objects": .list(Array(contents.prefix(size)), of: "ObjectContent"),
                ]))
    }

    /// The rest that a token stands for; the token is void then.
    func takePage(_ call: VimCall, _ key: String) throws(VimFault) -> LabPage {
        guard let token = call["token"]?.text, let page = sessions[key]?.pages[token],
            page.collector == call.receiver.id
        else { throw .invalidArgument("token", "The token is not valid (any more).") }
        sessions[key]?.pages[token] = nil
        return page
    }

    func nextPage(_ call: VimCall, _ key: String) throws(VimFault) -> VimValue {
        let next = try takePage(call, key)
        return page(next.rest, next.size, collector: next.collector, key)
    }
}

/// Privileges.
extension LabVimServer {
    /// The privilege that each method demands of its receiver (facts/vsphere.md 3).
    private static var demanded: [String: String] {
        [
            "ReconfigureComputeResource_Task": "Host.Inventory.EditCluster",
            "UpdateOptions": "Global.Settings",
            "ShutdownGuest": "VirtualMachine.Interact.PowerOff",
            "PowerOffVM_Task": "VirtualMachine.Interact.PowerOff",
            "TerminateVM": "VirtualMachine.Interact.PowerOff",
            "AnswerVM": "VirtualMachine.Interact.AnswerQuestion",
            "PowerOnVM_Task": "VirtualMachine.Interact.PowerOn",
            "SuspendVM_Task": "VirtualMachine.Interact.Suspend",
            "EnterMaintenanceMode_Task": "Host.Config.Maintenance",
            "ExitMaintenanceMode_Task": "Host.Config.Maintenance",
            "ShutdownHost_Task": "Host.Config.Maintenance",
            "ReconfigureAutostart": "Host.Config.AutoStart",
            "RefreshServices": "Host.Config.NetService",
            "StartService": "Host.Config.NetService",
            "StopService": "Host.Config.NetService",
            "RegisterVM_Task": "VirtualMachine.Inventory.Register",
        ]
    }

    /// Refuses a call for which the user has no privilege.
    func demandPrivilege(for call: VimCall) throws(VimFault) {
        try demandPrivilege(call.method, on: call.receiver)
    }

    /// The same of a method, however it is asked for.
    func demandPrivilege(_ method: String, on object: VimReference) throws(VimFault) {
        if let privilege = Self.demanded[method] { try demand(privilege, on: object) }
    }

    /// Refuses what needs a privilege that the user does not have.
    func demand(_ privilege: String, on object: VimReference) throws(VimFault) {
        guard withheld.contains(privilege) else { return }
        throw VimFault(
            "NoPermission", "Permission to perform this operation was denied.",
            ["object": .reference(object), "privilegeId": .string(privilege)])
    }

    /// Says of each entity which privileges the user has there. Only of the session that asks.
    func privileges(
        _ call: VimCall, _ key: String, _ reader: LabPropertyReader
    ) throws(VimFault) -> VimValue {
        guard call["sessionId"]?.text == key else {
            throw .invalidArgument("sessionId", "there is no such session of this user")
        }
        let asked = (call["privId"]?.elements ?? []).compactMap(\.text)
        var answers: [VimValue] = []
        for entity in (call["entity"]?.elements ?? []).compactMap(\.reference) {
            guard reader.properties(of: entity) != nil else { throw .notFound(entity) }
            let granted = asked.map { privilege in
                VimValue.object(
                    VimObject(
                        "PrivilegeAvailability",
                        [
                            "privId": .string(privilege),
                            "isGranted": .bool(!withheld.contains(privilege)),
                        ]))
            }
            answers.append(
                .object(
                    VimObject(
                        "EntityPrivilege",
                        [
                            "entity": .reference(entity),
                            "privAvailability": .list(granted, of: "PrivilegeAvailability"),
                        ])))
        }
        return .list(answers, of: "EntityPrivilege")
    }
}

/// SOAP's own.
extension LabVimServer {
    /// The version that a request asks for.
    func requestedVersion(_ headers: HTTPFields) throws(VimFault) -> VimVersion {
        guard var action = headers.first(where: { $0.name.canonicalName == "soapaction" })?.value
        else { throw .invalidRequest("a SOAPAction is required") }
        if action.count >= 2, action.hasPrefix("\""), action.hasSuffix("\"") {
            action = String(action.dropFirst().dropLast())
        }
        guard
            let version = release.versions.first(where: {
                "\(VimDecoder.vim)/\($0.text)" == action
            })
        else { throw .invalidRequest("Unsupported version URI \"\(action)\"") }
        return version
    }

    /// The session's key, if the cookie comes back exactly as it was set: with its quotes.
    static func sessionKey(in headers: HTTPFields) -> String? {
        for field in headers[values: .cookie] {
            for pair in field.split(separator: ";") {
                let trimmed = pair.trimmingCharacters(in: .whitespaces)
                guard trimmed.hasPrefix("vmware_soap_session=\""), trimmed.hasSuffix("\"")
                else { continue }
                return String(trimmed.dropFirst("vmware_soap_session=\"".count).dropLast())
            }
        }
        return nil
    }

    /// `/sdk/vimServiceVersions.xml`.
    var serviceVersions: String {
        let prior = release.versions.dropFirst().map { "<version>\($0.text)</version>" }
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <namespaces version="1.0">
            <namespace><name>urn:vim25</name><version>\(release.newest.text)</version>
            <priorVersions>\(prior.joined())</priorVersions></namespace>
            </namespaces>
            """
    }
}
