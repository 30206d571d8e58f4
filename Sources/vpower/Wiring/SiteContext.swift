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
    let state: StatePlaces
    let secrets: SecretStore
    let time = SystemTime()
    /// What the site's names resolve to, as far as this process knows.
    let addresses = AddressBook()

    /// Reads the site file; every mistake in it is reported at once.
    static func load(_ options: SiteOptions) throws -> SiteContext {
        let environment = ProcessInfo.processInfo.environment
        let path = options.site ?? environment["VPOWER_SITE"] ?? "/etc/vpower/site.yaml"
        do {
            return SiteContext(
                site: try SiteFile.load(path: path), sitePath: path,
                state: StatePlaces(options.state, environment),
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

    /// The clusters of these names; without any, the site's only cluster.
    func clusters(_ names: [String]) throws -> [ClusterSite] {
        if names.isEmpty { return [try cluster(nil)] }
        var chosen: [ClusterSite] = []
        for name in names {
            let cluster = try cluster(name)
            if !chosen.contains(cluster) { chosen.append(cluster) }
        }
        return chosen
    }

    /// The holds of these clusters, one line each, and of what counts as none.
    func holdLines(_ clusters: [ClusterSite]) -> [String] {
        let page = HoldBook(directory: state.directory).read(clusters.map(\.name), at: time.wall)
        return page.holds.map(\.line) + page.problems
    }

    /// Machines that go down after a cluster: those that hang on one of its feeds.
    func machines(of cluster: ClusterSite) -> [MachineSite] {
        site.machines.filter { !Set(cluster.feeds).isDisjoint(with: $0.feeds) }
    }

    // MARK: Adapters

    func secret(_ reference: SecretReference) throws -> Secret {
        do { return try secrets.secret(reference) } catch {
            throw Problem(
                summary: "\(error)", tryThis: "vpower check, when it is mended", code: .failed)
        }
    }

    func makeCluster(_ cluster: ClusterSite) throws -> VCenterCluster {
        let made = VCenterCluster(
            cluster: cluster.name, site: cluster.vcenter,
            password: try secret(cluster.vcenter.password), labels: cluster.labelKinds,
            addresses: addresses)
        OpenSessions.ofThisProcess.add(made)
        return made
    }

    func makeHosts(_ cluster: ClusterSite) throws -> [HostAdapters] {
        try cluster.hosts.map { try makeHost($0, of: cluster) }
    }

    func makeHost(_ host: HostSite, of cluster: ClusterSite) throws -> HostAdapters {
        HostAdapters(
            ssh: try ESXiHost(
                site: host, secret: try host.login.secret.map(secret), answers: cluster.answers,
                addresses: addresses, keep: keepLocalSh),
            soap: try host.api.map { api in
                HostOverSOAP(
                    host.name, site: api, password: try secret(api.password), addresses: addresses)
            }, preferred: host.control)
    }

    /// What people had in the hosts' local.sh.
    var localShArchive: LocalShArchive { LocalShArchive(state: state.directory) }

    /// An outage does not wait for a disk: what cannot be kept is said.
    private var keepLocalSh: @Sendable (HostName, String) -> Void {
        { [archive = localShArchive, time] host, text in
            do throws(JournalError) { try archive.keep(text, of: host, at: time.wall) } catch {
                Terminal.error(
                    "vpower: local.sh of \(host) is not kept: \(error.path): \(error.detail)")
            }
        }
    }

    /// A host's management controller; nil where the site file has none.
    func makeBMC(_ host: HostSite) throws -> (any BMCControl)? {
        try host.bmc.map { bmc in
            RedfishBMC(
                host.name, site: bmc, password: try secret(bmc.password), addresses: addresses)
        }
    }

    /// Those of a cluster's hosts. Nobody needs them to shut down: one whose password cannot be
    /// read is told, and not asked.
    private func makeBMCs(_ cluster: ClusterSite) -> [HostName: any BMCControl] {
        var bmcs: [HostName: any BMCControl] = [:]
        for host in cluster.hosts {
            do { bmcs[host.name] = try makeBMC(host) } catch {
                Terminal.error("vpower: the BMC of host \(host.name) is not asked: \(error)")
            }
        }
        return bmcs
    }

    func makeMachines(_ cluster: ClusterSite) throws -> [any MachineControl] {
        try machines(of: cluster).map { machine in
            try SSHMachine(
                site: machine, secret: try machine.login.secret.map(secret), addresses: addresses)
        }
    }

    func makeFeed(_ feed: Feed) throws -> UPSDFeed {
        UPSDFeed(feed: feed, password: try feed.password.map(secret))
    }

    /// A feed, for whoever needs no more of it than the protocol.
    func feedControl(_ feed: Feed) throws -> any FeedControl { try makeFeed(feed) }

    /// Everything a run needs, wired to the real site.
    func surroundings(
        _ cluster: ClusterSite, journal: any Journal, announcer: any Announcer
    ) async throws -> Surroundings {
        await recallAddresses(of: cluster, from: journal)
        return try surroundings(
            cluster, through: makeCluster(cluster),
            hosts: makeHosts(cluster).map(\.control), journal: journal, announcer: announcer)
    }

    /// The same, through adapters the caller keeps (to count what goes through them).
    func surroundings(
        _ cluster: ClusterSite, through vcenter: VCenterCluster, hosts: [any HostControl],
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
            bmcs: makeBMCs(cluster),
            machines: Dictionary(
                uniqueKeysWithValues: try makeMachines(cluster).map { ($0.machine, $0) }),
            wake: { host in await Self.wake(host, at: wakeAddresses[host] ?? nil) },
            answers: { [addresses] endpoint in
                await Reachability.answers(
                    host: endpoint.host, port: endpoint.port, within: Self.witnessLimit,
                    addresses: addresses)
            },
            complete: { await complete($0, of: cluster, through: vcenter) },
            runHook: { hook, context in await HookProcess.run(hook, context) },
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

    /// The directory of the clusters' locks.
    var lockDirectory: String { state.runtime }

    /// What past runs of a cluster tell of how long its steps take; never fails.
    func estimates(for cluster: ClusterSite, from history: any History) async -> Estimates {
        await state.estimates(for: cluster.name, from: history)
    }

    /// The abort that the daemon heeds for a cluster, or why that cannot be told.
    func abortLine(_ cluster: ClusterName) -> String? {
        do {
            return try AbortBook(directory: lockDirectory, cluster: cluster).mark(at: time.wall)
                .map { "aborted at \(HoldTime.text($0.at)): \($0.reason.onOneLine)" }
        } catch { return "\(error)" }
    }

    /// An identity that sorts by time: the wall clock and some randomness.
    func makeID() -> String {
        let stamp = String(time.wall.millisecondsSinceEpoch, radix: 36)
        let tail = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        return "\(stamp)-\(tail)"
    }
}
