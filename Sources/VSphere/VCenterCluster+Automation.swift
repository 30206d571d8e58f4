public import PowerModel
public import PowerRun

/// HA, DRS and DPM through vCenter.
extension VCenterCluster {
    /// The automation as it is now.
    public func automation() async throws(ClusterError) -> Automation {
        try await attempt("read HA, DRS and DPM of cluster \(name)") {
            () async throws(CallFailure) in
            let cluster = try await self.watch.clusterReference()
            return try await self.vim.withSession { session throws(CallFailure) in
                try await self.automation(of: cluster, in: session)
            }
        }
    }

    func automation(
        of cluster: Reference, in session: Session
    ) async throws(CallFailure) -> Automation {
        let choice = PropertyChoice(kind: cluster.kind, paths: ClusterReading.automationPaths)
        let objects = try await vim.read([choice], of: [cluster], in: session, limits: limits)
        guard let properties = objects.first(where: { $0.reference == cluster }) else {
            throw .unreadable("says nothing of \(cluster.id)")
        }
        let option = try await vclsOption(of: cluster, in: session)
        return try ClusterReading.automation(properties, vclsOption: option.setting)
    }

    // MARK: Changing automation

    /// Changes HA, DRS and DPM in one task and returns when vCenter has accepted it.
    public func change(_ change: AutomationChange) async throws(ClusterError) {
        guard !change.isEmpty else { return }
        try await attempt("change \(Self.words(change)) of cluster \(name)") {
            () async throws(CallFailure) in
            let cluster = try await self.watch.clusterReference()
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.reconfigure(cluster, in: session) { Self.add(change, to: &$0) }
            }
        }
    }

    /// Changes of a cluster what `fill` adds, in schema order, and nothing else: `modify` is true,
    /// since false resets all that is not sent (facts/vsphere.md 2.4, 4.0).
    func reconfigure(
        _ cluster: Reference, in session: Session, _ fill: (inout VimFields) -> Void
    ) async throws(CallFailure) {
        try await vim.runTask(
            .reconfigureComputeResource, on: cluster, in: session, within: limits.change,
            limits: limits
        ) {
            $0.add("spec", derived: "ClusterConfigSpecEx", fill)
            $0.add("modify", true)
        }
    }

    /// In schema order. `drsConfig.enabled` is never sent: off deletes the resource pools.
    private static func add(_ change: AutomationChange, to spec: inout VimFields) {
        if let ha = change.ha {
            spec.add("dasConfig", "ClusterDasConfigInfo") { $0.add("enabled", ha) }
        }
        if change.drsLevel != nil || change.drsOverrides != nil {
            spec.add("drsConfig", "ClusterDrsConfigInfo") {
                if let overrides = change.drsOverrides {
                    $0.add("enableVmBehaviorOverrides", overrides)
                }
                if let level = change.drsLevel { $0.add("defaultVmBehavior", level.rawValue) }
            }
        }
        if let dpm = change.dpm {
            spec.add("dpmConfig", "ClusterDpmConfigInfo") { $0.add("enabled", dpm) }
        }
    }

    private static func words(_ change: AutomationChange) -> String {
        var words: [String] = []
        if let ha = change.ha { words.append("HA to \(ha ? "on" : "off")") }
        if let level = change.drsLevel { words.append("DRS to \(level.rawValue)") }
        if let overrides = change.drsOverrides {
            words.append("guests' own DRS levels to \(overrides ? "on" : "off")")
        }
        if let dpm = change.dpm { words.append("DPM to \(dpm ? "on" : "off")") }
        return words.joined(separator: ", ")
    }
}
