import Foundation
import NIOCore
import PowerModel
import PowerRun

/// The methods, except those of the property collector.
extension LabVCenterServer {
    private static let sessionManager = VimReference("SessionManager", "SessionManager")
    private static let serviceInstance = VimReference("ServiceInstance", "ServiceInstance")

    /// Does what a call asks; gives back what its answer holds.
    func execute(
        _ call: VimCall, session key: String?, _ channel: any Channel, _ cookie: inout String?
    ) async throws(VimFault) -> VimValue? {
        let snapshot = world.vcenterSnapshot()
        if let key, sessions[key] != nil {
            sessions[key]?.lastActive = snapshot.wall
            sessions[key]?.callCount += 1
        }
        let live = key.flatMap { sessions[$0] }
        let reader = reader(snapshot, version: call.version, session: live)
        switch call.method {
        case "RetrieveServiceContent": return .object(content)
        case "Login": return try login(call, live, snapshot, &cookie)
        case "Fetch" where live == nil && isOpen(call):
            return try reader.value(at: call.fetched ?? "", of: call.receiver)
        case "RetrievePropertiesEx" where live == nil && readsOnlyOpenObjects(call):
            return try retrieve(call, reader, session: nil)
        default: break
        }
        guard let key, live != nil else { throw .notAuthenticated(call.receiver) }
        guard reader.properties(of: call.receiver) != nil else { throw .notFound(call.receiver) }
        try demandPrivilege(for: call)
        return try await execute(call, key, reader, channel)
    }

    /// Whether a call may be made without a login.
    private func isOpen(_ call: VimCall) -> Bool {
        [LabVCenterServer.sessionManager, LabVCenterServer.serviceInstance]
            .contains(call.receiver)
    }

    /// Whether only the objects that need no login are read: a client may look whether it is
    /// logged in by reading `SessionManager.currentSession` (facts/vsphere.md 2.1).
    private func readsOnlyOpenObjects(_ call: VimCall) -> Bool {
        (call["specSet"]?.elements ?? []).allSatisfy { spec in
            (spec.object?["objectSet"]?.elements ?? []).allSatisfy { start in
                start.object?["obj"]?.reference == LabVCenterServer.sessionManager
                    && start.object?["selectSet"] == nil
            }
        }
    }

    private func execute(
        _ call: VimCall, _ key: String, _ reader: LabPropertyReader, _ channel: any Channel
    ) async throws(VimFault) -> VimValue? {
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
        case "CreatePropertyCollector": return createCollector(key)
        case "DestroyPropertyCollector": return try destroyCollector(call, key)
        case "CreateFilter": return try createFilter(call, key, reader)
        case "DestroyPropertyFilter": return try destroyFilter(call, key)
        case "WaitForUpdatesEx": return try await waitForUpdates(call, key, channel)
        case "CancelWaitForUpdates":
            sessions[key]?.collectors[call.receiver.id]?.cancels += 1
            return nil
        case "QueryOptions": return try queryOptions(call, reader)
        case "HasPrivilegeOnEntities": return try privileges(call, key, reader)
        case "UpdateOptions":
            try await updateOptions(call, reader)
            return nil
        case "ShutdownGuest", "TerminateVM", "AnswerVM":
            try actOnGuest(call, reader)
            return nil
        default:
            if try steerServices(call, reader.tree.snapshot) { return nil }
            return try startTask(call, key, reader)
        }
    }

    private func steerServices(
        _ call: VimCall, _ snapshot: LabSnapshot
    ) throws(VimFault) -> Bool {
        guard let host = snapshot.host(servedBy: call.receiver)?.name else { return false }
        try LabVCenterServer.reach(host, snapshot)
        return try world.steerServices(call, of: host)
    }

    /// A reader of properties as they are in a snapshot.
    func reader(
        _ snapshot: LabSnapshot, version: VimVersion, session: LabSession?
    ) -> LabPropertyReader {
        remember(snapshot)
        return LabPropertyReader(
            table: table, version: version,
            tree: LabInventoryTree(snapshot: snapshot, lastSeen: lastSeen, release: release),
            session: session,
            tasks: tasks, options: allOptions(snapshot), content: content)
    }

    // MARK: Sessions

    private func login(
        _ call: VimCall, _ live: LabSession?, _ snapshot: LabSnapshot, _ cookie: inout String?
    ) throws(VimFault) -> VimValue {
        let name = call["userName"]?.text ?? ""
        guard live == nil, account.accepts(user: name, password: call["password"]?.text ?? "")
        else {
            throw VimFault(
                "InvalidLogin", "Cannot complete login due to an incorrect user name or password.")
        }
        let key = UUID().uuidString.lowercased()
        let session = LabSession(
            key: key, userName: user, began: snapshot.wall, lastActive: snapshot.wall)
        sessions[key] = session
        cookie = key
        return session.value
    }

    // MARK: Options

    /// What is set at first, besides what the world knows.
    static let firstOptions = [
        "VirtualCenter.FQDN": "localhost", "VirtualCenter.InstanceName": "localhost",
        "VirtualCenter.ManagedIP": "127.0.0.1", "config.vpxd.hostnameUrl": "localhost",
    ]

    /// All options by name; vCLS's is the world's, and absent until somebody sets it.
    private func allOptions(_ snapshot: LabSnapshot) -> [(key: String, value: String)] {
        var all = options
        let name = vclsOption(snapshot)
        switch snapshot.automation.vcls {
        case .unset, .notThere: all[name] = nil
        case .on: all[name] = "true"
        case .retreat: all[name] = "false"
        }
        return all.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
    }

    private func vclsOption(_ snapshot: LabSnapshot) -> String {
        "config.vcls.clusters.\(snapshot.clusterReference.id).enabled"
    }

    private func queryOptions(
        _ call: VimCall, _ reader: LabPropertyReader
    ) throws(VimFault) -> VimValue {
        var found = reader.options
        if let name = call["name"]?.text {
            found = found.filter { name.hasSuffix(".") ? $0.key.hasPrefix(name) : $0.key == name }
            if found.isEmpty { throw LabVCenterServer.invalidName(name) }
        }
        return .list(found.map { optionValue($0) }, of: "OptionValue")
    }

    private static func invalidName(_ name: String) -> VimFault {
        VimFault("InvalidName", "The name '\(name)' is not valid.", ["name": .string(name)])
    }

    /// Checks every change before it makes the first.
    private func updateOptions(
        _ call: VimCall, _ reader: LabPropertyReader
    ) async throws(VimFault) {
        let snapshot = reader.tree.snapshot
        var changes: [(key: String, value: String)] = []
        for option in (call["changedValue"]?.elements ?? []).compactMap(\.object) {
            let key = option["key"]?.text ?? ""
            let exists = reader.options.contains { $0.key == key }
            guard exists || key.hasPrefix("config.") else {
                throw LabVCenterServer.invalidName(key)
            }
            guard case .simple(let value, "string")? = option["value"] else {
                throw .invalidArgument("changedValue", "\(key) must be an xsd:string")
            }
            if key == vclsOption(snapshot), value != "true", value != "false" {
                throw .invalidArgument("changedValue", "\(key) must be true or false")
            }
            changes.append((key, value))
        }
        for change in changes {
            if change.key == vclsOption(snapshot) {
                world.turn { $0.setVCLS(change.value == "true" ? .on : .retreat) }
            } else {
                options[change.key] = change.value
            }
        }
        revision += 1
    }

    // MARK: Guests

    /// What is done to a guest at once, without a task.
    private func actOnGuest(_ call: VimCall, _ reader: LabPropertyReader) throws(VimFault) {
        let id = try self.guest(call.receiver, reader.tree.snapshot).spec.id
        if call.method == "ShutdownGuest", let running = task(of: call.receiver) {
            throw LabVCenterServer.inProgress(running)
        }
        do throws(LabRefusal) {
            switch call.method {
            case "ShutdownGuest": try world.shutDownGuest(id, by: "vCenter")
            case "TerminateVM": try world.powerOffGuest(id)
            default:
                try world.answer(
                    id, question: call["questionId"]?.text ?? "",
                    choice: call["answerChoice"]?.text ?? "")
            }
        } catch {
            throw LabVCenterServer.fault(error, call.receiver, wanted: .off)
        }
    }

    /// The task that is under way on an object.
    func task(of object: VimReference) -> LabTask? {
        tasks.values.first { $0.isRunning && $0.entity == object }
    }

    /// A guest that can be acted upon: no template, and on a host that answers.
    func guest(
        _ reference: VimReference, _ snapshot: LabSnapshot
    ) throws(VimFault) -> LabSnapshot.Guest {
        guard let guest = snapshot.guest(reference) else { throw .notFound(reference) }
        if guest.spec.nature == .template || guest.spec.nature == .ftSecondary {
            throw VimFault("NotSupported", "The operation is not supported on the object.")
        }
        try LabVCenterServer.reach(guest.host, snapshot)
        return guest
    }

    /// Refuses what needs a host that vCenter is not in touch with.
    static func reach(_ host: HostName, _ snapshot: LabSnapshot) throws(VimFault) {
        guard snapshot.host(host)?.isConnected == true else {
            throw VimFault(
                "HostNotReachable",
                "Unable to communicate with the remote host, since it is disconnected.")
        }
    }

    static func inProgress(_ task: LabTask) -> VimFault {
        VimFault(
            "TaskInProgress", "Another task is already in progress.",
            ["task": .reference(task.reference)])
    }

    /// What a refusal by the world is called in vim25.
    static func fault(
        _ refusal: LabRefusal, _ object: VimReference, wanted: GuestPower
    ) -> VimFault {
        switch refusal {
        case .notFound: .notFound(object)
        case .wrongState(let power):
            VimFault(
                "InvalidPowerState",
                "The attempted operation cannot be performed in the current state.",
                [
                    "requestedState": .simple(wanted.vim, type: "VirtualMachinePowerState"),
                    "existingState": .simple(power.vim, type: "VirtualMachinePowerState"),
                ])
        case .toolsUnavailable:
            VimFault(
                "ToolsUnavailable",
                "Cannot complete operation because VMware Tools is not running in this "
                    + "virtual machine.")
        case .disabled(let solution):
            VimFault(
                "MethodDisabled", "The method is disabled by '\(solution)'.",
                ["source": .string(solution)])
        case .busy:
            VimFault(
                "TaskInProgress", "Another task is already in progress.",
                ["task": .reference(VimReference("Task", "task-of-its-vapp"))])
        case .notPermitted:
            VimFault("NoPermission", "Permission to perform this operation was denied.")
        case .otherQuestion:
            VimFault("ConcurrentAccess", "The question was answered, or is another.")
        case .failed(let why): VimFault("InvalidState", why)
        }
    }

    // MARK: Content

    /// `ServiceInstance.content`.
    private var content: VimObject {
        VimObject(
            "ServiceContent",
            [
                "rootFolder": .reference(LabInventoryTree.root),
                "propertyCollector": .reference(
                    VimReference("PropertyCollector", LabSession.defaultCollector)),
                "viewManager": .reference(VimReference("ViewManager", "ViewManager")),
                "about": .object(
                    about(
                        release: release, name: "VMware vCenter Server", line: "vpx",
                        api: "VirtualCenter",
                        operatingSystem: "linux-x64",
                        instance: "1ab00000-0000-4000-8000-000000000001")),
                "setting": .reference(VimReference("OptionManager", "VpxSettings")),
                "sessionManager": .reference(Self.sessionManager),
                "authorizationManager": .reference(Self.authorizationManager),
                "customFieldsManager": .reference(LabPlaces.fieldManager),
                "cryptoManager": .reference(Self.cryptoManager),
            ])
    }
}
