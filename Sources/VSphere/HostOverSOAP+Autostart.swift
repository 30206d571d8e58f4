public import PowerModel
public import PowerRun

extension HostOverSOAP {
    /// What the host starts and stops by itself (`HostAutoStartManager`).
    public func autostart() async throws(HostError) -> HostAutostart {
        try await attempt("read the autostart settings") { session throws(CallFailure) in
            try await self.autostart(in: session).settings
        }
    }

    /// Makes the host start and stop by itself exactly this, and reads it back. A guest that is
    /// not among these is not started any more.
    ///
    /// - Throws: `notFound` when the settings name a guest that is not registered here;
    ///   `notAsWritten` when the host has something else afterwards.
    public func setAutostart(_ wanted: HostAutostart) async throws(HostError) {
        let attempting = "write the autostart settings"
        let written = try await attempt(attempting) {
            session throws(CallFailure) -> HostAutostart in
            let now = try await self.autostart(in: session)
            if now.settings == wanted { return wanted }
            let gone = now.settings.guests.filter { old in
                !wanted.guests.contains { $0.vmxPath == old.vmxPath }
            }
            var entries: [(vm: Reference, entry: HostAutostart.Entry)] = []
            for entry in gone.map({ .none($0.vmxPath) }) + wanted.guests {
                guard let vm = now.vms[entry.vmxPath] else {
                    throw .missing("\(entry.vmxPath.onOneLine) is not registered on this host")
                }
                entries.append((vm, entry))
            }
            _ = try await self.vim.call(
                .reconfigureAutostart, on: now.manager, in: session, within: self.limits.call
            ) { Self.addSettings(wanted.defaults, entries, to: &$0) }
            return try await self.autostart(in: session).settings
        }
        guard written == wanted else {
            throw error(
                .notAsWritten, attempting, "the host has other autostart settings than it was given"
            )
        }
    }

    private struct Autostart {
        let manager: Reference
        let settings: HostAutostart
        /// VMs by configuration file.
        let vms: [String: Reference]
    }

    private func autostart(in session: Session) async throws(CallFailure) -> Autostart {
        let host = try await reference(in: session)
        let managers = try await look(at: host, ["configManager.autoStartManager"], in: session)
        guard let manager = managers["configManager.autoStartManager"]?.reference else {
            throw .refused("this host has no autostart manager")
        }
        let config = try await look(at: manager, ["config"], in: session)["config"]
        var files: [Reference: String] = [:]
        for vm in try await vms(in: session) {
            files[vm.reference] = vm["summary.config.vmPathName"]?.text
        }
        var entries: [HostAutostart.Entry] = []
        for info in config?.all("powerInfo") ?? [] {
            guard let vm = info["key"]?.reference, let entry = Self.entry(info, files[vm] ?? "")
            else { throw .unreadable("has an autostart entry that is not whole") }
            // Of a guest that is not there any more, or not yet, nothing can be written back.
            if files[vm] != nil { entries.append(entry) }
        }
        return Autostart(
            manager: manager,
            settings: HostAutostart(defaults: Self.defaults(config?["defaults"]), guests: entries),
            vms: Dictionary(
                files.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
        )
    }

    private static func defaults(_ element: Element?) -> HostAutostart.Defaults {
        HostAutostart.Defaults(
            enabled: element?["enabled"]?.bool,
            startDelaySeconds: element?["startDelay"].flatMap { Int($0.text) },
            stopDelaySeconds: element?["stopDelay"].flatMap { Int($0.text) },
            waitForHeartbeat: element?["waitForHeartbeat"]?.bool,
            stopAction: element?["stopAction"]?.text)
    }

    private static func entry(_ info: Element, _ file: String) -> HostAutostart.Entry? {
        guard let order = info["startOrder"].flatMap({ Int($0.text) }),
            let startDelay = info["startDelay"].flatMap({ Int($0.text) }),
            let heartbeat = info["waitForHeartbeat"]?.text,
            let startAction = info["startAction"]?.text,
            let stopDelay = info["stopDelay"].flatMap({ Int($0.text) }),
            let stopAction = info["stopAction"]?.text
        else { return nil }
        return HostAutostart.Entry(
            vmxPath: file, startOrder: order, startDelaySeconds: startDelay,
            waitForHeartbeat: heartbeat, startAction: startAction, stopDelaySeconds: stopDelay,
            stopAction: stopAction)
    }

    /// In schema order.
    private static func addSettings(
        _ defaults: HostAutostart.Defaults,
        _ entries: [(vm: Reference, entry: HostAutostart.Entry)],
        to fields: inout VimFields
    ) {
        fields.add("spec", "HostAutoStartManagerConfig") {
            $0.add("defaults", "AutoStartDefaults") {
                if let enabled = defaults.enabled { $0.add("enabled", enabled) }
                if let delay = defaults.startDelaySeconds { $0.add("startDelay", delay) }
                if let delay = defaults.stopDelaySeconds { $0.add("stopDelay", delay) }
                if let waits = defaults.waitForHeartbeat { $0.add("waitForHeartbeat", waits) }
                if let action = defaults.stopAction { $0.add("stopAction", action) }
            }
            $0.add("powerInfo", all: entries, "AutoStartPowerInfo") { item, info in
                info.add("key", item.vm)
                info.add("startOrder", item.entry.startOrder)
                info.add("startDelay", item.entry.startDelaySeconds)
                info.add("waitForHeartbeat", item.entry.waitForHeartbeat)
                info.add("startAction", item.entry.startAction)
                info.add("stopDelay", item.entry.stopDelaySeconds)
                info.add("stopAction", item.entry.stopAction)
            }
        }
    }
}
