public import PowerModel

/// The SSH service of one host, steered where SSH itself is of no use: over the host's own SOAP
/// endpoint, or else through its vCenter.
public struct SSHDoor: Sendable {
    private let host: any HostWay
    private let cluster: any ClusterControl

    /// The door of a host.
    public init(of host: any HostWay, in cluster: any ClusterControl) {
        self.host = host
        self.cluster = cluster
    }

    /// Whether it runs, and what holds at a boot.
    public func service() async throws(HostError) -> SSHService {
        let failure: HostError
        do throws(HostError) { return try await host.sshService() } catch { failure = error }
        do throws(ClusterError) { return try await cluster.sshService(on: host.host) } catch {
            throw failure.joined(error)
        }
    }

    /// Has it started or stopped. Look at `service()`.
    public func set(runs: Bool) async throws(HostError) {
        let failure: HostError
        do throws(HostError) { return try await host.setSSH(runs: runs) } catch {
            failure = error
        }
        do throws(ClusterError) { return try await cluster.setSSH(runs: runs, on: host.host) } catch
        {
            throw failure.joined(error)
        }
    }
}

extension HostError {
    /// Neither way: what another try may mend decides.
    fileprivate func joined(_ other: ClusterError) -> HostError {
        var joined = self
        joined.detail = "by itself: \(detail); through vCenter: \(other.detail)"
        switch other.reason {
        // Final, if the host's own way is: nothing but an administrator mends either.
        case .certificateRefused, .loginRefused, .notPermitted: break
        case .unreachable, .starting, .timedOut:
            if isFinal, reason != .loginRefused { joined.reason = .notReady }
        case .notFound, .toolsUnavailable, .methodDisabled, .wrongState, .busy, .noRoom, .refused,
            .badAnswer:
            if isFinal, reason != .loginRefused { joined.reason = .refused }
        }
        return joined
    }
}
