import PowerModel

/// The section `clusters`.
extension SiteReader {
    func clusters(_ map: SiteMap) -> [ClusterSite]? {
        guard let items = map.requiredList("clusters", of: "vSphere clusters") else { return nil }
        var names: [String: Int] = [:]
        var hosts: [String: Int] = [:]
        var needs: [Need] = []
        var clusters: [ClusterSite] = []
        for item in items {
            if let one = cluster(item, names: &names, hosts: &hosts, needs: &needs) {
                clusters.append(one)
            }
        }
        // Only a list in which every cluster has a name can say that a name is unknown.
        if names.count == items.count { check(needs, clusters: names) }
        return clusters
    }

    private static let clusterKeys = [
        "name", "vcenter", "vcsa", "vcsaElsewhere", "needs", "controller", "controllerElsewhere",
        "hosts", "tiers", "defaultTier", "infrastructure", "guests", "answers", "adoptGuests",
        "limits",
        "maintenanceMode", "boot", "ssh", "witness", "unarmedBoot", "extras",
    ]

    private func cluster(
        _ node: YAMLNode, names: inout [String: Int], hosts hostLines: inout [String: Int],
        needs: inout [Need]
    ) -> ClusterSite? {
        guard let map = SiteMap(node, "the cluster", keys: Self.clusterKeys, self) else {
            return nil
        }
        let name = uniqueName(map, "cluster", in: &names)
        let vcenter = vcenter(map)
        let vcsa = vcsa(map)
        let needed = self.needs(map, of: name)
        let controller = controller(map)
        let ssh: SSHPolicy? = map.value("ssh", .oneWord)
        let hosts = map.requiredList("hosts", of: "ESXi hosts")?
            .compactMap { host($0, ssh: ssh, lines: &hostLines) }
        let guests = guests(map)
        let answers = answers(map)
        let adopts = map.value("adoptGuests", .yesOrNo) ?? false
        let limits = limits(map)
        let maintenanceMode = map.value("maintenanceMode", .yesOrNo) ?? false
        let boot: BootPolicy? = map.value("boot", .oneWord)
        let witness = map.value("witness", .endpoint(defaultPort: nil))
        let unarmedBoot: UnarmedBoot? = map.value("unarmedBoot", .oneWord)
        let extras = extras(map)
        needs += needed
        guard let name, let vcenter, let hosts, let tiers = guests.tiers,
            let defaultTier = guests.defaultTier
        else { return nil }
        var site = ClusterSite(
            name: ClusterName(name), vcenter: vcenter, vcsaGuest: vcsa.guest,
            findsVCSA: vcsa.isToBeFound, needs: needed.map { ClusterName($0.needed) },
            controllerGuest: controller.guest, controllerElsewhere: controller.isElsewhere,
            hosts: hosts, tiers: tiers, defaultTier: defaultTier,
            infrastructure: guests.infrastructure, guestRules: guests.rules, answers: answers,
            adoptGuests: adopts, limits: limits, maintenanceMode: maintenanceMode,
            boot: boot ?? .auto, witness: witness)
        site.unarmedBoot = unarmedBoot ?? .nothing
        site.extras = extras
        checkSize(of: site, map)
        return site
    }

    /// The guest that is vCSA; to be found where the cluster says nothing of it.
    private func vcsa(_ cluster: SiteMap) -> (guest: String?, isToBeFound: Bool) {
        let named = guest(
            "vcsa", orElsewhere: "vcsaElsewhere", cluster, "of the guest that is this vCenter")
        return (named.guest, cluster["vcsa"] == nil && !named.isElsewhere)
    }

    /// The guest in which vpower runs.
    private func controller(_ cluster: SiteMap) -> (guest: String?, isElsewhere: Bool) {
        guest(
            "controller", orElsewhere: "controllerElsewhere", cluster,
            "of the guest vpower runs in")
    }

    /// A guest under a key; or the word of the site file, under another, that it is none of these.
    private func guest(
        _ key: String, orElsewhere elsewhere: String, _ cluster: SiteMap, _ which: String
    ) -> (guest: String?, isElsewhere: Bool) {
        let guest = cluster.value(key, .name("the guest's name or instanceUuid, \(which)"))
        let isElsewhere = cluster.value(elsewhere, .yesOrNo) ?? false
        if cluster[key] != nil, isElsewhere, let node = cluster[elsewhere] {
            report(node, "`\(elsewhere)` beside `\(key)`: give one of them")
        }
        return (guest, isElsewhere)
    }

    /// One cluster that needs another, and where that is written.
    private struct Need {
        var cluster: String
        var needed: String
        var node: YAMLNode
    }

    private func needs(_ cluster: SiteMap, of name: String?) -> [Need] {
        var seen: [String: Int] = [:]
        var needs: [Need] = []
        for item in cluster.list("needs", of: "names of clusters") ?? [] {
            guard let needed = value(of: item, named: "the cluster", .name("a cluster's name"))
            else { continue }
            checkUnique("the cluster", needed, at: item, in: &seen)
            if let name { needs.append(Need(cluster: name, needed: needed, node: item)) }
        }
        return needs
    }

    /// Clusters that are needed must be there, and one of any two must go down last.
    private func check(_ needs: [Need], clusters: [String: Int]) {
        let graph = Dictionary(grouping: needs, by: \.cluster).mapValues { $0.map(\.needed) }
        for need in needs {
            checkKnown("cluster", need.needed, at: need.node, in: clusters)
            var open = [need.needed]
            var seen: Set<String> = []
            while let next = open.popLast() {
                if seen.insert(next).inserted { open += graph[next] ?? [] }
            }
            guard seen.contains(need.cluster) else { continue }
            report(
                need.node,
                need.cluster == need.needed
                    ? "\(quoted(need.cluster)) cannot need itself"
                    : "\(quoted(need.cluster)) and \(quoted(need.needed)) need each other:"
                        + " neither could go down last")
        }
    }

    private func vcenter(_ cluster: SiteMap) -> VCenterSite? {
        let keys = [
            "address", "port", "user", "password", "certificate", "transport", "guestPower",
            "proxy",
        ]
        guard let node = cluster["vcenter"] else {
            cluster.missing("vcenter", "the keys \(keys.dropLast(3).joined(separator: ", "))")
            return nil
        }
        guard let map = SiteMap(node, "`vcenter`", keys: keys, self) else { return nil }
        let address = map.required("address", .address)
        let port = map.value("port", .port) ?? 443
        let user = map.required("user", .name("a user, e.g. vpower@vsphere.local"))
        let password = map.required("password", .secret)
        let trust = certificate(map)
        let transport: VCenterTransport? = map.value("transport", .oneWord)
        let guestPower: GuestPowerRoute? = map.value("guestPower", .oneWord)
        guard let address, let user, let password, let trust else { return nil }
        return VCenterSite(
            endpoint: Endpoint(host: address, port: port), user: user, password: password,
            trust: trust, transport: transport ?? .soap, guestPower: guestPower ?? .vim,
            proxy: map.value("proxy", .proxy))
    }

    /// How the certificate of a vCenter or a host is verified.
    func certificate(_ server: SiteMap) -> CertificateTrust? {
        let expected = "`system`, {bundle: /path/of/ca.pem} or {sha256: 64 hexadecimal digits}"
        guard let node = server["certificate"] else {
            server.missing("certificate", expected)
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

    /// How questions of guests are answered.
    private func answers(_ cluster: SiteMap) -> [QuestionAnswer] {
        (cluster.list("answers", of: "answers to guests' questions") ?? []).compactMap { item in
            guard let map = SiteMap(item, "the answer", keys: ["match", "choose"], self) else {
                return nil
            }
            let match = map.required(
                "match", .name("a message's name, or a part of the question's words"))
            let choose = map.required("choose", .name("the choice, by its label"))
            guard let match, let choose else { return nil }
            return QuestionAnswer(match: match, choose: choose)
        }
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
        SiteLimit(key: "vsan", path: \.vsan),
        SiteLimit(key: "maintenance", path: \.maintenance),
        SiteLimit(key: "host", path: \.host),
        // A tenth of it is the time for the last records.
        SiteLimit(key: "leave", path: \.leave, least: .seconds(20)),
        SiteLimit(key: "settle", path: \.settle),
        SiteLimit(key: "hostBack", path: \.hostBack),
        SiteLimit(key: "bootScript", path: \.bootScript),
        SiteLimit(key: "vcenterBack", path: \.vcenterBack),
        SiteLimit(key: "start", path: \.start),
        // Shorter than a boot takes, and no script would ever act.
        SiteLimit(key: "armedFor", path: \.armedFor, least: .seconds(3600)),
        SiteLimit(key: "bootSettle", path: \.bootSettle, least: .zero),
        SiteLimit(key: "startGap", path: \.startGap, least: .zero),
        SiteLimit(key: "afterVCSA", path: \.afterVCSA, least: .zero),
        SiteLimit(key: "look", path: \.look),
        SiteLimit(key: "tools", path: \.tools),
        SiteLimit(key: "dependents", path: \.dependents),
        SiteLimit(key: "margin", path: \.margin, least: .zero),
    ]
}
