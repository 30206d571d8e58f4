import PowerModel
import PowerRun
import VSphere

/// What `check` says of SSH that is there for a run only.
extension CheckCommand {
    /// Whether vpower can log in over SSH now, as far as the host's service decides it.
    func checkSSH(
        of host: HostSite, in cluster: ClusterSite, _ context: SiteContext,
        _ sheet: inout CheckSheet
    ) async -> Bool {
        if host.sshPolicy == .always { return true }
        let what = "host \(host.name)"
        do {
            let service = try await service(of: host, in: cluster, context)
            if host.api == nil {
                sheet.note(
                    what,
                    "it has no `api`: after a boot SSH can be started only when vCenter is back, "
                        + "and what goes through the host waits for that")
            }
            let way = host.api == nil ? "through vCenter" : "over its `api`, or through vCenter"
            if service.runs {
                sheet.note(
                    what,
                    "SSH runs (TSM-SSH, policy \(service.policy.onOneLine)), though the site file says "
                        + "`ssh: run`: vpower does not stop what it has not started")
                return true
            }
            if openSSH {
                _ = try await OpenedSSH.ofThisProcess.open(host, of: cluster, context)
                sheet.good(what, "SSH was stopped; it was started for this \(way)")
                return true
            }
            sheet.note(
                what,
                "SSH is stopped (TSM-SSH, policy \(service.policy.onOneLine)): a run starts it \(way), "
                    + "and stops it when all is back. `vpower check --open-ssh` logs in")
        } catch { sheet.bad(what, "SSH cannot be started for a run: \(error)") }
        return false
    }

    private func service(
        of host: HostSite, in cluster: ClusterSite, _ context: SiteContext
    ) async throws -> SSHService {
        let vcenter = try context.makeCluster(cluster)
        let adapters = try context.makeHost(host, of: cluster)
        let result: Result<SSHService, HostError>
        do throws(HostError) {
            result = .success(
                try await SSHDoor(of: adapters.control, in: vcenter).service())
        } catch { result = .failure(error) }
        await adapters.control.close()
        await vcenter.close()
        return try result.get()
    }
}

extension ClusterSite {
    /// The hosts whose SSH is started through vCenter alone.
    var openedThroughVCenter: Set<HostName> {
        Set(hosts.filter { $0.sshPolicy == .run && $0.api == nil }.map(\.name))
    }
}
