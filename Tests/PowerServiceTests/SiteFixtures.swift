import PowerModel

/// A site of these feeds; each cluster has one host per list of feeds, of which it needs one, and
/// one tier per shed trigger: `t0`, `t1`.
func site(
    feeds: [FeedName], trigger: TriggerPolicy = TriggerPolicy(onBatteryFor: .seconds(60)),
    clusters: [ClusterName: [[FeedName]]], shed: [ShedTrigger?] = [nil],
    needs: [ClusterName: [ClusterName]] = [:]
) -> Site {
    Site(
        name: "test",
        feeds: feeds.map {
            Feed(
                name: $0, server: Endpoint(host: "127.0.0.1", port: 3493), ups: $0.rawValue,
                trigger: trigger)
        },
        clusters: clusters.keys.sorted().map { name in
            cluster(name, hosts: clusters[name] ?? [], shed: shed, needs: needs[name] ?? [])
        })
}

private func cluster(
    _ name: ClusterName, hosts: [[FeedName]], shed: [ShedTrigger?], needs: [ClusterName]
) -> ClusterSite {
    ClusterSite(
        name: name,
        vcenter: VCenterSite(
            endpoint: Endpoint(host: "127.0.0.1", port: 443), user: "u",
            password: .file(path: "/dev/null"), trust: .system),
        vcsaGuest: "vcsa", needs: needs,
        hosts: hosts.enumerated().map { number, feeds in
            HostSite(
                name: HostName("\(name)-\(number)"), ssh: Endpoint(host: "127.0.0.1", port: 22),
                login: .key(path: "/dev/null"), hostKeys: [], feeds: feeds)
        },
        tiers: shed.enumerated().map { number, trigger in
            TierSite(
                name: TierName("t\(number)"), choice: GuestChoice(names: ["*"]), shed: trigger)
        }, defaultTier: TierName("t0"))
}

/// Readings as `ups.status` has them; nil is silence.
func reading(_ status: String?, runtime: Duration? = nil, charge: Int? = nil) -> FeedReading {
    FeedReading(
        status: status.map(UPSStatus.init), runtime: runtime, chargePercent: charge,
        problem: status == nil ? "silent" : nil)
}
