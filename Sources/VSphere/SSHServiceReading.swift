public import PowerModel
public import PowerRun

/// A host's SSH service by vim25: `HostServiceSystem`, the same at the host itself and at vCenter.
///
/// `StartService` and `StopService` take the service's key and give nothing back; a service that is
/// so already is a fault (`InvalidState`) up to ESX 4.1 only. Both demand `Host.Config.NetService`;
/// to read names no privilege. vCenter may show what was so before a boot, or before somebody
/// changed it on the host: `RefreshServices` has it look, with the same privilege (vSphere Web
/// Services API, "HostServiceSystem"; pyvmomi 9.1.1.0, `_typeinfo_vim.py`). The firewall's ruleset
/// `sshServer` is on by default and does not follow the service (vSphere CLI examples 6.7): it is
/// left alone.
extension VimClient {
    /// The service, and the object that steers it.
    func sshService(
        of host: Reference, in session: Session, limits: VCenterLimits
    ) async throws(CallFailure) -> (system: Reference, service: SSHService) {
        let path = "configManager.serviceSystem"
        guard let system = try await look(at: host, path, in: session, limits)?.reference else {
            throw .refused("this host shows no service system")
        }
        let info = try await look(at: system, "serviceInfo", in: session, limits)
        let ssh = info?.all("service").first { $0["key"]?.text == SSHService.key }
        guard let ssh else { throw .missing("this host has no service \(SSHService.key)") }
        guard let runs = ssh["running"]?.bool, let policy = ssh["policy"]?.text else {
            throw .unreadable("has a service that is not whole")
        }
        return (system, SSHService(runs: runs, policy: policy))
    }

    /// Has it started or stopped, where it is not so already.
    func setSSH(
        runs: Bool, of host: Reference, in session: Session, limits: VCenterLimits
    ) async throws(CallFailure) {
        let (system, service) = try await sshService(of: host, in: session, limits: limits)
        if service.runs == runs { return }
        _ = try await call(
            runs ? .startService : .stopService, on: system, in: session, within: limits.call
        ) { $0.add("id", SSHService.key) }
    }

    fileprivate func look(
        at object: Reference, _ path: String, in session: Session, _ limits: VCenterLimits
    ) async throws(CallFailure) -> Element? {
        let choice = PropertyChoice(kind: object.kind, paths: [path])
        let objects = try await read([choice], of: [object], in: session, limits: limits)
        return objects.first { $0.reference == object }?[path]
    }
}

extension HostOverSOAP {
    /// The host's SSH service.
    public func sshService() async throws(HostError) -> SSHService {
        try await attempt("look at SSH") { session throws(CallFailure) in
            let host = try await self.reference(in: session)
            return try await self.vim.sshService(
                of: host, in: session, limits: self.limits.vim
            ).service
        }
    }

    /// Has the host start or stop its SSH service.
    public func setSSH(runs: Bool) async throws(HostError) {
        try await attempt("\(runs ? "start" : "stop") SSH") { session throws(CallFailure) in
            let host = try await self.reference(in: session)
            try await self.vim.setSSH(
                runs: runs, of: host, in: session, limits: self.limits.vim)
        }
    }
}

extension VCenterCluster {
    /// The SSH service of a host.
    public func sshService(on host: HostName) async throws(ClusterError) -> SSHService {
        try await attempt("look at SSH on \(host)") { () async throws(CallFailure) in
            let reference = try await self.watch.reference(of: host)
            return try await self.vim.withSession { session throws(CallFailure) in
                try await self.demandTouch(with: reference, in: session)
                let seen = try await self.vim.sshService(
                    of: reference, in: session, limits: self.limits)
                do throws(CallFailure) {
                    _ = try await self.vim.call(
                        .refreshServices, on: seen.system, in: session, within: self.limits.call)
                } catch {
                    // Who may not act may still look at what vCenter knows.
                    guard case .fault(let fault) = error, fault.type == "NoPermission" else {
                        throw error
                    }
                    return seen.service
                }
                return try await self.vim.sshService(
                    of: reference, in: session, limits: self.limits
                ).service
            }
        }
    }

    /// Of a host that it is not in touch with, vCenter shows what once was.
    private func demandTouch(
        with host: Reference, in session: Session
    ) async throws(CallFailure) {
        let state = try await vim.look(at: host, "runtime.connectionState", in: session, limits)
        guard state?.text == "connected" else {
            throw .refused("vCenter is not in touch with the host")
        }
    }

    /// Has a host start or stop its SSH service.
    public func setSSH(runs: Bool, on host: HostName) async throws(ClusterError) {
        try await attempt("\(runs ? "start" : "stop") SSH on \(host)") {
            () async throws(CallFailure) in
            let reference = try await self.watch.reference(of: host)
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.demandTouch(with: reference, in: session)
                try await self.vim.setSSH(
                    runs: runs, of: reference, in: session, limits: self.limits)
            }
        }
    }
}
