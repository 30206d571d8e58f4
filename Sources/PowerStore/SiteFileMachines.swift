import PowerModel

/// The section `machines`, and what machines share with hosts.
extension SiteReader {
    func machines(_ map: SiteMap) -> [MachineSite] {
        var names: [String: Int] = [:]
        return (map.list("machines", of: "machines") ?? []).compactMap {
            machine($0, names: &names)
        }
    }

    private func machine(_ node: YAMLNode, names: inout [String: Int]) -> MachineSite? {
        let keys = [
            "name", "address", "sshPort", "user", "hostKeys", "shutdownCommand", "delay",
            "cancelCommand", "wake", "feeds", "limit",
        ]
        guard let map = SiteMap(node, "the machine", keys: keys + Self.loginKeys, self) else {
            return nil
        }
        let name = uniqueName(map, "machine", in: &names)
        let access = access(map, name: name)
        let user = map.required("user", .name("the user to log in as"))
        let command = map.required("shutdownCommand", .command)
        let delay = map.value("delay", .duration())
        let cancel = map.value("cancelCommand", .command)
        if let node = map["cancelCommand"], map["delay"] == nil {
            report(node, "`cancelCommand` without `delay`: what goes at once cannot be called off")
        }
        let wake = map.value("wake", .hardwareAddress)
        let feeds = feedNames(map)
        let limit = map.value("limit", .duration()) ?? .seconds(300)
        guard let name, let access, let user, let command, let feeds else { return nil }
        return MachineSite(
            name: MachineName(name), ssh: access.ssh, user: user, login: access.login,
            hostKeys: access.hostKeys, shutdownCommand: command, delay: delay,
            cancelCommand: cancel, wakeAddress: wake, feeds: feeds, limit: limit)
    }

    /// How an SSH daemon is reached: what hosts and machines have in common.
    struct Access {
        var ssh: Endpoint
        var login: HostLogin
        var hostKeys: [String]
    }

    func access(_ map: SiteMap, name: String?) -> Access? {
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

    /// The keys that say how to log in over SSH.
    static let loginKeys = ["key", "passphrase", "agent", "agentKey", "password"]

    /// One of three ways.
    private func login(_ map: SiteMap) -> HostLogin? {
        let ways = ["key", "agent", "password"].filter { map[$0] != nil }
        guard let way = ways.first else {
            map.missing(
                "key",
                "the path of a private key; or `password`, a reference to one; or `agent`, the "
                    + "socket of an SSH agent")
            return nil
        }
        if let other = ways.dropFirst().first, let node = map[other] {
            report(node, "`\(other)` beside `\(way)`: give one of them")
            return nil
        }
        for (part, whole) in [("passphrase", "key"), ("agentKey", "agent")] where way != whole {
            if let node = map[part] { report(node, "`\(part)` without `\(whole)`") }
        }
        return switch way {
        case "key":
            map.value("key", .path).map {
                .key(path: $0, passphrase: map.value("passphrase", .secret))
            }
        case "agent":
            map.value("agent", .path).map {
                .agent(socket: $0, fingerprint: map.value("agentKey", .hostKey))
            }
        default: map.value("password", .secret).map { .password($0) }
        }
    }

    func feedNames(_ map: SiteMap) -> [FeedName]? {
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
    func uniqueName(
        _ map: SiteMap, _ kind: String, in lines: inout [String: Int]
    ) -> String? {
        guard let name = map.required("name", .name("the \(kind)'s name")),
            let node = map["name"]
        else { return nil }
        checkUnique("the \(kind)", name, at: node, in: &lines)
        return name
    }
}
