public import PowerModel

extension LabScenario {
    /// The limits that suit the lab's pace: everything takes seconds.
    public static var limits: ClusterLimits {
        var limits = ClusterLimits()
        limits.freeze = .seconds(20)
        limits.vcls = .seconds(20)
        limits.arm = .seconds(20)
        limits.vcsa = .seconds(20)
        limits.infrastructure = .seconds(20)
        limits.maintenance = .seconds(5)
        limits.host = .seconds(20)
        limits.settle = .seconds(1)
        limits.hostBack = .seconds(30)
        limits.bootScript = .seconds(40)
        limits.vcenterBack = .seconds(40)
        limits.start = .seconds(15)
        limits.armedFor = .seconds(3600)
        limits.startGap = .seconds(1)
        limits.afterVCSA = .seconds(3)
        limits.look = .seconds(1)
        limits.tools = .seconds(15)
        limits.margin = .seconds(5)
        return limits
    }

    /// The lab's tiers, in the order in which they go down. `mid` holds the guest that ignores
    /// its request and the one without Tools.
    public static let tiers = [
        TierSite(name: TierName("apps"), guests: ["app-*"], limit: .seconds(8)),
        TierSite(name: TierName("middle"), guests: ["mid-*"], limit: .seconds(4)),
        TierSite(name: TierName("databases"), guests: ["db-*"], limit: .seconds(8)),
    ]

    /// The scenario's cluster as a site file would have it, its parts reached as given.
    public func clusterSite(
        vcenter: VCenterSite, host: (HostName) -> HostSite
    ) -> ClusterSite {
        ClusterSite(
            name: cluster, vcenter: vcenter,
            vcsaGuest: guests.first { $0.isVCSA }?.name ?? "", hosts: hosts.map { host($0.name) },
            tiers: LabScenario.tiers, defaultTier: TierName("apps"), limits: LabScenario.limits)
    }

    /// The scenario's cluster for a lab in memory, where nothing is reached by address.
    public var memorySite: ClusterSite {
        clusterSite(
            vcenter: VCenterSite(
                endpoint: Endpoint(host: "lab", port: 443), user: "lab",
                password: .environment(name: "UNUSED"), trust: .system)
        ) { name in
            HostSite(
                name: name, ssh: Endpoint(host: name.rawValue, port: 22),
                login: .key(path: "/unused"), hostKeys: [], feeds: [feed])
        }
    }

    /// The tier of an ordinary guest: its place in `tiers`.
    func tier(of guest: LabGuestSpec) -> Int? {
        LabScenario.tiers.firstIndex { tier in
            tier.choice.names.contains { $0.matches(guest.name) }
        }
    }
}
