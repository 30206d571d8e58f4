import PowerModel

/// What the user may do (facts/vsphere.md 3).
extension LabVCenterServer {
    static let cryptoManager = VimReference("CryptoManagerKmip", "CryptoManager")
    static let authorizationManager = VimReference(
        "AuthorizationManager", "AuthorizationManager")

    /// The privilege that each method demands of its receiver.
    private static let demanded = [
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
    ]

    /// Refuses a call for which the user has no privilege.
    func demandPrivilege(for call: VimCall) throws(VimFault) {
        guard let privilege = Self.demanded[call.method], withheld.contains(privilege) else {
            return
        }
        throw VimFault(
            "NoPermission", "Permission to perform this operation was denied.",
            ["object": .reference(call.receiver), "privilegeId": .string(privilege)])
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
