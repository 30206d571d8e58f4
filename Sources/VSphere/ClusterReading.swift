import PowerModel

/// Makes a cluster's inventory and automation of what a property collector said.
struct ClusterReading {
    /// Properties of all VMs that can change or that say what kind of guest it is.
    private static let guestPaths = [
        "name", "config.template", "config.instanceUuid", "config.guestId", "config.managedBy",
        "config.ftInfo", "summary.config.vmPathName", "summary.config.memorySizeMB",
        "runtime.powerState", "runtime.connectionState", "runtime.host", "runtime.question",
        "guest.toolsRunningStatus",
    ]
    /// Properties of all hosts.
    private static let hostPaths = [
        "name", "parent", "runtime.connectionState", "runtime.inMaintenanceMode",
        "runtime.dasHostState", "runtime.powerState", "runtime.standbyMode",
        apiVersionPath,
    ]
    /// A host's release.
    private static let apiVersionPath = "config.product.apiVersion"
    /// The agent's marks of vCLS are in here; large, so read once per guest.
    static let extraConfig = "config.extraConfig"
    /// HA, DRS and DPM.
    static let configuration = "configurationEx"
    /// In it, how vCenter finds the cluster's own services. Read whole: its type is declared as
    /// that of any compute resource, which does not have them. Never watched: it changes all the
    /// time.
    static let summary = "summary"
    /// What says what the automation is.
    static let automationPaths = [configuration, summary]

    /// What of guests only a snapshot asks for.
    private static let traitPaths = [
        extraConfig, "config.keyId", "runtime.cryptoState", "summary.config.tpmPresent",
        "disabledMethod",
    ]

    /// Whether a host starts guests by itself, and whether Secure Boot is on; the second is a name
    /// that older releases refuse.
    private static let autostartPath = "config.autoStart.defaults.enabled"
    private static let secureBootPath = "capability.uefiSecureBoot"
    private static let secureBootSince = "8.0.3.0"

    /// What a snapshot reads in one go.
    /// - Parameter version: the vim25 version that is spoken.
    static func snapshotChoices(_ labels: LabelKinds, version: String) -> [PropertyChoice] {
        choices(labels, version, ofGuests: traitPaths, ofClusters: automationPaths)
    }

    /// What is watched.
    static func watchChoices(_ labels: LabelKinds, version: String) -> [PropertyChoice] {
        choices(labels, version, ofGuests: [], ofClusters: [])
    }

    private static func choices(
        _ labels: LabelKinds, _ version: String, ofGuests: [String], ofClusters: [String]
    ) -> [PropertyChoice] {
        let tellsSecureBoot = !APIVersion.isOlder(version, than: secureBootSince)
        return [
            PropertyChoice(
                kind: "VirtualMachine",
                paths: guestPaths + LabelReading.guestPaths(for: labels) + ofGuests),
            PropertyChoice(
                kind: "HostSystem",
                paths: hostPaths + [autostartPath] + (tellsSecureBoot ? [secureBootPath] : [])),
            PropertyChoice(kind: "ClusterComputeResource", paths: ["name"] + ofClusters),
        ] + LabelReading.choices(for: labels)
    }

    /// All objects that were read.
    let objects: [ObjectProperties]
    /// The labels that were asked for.
    let labels: LabelKinds

    // MARK: The cluster

    /// The one cluster of this name, or of this reference (`domain-c8`).
    func cluster(_ name: ClusterName) throws(CallFailure) -> ObjectProperties {
        let clusters = objects.filter { $0.reference.kind == "ClusterComputeResource" }
        let named = clusters.filter {
            $0.reference.id == name.rawValue
                || Self.unescaped($0["name"]?.text ?? "") == name.rawValue
                || $0["name"]?.text == name.rawValue
        }
        if named.count == 1 { return named[0] }
        let candidates = (named.isEmpty ? clusters : named)
            .map { "\(Self.unescaped($0["name"]?.text ?? "")) (\($0.reference.id))" }
            .sorted().joined(separator: ", ")
        guard named.isEmpty else {
            throw .refused(
                "there are \(named.count) clusters named \(name): \(candidates). Give the one in "
                    + "brackets as the cluster's name")
        }
        throw .missing(
            "there is no cluster \(name); this user sees "
                + (candidates.isEmpty ? "none" : candidates))
    }

    /// Inventory names carry `/`, `\` and `%` as `%2f`, `%5c` and `%25` (facts/vsphere.md 2.3).
    static func unescaped(_ name: String) -> String {
        var text = ""
        var rest = name[...]
        while let percent = rest.firstIndex(of: "%") {
            text += rest[..<percent]
            switch rest[percent...].prefix(3).lowercased() {
            case "%2f": text += "/"
            case "%5c": text += "\\"
            case "%25": text += "%"
            default:
                text += "%"
                rest = rest[rest.index(after: percent)...]
                continue
            }
            rest = rest[rest.index(percent, offsetBy: 3)...]
        }
        return text + rest
    }

    // MARK: Hosts and guests

    /// The VMs on the hosts of this cluster.
    func guests(of cluster: Reference) throws(CallFailure) -> [ObjectProperties] {
        let hosts = Set(try hosts(of: cluster).map(\.reference))
        var guests: [ObjectProperties] = []
        for vm in objects where vm.reference.kind == "VirtualMachine" {
            try Self.demandReadable(vm, ["runtime.host", "runtime.powerState"])
            // A VM without a host belongs to no cluster that could be named.
            if let host = vm["runtime.host"]?.reference, hosts.contains(host) { guests.append(vm) }
        }
        return guests
    }

    /// What of the wanted labels could not be read; of tags nothing is said here.
    func gaps(of cluster: Reference) throws(CallFailure) -> [String] {
        LabelReading(objects, kinds: labels, tags: [:]).gaps(of: try guests(of: cluster))
    }

    private func hosts(of cluster: Reference) throws(CallFailure) -> [ObjectProperties] {
        var hosts: [ObjectProperties] = []
        for host in objects where host.reference.kind == "HostSystem" {
            try Self.demandReadable(host, ["parent", "name"])
            if host["parent"]?.reference == cluster { hosts.append(host) }
        }
        return hosts
    }

    /// A guest that may not be looked at would silently fall out of the inventory.
    private static func demandReadable(
        _ object: ObjectProperties, _ paths: [String]
    ) throws(CallFailure) {
        for path in paths where object.unreadable[path] == "NoPermission" {
            throw .fault(
                VimFault(
                    type: "NoPermission",
                    message: "\(path) of \(object.reference.kind) \(object.reference.id) may not "
                        + "be read; give vpower's user System.Read there"))
        }
    }

    /// The cluster's inventory, its hosts' and guests' references beside it.
    ///
    /// - Parameters:
    ///   - marks: what extraConfig said of guests.
    ///   - tags: what is known of guests' tags.
    func inventory(
        of cluster: Reference, version: UInt64, marks: [Reference: Classification.Mark],
        tags: [Reference: [String]]
    ) throws(CallFailure) -> (inventory: Inventory, references: KnownReferences) {
        var references = KnownReferences()
        var views: [HostView] = []
        var connected: [Reference: HostView] = [:]
        for host in try hosts(of: cluster) {
            guard let name = host["name"]?.text, !name.isEmpty else {
                throw .unreadable("has a host without a name: \(host.reference.id)")
            }
            var view = HostView(
                name: HostName(name), reference: host.reference.id,
                connected: host["runtime.connectionState"]?.text == "connected",
                inMaintenance: host["runtime.inMaintenanceMode"]?.bool ?? false,
                haAgentConfigured: host["runtime.dasHostState"] != nil,
                apiVersion: host[Self.apiVersionPath].flatMap { VersionNumber($0.text) })
            view.haAgentFault = Self.agentFault(of: host)
            view.inStandby = Self.isAsleep(host)
            view.secureBoot = host[Self.secureBootPath]?.bool
            view.startsByItself = host[Self.autostartPath]?.bool
            views.append(view)
            connected[host.reference] = view
            references.hosts[view.name] = host.reference
        }
        let vms = try guests(of: cluster)
        let identities = Self.identities(of: vms)
        let places = LabelReading(objects, kinds: labels, tags: tags)
        var guests: [Guest] = []
        for vm in vms {
            let host = vm["runtime.host"]?.reference.flatMap { connected[$0] }
            let id = identities[vm.reference] ?? Self.fallback(vm.reference)
            references.guests[id] = vm.reference
            var guest = Guest(
                id: id, name: Self.unescaped(vm["name"]?.text ?? ""),
                reference: vm.reference.id,
                vmxPath: vm["summary.config.vmPathName"]?.text ?? "", host: host?.name,
                power: Classification.power(of: vm, hostConnected: host?.connected ?? false),
                tools: Classification.tools(of: vm),
                nature: Classification.nature(of: vm, mark: marks[vm.reference]),
                labels: places.labels(of: vm),
                memoryMiB: vm["summary.config.memorySizeMB"].flatMap { Int($0.text) },
                question: vm["runtime.question"].map(GuestTraitReading.question))
            guest.encryption = GuestTraitReading.encryption(of: vm)
            guest.disabledMethods = GuestTraitReading.disabledMethods(of: vm)
            guests.append(guest)
        }
        let inventory = Inventory(version: version, hosts: views, guests: guests)
        return (inventory, references)
    }

    /// A host that DPM has put to sleep. vCenter may have lost touch with it, and not know its
    /// power (facts/vsphere.md 2.10).
    private static func isAsleep(_ host: ObjectProperties) -> Bool {
        host["runtime.powerState"]?.text == "standBy"
            || ["in", "entering"].contains(host["runtime.standbyMode"]?.text)
    }

    /// The states of an agent that it does not leave by itself (facts/vsphere.md 2.4).
    private static func agentFault(of host: ObjectProperties) -> String? {
        let state = host["runtime.dasHostState"]?["state"]?.text
        return ["initializationError", "uninitializationError"].contains(state) ? state : nil
    }

    /// instanceUuid where there is one of its own. vCenter keeps them unique; should two guests
    /// share one after all, neither is known by it.
    private static func identities(of vms: [ObjectProperties]) -> [Reference: GuestID] {
        var owners: [String: [Reference]] = [:]
        for vm in vms {
            guard let uuid = vm["config.instanceUuid"]?.text.lowercased(), !uuid.isEmpty,
                !Classification.isFTSecondary(vm)
            else { continue }
            owners[uuid, default: []].append(vm.reference)
        }
        var identities: [Reference: GuestID] = [:]
        for (uuid, references) in owners where references.count == 1 {
            identities[references[0]] = GuestID(uuid)
        }
        return identities
    }

    /// For a guest whose `config` cannot be read (facts/vsphere.md 2.12).
    private static func fallback(_ reference: Reference) -> GuestID {
        GuestID("moref:\(reference.id)")
    }

    // MARK: Automation

    /// HA, DRS, DPM, and vCLS as the cluster itself has it; `vclsOption` is the advanced setting.
    static func automation(
        _ cluster: ObjectProperties, vclsOption: VCLSSetting
    ) throws(CallFailure) -> Automation {
        if cluster.unreadable[configuration] == "NoPermission" {
            throw .fault(
                VimFault(
                    type: "NoPermission",
                    message: "the cluster's configuration may not be read; give vpower's user "
                        + "System.Read on the cluster"))
        }
        guard let configuration = cluster[configuration],
            let ha = configuration.at("dasConfig", "enabled")?.bool,
            let drs = configuration.at("drsConfig", "enabled")?.bool
        else {
            // Absent means unknown, never off (DESIGN 5.2).
            throw .unreadable("does not say whether HA and DRS of \(cluster.reference.id) are on")
        }
        let behavior = configuration.at("drsConfig", "defaultVmBehavior")?.text
        guard let level = behavior.map(DRSLevel.init(rawValue:)) ?? (drs ? nil : .manual) else {
            throw .unreadable("has the DRS level \(behavior ?? "nil"), which vpower does not know")
        }
        let mode = configuration.at("systemVMsConfig", "deploymentMode")?.text
        if let mode, VCLSMode(rawValue: mode) == nil {
            throw .unreadable("has the vCLS mode \(mode), which vpower does not know")
        }
        let health = cluster[summary]?["vcsHealthStatus"]?.text
        return Automation(
            ha: ha, drsEnabled: drs, drsLevel: level,
            // Optional too; what is not said is so by default.
            drsOverrides: configuration.at("drsConfig", "enableVmBehaviorOverrides")?.bool ?? true,
            // Optional: a cluster on which DPM was never touched does not have it.
            dpm: configuration.at("dpmConfigInfo", "enabled")?.bool ?? false,
            vcls: vclsOption, vclsMode: mode.flatMap(VCLSMode.init(rawValue:)),
            vclsHealth: health.flatMap(VCLSHealth.init(rawValue:)))
    }
}

extension ClusterReading {
    /// Whether the cluster's storage is vSAN. Absent where vSAN was never touched.
    static func hasVSAN(_ cluster: ObjectProperties) -> Bool {
        cluster[configuration]?.at("vsanConfigInfo", "enabled")?.bool ?? false
    }
}

/// How vCenter calls what the engine knows by name and identity.
struct KnownReferences: Hashable, Sendable {
    var hosts: [HostName: Reference] = [:]
    var guests: [GuestID: Reference] = [:]
}
