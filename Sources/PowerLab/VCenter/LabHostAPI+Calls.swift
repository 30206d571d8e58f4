import Foundation
import PowerModel

/// The methods, except those that give back a task.
extension LabHostAPI {
    private static let collector = "ha-property-collector"
    private static let sessionManager = VimReference("SessionManager", "ha-sessionmgr")
    private static let serviceInstance = VimReference("ServiceInstance", "ServiceInstance")

    /// `ServiceInstance.content`.
    private var content: VimObject {
        VimObject(
            "ServiceContent",
            [
                "rootFolder": .reference(LabHostTree.root),
                "propertyCollector": .reference(VimReference("PropertyCollector", Self.collector)),
                "viewManager": .reference(VimReference("ViewManager", "ViewManager")),
                "about": .object(
                    about(
                        release: release, name: "VMware ESXi", line: "embeddedEsx",
                        api: "HostAgent",
                        operatingSystem: "vmnix-x86")),
                "setting": .reference(VimReference("OptionManager", "HostAgentSettings")),
                "sessionManager": .reference(Self.sessionManager),
                "authorizationManager": .reference(
                    VimReference("AuthorizationManager", "ha-authmgr")),
            ])
    }

    /// Does what a call asks; gives back what its answer holds.
    func execute(
        _ call: VimCall, session key: String?, _ cookie: inout String?
    ) throws(VimFault) -> VimValue? {
        let snapshot = world.hostSnapshot(host)
        let live = key.flatMap { sessions[$0] }
        let reader = LabPropertyReader(
            table: table, version: call.version,
            tree: LabHostTree(
                snapshot: snapshot, lockdown: lockdown, autostart: autostart(snapshot),
                release: release),
            session: live, tasks: tasks, options: [], content: content)
        switch call.method {
        case "RetrieveServiceContent": return .object(content)
        case "Login": return try login(call, live, snapshot, &cookie)
        case "Fetch" where [Self.sessionManager, Self.serviceInstance].contains(call.receiver):
            return try reader.value(at: call.fetched ?? "", of: call.receiver)
        default: break
        }
        guard let key, live != nil else { throw .notAuthenticated(call.receiver) }
        guard reader.properties(of: call.receiver) != nil else { throw .notFound(call.receiver) }
        try demandPrivilege(for: call)
        return try execute(call, key, reader)
    }

    private func execute(
        _ call: VimCall, _ key: String, _ reader: LabPropertyReader
    ) throws(VimFault) -> VimValue? {
        switch call.method {
        case "Fetch": return try reader.value(at: call.fetched ?? "", of: call.receiver)
        case "CurrentTime": return .date(reader.tree.snapshot.wall.vim)
        case "Logout":
            sessions[key] = nil
            return nil
        case "CreateContainerView": return try createView(call, key, reader)
        case "DestroyView":
            sessions[key]?.views[call.receiver.id] = nil
            return nil
        case "RetrievePropertiesEx": return try retrieve(call, reader, session: key)
        case "ContinueRetrievePropertiesEx": return try nextPage(call, key)
        case "CancelRetrievePropertiesEx":
            _ = try takePage(call, key)
            return nil
        case "HasPrivilegeOnEntities": return try privileges(call, key, reader)
        default: break
        }
        if isReadOnly {
            throw VimFault(
                "RestrictedVersion",
                "Current license or ESXi version prohibits execution of the requested operation.")
        }
        if try world.steerServices(call, of: host) { return nil }
        switch call.method {
        case "ShutdownGuest":
            try shutDownGuest(call.receiver, reader.tree.snapshot)
            return nil
        case "ReconfigureAutostart":
            try reconfigureAutostart(call, reader.tree.snapshot)
            return nil
        default: return try startTask(call, key, reader)
        }
    }

    private func login(
        _ call: VimCall, _ live: LabSession?, _ snapshot: LabSnapshot, _ cookie: inout String?
    ) throws(VimFault) -> VimValue {
        if isKeptOut {
            throw VimFault(
                "NoPermission", "Permission to perform this operation was denied.",
                [
                    "object": .reference(LabHostTree.root),
                    "privilegeId": .string("System.View"),
                ])
        }
        let user = call["userName"]?.text ?? ""
        guard live == nil, account.accepts(user: user, password: call["password"]?.text ?? "")
        else {
            throw VimFault(
                "InvalidLogin", "Cannot complete login due to an incorrect user name or password.")
        }
        let key = UUID().uuidString.lowercased()
        let session = LabSession(
            key: key, userName: user, began: snapshot.wall, lastActive: snapshot.wall,
            collectors: [Self.collector: LabCollector()])
        sessions[key] = session
        cookie = key
        return session.value
    }

    private func shutDownGuest(
        _ reference: VimReference, _ snapshot: LabSnapshot
    ) throws(VimFault) {
        let id = try guest(reference, snapshot)
        if let running = tasks.values.first(where: { $0.isRunning && $0.entity == reference }) {
            throw LabVCenterServer.inProgress(running)
        }
        do { try world.shutDownGuest(id, by: host.rawValue) } catch {
            throw LabVCenterServer.fault(error, reference, wanted: .off)
        }
    }

    /// A guest that can be acted upon: no template.
    func guest(
        _ reference: VimReference, _ snapshot: LabSnapshot
    ) throws(VimFault) -> GuestID {
        guard let guest = snapshot.guest(reference) else { throw .notFound(reference) }
        if guest.spec.nature == .template {
            throw VimFault("NotSupported", "The operation is not supported on the object.")
        }
        return guest.spec.id
    }

    // MARK: Autostart

    private func autostart(_ snapshot: LabSnapshot) -> VimObject {
        var references: [String: VimReference] = [:]
        for guest in snapshot.guests { references[guest.spec.vmxPath] = guest.reference }
        let settings = snapshot.hosts.first?.autostart ?? LabHostSpec.noAutostart
        var config = settings.vim { references[$0] }
        // A host goes on listing a guest that was taken out of the order.
        let listed = Set(settings.guests.map(\.vmxPath))
        let out = takenOut.subtracting(listed).sorted().compactMap { path in
            references[path].map { HostAutostart.Entry.none(path).vim($0) }
        }
        config.fields["powerInfo"] = .list(
            (config["powerInfo"]?.elements ?? []) + out.map { .object($0) },
            of: "AutoStartPowerInfo")
        return config
    }

    /// What is not named stays as it was; what is not said of the defaults, too.
    private func reconfigureAutostart(
        _ call: VimCall, _ snapshot: LabSnapshot
    ) throws(VimFault) {
        guard let spec = call["spec"]?.object else { throw .invalidRequest("spec is missing") }
        var changed = snapshot.hosts.first?.autostart ?? LabHostSpec.noAutostart
        for info in (spec["powerInfo"]?.elements ?? []).compactMap(\.object) {
            guard let key = info["key"]?.reference else { throw .invalidRequest("no key") }
            guard let guest = snapshot.guest(key) else { throw .notFound(key) }
            guard let entry = HostAutostart.Entry(info, of: guest.spec.vmxPath) else {
                throw .invalidRequest("an entry is not whole")
            }
            takenOut.insert(entry.vmxPath)
            changed.guests.removeAll { $0.vmxPath == entry.vmxPath }
            changed.guests.append(entry)
        }
        if let defaults = spec["defaults"]?.object { changed.defaults.take(defaults) }
        world.setAutostart(
            HostAutostart(defaults: changed.defaults, guests: changed.guests), on: host)
    }
}
