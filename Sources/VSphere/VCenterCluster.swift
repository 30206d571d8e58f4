public import PowerModel
public import PowerRun
import Synchronization
public import Transport

/// One cluster through its vCenter: vim25 SOAP over HTTPS, one login, calls side by side.
///
/// Only the hosts whose parent is the cluster, and the guests on them, are seen or touched. A
/// login that is refused is not repeated here; a session that vCenter has forgotten is renewed
/// once per call. Wire format and traps: shared facts on vSphere, sections 2 and 4.
public final class VCenterCluster: ClusterControl {
    let name: ClusterName
    private let site: VCenterSite
    let limits: VCenterLimits
    private let labels: LabelKinds
    let vim: VimClient
    /// vSAN's calls, which are made as SOAP alone.
    let vsan: VimClient
    let rest: RESTClient
    let guestPower: any GuestPowerWay
    private let tagReader: TagReader
    let watch: InventoryWatch
    private let closed = Atomic(false)
    private let ending = Mutex<Task<Void, Never>?>(nil)

    /// A cluster behind this vCenter; connects and logs in with the first call.
    ///
    /// - Parameters:
    ///   - cluster: its name, or its reference (`domain-c8`) where the name is not unique.
    ///   - labels: the labels to read of guests; those of other kinds are left out.
    ///   - addresses: what names resolved to earlier, for when DNS is down; nil asks.
    public init(
        cluster: ClusterName, site: VCenterSite, password: Secret, labels: LabelKinds = [],
        limits: VCenterLimits = VCenterLimits(), addresses: AddressBook? = nil
    ) {
        name = cluster
        self.site = site
        self.labels = labels
        self.limits = limits
        let https = HTTPSClient(
            endpoint: HTTPSEndpoint(host: site.endpoint.host, port: site.endpoint.port),
            trust: HTTPSTrust(site.trust),
            options: HTTPSOptions(
                connectLimit: limits.connect, addresses: addresses, proxy: site.proxy))
        vim = VimClient(
            https: https, user: site.user, password: password.value, limits: limits,
            transport: site.transport)
        vsan =
            site.transport == .soap
            ? vim
            : VimClient(
                https: https, user: site.user, password: password.value, limits: limits)
        rest = RESTClient(https: https, user: site.user, password: password.value)
        let byVim = GuestPowerByVim(vim: vim, limits: limits)
        guestPower =
            switch site.guestPower {
            case .vim: byVim
            case .rest: GuestPowerByREST(rest: rest, vim: byVim, limits: limits)
            }
        tagReader = TagReader(rest: rest, limits: limits)
        watch = InventoryWatch(vim: vim, name: cluster, limits: limits, labels: labels)
    }

    /// Requests and bytes so far, logins included.
    public var counters: HTTPSCounters { vim.counters }

    /// Who answers there, without logging in.
    ///
    /// - Throws: `ClusterError`, e.g. `certificateRefused`.
    public func about() async throws(ClusterError) -> VCenterAbout {
        try await attempt("ask who is there") { () async throws(CallFailure) in
            try await self.vim.greet().about
        }
    }

    /// Logs in, if it is not logged in yet, and says how the two talk: for `vpower check`.
    ///
    /// - Throws: `ClusterError`, e.g. `loginRefused`.
    @discardableResult
    public func logIn() async throws(ClusterError) -> VCenterLogin {
        try await attempt("log in") { () async throws(CallFailure) in
            try await self.vim.withSession { session throws(CallFailure) in
                VCenterLogin(
                    about: session.content.about, transport: session.wire.transport,
                    apiVersion: session.wire.version)
            }
        }
    }

    // MARK: Reading

    /// Reads hosts, guests and automation in one go. All of it, or an error.
    public func snapshot() async throws(ClusterError) -> ClusterSnapshot {
        try await attempt("read cluster \(name)") { () async throws(CallFailure) in
            try await self.vim.withSession { session throws(CallFailure) in
                try await self.snapshot(in: session)
            }
        }
    }

    private func snapshot(in session: Session) async throws(CallFailure) -> ClusterSnapshot {
        let choices = ClusterReading.snapshotChoices(labels, version: session.wire.version)
        let view = try await vim.createView(of: choices, in: session, within: limits.read)
        let objects = try await vim.read(choices, view: view, in: session, limits: limits)
        await vim.discard(view, with: .destroyView, in: session)
        let reading = ClusterReading(objects: objects, labels: labels)
        let found = try reading.cluster(name).reference
        var warnings = try reading.gaps(of: found)
        let tags = await readTags(of: try reading.guests(of: found), in: session, &warnings)
        var (cluster, inventory) = try await watch.adopt(reading, tags: tags)
        await readProviders(of: &inventory, in: session)
        let option = try await vclsOption(of: cluster.reference, in: session)
        return ClusterSnapshot(
            cluster: name, reference: cluster.reference.id, inventory: inventory,
            automation: try ClusterReading.automation(cluster, vclsOption: option.setting),
            hasVSAN: ClusterReading.hasVSAN(cluster),
            apiVersion: VersionNumber(session.content.about.apiVersion), warnings: warnings)
    }

    /// The guests' tags; nil when they are not wanted, or cannot be read: no outage waits for them.
    private func readTags(
        of vms: [ObjectProperties], in session: Session, _ warnings: inout [String]
    ) async -> [Reference: [String]]? {
        guard labels.contains(.tags) else { return nil }
        do throws(CallFailure) {
            return try await tagReader.tags(
                of: vms.map(\.reference), in: session.restShape)
        } catch {
            warnings.append(
                "the guests' tags cannot be read (\(error.forEngine.detail)); those of the last "
                    + "reading are used, and guests without one are in no tier by tag")
            return nil
        }
    }

    /// The inventory as soon as it is newer than `version`, or the last known one after `limit`.
    /// Callers share one WaitForUpdatesEx.
    public func inventory(
        newerThan version: UInt64?, within limit: Duration
    ) async throws(ClusterError) -> Inventory {
        try await attempt("follow cluster \(name)") { () async throws(CallFailure) in
            try await self.watch.inventory(newerThan: version, within: limit)
        }
    }

    // MARK: The end

    /// Whether it was closed: then nothing is left to log out of.
    public var isClosed: Bool { closed.load(ordering: .relaxed) }

    /// Ends the watch and logs out, of REST too. Never fails: what cannot be logged out expires.
    /// Whoever comes while that is under way waits for it. A caller that is cancelled waits no
    /// longer, and does not end it.
    public func close() async {
        let task = ending.withLock { ending in
            if let ending { return ending }
            let task = Task { await self.end() }
            ending = task
            return task
        }
        let (ends, over) = AsyncStream.makeStream(of: Void.self)
        Task {
            await task.value
            over.finish()
        }
        for await _ in ends {}
    }

    /// Logs out for good: what still goes on in a process that ends must not log in again.
    public func retire() async {
        vim.closeLogins()
        vsan.closeLogins()
        rest.closeLogins()
        await close()
    }

    private func end() async {
        await watch.stop()
        async let restIsOver: Void = rest.logOut()
        if vsan !== vim { await vsan.logOut() }
        await vim.logOut()
        await restIsOver
        closed.store(true, ordering: .relaxed)
        ending.withLock { $0 = nil }
    }

    // MARK: Errors

    func attempt<Value: Sendable>(
        _ attempting: String, _ body: () async throws(CallFailure) -> Value
    ) async throws(ClusterError) -> Value {
        do throws(CallFailure) {
            return try await body()
        } catch {
            var (reason, detail) = error.forEngine
            if reason == .loginRefused {
                detail =
                    "the login of \(site.user) was refused (\(detail)). Look at the user and the "
                    + "password in \(site.password)"
            }
            throw ClusterError(
                vcenter: site.endpoint.description, attempting: attempting, reason: reason,
                detail: detail)
        }
    }

    /// A guest's name is any text a person could type: no line breaks in a message.
    static func printable(_ name: String) -> String {
        String(
            String.UnicodeScalarView(
                name.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }
}
