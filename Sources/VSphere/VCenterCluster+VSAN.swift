public import PowerModel
public import PowerRun

/// A vSAN cluster's power through vCenter, from 7.0U3 (facts/vsphere.md 2.16). Names and types are
/// pyvmomi's; how a real vCenter behaves meanwhile was never seen.
extension VCenterCluster {
    /// vCenter's one object for it.
    private static let powerSystem = Reference(
        kind: "VsanClusterPowerSystem", id: "vsan-cluster-power-system")
    /// vCenter takes reasons that are shorter than this.
    private static let reasonMax = 512

    /// How far vCenter has come with the power of a vSAN cluster.
    public func vsanPower() async throws(ClusterError) -> VSANPower {
        try await attempt("read the power of vSAN cluster \(name)") {
            () async throws(CallFailure) in
            let cluster = try await self.watch.clusterReference()
            let reply = try await self.vsan.withSession { session throws(CallFailure) in
                try await self.vsan.call(
                    .queryClusterPowerContext, on: Self.powerSystem, in: session,
                    within: self.limits.call
                ) { $0.add("cluster", cluster) }
            }
            guard let status = reply.at("returnval", "currentClusterPowerStatus")?.text else {
                throw .unreadable("to QueryClusterPowerContext has no status")
            }
            let problem = reply.at("returnval", "lastErrorMessage", "message")?.text
            return VSANPower(
                status: status, problem: problem.flatMap { $0.isEmpty ? nil : $0.onOneLine })
        }
    }

    /// Has vCenter shut a vSAN cluster down, or start it; returns when its task has begun.
    public func powerVSAN(_ on: Bool, reason: String) async throws(ClusterError) {
        try await attempt("\(on ? "start" : "shut down") vSAN cluster \(name)") {
            () async throws(CallFailure) in
            let cluster = try await self.watch.clusterReference()
            try await self.vsan.withSession { session throws(CallFailure) in
                try await self.vsan.runTask(
                    .performClusterPowerAction, on: Self.powerSystem, until: .accepted,
                    in: session, within: self.limits.call, limits: self.limits
                ) {
                    $0.add("cluster", cluster)
                    $0.add("spec", "PerformClusterPowerActionSpec") {
                        $0.add(
                            "targetPowerStatus", on ? "clusterPoweredOn" : "clusterPoweredOff")
                        if !on {
                            $0.add("powerOffReason", String(reason.prefix(Self.reasonMax - 1)))
                        }
                    }
                }
            }
        }
    }
}
