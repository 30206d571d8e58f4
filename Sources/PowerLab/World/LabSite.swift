public import PowerModel

extension LabScenario {
    /// Stands for every secret of the lab in memory: no record may tell it.
    public static let secret = "LAB_SECRET_4711"

    /// The limits that suit the lab's pace: everything takes seconds.
    public static var limits: ClusterLimits {
        var limits = ClusterLimits()
        limits.freeze = .seconds(20)
        limits.vcls = .seconds(20)
        limits.arm = .seconds(20)
        limits.vcsa = .seconds(20)
        limits.infrastructure = .seconds(20)
        limits.vsan = .seconds(20)
        limits.maintenance = .seconds(5)
        limits.host = .seconds(20)
        limits.leave = .seconds(60)
        limits.settle = .seconds(1)
        limits.hostBack = .seconds(30)
        limits.bootScript = .seconds(40)
        limits.vcenterBack = .seconds(40)
        limits.start = .seconds(15)
        limits.armedFor = .seconds(3600)
        limits.bootSettle = .seconds(1)
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
            vcsaGuest: guests.first { $0.isVCSA }?.name,
            controllerGuest: guests.first { $0.isController }?.name,
            hosts: hosts.map { host($0.name) },
            tiers: tiers, defaultTier: TierName("apps"), infrastructure: infrastructure,
            answers: answers, limits: limits)
    }

    /// The scenario's cluster for a lab in memory, where nothing is reached by address.
    public var memorySite: ClusterSite {
        clusterSite(
            vcenter: VCenterSite(
                endpoint: Endpoint(host: "lab", port: 443), user: "lab",
                password: .environment(name: LabScenario.secret), trust: .system)
        ) { name in
            var site = HostSite(
                name: name, ssh: Endpoint(host: name.rawValue, port: 22),
                login: .key(path: "/\(LabScenario.secret)"), hostKeys: [], api: memoryAPI(of: name),
                control: .ssh, feeds: feeds)
            site.sshPolicy = sshPolicy(of: name)
            return site
        }
    }

    /// The scenario's machines as a site file would have them. A lab in memory has no addresses.
    public var memoryMachines: [MachineSite] {
        machines.map { spec in
            MachineSite(
                name: spec.name, ssh: Endpoint(host: spec.name.rawValue, port: 22), user: "lab",
                login: .key(path: "/\(LabScenario.secret)"), hostKeys: [],
                shutdownCommand: "poweroff", delay: spec.delay,
                cancelCommand: spec.canBeCalledOff ? "stay" : nil, feeds: feeds,
                limit: Self.machineLimit)
        }
    }

    /// Until a machine is down, counted from when it goes.
    static let machineLimit: Duration = .seconds(10)

    func sshPolicy(of name: HostName) -> SSHPolicy {
        hosts.contains { $0.name == name && $0.opensSSH } ? .run : .always
    }

    private func memoryAPI(of name: HostName) -> HostAPISite? {
        guard hosts.contains(where: { $0.name == name && $0.hasAPI }) else { return nil }
        return HostAPISite(
            endpoint: Endpoint(host: name.rawValue, port: 443),
            password: .environment(name: LabScenario.secret), trust: .system)
    }

    /// What an ordinary guest is to the order in which guests go down.
    enum Role: Hashable {
        case tier(Int)
        case vcsa
        case infrastructure
        case controller

        /// Its place in that order.
        var place: Int {
            switch self {
            case .tier(let index): index
            case .vcsa: Int.max - 2
            case .infrastructure: Int.max - 1
            case .controller: Int.max
            }
        }
    }

    /// The role of a guest; nil for what belongs to the cluster.
    func role(of spec: LabGuestSpec) -> Role? {
        guard spec.nature == .ordinary else { return nil }
        if spec.isVCSA { return .vcsa }
        if spec.isController { return .controller }
        let guest = Guest(
            id: spec.id, name: spec.name, reference: nil, vmxPath: spec.vmxPath, host: spec.host,
            power: spec.isOn ? .on : .off, tools: .unknown, nature: spec.nature)
        if infrastructure.matches(guest) { return .infrastructure }
        return .tier(tiers.firstIndex { $0.choice.matches(guest) } ?? 0)
    }
}
