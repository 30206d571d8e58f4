import Foundation
import PowerModel

/// The inventory of the lab's vCenter at one moment, as managed objects with properties.
struct LabInventoryTree: LabTree {
    /// What vCenter last saw of a guest while it was in touch with its host: it goes on showing
    /// that when it is not (facts/vsphere.md 2.12).
    struct LastSeen: Hashable, Sendable {
        var power: GuestPower
        var toolsRunning: Bool
    }

    static let root = VimReference("Folder", "group-d1")
    static let datacenter = VimReference("Datacenter", "datacenter-2")
    static let vmFolder = VimReference("Folder", "group-v3")
    static let hostFolder = VimReference("Folder", "group-h4")
    static let pool = VimReference("ResourcePool", "resgroup-8")

    let snapshot: LabSnapshot
    let lastSeen: [GuestID: LastSeen]
    let release: LabRelease

    /// Every entity, parents before children.
    var entities: [VimReference] {
        [
            LabInventoryTree.root, LabInventoryTree.datacenter, LabInventoryTree.vmFolder,
            LabInventoryTree.hostFolder, snapshot.clusterReference, LabInventoryTree.pool,
        ] + snapshot.places.entities + snapshot.hosts.map(\.reference)
            + snapshot.guests.map(\.reference)
    }

    /// The properties of an entity; nil when there is no such object.
    func properties(of reference: VimReference) -> [String: VimValue]? {
        switch reference {
        case LabInventoryTree.root:
            return entity(
                "Datacenters", parent: nil,
                ["childEntity": .references([LabInventoryTree.datacenter])])
        case LabInventoryTree.datacenter:
            return entity(
                "LabDC", parent: LabInventoryTree.root,
                [
                    "vmFolder": .reference(LabInventoryTree.vmFolder),
                    "hostFolder": .reference(LabInventoryTree.hostFolder),
                ])
        case LabInventoryTree.vmFolder:
            return entity(
                "vm", parent: LabInventoryTree.datacenter, inside(folder: reference))
        case LabInventoryTree.hostFolder:
            return entity(
                "host", parent: LabInventoryTree.datacenter,
                ["childEntity": .references([snapshot.clusterReference])])
        case LabInventoryTree.pool:
            return entity(
                "Resources", parent: snapshot.clusterReference, inside(pool: reference))
        case snapshot.clusterReference: return cluster
        default:
            if let place = snapshot.places.place(reference) {
                return entity(
                    place.name, parent: place.parent,
                    reference.type == "Folder" ? inside(folder: reference) : inside(pool: reference)
                )
            }
            if let host = snapshot.host(servedBy: reference) { return host.ssh.system }
            return snapshot.host(reference).map(host) ?? snapshot.guest(reference).map(guest)
        }
    }

    /// Whether an entity is the other, or is somewhere below it.
    func contains(_ reference: VimReference, in container: VimReference) -> Bool {
        var next: VimReference? = reference
        while let now = next {
            if now == container { return true }
            next = parent(of: now)
        }
        // A guest's parent is its folder; it is below its pool and the cluster as well.
        return snapshot.guest(reference).map {
            contains(snapshot.places.pool(of: $0.spec), in: container)
        } ?? false
    }

    /// What an entity is below; nil for the root, and for what is no entity.
    func parent(of reference: VimReference) -> VimReference? {
        switch reference {
        case LabInventoryTree.root: nil
        case LabInventoryTree.datacenter: LabInventoryTree.root
        case LabInventoryTree.vmFolder, LabInventoryTree.hostFolder: LabInventoryTree.datacenter
        case LabInventoryTree.pool: snapshot.clusterReference
        case snapshot.clusterReference: LabInventoryTree.hostFolder
        default:
            switch reference.type {
            case "HostSystem": snapshot.clusterReference
            case "VirtualMachine":
                snapshot.guest(reference).map { snapshot.places.folder(of: $0.spec) }
            default: snapshot.places.place(reference)?.parent
            }
        }
    }

    private func inside(folder: VimReference) -> [String: VimValue?] {
        let guests = snapshot.guests.filter { snapshot.places.folder(of: $0.spec) == folder }
        return [
            "childEntity": .references(
                snapshot.places.children(of: folder) + guests.map(\.reference))
        ]
    }

    private func inside(pool: VimReference) -> [String: VimValue?] {
        let guests = snapshot.guests.filter { snapshot.places.pool(of: $0.spec) == pool }
        return [
            "owner": .reference(snapshot.clusterReference),
            "resourcePool": .references(snapshot.places.children(of: pool)),
            "vm": .references(guests.map(\.reference)),
        ]
    }

    private func entity(
        _ name: String, parent: VimReference?, _ more: [String: VimValue?]
    ) -> [String: VimValue] {
        var properties = more.compactMapValues { $0 }
        properties["name"] = .string(name)
        properties["parent"] = parent.map { .reference($0) }
        properties["overallStatus"] = .simple("green", type: "ManagedEntityStatus")
        return properties
    }

    // MARK: The cluster

    private var cluster: [String: VimValue] {
        entity(
            snapshot.cluster.rawValue, parent: LabInventoryTree.hostFolder,
            [
                "host": .references(snapshot.hosts.map(\.reference)),
                "resourcePool": .reference(LabInventoryTree.pool),
                "configurationEx": .object(configuration), "summary": .object(clusterSummary),
            ])
    }

    private var clusterSummary: VimObject {
        let effective = snapshot.hosts.count { $0.isConnected && !$0.inMaintenance }
        return VimObject(
            "ClusterComputeResourceSummary",
            [
                "totalCpu": .int(0), "totalMemory": .long(0),
                "numHosts": .int(snapshot.hosts.count), "numEffectiveHosts": .int(effective),
                "effectiveCpu": .int(0), "effectiveMemory": .long(0),
                "overallStatus": .simple("green", type: "ManagedEntityStatus"),
                "currentFailoverLevel": .int(1), "numVmotions": .int(0),
                "vcsHealthStatus": snapshot.automation.vclsHealth.map { .string($0.rawValue) },
            ])
    }

    private var configuration: VimObject {
        let automation = snapshot.automation
        let das = VimObject(
            "ClusterDasConfigInfo",
            [
                "enabled": .bool(automation.ha), "hostMonitoring": .string("enabled"),
                "vmMonitoring": .string("vmMonitoringDisabled"), "failoverLevel": .int(1),
                "admissionControlEnabled": .bool(true),
            ])
        let drs = VimObject(
            "ClusterDrsConfigInfo",
            [
                "enabled": .bool(automation.drsEnabled),
                "enableVmBehaviorOverrides": .bool(automation.followsDRSOverrides),
                "defaultVmBehavior": .simple(automation.drsLevel.rawValue, type: "DrsBehavior"),
                "vmotionRate": .int(3),
            ])
        let dpm = VimObject(
            "ClusterDpmConfigInfo",
            [
                "enabled": .bool(automation.dpm),
                "defaultDpmBehavior": .simple("automated", type: "DpmBehavior"),
                "hostPowerActionRate": .int(3),
            ])
        return VimObject(
            "ClusterConfigInfoEx",
            [
                "vmSwapPlacement": .string("vmDirectory"), "spbmEnabled": .bool(true),
                "dasConfig": .object(das), "drsConfig": .object(drs),
                "dpmConfigInfo": .object(dpm), "drsVmConfig": drsLevelsOfGuests,
                "vsanConfigInfo": snapshot.hasVSAN
                    ? .object(VimObject("VsanClusterConfigInfo", ["enabled": .bool(true)])) : nil,
                "systemVMsConfig": automation.vclsMode.map {
                    .object(
                        VimObject(
                            "ClusterSystemVMsConfigInfo",
                            ["deploymentMode": .string($0.rawValue)]))
                },
            ])
    }

    private var drsLevelsOfGuests: VimValue {
        let configured = snapshot.guests.compactMap { guest in
            guest.spec.drsLevel.map { level in
                VimValue.object(
                    VimObject(
                        "ClusterDrsVmConfigInfo",
                        [
                            "key": .reference(guest.reference), "enabled": .bool(true),
                            "behavior": .simple(level.rawValue, type: "DrsBehavior"),
                        ]))
            }
        }
        return .list(configured, of: "ClusterDrsVmConfigInfo")
    }

    /// The key providers of the encrypted guests.
    var keyProviders: VimValue {
        let native = Dictionary(
            snapshot.guests.compactMap { guest in
                guest.spec.keyProvider.map { ($0, guest.spec.hasNativeKey) }
            }, uniquingKeysWith: { $0 && $1 })
        let list = native.sorted { $0.key < $1.key }.map { name, isNative in
            VimValue.object(
                VimObject(
                    "KmipClusterInfo",
                    [
                        "clusterId": .object(VimObject("KeyProviderId", ["id": .string(name)])),
                        "useAsDefault": .bool(false),
                        "managementType": .string(isNative ? "nativeProvider" : "vCenter"),
                    ]))
        }
        return .list(list, of: "KmipClusterInfo")
    }

    // MARK: Hosts

    private func host(_ host: LabSnapshot.Host) -> [String: VimValue] {
        let product = about(
            release: release, name: "VMware ESXi", line: "embeddedEsx", api: "HostAgent",
            operatingSystem: "vmnix-x86"
        )
        let runtime = VimObject(
            "HostRuntimeInfo",
            [
                "connectionState": .simple(
                    host.isConnected ? "connected" : "notResponding",
                    type: "HostSystemConnectionState"),
                "powerState": .simple(
                    host.inStandby ? "standBy" : host.isConnected ? "poweredOn" : "unknown",
                    type: "HostSystemPowerState"),
                "standbyMode": .string(host.inStandby ? "in" : "none"),
                "inMaintenanceMode": .bool(host.inMaintenance),
                "dasHostState": haState(of: host).map {
                    .object(VimObject("ClusterDasFdmHostState", ["state": .string($0)]))
                },
            ])
        let number = (snapshot.hosts.firstIndex { $0.name == host.name } ?? 0) + 1
        let system = VimObject(
            "HostSystemInfo",
            [
                "vendor": .string("LAB"), "model": .string("Lab host"),
                "uuid": .string("4c4c4544-0000-4000-8000-" + padded(number, to: 12)),
            ])
        return entity(
            host.name.rawValue, parent: snapshot.clusterReference,
            [
                "vm": .references(
                    snapshot.guests.filter { $0.host == host.name }.map(\.reference)),
                "runtime": .object(runtime),
                "hardware": .object(
                    VimObject("HostHardwareInfo", ["systemInfo": .object(system)])),
                "summary": .object(
                    VimObject(
                        "HostListSummary",
                        [
                            "host": .reference(host.reference), "runtime": .object(runtime),
                            "managementServerIp": .string("127.0.0.1"),
                        ])),
                "config": .object(
                    VimObject(
                        "HostConfigInfo",
                        [
                            "host": .reference(host.reference), "product": .object(product),
                            "lockdownMode": .simple(
                                "lockdownDisabled", type: "HostLockdownMode"),
                            "autoStart": .object(autostart(of: host)),
                        ])),
                "configManager": .object(
                    VimObject(
                        "HostConfigManager",
                        ["serviceSystem": .reference(host.serviceSystem)])),
                "capability": .object(
                    VimObject("HostCapability", ["uefiSecureBoot": .bool(host.secureBoot)])),
            ])
    }

    private func autostart(of host: LabSnapshot.Host) -> VimObject {
        var references: [String: VimReference] = [:]
        for guest in snapshot.guests { references[guest.spec.vmxPath] = guest.reference }
        return host.autostart.vim { references[$0] }
    }

    private func haState(of host: LabSnapshot.Host) -> String? {
        guard snapshot.haAgents else { return host.agentFault }
        guard host.isConnected else { return "hostDown" }
        return snapshot.hosts.first(where: \.isConnected)?.name == host.name
            ? "master" : "connectedToMaster"
    }

    // MARK: Guests

    private func guest(_ guest: LabSnapshot.Guest) -> [String: VimValue] {
        let isConnected = snapshot.host(guest.host)?.isConnected == true
        let seen =
            isConnected
            ? LastSeen(power: guest.power, toolsRunning: guest.toolsRunning)
            : lastSeen[guest.spec.id]
                ?? LastSeen(power: guest.power, toolsRunning: guest.toolsRunning)
        let config = configuration(of: guest)
        let runtime = VimObject(
            "VirtualMachineRuntimeInfo",
            [
                "host": snapshot.host(guest.host).map { .reference($0.reference) },
                "connectionState": .simple(
                    isConnected ? "connected" : "disconnected",
                    type: "VirtualMachineConnectionState"),
                "powerState": .simple(seen.power.vim, type: "VirtualMachinePowerState"),
                "toolsInstallerMounted": .bool(false), "numMksConnections": .int(0),
                "onlineStandby": .bool(false), "consolidationNeeded": .bool(false),
                "question": guest.hasQuestion ? .object(LabInventoryTree.question) : nil,
                "cryptoState": guest.spec.keyProvider.map { _ in .string("safe") },
            ])
        let summary = VimObject(
            "VirtualMachineConfigSummary",
            [
                "name": .string(guest.spec.name),
                "template": .bool(guest.spec.nature == .template),
                "vmPathName": .string(guest.spec.vmxPath),
                "memorySizeMB": .int(guest.spec.memoryMiB), "uuid": config["uuid"],
                "instanceUuid": config["instanceUuid"], "guestId": config["guestId"],
                "managedBy": config["managedBy"], "tpmPresent": .bool(guest.spec.hasTPM),
            ])
        return entity(
            guest.spec.name, parent: snapshot.places.folder(of: guest.spec),
            [
                "resourcePool": guest.spec.nature == .template
                    ? nil : .reference(snapshot.places.pool(of: guest.spec)),
                "customValue": snapshot.places.attributes(of: guest.spec),
                "config": .object(config), "runtime": .object(runtime),
                "guest": .object(tools(of: guest, seen)),
                "summary": .object(
                    VimObject(
                        "VirtualMachineSummary",
                        [
                            "vm": .reference(guest.reference), "runtime": .object(runtime),
                            "config": .object(summary),
                        ])),
                "disabledMethod": .list(
                    disabledMethods(of: guest, seen).map { .string($0) }, of: "string"),
            ])
    }

    /// What cannot be called now: for what the guest does, or since a solution has said so.
    private func disabledMethods(of guest: LabSnapshot.Guest, _ seen: LastSeen) -> [String] {
        guard seen.power == .on else {
            return ["PowerOffVM_Task", "SuspendVM_Task", "ResetVM_Task", "ShutdownGuest"]
        }
        let usual = ["PowerOnVM_Task", "Destroy_Task", "UnregisterVM"]
        return usual + (guest.spec.disabledBy == nil ? [] : ["ShutdownGuest"])
    }

    private func configuration(of guest: LabSnapshot.Guest) -> VimObject {
        let spec = guest.spec
        var managedBy: (key: String, type: String)?
        var extra: [(key: String, value: String)] = [("nvram", "guest\(guest.number).nvram")]
        var guestID = "ubuntu64Guest"
        switch spec.nature {
        case .vcls:
            managedBy = ("com.vmware.vim.eam", "cluster-agent")
            extra.append(("HDCS.agent", "true"))
            guestID = "other3xLinux64Guest"
        case .embeddedVCLS:
            managedBy = ("VirtualCenter", "vcls-entity")
            extra += [("HDCS.agent", "true"), ("vCLSCRX.agent", "true")]
            guestID = "crxSys1Guest"
        case .agent:
            managedBy = ("com.vmware.vim.eam", "agent")
        case .ordinary, .template, .ftSecondary, .unusable:
            if spec.isVCSA { guestID = "vmwarePhoton64Guest" }
        }
        return VimObject(
            "VirtualMachineConfigInfo",
            [
                "changeVersion": .string("1"), "name": .string(spec.name),
                "version": .string("vmx-19"),
                "uuid": .string("42000000-0000-4000-8000-" + padded(guest.number, to: 12)),
                "instanceUuid": .string(spec.id.rawValue),
                "template": .bool(spec.nature == .template), "guestId": .string(guestID),
                "guestFullName": .string(guestID), "alternateGuestName": .string(""),
                "files": .object(
                    VimObject(
                        "VirtualMachineFileInfo", ["vmPathName": .string(spec.vmxPath)])),
                "extraConfig": .list(
                    extra.map {
                        .object(
                            VimObject(
                                "OptionValue",
                                ["key": .string($0.key), "value": .string($0.value)]))
                    }, of: "OptionValue"),
                "managedBy": managedBy.map {
                    .object(
                        VimObject(
                            "ManagedByInfo",
                            ["extensionKey": .string($0.key), "type": .string($0.type)]))
                },
                "keyId": spec.keyProvider.map { provider in
                    let id = VimObject("KeyProviderId", ["id": .string(provider)])
                    return .object(
                        VimObject(
                            "CryptoKeyId",
                            ["keyId": .string("key-\(guest.number)"), "providerId": .object(id)]))
                },
            ])
    }

    private func tools(of guest: LabSnapshot.Guest, _ seen: LastSeen) -> VimObject {
        let runs = seen.toolsRunning
        let address = guest.spec.isVCSA ? "127.0.0.1" : "10.0.0.\(guest.number % 250 + 1)"
        let hostName = guest.spec.isVCSA ? "localhost" : "guest\(guest.number).lab"
        return VimObject(
            "GuestInfo",
            [
                "toolsRunningStatus": .string(
                    runs ? "guestToolsRunning" : "guestToolsNotRunning"),
                "toolsVersionStatus2": .string(
                    guest.spec.hasTools ? "guestToolsUnmanaged" : "guestToolsNotInstalled"),
                "hostName": runs ? .string(hostName) : nil,
                "ipAddress": runs ? .string(address) : nil,
                "guestState": .string(
                    runs ? (guest.isStopping ? "shuttingDown" : "running") : "notRunning"),
                "guestStateChangeSupported": .bool(runs),
            ])
    }

    private func padded(_ number: Int, to width: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// What a product says of itself.
func about(
    release: LabRelease, name: String, line: String, api: String, operatingSystem: String,
    instance: String? = nil
) -> VimObject {
    let (version, build) = release.product
    return VimObject(
        "AboutInfo",
        [
            "name": .string(name), "fullName": .string("\(name) \(version) build-\(build) (lab)"),
            "vendor": .string("VMware, Inc."), "version": .string(version),
            "patchLevel": .string("00000"), "build": .string(build),
            "osType": .string(operatingSystem), "productLineId": .string(line),
            "apiType": .string(api), "apiVersion": .string(release.newest.text),
            "instanceUuid": instance.map { .string($0) },
        ])
}

extension GuestPower {
    /// How vim25 calls it. What a world does not know, vCenter would not have either.
    var vim: String {
        switch self {
        case .on: "poweredOn"
        case .off, .unknown: "poweredOff"
        case .suspended: "suspended"
        }
    }
}

extension Timestamp {
    /// The moment as XML Schema writes it.
    var vim: String {
        Date(timeIntervalSince1970: Double(millisecondsSinceEpoch) / 1000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
