import FoundationEssentials
public import PowerModel
public import PowerRun

/// The simulated site on the wire: an upsd, a vCenter over TLS, and hosts on sshd and busybox
/// ash, all on 127.0.0.1, all of them windows on one `LabWorld`.
public actor LabWire {
    /// The site behind the wire.
    public nonisolated let world: LabWorld
    /// Where its files are: keys, certificates, root file systems, the site file.
    public nonisolated let directory: String
    /// The upsd.
    public nonisolated let nut: LabNUTServer
    /// The vCenter.
    public nonisolated let vcenter: LabVCenterServer

    /// The hosts' own SOAP endpoints: of every other host, so that the site file has both kinds.
    public nonisolated let apis: [LabHostAPI]

    private let hosts: [LabESXiHost]
    private let time: any TimeSource
    private var pump: Task<Void, Never>?

    /// How often the hosts on the wire follow the world.
    private static let pumpEvery: Duration = .milliseconds(50)
    /// The users and passwords of the lab: it listens on this machine only.
    private static let upsUser = "vpower"
    private static let vcenterUser = "vpower@vsphere.local"
    private static let hostUser = "root"

    /// A site that is not started yet.
    /// - Parameters:
    ///   - directory: an absolute path; made if it is not there.
    ///   - release: the release of its vCenter and its hosts.
    public init(
        _ scenario: LabScenario = .standard(), directory: String, time: any TimeSource,
        release: LabRelease = .v80u3
    ) {
        self.directory = directory
        self.time = time
        var scenario = scenario
        scenario.suit(release)
        let world = LabWorld(scenario, time: time)
        self.world = world
        let backend = LabWireBackend(world: world)
        nut = LabNUTServer(
            backend: backend,
            upses: [LabUPS(name: scenario.feed.rawValue, text: "the lab's UPS")],
            accounts: [
                LabNUTAccount(
                    user: Self.upsUser, password: Self.upsPassword, mayCommand: true)
            ])
        vcenter = LabVCenterServer(
            world: world, user: Self.vcenterUser, password: Self.password, directory: directory,
            release: release)
        let accounts = scenario.hosts.map { _ in
            LabHostAccount(user: Self.hostUser, password: Self.hostPassword, time: time)
        }
        hosts = zip(scenario.hosts, accounts).map { spec, account in
            LabESXiHost(
                name: spec.name.rawValue, directory: "\(directory)/\(spec.name)",
                backend: backend,
                options: {
                    var options = LabHostOptions(release)
                    options.secureBoot = spec.secureBoot
                    return options
                }(), account: account)
        }
        apis = zip(scenario.hosts, accounts).enumerated()
            .filter { $0.offset.isMultiple(of: 2) }
            .map { _, host in
                LabHostAPI(
                    host.0.name, in: world, account: host.1,
                    directory: "\(directory)/\(host.0.name)", release: release)
            }
    }

    /// Passwords with characters that trip careless clients; upsd's can be ASCII only.
    private static let password = "l&b <pass> \"wörd\""
    private static let hostPassword = "r\u{f6}\u{f6}t & <\"pass\">"
    private static let upsPassword = "l=b \"pass\" #word\\"

    /// Starts everything and writes `site.yaml`; returns the site file's path.
    public func start() async throws -> String {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let upsPort = try await nut.start()
        let address = try await vcenter.start()
        for host in hosts { try await host.start(ssh: world.runsSSH(HostName(host.name))) }
        var endpoints: [String: LabVCenterAddress] = [:]
        for api in apis { endpoints[api.host.rawValue] = try await api.start() }
        let world = world
        let hosts = hosts
        let time = time
        pump = Task {
            while !Task.isCancelled {
                for transition in world.takeTransitions() {
                    await Self.follow(transition, hosts, world)
                }
                do { try await time.sleep(for: Self.pumpEvery) } catch { return }
            }
        }
        try write(Self.upsPassword, to: "ups.secret")
        try write(Self.password, to: "vcenter.secret")
        try write(Self.hostPassword, to: "esx.secret")
        try write(
            await siteFile(upsPort: upsPort, vcenter: address, apis: endpoints), to: "site.yaml")
        return "\(directory)/site.yaml"
    }

    /// Stops everything, by pid.
    public func stop() async {
        pump?.cancel()
        await pump?.value
        for host in hosts { await host.powerOff(orderly: false) }
        for api in apis { await api.stop() }
        await vcenter.stop()
        await nut.stop()
    }

    /// The contents of a file on a host, as seen from outside; nil when there is none.
    public nonisolated func file(_ path: String, on host: HostName) -> String? {
        hosts.first { $0.name == host.rawValue }?.fileContents(path)
    }

    /// Sets the lockdown mode of a host's own endpoint: `disabled`, `normal` or `strict`; its user
    /// stays an exception user. False where there is no such endpoint.
    public func setLockdown(_ mode: String, on host: HostName) async -> Bool {
        guard let api = apis.first(where: { $0.host == host }) else { return false }
        await api.setLockdown("lockdown" + mode.capitalized, keepsOut: false)
        return true
    }

    private static func follow(
        _ transition: LabTransition, _ hosts: [LabESXiHost], _ world: LabWorld
    ) async {
        switch transition {
        case .hostOff(let name, let orderly):
            await hosts.first { $0.name == name.rawValue }?.powerOff(orderly: orderly)
        case .hostUp(let name):
            // A host that does not start stays silent, and the run under test reports it.
            let host = hosts.first { $0.name == name.rawValue }
            do { try await host?.start(ssh: world.runsSSH(name)) } catch {}
        case .ssh(let name, let runs):
            // What comes of it, whoever asked for it sees.
            do {
                try await hosts.first { $0.name == name.rawValue }?.setSSH(runs: runs)
            } catch {}
        }
    }

    private func write(_ text: String, to name: String) throws {
        let path = "\(directory)/\(name)"
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    private func siteLines(of host: LabESXiHost, api: LabVCenterAddress?) async -> String {
        let text = """
                  - name: \(host.name)
                    address: 127.0.0.1
                    sshPort: \(await host.port)
                    user: \(host.user)
                    key: \(host.userKeyPath)
                    hostKeys: ["\(await host.hostKeyFingerprint)"]
                    feeds: [\(world.scenario.feed)]

            """
        let ssh = world.scenario.sshPolicy(of: HostName(host.name))
        let asked = ssh == .always ? "" : "        ssh: \(ssh.rawValue)\n"
        guard let api else { return text + asked }
        return text + asked + """
                    api:
                      port: \(api.port)
                      user: \(Self.hostUser)
                      password: "file:\(directory)/esx.secret"
                      certificate:
                        sha256: \(api.certificateSHA256)

            """
    }

    private func siteFile(
        upsPort: Int, vcenter: LabVCenterAddress, apis: [String: LabVCenterAddress]
    ) async -> String {
        var text = """
            # The lab's site file, written by `vpower lab`.
            site: lab
            feeds:
              - name: \(world.scenario.feed)
                server: 127.0.0.1:\(upsPort)
                ups: \(world.scenario.feed)
                user: \(Self.upsUser)
                password: "file:\(directory)/ups.secret"
                tls: off
                trigger:
                  onBatteryFor: 2s
                  silentFor: 5s
                  mainsStableFor: 1s
                output:
                  command: shutdown.return
            clusters:
              - name: \(world.scenario.cluster)
                vcenter:
                  address: 127.0.0.1
                  port: \(vcenter.port)
                  user: \(Self.vcenterUser)
                  password: "file:\(directory)/vcenter.secret"
                  certificate:
                    sha256: \(vcenter.certificateSHA256)
                vcsa: \(world.scenario.guests.first { $0.isVCSA }?.name ?? "")
                hosts:

            """
        for host in hosts { text += await siteLines(of: host, api: apis[host.name]) }
        text += "    tiers:\n"
        for tier in LabScenario.tiers {
            let patterns = tier.choice.names.map { "\"\($0.text)\"" }.joined(separator: ", ")
            text += """
                      - name: \(tier.name)
                        guests: [\(patterns)]
                        limit: \(tier.limit.milliseconds / 1000)s
                        onLimit: \(tier.onLimit.rawValue)

                """
        }
        text += "    defaultTier: apps\n    limits:\n"
        for (key, limit) in LabScenario.limits.byKey {
            text += "      \(key): \(limit.milliseconds / 1000)s\n"
        }
        return text
    }
}

extension ClusterLimits {
    /// Every limit by its key in the site file, in the order of the keys.
    var byKey: [(key: String, limit: Duration)] {
        [
            ("afterVCSA", afterVCSA), ("arm", arm), ("armedFor", armedFor),
            ("bootScript", bootScript), ("bootSettle", bootSettle), ("freeze", freeze),
            ("host", host), ("hostBack", hostBack), ("infrastructure", infrastructure),
            ("leave", leave), ("look", look),
            ("maintenance", maintenance), ("margin", margin), ("settle", settle),
            ("start", start), ("startGap", startGap), ("tools", tools),
            ("vcenterBack", vcenterBack), ("vcls", vcls), ("vcsa", vcsa), ("vsan", vsan),
        ]
    }
}
