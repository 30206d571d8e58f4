public import PowerModel
public import PowerRun

/// The SSH service over SSH: what does not run cannot be asked to start.
extension ESXiHost {
    private static let notOverSSH =
        "SSH cannot start itself; give the host an `api` in the site file, or vpower's user at "
        + "vCenter the privilege Host.Config.NetService"

    /// The host's SSH service: over SOAP only.
    public func sshService() async throws(HostError) -> SSHService {
        throw error(.wayUnusable, "look at SSH", Self.notOverSSH)
    }

    /// Has the host start or stop its SSH service: over SOAP only.
    public func setSSH(runs: Bool) async throws(HostError) {
        throw error(.wayUnusable, "\(runs ? "start" : "stop") SSH", Self.notOverSSH)
    }
}
