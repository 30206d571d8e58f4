import PowerModel
import PowerRun

/// The inventory of one simulated host as the host itself shows it: no cluster, and identities of
/// its own (facts/vsphere.md 2.2).
struct LabHostTree: LabTree {
    static let root = VimReference("Folder", "ha-folder-root")
    static let datacenter = VimReference("Datacenter", "ha-datacenter")
    static let vmFolder = VimReference("Folder", "ha-folder-vm")
    static let hostFolder = VimReference("Folder", "ha-folder-host")
    static let computeResource = VimReference("ComputeResource", "ha-compute-res")
    static let pool = VimReference("ResourcePool", "ha-root-pool")
    static let host = VimReference("HostSystem", "ha-host")
    static let autostartManager = VimReference("HostAutoStartManager", "ha-autostart-mgr")
    static let serviceSystem = VimReference("HostServiceSystem", "serviceSystem")

    let snapshot: LabSnapshot
    let lockdown: String
    /// `HostAutoStartManager.config`.
    let autostart: VimObject
    let release: LabRelease

    var entities: [VimReference] {
        [
            Self.root, Self.datacenter, Self.vmFolder, Self.hostFolder, Self.computeResource,
            Self.pool, Self.host,
        ] + guests
    }

    private var guests: [VimReference] { snapshot.guests.map(\.reference) }

    func parent(of reference: VimReference) -> VimReference? {
        switch reference {
        case Self.root: nil
        case Self.datacenter: Self.root
        case Self.vmFolder, Self.hostFolder: Self.datacenter
        case Self.computeResource: Self.hostFolder
        case Self.pool, Self.host: Self.computeResource
        default: guests.contains(reference) ? Self.vmFolder : nil
        }
    }

    func contains(_ reference: VimReference, in container: VimReference) -> Bool {
        var next: VimReference? = reference
        while let now = next {
            if now == container { return true }
            next = parent(of: now)
        }
        return container == Self.pool && guests.contains(reference)
    }

    func properties(of reference: VimReference) -> [String: VimValue]? {
        switch reference {
        case Self.root:
            entity("ha-folder-root", reference, ["childEntity": .references([Self.datacenter])])
        case Self.datacenter:
            entity(
                "ha-datacenter", reference,
                [
                    "vmFolder": .reference(Self.vmFolder),
                    "hostFolder": .reference(Self.hostFolder),
                ])
        case Self.vmFolder: entity("vm", reference, ["childEntity": .references(guests)])
        case Self.hostFolder:
            entity("host", reference, ["childEntity": .references([Self.computeResource])])
        case Self.computeResource:
            entity(
                snapshot.hosts.first?.name.rawValue ?? "", reference,
                ["host": .references([Self.host]), "resourcePool": .reference(Self.pool)])
        case Self.pool:
            entity(
                "Resources", reference,
                ["owner": .reference(Self.computeResource), "vm": .references(guests)])
        case Self.host: host
        case Self.autostartManager: ["config": .object(autostart)]
        case Self.serviceSystem: snapshot.hosts.first?.ssh.system
        default: guests.contains(reference) ? guest(reference) : nil
        }
    }

    private func entity(
        _ name: String, _ reference: VimReference, _ more: [String: VimValue]
    ) -> [String: VimValue] {
        var properties = more
        properties["name"] = .string(name)
        properties["parent"] = parent(of: reference).map { .reference($0) }
        properties["overallStatus"] = .simple("green", type: "ManagedEntityStatus")
        return properties
    }

    /// As vCenter has it, but for what only one of the two knows.
    private var host: [String: VimValue] {
        var properties = shared(Self.host)
        properties["configManager"] = .object(
            VimObject(
                "HostConfigManager",
                [
                    "autoStartManager": .reference(Self.autostartManager),
                    "serviceSystem": .reference(Self.serviceSystem),
                ]))
        if var config = properties["config"]?.object {
            config.fields["lockdownMode"] = .simple(lockdown, type: "HostLockdownMode")
            properties["config"] = .object(config)
        }
        return properties
    }

    private func guest(_ reference: VimReference) -> [String: VimValue] {
        var properties = shared(reference)
        properties["customValue"] = nil
        if properties["resourcePool"] != nil { properties["resourcePool"] = .reference(Self.pool) }
        return properties
    }

    private func shared(_ reference: VimReference) -> [String: VimValue] {
        var properties =
            LabInventoryTree(snapshot: snapshot, lastSeen: [:], release: release)
            .properties(of: reference) ?? [:]
        properties["parent"] = parent(of: reference).map { .reference($0) }
        return properties
    }
}

extension LabWorld {
    /// One host and what is registered there, by the numbers it has there.
    func hostSnapshot(_ name: HostName) -> LabSnapshot { turn { $0.hostSnapshot(name) } }
}

extension LabState {
    func hostSnapshot(_ name: HostName) -> LabSnapshot {
        let all = vcenterSnapshot()
        var numbers: [GuestID: Int] = [:]
        for place in hosts.place(of: name).map(registered) ?? [] {
            numbers[guests[place].spec.id] = guests[place].vmid
        }
        return LabSnapshot(
            version: all.version, cluster: all.cluster, clusterReference: all.clusterReference,
            hosts: all.hosts.filter { $0.name == name }.map { host in
                LabSnapshot.Host(
                    name: host.name, reference: LabHostTree.host, isConnected: host.isConnected,
                    inMaintenance: host.inMaintenance, secureBoot: host.secureBoot,
                    autostart: host.autostart, ssh: host.ssh)
            },
            guests: all.guests.compactMap { guest in
                guard let number = numbers[guest.spec.id] else { return nil }
                var spec = guest.spec
                spec.reference = String(number)
                return LabSnapshot.Guest(
                    spec: spec, number: guest.number, host: guest.host, power: guest.power,
                    toolsRunning: guest.toolsRunning, isStopping: guest.isStopping,
                    hasQuestion: guest.hasQuestion)
            },
            automation: all.automation, hasVSAN: all.hasVSAN, haAgents: all.haAgents,
            vcenter: all.vcenter,
            wall: all.wall, places: all.places)
    }
}
