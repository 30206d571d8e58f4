import PowerModel

/// The section `feeds`.
extension SiteReader {
    func feeds(_ map: SiteMap) -> [Feed]? {
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
            "restoreAt",
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
        policy.restoreAtPercent = map.value("restoreAt", .percent)
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
