import PowerModel

// Each function reads one section: every key of it is read before the first `guard` gives up, so
// that all problems are found.

extension SiteReader {
    /// The whole site; nil when something it needs is missing, which is reported.
    func site(_ node: YAMLNode) -> Site? {
        guard
            let map = SiteMap(
                node, "the site file", keys: ["site", "feeds", "clusters", "machines"], self)
        else { return nil }
        let name = map.required("site", .name("the site's name, for messages"))
        let feeds = feeds(map)
        let clusters = clusters(map)
        let machines = machines(map)
        guard let name, let feeds, let clusters else { return nil }
        return Site(name: name, feeds: feeds, clusters: clusters, machines: machines)
    }
}

// MARK: - Feeds

extension SiteReader {
    private func feeds(_ map: SiteMap) -> [Feed]? {
        guard let items = map.requiredList("feeds", of: "UPSes") else { return nil }
        var names: [String: Int] = [:]
        var sources: [String: Int] = [:]
        var feeds: [Feed] = []
        for item in items {
            if let feed = feed(item, names: &names, sources: &sources) { feeds.append(feed) }
        }
        // Only a list in which every feed has a name can say that a name is unknown.
        if names.count == items.count { feedLines = names }
        return feeds
    }

    private func feed(
        _ node: YAMLNode, names: inout [String: Int], sources: inout [String: Int]
    ) -> Feed? {
        let keys = [
            "name", "server", "ups", "user", "password", "tls", "assumedRuntime", "trigger",
            "output",
        ]
        guard let map = SiteMap(node, "the feed", keys: keys, self) else { return nil }
        let name = uniqueName(map, "feed", in: &names)
        let server = map.required("server", .endpoint(defaultPort: 3493))
        let ups = map.required("ups", .word("the UPS's name at upsd, e.g. ups1"))
        if let server, let ups, let node = map["ups"] {
            checkUnique("the UPS", "\(ups)@\(server)", at: node, in: &sources)
        }
        let user = map.value("user", .name("a user of upsd.users"))
        let password = map.value("password", .secret)
        checkPair(map, "user", "password")
        let tls = feedTLS(map)
        let runtime = map.value("assumedRuntime", .duration())
        let trigger = trigger(map, assumedRuntime: runtime)
        let output = output(map)
        guard let name, let server, let ups else { return nil }
        return Feed(
            name: FeedName(name), server: server, ups: ups, user: user, password: password,
            tls: tls, assumedRuntime: runtime, trigger: trigger, output: output)
    }

    private func checkPair(_ map: SiteMap, _ one: String, _ other: String) {
        for (given, wanted) in [(one, other), (other, one)] {
            if let node = map[given], map[wanted] == nil {
                report(node, "`\(given)` without `\(wanted)`: give both or none")
            }
        }
    }

    private func feedTLS(_ map: SiteMap) -> FeedTLS {
        let expected = "`off` or {require: /path/of/ca.pem}"
        guard let node = map["tls"] else { return .off }
        if case .text(let text) = node.content {
            if text != "off" {
                report(node, "`tls` is \(quoted(text)); expected \(expected)")
            }
            return .off
        }
        guard let tls = SiteMap(node, "`tls`", keys: ["require"], self) else { return .off }
        return tls.required("require", .path).map { .require(caBundle: $0) } ?? .off
    }

    private func trigger(_ feed: SiteMap, assumedRuntime: Duration?) -> TriggerPolicy {
        var policy = TriggerPolicy()
        let keys = [
            "onBatteryFor", "runtimeBelow", "chargeBelow", "silentFor", "mainsStableFor",
        ]
        guard let node = feed["trigger"],
            let map = SiteMap(node, "`trigger`", keys: keys, self)
        else { return policy }
        policy.onBatteryFor = map.value("onBatteryFor", .duration(atLeast: .zero))
        policy.runtimeBelow = map.value("runtimeBelow", .duration())
        policy.chargeBelowPercent = map.value("chargeBelow", .percent)
        policy.silentFor = map.value("silentFor", .duration()) ?? policy.silentFor
        policy.mainsStableFor =
            map.value("mainsStableFor", .duration(atLeast: .zero)) ?? policy.mainsStableFor
        if let wait = policy.onBatteryFor, let runtime = assumedRuntime, wait >= runtime,
            let node = map["onBatteryFor"]
        {
            report(
                node,
                "`onBatteryFor` (\(shown(wait))) is not shorter than `assumedRuntime`"
                    + " (\(shown(runtime))): the battery would be empty first")
        }
        return policy
    }

    private func output(_ feed: SiteMap) -> OutputPolicy? {
        guard let node = feed["output"],
            let map = SiteMap(node, "`output`", keys: ["command"], self)
        else { return nil }
        let command = map.value(
            "command", .word("an instant command of the UPS, e.g. shutdown.return"))
        return command.map(OutputPolicy.init) ?? OutputPolicy()
    }
}

// MARK: - Clusters

extension SiteReader {
    private func clusters(_ map: SiteMap) -> [ClusterSite]? {
        guard let items = map.requiredList("clusters", of: "vSphere clusters") else { return nil }
        var names: [String: Int] = [:]
        var hosts: [String: Int] = [:]
        var clusters: [ClusterSite] = []
        for item in items {
            if let one = cluster(item, names: &names, hosts: &hosts) { clusters.append(one) }
        }
        return clusters
    }

    private static let clusterKeys = [
        "name", "vcenter", "vcsa", "controller", "hosts", "tiers", "defaultTier",
        "infrastructure", "limits", "maintenanceMode", "witness",
    ]

    private func cluster(
        _ node: YAMLNode, names: inout [String: Int], hosts hostLines: inout [String: Int]
    ) -> ClusterSite? {
        guard let map = SiteMap(node, "the cluster", keys: Self.clusterKeys, self) else {
            return nil
        }
        let guest = "the guest's name or instanceUuid"
        let name = uniqueName(map, "cluster", in: &names)
        let vcenter = vcenter(map)
        let vcsa = map.required("vcsa", .name("\(guest), of the guest that is this vCenter"))
        let controller = map.value("controller", .name("\(guest), of the guest vpower runs in"))
        let hosts = map.requiredList("hosts", of: "ESXi hosts")?
            .compactMap { host($0, lines: &hostLines) }
        let (tiers, defaultTier, infrastructure) = guests(map)
        let limits = limits(map)
        let maintenanceMode = map.value("maintenanceMode", .yesOrNo) ?? false
        let witness = map.value("witness", .endpoint(defaultPort: nil))
        guard let name, let vcenter, let vcsa, let hosts, let tiers, let defaultTier else {
            return nil
        }
        return ClusterSite(
            name: ClusterName(name), vcenter: vcenter, vcsaGuest: vcsa,
            controllerGuest: controller, hosts: hosts, tiers: tiers, defaultTier: defaultTier,
            infrastructure: GuestChoice(names: infrastructure), limits: limits,
            maintenanceMode: maintenanceMode,
            witness: witness)
    }

    private func vcenter(_ cluster: SiteMap) -> VCenterSite? {
        let keys = ["address", "port", "user", "password", "certificate"]
        guard let node = cluster["vcenter"] else {
            cluster.missing("vcenter", "the keys \(keys.joined(separator: ", "))")
            return nil
        }
        guard let map = SiteMap(node, "`vcenter`", keys: keys, self) else { return nil }
        let address = map.required("address", .address)
        let port = map.value("port", .port) ?? 443
        let user = map.required("user", .name("a user, e.g. vpower@vsphere.local"))
        let password = map.required("password", .secret)
        let trust = certificate(map)
        guard let address, let user, let password, let trust else { return nil }
        return VCenterSite(
            endpoint: Endpoint(host: address, port: port), user: user, password: password,
            trust: trust)
    }

    private func certificate(_ vcenter: SiteMap) -> CertificateTrust? {
        let expected = "`system`, {bundle: /path/of/ca.pem} or {sha256: 64 hexadecimal digits}"
        guard let node = vcenter["certificate"] else {
            vcenter.missing("certificate", expected)
            return nil
        }
        if case .text(let text) = node.content {
            if text == "system" { return .system }
            report(node, "`certificate` is \(quoted(text)); expected \(expected)")
            return nil
        }
        guard let map = SiteMap(node, "`certificate`", keys: ["bundle", "sha256"], self) else {
            return nil
        }
        let bundle = map.value("bundle", .path)
        let sha256 = map.value("sha256", .certificateHash)
        guard (map["bundle"] == nil) != (map["sha256"] == nil) else {
            report(node, "`certificate` needs one of `bundle` and `sha256`; expected \(expected)")
            return nil
        }
        return bundle.map { .bundle(path: $0) } ?? sha256.map { .pinned(sha256: $0) }
    }

    private func host(_ node: YAMLNode, lines: inout [String: Int]) -> HostSite? {
        let keys = [
            "name", "address", "sshPort", "user", "key", "password", "hostKeys", "feeds",
            "feedsNeeded", "wake",
        ]
        guard let map = SiteMap(node, "the host", keys: keys, self) else { return nil }
        let name = uniqueName(map, "host", in: &lines)
        let access = access(map, name: name)
        let user = map.value("user", .name("a user, e.g. root")) ?? "root"
        let feeds = feedNames(map)
        let needed = feedsNeeded(map, of: feeds)
        let wake = map.value("wake", .hardwareAddress)
        guard let name, let access, let feeds else { return nil }
        return HostSite(
            name: HostName(name), ssh: access.ssh, user: user, login: access.login,
            hostKeys: access.hostKeys, feeds: feeds, feedsNeeded: needed, wakeAddress: wake)
    }

    private func feedsNeeded(_ host: SiteMap, of feeds: [FeedName]?) -> Int {
        let needed = host.value("feedsNeeded", .number(1...64, "a number of feeds")) ?? 1
        if let feeds, !feeds.isEmpty, needed > feeds.count, let node = host["feedsNeeded"] {
            report(node, "`feedsNeeded` is \(needed), but the host has \(feeds.count) in `feeds`")
        }
        return needed
    }

    private func limits(_ cluster: SiteMap) -> ClusterLimits {
        var limits = ClusterLimits()
        guard let node = cluster["limits"],
            let map = SiteMap(node, "`limits`", keys: SiteLimit.all.map(\.key), self)
        else { return limits }
        for limit in SiteLimit.all {
            if let duration = map.value(limit.key, .duration(atLeast: limit.least)) {
                limits[keyPath: limit.path] = duration
            }
        }
        return limits
    }
}

/// One key of a cluster's `limits`.
struct SiteLimit: Sendable {
    var key: String
    var path: any WritableKeyPath<ClusterLimits, Duration> & Sendable
    /// A wait for something cannot be nothing; a pause can.
    var least: Duration = .seconds(1)

    static let all = [
        SiteLimit(key: "freeze", path: \.freeze),
        SiteLimit(key: "vcls", path: \.vcls),
        SiteLimit(key: "arm", path: \.arm),
        SiteLimit(key: "vcsa", path: \.vcsa),
        SiteLimit(key: "infrastructure", path: \.infrastructure),
        SiteLimit(key: "maintenance", path: \.maintenance),
        SiteLimit(key: "host", path: \.host),
        SiteLimit(key: "settle", path: \.settle),
        SiteLimit(key: "hostBack", path: \.hostBack),
        SiteLimit(key: "bootScript", path: \.bootScript),
        SiteLimit(key: "vcenterBack", path: \.vcenterBack),
        SiteLimit(key: "start", path: \.start),
        // Shorter than a boot takes, and no script would ever act.
        SiteLimit(key: "armedFor", path: \.armedFor, least: .seconds(3600)),
        SiteLimit(key: "startGap", path: \.startGap, least: .zero),
        SiteLimit(key: "afterVCSA", path: \.afterVCSA, least: .zero),
        SiteLimit(key: "look", path: \.look),
        SiteLimit(key: "tools", path: \.tools),
        SiteLimit(key: "margin", path: \.margin, least: .zero),
    ]
}

// MARK: - Guests

extension SiteReader {
    private func guests(
        _ cluster: SiteMap
    ) -> (tiers: [TierSite]?, defaultTier: TierName?, infrastructure: [GuestPattern]) {
        let defaultTier = cluster.required("defaultTier", .name("the name of a tier"))
        var tierLines: [String: Int] = [:]
        var patternLines: [String: Int] = [:]
        let items = cluster.requiredList("tiers", of: "tiers, the first to go down first")
        let tiers = items?.compactMap {
            tier($0, names: &tierLines, patterns: &patternLines, defaultTier: defaultTier)
        }
        // Only a list in which every tier has a name can say that a name is unknown.
        if let defaultTier, let node = cluster["defaultTier"], !tierLines.isEmpty,
            tierLines.count == items?.count
        {
            checkKnown("tier", defaultTier, at: node, in: tierLines)
        }
        let infrastructure = patterns(cluster, "infrastructure", seen: &patternLines) ?? []
        return (tiers, defaultTier.map { TierName($0) }, infrastructure)
    }

    private func tier(
        _ node: YAMLNode, names: inout [String: Int], patterns patternLines: inout [String: Int],
        defaultTier: String?
    ) -> TierSite? {
        let keys = ["name", "guests", "limit", "onLimit"]
        guard let map = SiteMap(node, "the tier", keys: keys, self) else { return nil }
        let name = uniqueName(map, "tier", in: &names)
        let guests = patterns(map, "guests", seen: &patternLines)
        // The default tier has the guests that no tier names, so it need not name any.
        if let name, name != defaultTier {
            if map["guests"] == nil { map.missing("guests", "a list of names or patterns") }
            if guests?.isEmpty == true, let node = map["guests"] {
                report(node, "`guests` is empty: only the default tier needs no guests of its own")
            }
        }
        let limit = map.value("limit", .duration()) ?? TierSite.limitDefault
        let onLimit = map.value("onLimit", .escalation) ?? .powerOff
        guard let name else { return nil }
        return TierSite(
            name: TierName(name), guests: guests ?? [], limit: limit, onLimit: onLimit)
    }

    private func patterns(
        _ map: SiteMap, _ key: String, seen: inout [String: Int]
    ) -> [GuestPattern]? {
        guard let items = map.list(key, of: "names or patterns, e.g. [\"*-db\", web01]") else {
            return nil
        }
        var patterns: [GuestPattern] = []
        for item in items {
            guard let pattern = value(of: item, named: "the guest", .pattern) else { continue }
            checkUnique("the guest", pattern.text, at: item, in: &seen)
            patterns.append(pattern)
        }
        return patterns
    }
}

// MARK: - Machines, and what they share with hosts

extension SiteReader {
    private func machines(_ map: SiteMap) -> [MachineSite] {
        var names: [String: Int] = [:]
        return (map.list("machines", of: "machines") ?? []).compactMap {
            machine($0, names: &names)
        }
    }

    private func machine(_ node: YAMLNode, names: inout [String: Int]) -> MachineSite? {
        let keys = [
            "name", "address", "sshPort", "user", "key", "password", "hostKeys",
            "shutdownCommand", "wake", "feeds", "limit",
        ]
        guard let map = SiteMap(node, "the machine", keys: keys, self) else { return nil }
        let name = uniqueName(map, "machine", in: &names)
        let access = access(map, name: name)
        let user = map.required("user", .name("the user to log in as"))
        let command = map.required("shutdownCommand", .command)
        let wake = map.value("wake", .hardwareAddress)
        let feeds = feedNames(map)
        let limit = map.value("limit", .duration()) ?? .seconds(300)
        guard let name, let access, let user, let command, let feeds else { return nil }
        return MachineSite(
            name: MachineName(name), ssh: access.ssh, user: user, login: access.login,
            hostKeys: access.hostKeys, shutdownCommand: command, wakeAddress: wake, feeds: feeds,
            limit: limit)
    }

    /// How an SSH daemon is reached: what hosts and machines have in common.
    private struct Access {
        var ssh: Endpoint
        var login: HostLogin
        var hostKeys: [String]
    }

    private func access(_ map: SiteMap, name: String?) -> Access? {
        let address = sshAddress(map, name: name)
        let port = map.value("sshPort", .port) ?? 22
        let login = login(map)
        let items = map.requiredList("hostKeys", of: SiteValue.hostKey.expected)
        let keys = items?.compactMap { value(of: $0, named: "the host key", .hostKey) }
        guard let address, let login, let keys else { return nil }
        return Access(
            ssh: Endpoint(host: address, port: port), login: login, hostKeys: keys)
    }

    private func sshAddress(_ map: SiteMap, name: String?) -> String? {
        if map["address"] != nil { return map.value("address", .address) }
        guard let name, let node = map["name"] else { return nil }
        guard isAddress(name) else {
            report(
                node,
                "\(quoted(name)) is not an address: give `address`,"
                    + " \(SiteValue.address.expected)")
            return nil
        }
        return name
    }

    private func login(_ map: SiteMap) -> HostLogin? {
        let key = map.value("key", .path)
        let password = map.value("password", .secret)
        switch (map["key"], map["password"]) {
        case (nil, nil):
            map.missing("key", "the path of a private key; or `password`, a reference to one")
            return nil
        case (_?, let extra?):
            report(extra, "`password` beside `key`: give one of them")
            return nil
        default:
            return key.map { .key(path: $0) } ?? password.map { .password($0) }
        }
    }

    private func feedNames(_ map: SiteMap) -> [FeedName]? {
        guard let items = map.requiredList("feeds", of: "names of feeds") else { return nil }
        var seen: [String: Int] = [:]
        var names: [FeedName] = []
        for item in items {
            guard let name = value(of: item, named: "the feed", .name("the name of a feed"))
            else { continue }
            checkUnique("the feed", name, at: item, in: &seen)
            checkKnown("feed", name, at: item, in: feedLines)
            names.append(FeedName(name))
        }
        return names
    }

    /// The name of a feed, cluster, host, tier or machine; reported when another has it.
    private func uniqueName(
        _ map: SiteMap, _ kind: String, in lines: inout [String: Int]
    ) -> String? {
        guard let name = map.required("name", .name("the \(kind)'s name")),
            let node = map["name"]
        else { return nil }
        checkUnique("the \(kind)", name, at: node, in: &lines)
        return name
    }
}
