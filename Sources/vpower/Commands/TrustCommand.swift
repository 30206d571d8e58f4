import ArgumentParser
import PowerModel
import Transport

/// `vpower trust`: shows what hosts, their APIs and vCenters present, to be compared and pinned by a person.
struct TrustCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust", abstract: "Show host keys and certificates, to pin them.",
        discussion: """
            Logs in nowhere and changes nothing. Compare each with what the host's console
            shows (`ssh-keygen -lf /etc/ssh/ssh_host_ecdsa_key.pub`) before you copy it
            into the site file.

            EXAMPLE
              vpower trust

            EXIT CODES
              0 all are as pinned, or not pinned yet   64 wrong use   65 site file
              69 one does not answer   77 one is not as pinned
            """)

    @OptionGroup var options: SiteOptions

    /// How long a host or vCenter may take to show its key.
    private static let limit: Duration = .seconds(10)

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            var code = ExitCodes.done
            for cluster in context.site.clusters {
                let vcenter = cluster.vcenter
                code = worse(
                    code,
                    await showCertificate(
                        "vcenter", "vCenter", vcenter.endpoint, vcenter.trust))
                for host in cluster.hosts {
                    code = worse(code, await showKey(host))
                    if let api = host.api {
                        let what = "api of host \(host.name)"
                        code = worse(
                            code, await showCertificate(what, what, api.endpoint, api.trust))
                    }
                }
            }
            return code
        }
    }

    private func worse(_ one: ExitCodes, _ other: ExitCodes) -> ExitCodes {
        one.rawValue > other.rawValue ? one : other
    }

    private func showCertificate(
        _ what: String, _ name: String, _ server: Endpoint, _ trust: CertificateTrust
    ) async -> ExitCodes {
        let endpoint = HTTPSEndpoint(host: server.host, port: server.port)
        do {
            let shown = try await HTTPSClient.presentedSHA256(
                of: endpoint, timeout: Self.limit)
            guard case .pinned(let pinned) = trust else {
                Terminal.out("\(what) \(endpoint)")
                show(shown)
                return .done
            }
            let isSame = pinned == shown
            Terminal.out("\(what) \(endpoint)  \(isSame ? "as pinned" : "NOT AS PINNED")")
            show(shown)
            return isSame ? .done : .refused
        } catch {
            return Problem(
                summary: "\(name) at \(error)",
                tryThis: "is \(name) on, and does this machine reach it?", code: .unreachable
            ).tell()
        }
    }

    /// As the site file wants it.
    private func show(_ certificate: some CustomStringConvertible) {
        Terminal.out("  certificate:")
        Terminal.out("    sha256: \(certificate)")
    }

    private func showKey(_ host: HostSite) async -> ExitCodes {
        do {
            let key = try await SSHSession.probe(
                host: host.ssh.host, port: host.ssh.port, limit: Self.limit)
            let isKnown = host.hostKeys.contains(key.fingerprint)
            let verdict =
                host.hostKeys.isEmpty ? "not pinned" : isKnown ? "as pinned" : "NOT AS PINNED"
            Terminal.out("host \(host.name)  \(verdict) (\(key.algorithm))")
            Terminal.out("  hostKeys: [\"\(key.fingerprint)\"]")
            return isKnown || host.hostKeys.isEmpty ? .done : .refused
        } catch {
            return Problem(
                summary: "host \(host.name): \(error)",
                tryThis: "is SSH on at the host, and does this machine reach it?",
                code: .unreachable
            ).tell()
        }
    }
}
