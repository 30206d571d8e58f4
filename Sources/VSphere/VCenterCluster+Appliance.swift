public import PowerRun

/// vCenter's own appliance (vCSA), by its management interface: REST alone has it.
extension VCenterCluster {
    /// Tells vCSA to power itself off, which needs no Tools. Returns when it has accepted it.
    public func shutDownAppliance(reason: String) async throws(ClusterError) {
        try await attempt("have vCSA shut itself down") { () async throws(CallFailure) in
            try await self.askAppliance(.shutDownAppliance(reason: reason))
        }
    }

    /// Whether vpower's user may at least look at vCSA's power: who may not, may not switch it off
    /// either. That one may is seen only when it is done.
    public func mayLookAtAppliance() async throws(ClusterError) -> Bool {
        do throws(ClusterError) {
            try await attempt("look at vCSA's power") { () async throws(CallFailure) in
                try await self.askAppliance(.applianceState)
            }
            return true
        } catch {
            guard error.reason == .notPermitted else { throw error }
            return false
        }
    }

    private func askAppliance(_ call: RESTCall) async throws(CallFailure) {
        do throws(CallFailure) {
            try await vim.withSession { session throws(CallFailure) in
                _ = try await self.rest.send(
                    call, in: session.restShape, until: .now + self.limits.call)
            }
        } catch {
            guard case .rest(let fault) = error, fault.reason == .notPermitted else { throw error }
            // No role at vCenter gives it (facts/vsphere.md 2.15).
            throw .rest(
                RESTFault(
                    type: fault.type,
                    message: "vpower's user is not in the SSO group \(Self.applianceGroup)"))
        }
    }

    /// Whose members may shut vCSA down.
    public static let applianceGroup = "SystemConfiguration.Administrators"
}
