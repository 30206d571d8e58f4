import PowerModel

/// What kind of guest a VM is (facts/vsphere.md 2.5 "Recognising vCLS VMs", 2.12, 4.4).
enum Classification {
    /// The nature of a VM. `extraConfigMark` is whether its extraConfig calls it a vCLS agent,
    /// nil when that could not be read.
    static func nature(of vm: ObjectProperties, extraConfigMark: Bool?) -> GuestNature {
        if isVCLS(vm, extraConfigMark: extraConfigMark) { return .vcls }
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

    private static func isVCLS(_ vm: ObjectProperties, extraConfigMark: Bool?) -> Bool {
        if extraConfigMark == true { return true }
        switch (
            vm["config.managedBy"]?["extensionKey"]?.text, vm["config.managedBy"]?["type"]?.text
        ) {
        case ("com.vmware.vim.eam", "cluster-agent"), ("VirtualCenter", "vcls-entity"):
            return true
        default: break
        }
        if vm["config.guestId"]?.text == "crxSys1Guest" { return true }
        // A name decides only where nothing else could be read: a person can type such a name.
        return extraConfigMark == nil && vm["config.managedBy"] == nil
            && hasVCLSName(vm["name"]?.text ?? "")
    }

    /// `vCLS (n)` and `vCLS-<uuid>`.
    private static func hasVCLSName(_ name: String) -> Bool {
        name.hasPrefix("vCLS (") || name.hasPrefix("vCLS-")
    }

    /// Whether an extraConfig (`ArrayOfOptionValue`) calls its VM a vCLS agent.
    static func isMarked(_ extraConfig: Element) -> Bool {
        extraConfig.all("OptionValue").contains { option in
            ["HDCS.agent", "vCLSCRX.agent"].contains(option["key"]?.text ?? "")
                && option["value"]?.text.lowercased() == "true"
        }
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
