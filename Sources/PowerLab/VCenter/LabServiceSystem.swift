import PowerModel

/// Hosts' services, at vCenter and at the host itself (`HostServiceSystem`).
extension SSHService {
    /// The object's properties: this service, and the shell's own, which nobody starts here.
    var system: [String: VimValue] {
        let services = [
            Self.service("TSM", "ESXi Shell", runs: false, policy: "off", rulesets: []),
            Self.service(Self.key, "SSH", runs: runs, policy: policy, rulesets: ["sshServer"]),
        ]
        return [
            "serviceInfo": .object(
                VimObject("HostServiceInfo", ["service": .list(services, of: "HostService")]))
        ]
    }

    private static func service(
        _ key: String, _ label: String, runs: Bool, policy: String, rulesets: [String]
    ) -> VimValue {
        .object(
            VimObject(
                "HostService",
                [
                    "key": .string(key), "label": .string(label), "required": .bool(false),
                    "uninstallable": .bool(false), "running": .bool(runs),
                    "ruleset": .list(rulesets.map { .string($0) }, of: "string"),
                    "policy": .string(policy),
                ]))
    }
}

extension LabSnapshot.Host {
    /// What steers its services at vCenter.
    var serviceSystem: VimReference {
        VimReference("HostServiceSystem", "serviceSystem-" + reference.id.drop { !$0.isNumber })
    }
}

extension LabSnapshot {
    /// The host whose services this steers.
    func host(servedBy system: VimReference) -> Host? {
        hosts.first { $0.serviceSystem == system }
    }
}

extension LabWorld {
    /// Starts or stops a service, or looks at them again; false for any other call.
    func steerServices(_ call: VimCall, of host: HostName) throws(VimFault) -> Bool {
        switch call.method {
        case "RefreshServices": return true
        case "StartService", "StopService": break
        default: return false
        }
        guard call["id"]?.text == SSHService.key else {
            throw VimFault("NotFound", "The object or item referred to could not be found.")
        }
        setSSH(host, runs: call.method == "StartService")
        return true
    }
}
