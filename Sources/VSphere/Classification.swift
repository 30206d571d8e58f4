import PowerModel

/// What kind of guest a VM is (facts/vsphere.md 2.5 "Recognising vCLS VMs", 2.12, 4.4).
enum Classification {
    /// What a VM's extraConfig says of vCLS.
    enum Mark: Hashable, Sendable {
        /// Nothing: it is another kind of VM.
        case unmarked
        /// It is a vCLS agent.
        case vcls
        /// It is one that a host runs in its own memory.
        case embedded
    }

    /// The nature of a VM. `mark` is what its extraConfig says, nil when that could not be read.
    static func nature(of vm: ObjectProperties, mark: Mark?) -> GuestNature {
        if let vcls = vclsNature(of: vm, mark: mark) { return vcls }
        switch vm["runtime.connectionState"]?.text {
        case "orphaned", "inaccessible", "invalid": return .unusable
        default: break
        }
        if vm["config.template"]?.bool == true { return .template }
        if isFTSecondary(vm) { return .ftSecondary }
        if let manager = vm["config.managedBy"]?["extensionKey"]?.text,
            agentExtensions.contains(manager)
        {
            return .agent
        }
        return .ordinary
    }

    /// ESX Agent Manager and the vCenter itself: what they made belongs to a host or a cluster.
    /// Other extensions (a backup product's, a cloud's) manage guests that people use.
    private static let agentExtensions: Set = ["com.vmware.vim.eam", "VirtualCenter"]

    /// Whether a VM is the shadow of a fault-tolerant one (role 1 is the primary).
    static func isFTSecondary(_ vm: ObjectProperties) -> Bool {
        vm["config.ftInfo"]?["role"].flatMap { Int($0.text) }.map { $0 >= 2 } ?? false
    }

    /// Which kind of vCLS guest it is, if it is one. The agent's own marks come first, then who
    /// manages it: ESX Agent Manager has other agents too, so the type must be vCLS's.
    private static func vclsNature(of vm: ObjectProperties, mark: Mark?) -> GuestNature? {
        let manager = vm["config.managedBy"]
        let managed = [manager?["extensionKey"]?.text, manager?["type"]?.text]
        let isEmbedded =
            mark == .embedded || managed == ["VirtualCenter", "vcls-entity"]
            || vm["config.guestId"]?.text == "crxSys1Guest"
        if isEmbedded { return .embeddedVCLS }
        if mark == .vcls || managed == ["com.vmware.vim.eam", "cluster-agent"] { return .vcls }
        // A name decides only where nothing else could be read: a person can type such a name.
        let isNamed = mark == nil && manager == nil && hasVCLSName(vm["name"]?.text ?? "")
        return isNamed ? .vcls : nil
    }

    /// `vCLS (n)` and `vCLS-<uuid>`.
    private static func hasVCLSName(_ name: String) -> Bool {
        name.hasPrefix("vCLS (") || name.hasPrefix("vCLS-")
    }

    /// What an extraConfig (`ArrayOfOptionValue`) says of vCLS.
    static func mark(in extraConfig: Element) -> Mark {
        let marks = extraConfig.all("OptionValue").filter {
            $0["value"]?.text.lowercased() == "true"
        }.map { $0["key"]?.text }
        if marks.contains("vCLSCRX.agent") { return .embedded }
        return marks.contains("HDCS.agent") ? .vcls : .unmarked
    }

    /// The state of a VM's Tools.
    static func tools(of vm: ObjectProperties) -> ToolsState {
        switch vm["guest.toolsRunningStatus"]?.text {
        case "guestToolsRunning": .running
        case "guestToolsExecutingScripts": .busy
        case "guestToolsNotRunning": .absent
        default: .unknown
        }
    }

    /// Whether a VM is on. vCenter goes on showing the last state of what it has lost touch with:
    /// that is never taken for true.
    static func power(of vm: ObjectProperties, hostConnected: Bool) -> GuestPower {
        guard hostConnected, vm["runtime.connectionState"]?.text == "connected" else {
            return .unknown
        }
        return switch vm["runtime.powerState"]?.text {
        case "poweredOn": .on
        case "poweredOff": .off
        case "suspended": .suspended
        default: .unknown
        }
    }
}
