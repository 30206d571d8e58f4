import PowerModel

/// A cluster's `hosts`.
extension SiteReader {
    private static let hostKeys = [
        "name", "address", "sshPort", "user", "hostKeys", "api", "control", "feeds",
        "feedsNeeded", "wake", "boot", "ssh", "extras", "bmc",
    ]

    /// - Parameter ssh: when its SSH service runs, where it does not say.
    func host(
        _ node: YAMLNode, ssh common: SSHPolicy?, lines: inout [String: Int]
    ) -> HostSite? {
        guard let map = SiteMap(node, "the host", keys: Self.hostKeys + Self.loginKeys, self) else {
            return nil
        }
        let name = uniqueName(map, "host", in: &lines)
        let access = access(map, name: name)
        let user = map.value("user", .name("a user, e.g. root")) ?? "root"
        let api = api(map, address: access?.ssh.host)
        let control = control(map)
        let feeds = feedNames(map)
        let needed = feedsNeeded(map, of: feeds)
        let wake = map.value("wake", .hardwareAddress)
        let extras = extras(map)
        let boot: BootPolicy? = map.value("boot", .oneWord)
        if boot == .autostart, map["api"] == nil, let node = map["boot"] {
            report(node, "`boot` is autostart, but the host has no `api`, over which that is set")
        }
        let ssh: SSHPolicy? = map.value("ssh", .oneWord)
        guard let name, let access, let feeds else { return nil }
        var site = HostSite(
            name: HostName(name), ssh: access.ssh, user: user, login: access.login,
            hostKeys: access.hostKeys, api: api, control: control, feeds: feeds,
            feedsNeeded: needed, wakeAddress: wake, boot: boot)
        site.extras = extras
        site.sshPolicy = ssh ?? common ?? .always
        site.bmc = bmc(map)
        return site
    }

    /// The host's management controller.
    private func bmc(_ host: SiteMap) -> BMCSite? {
        let keys = ["address", "port", "user", "password", "certificate", "system"]
        guard let node = host["bmc"], let map = SiteMap(node, "`bmc`", keys: keys, self) else {
            return nil
        }
        let address = map.required("address", .address)
        let port = map.value("port", .port) ?? 443
        let user = map.required("user", .name("a user of the controller; read-only is enough"))
        let password = map.required("password", .secret)
        let trust = certificate(map)
        let system = map.value("system", .redfishSystem)
        guard let address, let user, let password, let trust else { return nil }
        return BMCSite(
            endpoint: Endpoint(host: address, port: port), user: user, password: password,
            trust: trust, system: system)
    }

    /// The host's own SOAP endpoint, at the address of its SSH daemon.
    private func api(_ host: SiteMap, address: String?) -> HostAPISite? {
        guard let node = host["api"],
            let map = SiteMap(
                node, "`api`", keys: ["port", "user", "password", "certificate"], self)
        else { return nil }
        let port = map.value("port", .port) ?? 443
        let user = map.value("user", .name("a user of the host, e.g. root")) ?? "root"
        let password = map.required("password", .secret)
        let trust = certificate(map)
        guard let address, let password, let trust else { return nil }
        return HostAPISite(
            endpoint: Endpoint(host: address, port: port), user: user, password: password,
            trust: trust)
    }

    private func control(_ host: SiteMap) -> HostRoute? {
        let route = host.value("control", .route)
        if route == .soap, host["api"] == nil, let node = host["control"] {
            report(node, "`control` is soap, but the host has no `api`, which SOAP logs in with")
        }
        return route
    }

    private func feedsNeeded(_ host: SiteMap, of feeds: [FeedName]?) -> Int {
        let needed = host.value("feedsNeeded", .number(1...64, "a number of feeds")) ?? 1
        if let feeds, !feeds.isEmpty, needed > feeds.count, let node = host["feedsNeeded"] {
            report(node, "`feedsNeeded` is \(needed), but the host has \(feeds.count) in `feeds`")
        }
        return needed
    }
}

extension SiteValue<String> {
    /// The name of one of a controller's systems. It becomes part of a path.
    fileprivate static let redfishSystem = SiteValue(
        expected: "the Id of one of the controller's systems, e.g. System.Embedded.1"
    ) { (text) throws(ValueFault) in
        let isName = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-._".utf8.contains(byte)
            }
        }
        guard isName, !text.isEmpty, text.utf8.count <= 100, text.first != "." else {
            throw .given(text)
        }
        return text
    }
}
