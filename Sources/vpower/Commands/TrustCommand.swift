import ArgumentParser
import PowerModel
import PowerStore
import Transport

/// `vpower trust`: shows what hosts, their APIs, BMCs and vCenters present, to be compared and pinned.
struct TrustCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust", abstract: "Show host keys and certificates, and pin them.",
        usage: "vpower trust [--accept <fingerprint> ...] [<options>]",
        discussion: """
            Logs in nowhere, but for --open-ssh. Compare each with what the host's
            console shows (`ssh-keygen -lf /etc/ssh/ssh_host_ecdsa_key.pub`) before you
            copy it into the site file. Or say which ones are right: what a host or
            vCenter presents and --accept names is written into the site file in place
            of the pin that is there; nothing else of the file changes. With --accept,
            all must be as pinned in the end.

            EXAMPLE
              vpower trust
              vpower trust --accept SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU

            EXIT CODES
              0 all are as pinned   1 nobody presents what is accepted, or the site file
              cannot be changed   64 wrong use   65 site file   69 one does not answer
              77 one is not as pinned, and not accepted
            """)

    @OptionGroup var options: SiteOptions

    @Option(
        name: .customLong("accept"),
        help: ArgumentHelp(
            """
            What may be pinned: of a host key SHA256: and 43 characters, of a certificate 64 \
            hexadecimal digits, with SHA256: and colons or without. May be given more than once.
            """, valueName: "fingerprint"),
        transform: { text in
            guard let fingerprint = Fingerprint(text) else {
                throw ValidationError(
                    "expected what `vpower trust`, `ssh-keygen -l` or openssl prints")
            }
            return fingerprint
        })
    var accepted: [Fingerprint] = []

    @Flag(
        name: .customLong("open-ssh"),
        help: "Start SSH on hosts with `ssh: run` where it is stopped, and stop it afterwards.")
    var openSSH = false

    /// How long a host or vCenter may take to show its key.
    private static let limit: Duration = .seconds(10)

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            return try await LogoutAtSignal.during { await look(context) }
        }
    }

    private func look(_ context: SiteContext) async -> ExitCodes {
        var found = Found()
        for cluster in context.site.clusters {
            let vcenter = cluster.vcenter
            await look(
                at: vcenter.endpoint, "vcenter", "vCenter", vcenter.trust,
                .vcenter(cluster.name), &found)
            for host in cluster.hosts {
                if openSSH, host.sshPolicy == .run {
                    await open(host, of: cluster, context, &found)
                }
                await look(at: host, &found)
                if let api = host.api {
                    let what = "api of host \(host.name)"
                    await look(at: api.endpoint, what, what, api.trust, .api(host.name), &found)
                }
                if let bmc = host.bmc {
                    let what = "BMC of host \(host.name)"
                    await look(at: bmc.endpoint, what, what, bmc.trust, .bmc(host.name), &found)
                }
            }
        }
        for problem in await OpenedSSH.ofThisProcess.closeAll() {
            Terminal.error("vpower: \(problem)")
            found.add(.failed)
        }
        return finish(found, context.sitePath)
    }

    private func open(
        _ host: HostSite, of cluster: ClusterSite, _ context: SiteContext, _ found: inout Found
    ) async {
        do { _ = try await OpenedSSH.ofThisProcess.open(host, of: cluster, context) } catch {
            found.add(
                Problem(
                    summary: "SSH cannot be started: \(error)",
                    tryThis: "pin its `api` and vCenter first: `vpower trust` without --open-ssh",
                    code: .unreachable
                ).tell())
        }
    }

    /// What was found so far.
    private struct Found {
        var code = ExitCodes.done
        /// What was accepted and is not pinned yet.
        var pins: [PinPlace: Fingerprint] = [:]
        var presented: Set<Fingerprint> = []

        mutating func add(_ code: ExitCodes) {
            if code.rawValue > self.code.rawValue { self.code = code }
        }
    }

    /// What is to be said of something presented, and with what the command exits.
    private func judge(
        _ shown: Fingerprint, isPinned: Bool, at place: PinPlace, _ found: inout Found
    ) -> String {
        found.presented.insert(shown)
        if isPinned { return "as pinned" }
        if accepted.contains(shown) {
            found.pins[place] = shown
            return "accepted"
        }
        found.add(.refused)
        return "NOT AS PINNED"
    }

    private func look(
        at server: Endpoint, _ what: String, _ name: String, _ trust: CertificateTrust,
        _ place: PinPlace, _ found: inout Found
    ) async {
        let endpoint = HTTPSEndpoint(host: server.host, port: server.port)
        do {
            let shown = try await HTTPSClient.presentedSHA256(of: endpoint, timeout: Self.limit)
            let certificate = Fingerprint.certificate(shown)
            if case .pinned(let pinned) = trust {
                let verdict = judge(
                    certificate, isPinned: pinned == shown, at: place, &found)
                Terminal.out("\(what) \(endpoint)  \(verdict)")
            } else {
                // Authorities vouch for it, so there is no pin that could be changed.
                found.presented.insert(certificate)
                Terminal.out("\(what) \(endpoint)")
            }
            // As the site file wants it.
            Terminal.out("  certificate:")
            Terminal.out("    sha256: \(shown)")
        } catch {
            found.add(
                Problem(
                    summary: "\(name) at \(error)",
                    tryThis: "is \(name) on, and does this machine reach it?", code: .unreachable
                ).tell())
        }
    }

    private func look(at host: HostSite, _ found: inout Found) async {
        do {
            let key = try await SSHSession.probe(
                host: host.ssh.host, port: host.ssh.port, limit: Self.limit)
            let verdict = judge(
                .hostKey(key.fingerprint), isPinned: host.hostKeys.contains(key.fingerprint),
                at: .host(host.name), &found)
            Terminal.out("host \(host.name)  \(verdict) (\(key.algorithm))")
            Terminal.out("  hostKeys: [\"\(key.fingerprint)\"]")
        } catch {
            found.add(
                Problem(
                    summary: "host \(host.name): \(error)",
                    tryThis: "is SSH on at the host, and does this machine reach it?",
                    code: .unreachable
                ).tell())
        }
    }

    /// Writes what was accepted.
    private func finish(_ found: Found, _ path: String) -> ExitCodes {
        var found = found
        if !found.pins.isEmpty {
            do {
                try SiteFilePins.write(found.pins, to: path)
                Terminal.out("\(path): \(found.pins.count.counted("pin")) written")
            } catch {
                found.add(
                    Problem(
                        summary: "nothing was pinned", detail: error.lines,
                        tryThis: "write the lines above into the site file by hand", code: .failed
                    ).tell())
            }
        }
        for unseen in accepted where !found.presented.contains(unseen) {
            found.add(
                Problem(
                    summary: "nobody presents \(unseen)",
                    tryThis: "compare it with what is shown above", code: .failed
                ).tell())
        }
        return found.code
    }
}
