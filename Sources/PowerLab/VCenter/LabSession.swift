import PowerModel

/// One login, with everything that goes when it ends.
struct LabSession: Sendable {
    let key: String
    let userName: String
    let began: Timestamp
    var lastActive: Timestamp
    var callCount = 0
    var views: [String: LabView] = [:]
    /// The property collectors: at first the one that the content names.
    var collectors: [String: LabCollector] = [LabSession.defaultCollector: LabCollector()]
    /// What is still to be fetched of a paged answer, by token.
    var pages: [String: LabPage] = [:]

    static let defaultCollector = "propertyCollector"

    /// As `UserSession`.
    var value: VimValue {
        .object(
            VimObject(
                "UserSession",
                [
                    "key": .string(key), "userName": .string(userName),
                    "fullName": .string(userName), "loginTime": .date(began.vim),
                    "lastActiveTime": .date(lastActive.vim), "locale": .string("en"),
                    "messageLocale": .string("en"), "extensionSession": .bool(false),
                    "ipAddress": .string("127.0.0.1"), "userAgent": .string(""),
                    "callCount": .long(callCount),
                ]))
    }
}

/// A container view.
struct LabView: Sendable {
    let container: VimReference
    let types: [String]
    let isRecursive: Bool
}

/// The rest of a paged answer: good once, and only on the same collector.
struct LabPage: Sendable {
    let collector: String
    let size: Int
    let rest: [VimValue]
}

/// A property collector: its filters, and what its reader has been told.
struct LabCollector: Sendable {
    /// What a reader has been told: by filter, by object, by path.
    typealias Told = [String: [VimReference: [String: VimValue]]]

    /// By number, so that updates come in the order the filters were made.
    var filters: [(id: String, spec: VimObject)] = []
    /// What was told up to a version. The one before the newest is kept as well: a reader whose
    /// connection broke may ask with it again (facts/vsphere.md 2.3).
    var told: [String: Told] = [:]
    /// Versions that ended a part of an answer: good once.
    var truncated: Set<String> = []
    var versions = 0
    var cancels = 0
}

/// A task.
struct LabTask: Sendable {
    /// What it does when its time has come.
    enum Work: Sendable {
        case powerOff(GuestID)
        case powerOn(GuestID, HostName?)
        case powerOnMany(LabPowerOnMany)
        case suspend(GuestID)
        case reconfigure(VimObject, modify: Bool)
        case enterMaintenance(HostName, limit: Duration?)
        case exitMaintenance(HostName)
        case shutDownHost(HostName, force: Bool)
        case register(String, HostName)
        case powerVSAN(on: Bool)

        /// How vCenter calls it.
        var descriptionID: String {
            switch self {
            case .powerOff: "VirtualMachine.powerOff"
            case .powerOn: "VirtualMachine.powerOn"
            case .powerOnMany: "Datacenter.powerOnVm"
            case .suspend: "VirtualMachine.suspend"
            case .reconfigure: "ComputeResource.reconfigureEx"
            case .enterMaintenance: "HostSystem.enterMaintenanceMode"
            case .exitMaintenance: "HostSystem.exitMaintenanceMode"
            case .shutDownHost: "HostSystem.shutdown"
            case .register: "Folder.registerVm"
            case .powerVSAN: "com.vmware.vsan.clustermgmt.tasks.clusterpower"
            }
        }
    }

    enum State: Sendable {
        case running
        case success
        case error(VimFault)
    }

    let id: String
    let work: Work
    let entity: VimReference
    let entityName: String
    let userName: String
    let queued: Timestamp
    var completed: Timestamp?
    /// What it gives back.
    var result: VimValue?
    var state: State = .running

    var reference: VimReference { VimReference("Task", id) }

    var isRunning: Bool {
        if case .running = state { true } else { false }
    }

    /// As `TaskInfo`.
    var info: VimValue {
        var fault: VimValue?
        let name: String
        switch state {
        case .running: name = "running"
        case .success: name = "success"
        case .error(let error):
            name = "error"
            fault = error.localized
        }
        return .object(
            VimObject(
                "TaskInfo",
                [
                    "key": .string(id), "task": .reference(reference),
                    "descriptionId": .string(work.descriptionID), "entity": .reference(entity),
                    "entityName": .string(entityName),
                    "state": .simple(name, type: "TaskInfoState"), "cancelled": .bool(false),
                    "cancelable": .bool(true), "error": fault, "result": result,
                    "progress": isRunning ? .int(10) : nil,
                    "reason": .object(
                        VimObject("TaskReasonUser", ["userName": .string(userName)])),
                    "queueTime": .date(queued.vim), "startTime": .date(queued.vim),
                    "completeTime": completed.map { .date($0.vim) }, "eventChainId": .int(1),
                ]))
    }
}
