import ArgumentParser
import ESXi
import FoundationEssentials
import Machines
import NUT
import PowerModel
import PowerRun
import PowerService
import PowerStore
import Transport
import VSphere

/// Which site, and where its state is kept: the options of every command that needs them.
struct SiteOptions: ParsableArguments {
    @Option(help: "The site file. Default: $VPOWER_SITE, else /etc/vpower/site.yaml.")
    var site: String?

    @Option(help: "The state directory. Default: $VPOWER_STATE, else /var/lib/vpower.")
    var state: String?
}

/// A site as loaded: the one place that knows which implementation stands behind which protocol.
struct SiteContext: Sendable {
    let site: Site
    let sitePath: String
    let stateDirectory: String
    let secrets: SecretStore
    let time = SystemTime()

    /// Reads the site file; every mistake in it is reported at once.
    static func load(_ options: SiteOptions) throws -> SiteContext {
        let environment = ProcessInfo.processInfo.environment
        let path = options.site ?? environment["VPOWER_SITE"] ?? "/etc/vpower/site.yaml"
        do {
            return SiteContext(
                site: try SiteFile.load(path: path), sitePath: path,
                stateDirectory: options.state ?? environment["VPOWER_STATE"]
                    ?? "/var/lib/vpower",
                secrets: SecretStore(environment: environment))
        } catch {
            throw Problem(
                summary: "the site file \(path) is not usable", detail: error.lines,
                tryThis: "vpower init --example shows every key", code: .siteInvalid)
        }
    }

    /// The cluster of this name; without one, the site's only cluster.
    func cluster(_ name: String?) throws -> ClusterSite {
        if let name {
            if let cluster = site.cluster(ClusterName(name)) { return cluster }
        } else if let only = site.clusters.first, site.clusters.count == 1 {
            return only
        }
        let names = site.clusters.map(\.name.rawValue).joined(separator: ", ")
        throw Problem(
            summary: name.map { "the site file has no cluster \($0)" }
                ?? "the site has more than one cluster",
            tryThis: "--cluster with one of: \(names)", code: .usage)
    }

    /// Machines that go down after a cluster: those that hang on one of its feeds.
    func machines(of cluster: ClusterSite) -> [MachineSite] {
        let feeds = Set(cluster.hosts.flatMap(\.feeds))
        return site.machines.filter { !feeds.isDisjoint(with: $0.feeds) }
    }

    // MARK: Adapters

    func secret(_ reference: SecretReference) throws -> Secret {
        do { return try secrets.secret(reference) } catch {
            throw Problem(
                summary: "\(error)", tryThis: "vpower check, when it is mended", code: .failed)
        }
    }

    func makeCluster(_ cluster: ClusterSite) throws -> VCenterCluster {
        VCenterCluster(
            cluster: cluster.name, site: cluster.vcenter,
            password: try secret(cluster.vcenter.password), labels: cluster.labelKinds)
    }

    func makeHosts(_ cluster: ClusterSite) throws -> [ESXiHost] {
        try cluster.hosts.map { host in
            try ESXiHost(site: host, password: try password(of: host.login))
        }
    }

    func makeHost(_ host: HostSite) throws -> any HostControl {
        try ESXiHost(site: host, password: try password(of: host.login))
    }

    func makeMachines(_ cluster: ClusterSite) throws -> [any MachineControl] {
        try machines(of: cluster).map { machine in
            try SSHMachine(site: machine, password: try password(of: machine.login))
        }
    }

    func makeFeed(_ feed: Feed) throws -> UPSDFeed {
        UPSDFeed(feed: feed, password: try feed.password.map(secret))
    }

    /// A feed, for whoever needs no more of it than the protocol.
    func feedControl(_ feed: Feed) throws -> any FeedControl { try makeFeed(feed) }

    private func password(of login: HostLogin) throws -> Secret? {
        if case .password(let reference) = login { try secret(reference) } else { nil }
    }

    /// Everything a run needs, wired to the real site.
    func surroundings(
        _ cluster: ClusterSite, journal: any Journal, announcer: any Announcer
    ) throws -> Surroundings {
        try surroundings(
            cluster, through: makeCluster(cluster), hosts: makeHosts(cluster), journal: journal,
            announcer: announcer)
    }

    /// The same, through adapters the caller keeps (to count what goes through them).
    func surroundings(
        _ cluster: ClusterSite, through vcenter: VCenterCluster, hosts: [ESXiHost],
        journal: any Journal, announcer: any Announcer
    ) throws -> Surroundings {
        var pace = EnginePace()
        pace.look = cluster.limits.look
        let wakeAddresses = Dictionary(
            cluster.hosts.map { ($0.name, $0.wakeAddress) }, uniquingKeysWith: { first, _ in first }
        )
        return Surroundings(
            site: cluster, cluster: vcenter,
            hosts: Dictionary(uniqueKeysWithValues: hosts.map { ($0.host, $0) }),
            machines: Dictionary(
                uniqueKeysWithValues: try makeMachines(cluster).map { ($0.machine, $0) }),
            wake: { host in await Self.wake(host, at: wakeAddresses[host] ?? nil) },
            answers: { endpoint in
                await Reachability.answers(
                    host: endpoint.host, port: endpoint.port, within: Self.witnessLimit)
            },
            runHook: { hook in await HookProcess.run(hook) },
            journal: journal, announcer: announcer, time: time, pace: pace)
    }

    /// How long the witness may take to answer.
    private static let witnessLimit: Duration = .seconds(3)

    private static func wake(_ host: HostName, at address: String?) async -> String? {
        guard let address else {
            return "it does not come back, and the site file gives no `wake` address for it"
        }
        do {
            try WakeOnLAN.send(to: address)
            return nil
        } catch { return "it could not be woken: \(error.detail)" }
    }

    // MARK: State

    /// The journal, or the reason there is none: a run started by hand refuses to begin without.
    func openJournal() throws -> any Journal {
        do { return try sqlite() } catch { throw Problem(.journal(error)) }
    }

    /// The journal of the daemon: an outage does not wait for a disk, so a journal that cannot be
    /// opened is replaced by one in memory, loudly.
    func daemonJournal() -> FallbackJournal {
        let time = time
        do { return fallbackJournal(try sqlite()) } catch {
            return FallbackJournal(failure: error, wall: { time.wall }, report: Self.tellLost)
        }
    }

    /// The journal for a command that only reads: where nothing was ever recorded, an empty one,
    /// so that looking makes no files.
    func readJournal() throws -> any Journal {
        let time = time
        guard FileManager.default.fileExists(atPath: stateDirectory) else {
            return MemoryJournal(wall: { time.wall })
        }
        return try openJournal()
    }

    private func sqlite() throws(JournalError) -> SQLiteJournal {
        let time = time
        return try SQLiteJournal(directory: stateDirectory, wall: { time.wall })
    }

    private static let tellLost: @Sendable (JournalError) -> Void = { error in
        Terminal.error("vpower: \(error); recorded in memory only: mend the disk")
    }

    /// The journal for a run that must not stop: falls back to memory, loudly.
    func fallbackJournal(_ primary: any Journal) -> FallbackJournal {
        let time = time
        return FallbackJournal(primary: primary, wall: { time.wall }, report: Self.tellLost)
    }

    /// An identity that sorts by time: the wall clock and some randomness.
    func makeID() -> String {
        let stamp = String(time.wall.millisecondsSinceEpoch, radix: 36)
        let tail = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        return "\(stamp)-\(tail)"
    }
}
