import ESXi
import PowerModel
import PowerRun
import VSphere

/// The ways to one host that the site file gives, and the one control they make.
struct HostAdapters: Sendable {
    let ssh: ESXiHost
    /// Its own SOAP endpoint, where the site file has a login for it.
    let soap: HostOverSOAP?
    /// What the engine steers the host with.
    let control: any HostControl

    init(ssh: ESXiHost, soap: HostOverSOAP?, preferred: HostRoute) {
        self.ssh = ssh
        self.soap = soap
        control = soap.map { HostByTwoWays(preferred: preferred, ssh: ssh, soap: $0) } ?? ssh
    }
}
