public import PowerModel
public import PowerRun

/// What vpower's user must be allowed at a vCenter (facts/vsphere.md 3). A shutdown of hosts goes
/// through the hosts themselves; tags and vCSA's own shutdown are no matter of vCenter's inventory.
public enum VCenterPrivilege: String, CaseIterable, Hashable, Sendable {
    /// The inventory is followed, and advanced settings are read: at the vCenter's root.
    case view = "System.View"
    /// Hosts, guests and automation are read: on the cluster, its hosts and each guest.
    case read = "System.Read"
    /// vCLS is put into retreat mode by an advanced setting of the vCenter, where the cluster's own
    /// mode does not do it: at its root.
    case settings = "Global.Settings"
    /// HA, DRS and DPM are changed: on the cluster.
    case editCluster = "Host.Inventory.EditCluster"
    /// vCenter shuts a vSAN cluster down with its hosts, and starts it: on the cluster.
    case hostPower = "Host.Config.Power"
    /// SSH is started for a run and stopped afterwards, where a host says `ssh: run`: on the host.
    case services = "Host.Config.NetService"
    /// Guests are asked to shut down, and their power is cut: on each guest.
    case powerOff = "VirtualMachine.Interact.PowerOff"
    /// Guests are started: on each guest.
    case powerOn = "VirtualMachine.Interact.PowerOn"
    /// Guests are suspended where a tier's policy says so: on each guest.
    case suspend = "VirtualMachine.Interact.Suspend"
    /// Guests' questions are answered where the site file says how: on each guest.
    case answerQuestion = "VirtualMachine.Interact.AnswerQuestion"

    /// Whether every role has it: it is granted with the role, and named in none.
    public var isInEveryRole: Bool { self == .view || self == .read }

    /// What cannot be done without it, in an operator's words.
    public var purpose: String {
        switch self {
        case .view: "follow the inventory"
        case .read: "read hosts and guests"
        case .settings: "put vCLS into retreat mode and back"
        case .editCluster: "change HA, DRS and DPM"
        case .hostPower: "shut a vSAN cluster down and start it"
        case .services: "start SSH on hosts for a run, and stop it"
        case .powerOff: "shut guests down and cut their power"
        case .powerOn: "start guests"
        case .suspend: "suspend guests"
        case .answerQuestion: "answer questions of guests"
        }
    }
}

/// A privilege that vpower's user does not have where it needs it.
public struct MissingPrivilege: Hashable, Sendable {
    /// The privilege.
    public var privilege: VCenterPrivilege
    /// The objects on which it is missing, by name, sorted: guests' names are any text.
    public var objects: [String]
}

extension VCenterCluster {
    /// What vpower's user may not do, though a shutdown or a restore of this cluster needs it;
    /// empty where everything is granted. Asks vCenter (`HasPrivilegeOnEntities`), changes nothing.
    ///
    /// - Parameters:
    ///   - snapshot: the cluster, as this vCenter has just shown it.
    ///   - suspends: whether guests may be suspended.
    ///   - answers: whether questions of guests may be answered.
    ///   - opened: the hosts on which SSH is started for a run, through this vCenter.
    /// - Throws: `ClusterError`; also where vCenter's answer leaves something open.
    public func missingPrivileges(
        on snapshot: ClusterSnapshot, suspends: Bool, answers: Bool = false,
        opened: Set<HostName> = []
    ) async throws(ClusterError) -> [MissingPrivilege] {
        try await attempt("read the privileges of vpower's user") { () async throws(CallFailure) in
            let cluster = Reference(kind: "ClusterComputeResource", id: snapshot.reference)
            let ordinary = snapshot.inventory.guests.filter { $0.nature == .ordinary }
            let guests = ordinary.compactMap { guest in
                guest.reference.map {
                    PrivilegeObject(
                        reference: Reference(kind: "VirtualMachine", id: $0), name: guest.name)
                }
            }
            let hosts = snapshot.inventory.hosts.compactMap { host in
                host.reference.map {
                    PrivilegeObject(
                        reference: Reference(kind: "HostSystem", id: $0), name: host.name.rawValue)
                }
            }
            return try await self.vim.withSession { session throws(CallFailure) in
                let root = session.content.rootFolder
                let isBySetting = self.isRetreatBySetting(snapshot.automation, in: session)
                let questions: [PrivilegeQuestion<VCenterPrivilege>] = [
                    PrivilegeQuestion(
                        privileges: [.view] + (isBySetting ? [.settings] : []),
                        of: [.init(reference: root, name: "the vCenter")]),
                    PrivilegeQuestion(
                        privileges: [.read, .editCluster]
                            + (VSANWay(for: snapshot) == .wizard ? [.hostPower] : []),
                        of: [.init(reference: cluster, name: snapshot.cluster.rawValue)]),
                    PrivilegeQuestion(privileges: [.read], of: hosts),
                    PrivilegeQuestion(
                        privileges: [.services],
                        of: hosts.filter { opened.contains(HostName($0.name)) }),
                    PrivilegeQuestion(
                        privileges: [.read, .powerOff, .powerOn] + (suspends ? [.suspend] : [])
                            + (answers ? [.answerQuestion] : []),
                        of: guests),
                ]
                var missing: [MissingPrivilege] = []
                for question in questions {
                    missing += try await self.vim.missing(
                        of: question, in: session, limits: self.limits
                    ).map { MissingPrivilege(privilege: $0.privilege, objects: $0.objects) }
                }
                return missing
            }
        }
    }
}

/// An object on which a privilege may be needed.
struct PrivilegeObject: Sendable {
    let reference: Reference
    let name: String
}

/// Which privileges are needed on which objects.
struct PrivilegeQuestion<Privilege: RawRepresentable<String> & Hashable & Sendable>: Sendable {
    let privileges: [Privilege]
    let objects: [PrivilegeObject]

    init(privileges: [Privilege], of objects: [PrivilegeObject]) {
        self.privileges = privileges
        self.objects = objects
    }

    /// What an answer leaves missing: privilege by privilege, the objects without it. What it says
    /// nothing of is unknown, and an error.
    static func missing(
        in reply: Element, asked privileges: [Privilege], of objects: [PrivilegeObject]
    ) throws(CallFailure) -> [(privilege: Privilege, name: String)] {
        var granted: [Reference: [String: Bool]] = [:]
        for answer in reply.all("returnval") {
            guard let entity = answer["entity"]?.reference else {
                throw .unreadable("to HasPrivilegeOnEntities has an answer without an entity")
            }
            for part in answer.all("privAvailability") {
                guard let id = part["privId"]?.text else { continue }
                granted[entity, default: [:]][id] = part["isGranted"]?.bool
            }
        }
        var missing: [(privilege: Privilege, name: String)] = []
        for object in objects {
            for privilege in privileges {
                guard let isGranted = granted[object.reference]?[privilege.rawValue] else {
                    throw .unreadable(
                        "to HasPrivilegeOnEntities does not say whether \(privilege.rawValue) is "
                            + "granted on \(object.reference.kind) \(object.reference.id)")
                }
                if !isGranted { missing.append((privilege, object.name)) }
            }
        }
        return missing
    }
}

extension VimClient {
    /// Objects in one question.
    private static let privilegeBatch = 500

    /// The privileges that are missing, each with the names of the objects, sorted.
    func missing<Privilege>(
        of question: PrivilegeQuestion<Privilege>, in session: Session, limits: VCenterLimits
    ) async throws(CallFailure) -> [(privilege: Privilege, objects: [String])] {
        guard let manager = session.content.authorizationManager else {
            throw .refused("it has no AuthorizationManager")
        }
        var names: [Privilege: [String]] = [:]
        for start in stride(from: 0, to: question.objects.count, by: Self.privilegeBatch) {
            let end = min(start + Self.privilegeBatch, question.objects.count)
            let objects = Array(question.objects[start..<end])
            let reply = try await call(
                .hasPrivilegeOnEntities, on: manager, in: session, within: limits.read
            ) {
                $0.add("entity", all: objects.map(\.reference))
                $0.add("sessionId", session.key)
                $0.add("privId", all: question.privileges.map(\.rawValue))
            }
            let missing = try PrivilegeQuestion<Privilege>.missing(
                in: reply, asked: question.privileges, of: objects)
            for (privilege, name) in missing { names[privilege, default: []].append(name) }
        }
        return question.privileges.compactMap { privilege in
            names[privilege].map { (privilege, $0.sorted()) }
        }
    }
}
