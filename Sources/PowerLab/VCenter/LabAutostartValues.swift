import PowerModel

/// Autostart settings as vim25 has them, and back.
extension HostAutostart {
    /// As `HostAutoStartManagerConfig`, with the references that guests have now; those that have
    /// none are left out.
    func vim(_ reference: (String) -> VimReference?) -> VimObject {
        let infos = guests.compactMap { entry in
            reference(entry.vmxPath).map { VimValue.object(entry.vim($0)) }
        }
        return VimObject(
            "HostAutoStartManagerConfig",
            [
                "defaults": .object(defaults.vim),
                "powerInfo": .list(infos, of: "AutoStartPowerInfo"),
            ])
    }
}

extension HostAutostart.Defaults {
    fileprivate var vim: VimObject {
        VimObject(
            "AutoStartDefaults",
            [
                "enabled": enabled.map { .bool($0) },
                "startDelay": startDelaySeconds.map { .int($0) },
                "stopDelay": stopDelaySeconds.map { .int($0) },
                "waitForHeartbeat": waitForHeartbeat.map { .bool($0) },
                "stopAction": stopAction.map { .string($0) },
            ])
    }

    /// Takes over what is said; the rest stays.
    mutating func take(_ object: VimObject) {
        if let enabled = object["enabled"]?.flag { self.enabled = enabled }
        if let delay = object["startDelay"]?.number { startDelaySeconds = delay }
        if let delay = object["stopDelay"]?.number { stopDelaySeconds = delay }
        if let waits = object["waitForHeartbeat"]?.flag { waitForHeartbeat = waits }
        if let action = object["stopAction"]?.text { stopAction = action }
    }
}

extension HostAutostart.Entry {
    func vim(_ reference: VimReference) -> VimObject {
        VimObject(
            "AutoStartPowerInfo",
            [
                "key": .reference(reference), "startOrder": .int(startOrder),
                "startDelay": .int(startDelaySeconds),
                "waitForHeartbeat": .simple(
                    waitForHeartbeat, type: "AutoStartWaitHeartbeatSetting"),
                "startAction": .string(startAction), "stopDelay": .int(stopDelaySeconds),
                "stopAction": .string(stopAction),
            ])
    }

    /// nil when something is missing.
    init?(_ info: VimObject, of vmxPath: String) {
        guard let order = info["startOrder"]?.number, let startDelay = info["startDelay"]?.number,
            let heartbeat = info["waitForHeartbeat"]?.text,
            let startAction = info["startAction"]?.text, let stopDelay = info["stopDelay"]?.number,
            let stopAction = info["stopAction"]?.text
        else { return nil }
        self.init(
            vmxPath: vmxPath, startOrder: order, startDelaySeconds: startDelay,
            waitForHeartbeat: heartbeat, startAction: startAction, stopDelaySeconds: stopDelay,
            stopAction: stopAction)
    }
}
