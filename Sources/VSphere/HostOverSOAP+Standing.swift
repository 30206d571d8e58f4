import PowerModel
public import PowerRun

/// What vpower's user must be allowed at a host itself (facts/vsphere.md 3).
public enum HostPrivilege: String, CaseIterable, Hashable, Sendable {
    /// The host enters and leaves maintenance mode, and shuts down: on the host.
    case maintenance = "Host.Config.Maintenance"
    /// What the host starts by itself: on the host.
    case autostart = "Host.Config.AutoStart"
    /// SSH is started for a run and stopped afterwards, where the host says `ssh: run`: on the host.
    case services = "Host.Config.NetService"
    /// Guests are asked to shut down, and their power is cut: on each guest.
    case powerOff = "VirtualMachine.Interact.PowerOff"
    /// Guests are started: on each guest.
    case powerOn = "VirtualMachine.Interact.PowerOn"
    /// Guests are suspended where a tier's policy says so: on each guest.
    case suspend = "VirtualMachine.Interact.Suspend"

    /// What cannot be done without it, in an operator's words.
    public var purpose: String {
        switch self {
        case .maintenance: "shut the host down, or use maintenance mode"
        case .autostart: "change what the host starts by itself"
        case .services: "start SSH for a run, and stop it"
        case .powerOff: "shut guests down and cut their power"
        case .powerOn: "start guests"
        case .suspend: "suspend guests"
        }
    }
}

/// Who may log in to a host directly (`HostLockdownMode`).
public enum HostLockdown: String, Hashable, Sendable {
    /// Every user of the host.
    case disabled = "lockdownDisabled"
    /// Exception users only, and the console.
    case normal = "lockdownNormal"
    /// Exception users only; no console either.
    case strict = "lockdownStrict"

    /// What it means for vpower.
    public var meaning: String {
        switch self {
        case .disabled: "lockdown mode is off"
        case .normal:
            "lockdown mode is normal: only its exception users log in without vCenter, and the "
                + "console stays open"
        case .strict:
            "lockdown mode is strict: only its exception users log in without vCenter, and there "
                + "is no console: if vCenter does not come back, nobody else does"
        }
    }
}

/// How vpower's user stands with a host.
public struct HostStanding: Hashable, Sendable {
    /// How many guests are registered there.
    public var guests: Int
    /// Whether it is in maintenance mode.
    public var inMaintenance: Bool
    /// nil where the host does not say.
    public var lockdown: HostLockdown?
    /// What the user may not do, each with the names of the objects; guests' names are any text.
    public var missing: [HostMissingPrivilege]
}

/// A privilege that vpower's user does not have at a host.
public struct HostMissingPrivilege: Hashable, Sendable {
    /// The privilege.
    public var privilege: HostPrivilege
    /// The objects on which it is missing, by name, sorted.
    public var objects: [String]
}

extension HostOverSOAP {
    /// Logs in and looks at what an outage will need: for `vpower check`. Changes nothing.
    ///
    /// - Parameters:
    ///   - suspends: whether guests may be suspended.
    ///   - opensSSH: whether SSH is started for a run.
    public func standing(
        suspends: Bool, opensSSH: Bool = false
    ) async throws(HostError) -> HostStanding {
        try await attempt("look at what vpower's user may do") { session throws(CallFailure) in
            let host = try await self.reference(in: session)
            let seen = try await self.look(
                at: host, ["runtime.inMaintenanceMode", "config.lockdownMode"], in: session)
            let vms = try await self.vms(in: session)
            var missing: [HostMissingPrivilege] = []
            for question in self.questions(host, vms, suspends, opensSSH)
            where !question.objects.isEmpty {
                missing += try await self.vim.missing(
                    of: question, in: session, limits: self.limits.vim
                ).map { HostMissingPrivilege(privilege: $0.privilege, objects: $0.objects) }
            }
            return HostStanding(
                guests: vms.count,
                inMaintenance: seen["runtime.inMaintenanceMode"]?.bool == true,
                lockdown: seen["config.lockdownMode"].flatMap { HostLockdown(rawValue: $0.text) },
                missing: missing)
        }
    }

    private func questions(
        _ host: Reference, _ vms: [ObjectProperties], _ suspends: Bool,
        _ opensSSH: Bool
    ) -> [PrivilegeQuestion<HostPrivilege>] {
        [
            PrivilegeQuestion(
                privileges: [.maintenance, .autostart] + (opensSSH ? [.services] : []),
                of: [PrivilegeObject(reference: host, name: "the host")]),
            PrivilegeQuestion(
                privileges: [.powerOff, .powerOn] + (suspends ? [.suspend] : []),
                of: vms.map {
                    PrivilegeObject(
                        reference: $0.reference,
                        name: ClusterReading.unescaped($0["name"]?.text ?? ""))
                }),
        ]
    }
}
