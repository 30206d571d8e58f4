public import PowerModel
public import PowerRun

/// vCLS through vCenter.
///
/// There are two places that say whether a cluster has it: an advanced setting of the vCenter, and
/// from 8.0U2 on the cluster's own `deploymentMode`. Whether each shows what the other says is not
/// known, so both are read, and either is enough for retreat mode. One is written, and what comes
/// of it is looked at: the cluster's own mode where vCenter knows it, since that takes no more
/// than the privilege for HA and DRS and leaves no key behind that cannot be deleted; but the
/// advanced setting where the key is there, since then it is how this cluster is run.
extension VCenterCluster {
    /// Puts vCLS into retreat mode, where it is not.
    public func retreatVCLS() async throws(ClusterError) {
        try await changeVCLS("put vCLS of cluster \(name) into retreat mode") {
            (now, session) -> VCLSChange? in
            guard now.keepsVCLS else { return nil }
            return self.isRetreatBySetting(now, in: session)
                ? VCLSChange(setting: .retreat) : VCLSChange(mode: .absent)
        }
    }

    /// Whether it is the vCenter's advanced setting that puts such a cluster into retreat mode.
    func isRetreatBySetting(_ now: Automation, in session: Session) -> Bool {
        switch now.vcls {
        case .notThere: false
        case .unset: APIVersion.isOlder(session.wire.version, than: Self.modeSince)
        case .on, .retreat: true
        }
    }

    /// Puts vCLS back to what it was in each of the two places, where that says otherwise now.
    /// What was never set there comes back as its default: it cannot be unset.
    public func restoreVCLS(
        _ setting: VCLSSetting, mode: VCLSMode?
    ) async throws(ClusterError) {
        let before = setting.keepsGuests && mode != .absent
        try await changeVCLS("put vCLS of cluster \(name) back \(before ? "on" : "to retreat")") {
            (now, _) -> VCLSChange? in
            var change = VCLSChange()
            if now.vcls != .notThere, now.vcls.keepsGuests != setting.keepsGuests {
                change.setting = setting.keepsGuests ? .on : .retreat
            }
            if (now.vclsMode == .absent) != (mode == .absent) {
                change.mode = mode ?? .systemManaged
            }
            return change
        }
    }

    /// 7.0U1, the first that has vCLS (facts/vsphere.md 2.5).
    private static let vclsSince = "7.0.1.0"
    /// The first vim25 version whose clusters have a `deploymentMode`.
    private static let modeSince = "8.0.2.0"

    /// What is to be written, and where; nil leaves a place alone.
    private struct VCLSChange {
        var setting: VCLSSetting?
        var mode: VCLSMode?
    }

    private func changeVCLS(
        _ attempting: String, _ decide: (Automation, Session) -> VCLSChange?
    ) async throws(ClusterError) {
        try await attempt(attempting) { () async throws(CallFailure) in
            let cluster = try await self.watch.clusterReference()
            try await self.vim.withSession { session throws(CallFailure) in
                let now = try await self.automation(of: cluster, in: session)
                guard let change = decide(now, session) else { return }
                if let mode = change.mode { try await self.write(mode, to: cluster, in: session) }
                if let setting = change.setting {
                    try await self.write(setting, of: cluster, in: session)
                }
            }
        }
    }

    private func write(
        _ mode: VCLSMode, to cluster: Reference, in session: Session
    ) async throws(CallFailure) {
        try await reconfigure(cluster, in: session) {
            $0.add("systemVMsConfig", "ClusterSystemVMsConfigSpec") {
                $0.add("deploymentMode", mode.rawValue)
            }
        }
    }

    private func write(
        _ setting: VCLSSetting, of cluster: Reference, in session: Session
    ) async throws(CallFailure) {
        // A key that exists keeps its type; a new one must be a string.
        let type = try await vclsOption(of: cluster, in: session).type
        _ = try await vim.call(
            .updateOptions, on: session.content.setting, in: session, within: limits.call
        ) {
            $0.add("changedValue", all: [Self.vclsKey(cluster)], "OptionValue") { key, option in
                option.add("key", key)
                option.add("value", boxed: type, setting.keepsGuests ? "true" : "false")
            }
        }
    }

    private static func vclsKey(_ cluster: Reference) -> String {
        "config.vcls.clusters.\(cluster.id).enabled"
    }

    /// What the advanced setting says, and of which type its value is.
    func vclsOption(
        of cluster: Reference, in session: Session
    ) async throws(CallFailure) -> (setting: VCLSSetting, type: String) {
        guard !APIVersion.isOlder(session.wire.version, than: Self.vclsSince) else {
            return (.notThere, "string")
        }
        let key = Self.vclsKey(cluster)
        let reply: Element
        do throws(CallFailure) {
            reply = try await vim.call(
                .queryOptions, on: session.content.setting, in: session, within: limits.call
            ) { $0.add("name", key) }
        } catch {
            guard case .fault(let fault) = error, fault.type == "InvalidName" else { throw error }
            return (.unset, "string")
        }
        guard let value = reply.all("returnval").first(where: { $0["key"]?.text == key })?["value"]
        else { throw .unreadable("to QueryOptions does not hold \(key)") }
        let type = value.type == "boolean" ? "boolean" : "string"
        switch value.text.lowercased() {
        case "false", "0": return (.retreat, type)
        case "true", "1": return (.on, type)
        case let other: throw .unreadable("to QueryOptions has \(key) = \(other)")
        }
    }
}
