import PowerModel

/// A small site to plan for: every test changes what it is about.
struct Fixture {
    var site: ClusterSite
    var machines: [MachineSite] = []
    var estimates = Estimates()
    var snapshot: ClusterSnapshot

    static let run = RunID("run-1")
    static let wall = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)

    /// Hosts h1 to hN, vCSA on h1; other guests are the test's.
    init(hosts count: Int = 3, guests: [Guest] = [], vcsaPower: GuestPower = .on) {
        let names = (1...count).map { HostName("h\($0)") }
        site = ClusterSite(
            name: ClusterName("c"),
            vcenter: VCenterSite(
                endpoint: Endpoint(host: "vc", port: 443), user: "u",
                password: .environment(name: "P"), trust: .system),
            vcsaGuest: "vcsa",
            hosts: names.map(Fixture.host),
            tiers: [
                TierSite(name: TierName("apps"), guests: ["app-*"], limit: .seconds(10)),
                TierSite(name: TierName("middle"), guests: ["mid-*"], onLimit: .leave),
                TierSite(name: TierName("data"), guests: ["db-*"]),
            ],
            defaultTier: TierName("apps"), infrastructure: ["dns*"])
        snapshot = ClusterSnapshot(
            cluster: ClusterName("c"), reference: "domain-c8",
            inventory: Inventory(
                version: 1, hosts: names.map { HostView(name: $0) },
                guests: [Fixture.guest("vcsa", on: "h1", power: vcsaPower)] + guests),
            automation: Automation(
                ha: true, drsEnabled: true, drsLevel: .fullyAutomated, dpm: false, vcls: .unset))
    }

    static func host(_ name: HostName) -> HostSite {
        HostSite(
            name: name, ssh: Endpoint(host: name.rawValue, port: 22), login: .key(path: "/k"),
            hostKeys: [], feeds: [FeedName("ups")])
    }

    /// A guest whose identity is `id-NAME`.
    static func guest(
        _ name: String, on host: String = "h2", power: GuestPower = .on,
        nature: GuestNature = .ordinary
    ) -> Guest {
        Guest(
            id: id(name), name: name, reference: nil, vmxPath: "[ds] \(name).vmx",
            host: HostName(host), power: power, tools: .running, nature: nature)
    }

    static func id(_ name: String) -> GuestID { GuestID("id-\(name)") }

    static func machine(_ name: String) -> MachineSite {
        MachineSite(
            name: MachineName(name), ssh: Endpoint(host: name, port: 22), user: "root",
            login: .key(path: "/k"), hostKeys: [], shutdownCommand: "poweroff",
            feeds: [FeedName("ups")])
    }

    var planner: Planner { Planner(site: site, machines: machines, estimates: estimates) }

    func shutdown(
        _ scope: PlanScope = .wholeCluster, goal: ClusterSnapshot? = nil
    ) throws(PlanError) -> Plan {
        try planner.shutdown(
            scope, now: snapshot, goal: goal ?? snapshot, run: Fixture.run, wall: Fixture.wall)
    }

    func orders(goal: ClusterSnapshot? = nil) throws(PlanError) -> [BootOrders] {
        try planner.bootOrders(
            now: snapshot, goal: goal ?? snapshot, run: Fixture.run, wall: Fixture.wall)
    }

    func restore(_ records: [Record] = []) throws(PlanError) -> Plan {
        try planner.restore(goal: snapshot, ledger: Ledger(records))
    }
}

extension Plan {
    /// The names of the phases, in the order shown.
    var names: [String] { phases.map(\.name.rawValue) }

    /// The identities of a phase's steps.
    func ids(_ phase: PhaseName) -> [String] {
        self.phase(phase)?.steps.map(\.id.rawValue) ?? []
    }

    /// Every phase that must be over before this one begins.
    func everythingBefore(_ phase: PhaseName) -> Set<PhaseName> {
        var found = Set<PhaseName>()
        var open = self.phase(phase)?.needs ?? []
        while let next = open.popLast() {
            if found.insert(next).inserted { open += self.phase(next)?.needs ?? [] }
        }
        return found
    }

    /// The step of this identity.
    func step(_ id: String) -> Step? { steps.first { $0.id.rawValue == id } }

    /// What each step of a phase needs, by the guest or the place in its identity.
    func needs(_ phase: PhaseName) -> [String: [String]] {
        func last(_ id: StepID) -> String {
            String(id.rawValue.split(separator: "/").last ?? "")
        }
        let steps = self.phase(phase)?.steps ?? []
        return Dictionary(
            uniqueKeysWithValues: steps.map { (last($0.id), $0.needs.map(last).sorted()) })
    }

    /// The phase a step is in.
    func phase(of step: String) -> PhaseName? {
        phases.first { $0.steps.contains { $0.id.rawValue == step } }?.name
    }

    /// Every guest that a step of this plan acts on.
    var guests: Set<GuestID> {
        Set(
            steps.compactMap { step in
                switch step.action {
                case .stopGuest(let id, _, _), .stopGuestOnHost(let id, _, _),
                    .startGuest(let id, _, _, _), .startGuestOnHost(let id, _, _, _):
                    id
                default: nil
                }
            })
    }
}

/// What a closure throws, nothing else.
func planError<R>(_ body: () throws(PlanError) -> R) -> PlanError? {
    do throws(PlanError) {
        _ = try body()
        return nil
    } catch { return error }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Writes records of one outage, numbered and timed in order.
struct Recorder {
    private(set) var records: [Record] = []
    let outage = OutageID("outage-1")

    mutating func add(_ event: RunEvent, run: RunID? = nil) {
        records.append(
            Record(
                number: Int64(records.count + 1),
                at: Timestamp(millisecondsSinceEpoch: Int64(records.count)), run: run,
                outage: outage, event: event))
    }

    mutating func begin(_ fixture: Fixture) {
        add(.outageOpened(cluster: fixture.site.name, reason: "test"))
        add(.snapshotTaken(fixture.snapshot))
    }

    mutating func start(_ plan: Plan, run: RunID) {
        add(.runStarted(plan, RunCause(.outage, "test")), run: run)
    }

    mutating func ask(_ step: String, run: RunID) { add(.asked(StepID(step), "x"), run: run) }

    mutating func end(_ step: String, _ outcome: StepOutcome = .done(.asked), run: RunID) {
        add(.stepEnded(StepID(step), outcome), run: run)
    }

    var ledger: Ledger { Ledger(records) }
}
