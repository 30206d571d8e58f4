public import PowerModel

/// One bad afternoon, drawn from a seed: what the site looks like, how fast things are, and what
/// goes wrong. The same seed gives the same afternoon.
public struct LabDraw: Sendable, CustomStringConvertible {
    /// What ends a life of vpower, if anything does.
    public struct Life: Hashable, Sendable {
        /// How it ends; nil where time alone ends it.
        public var end: LabLife.End?
        /// When the machine it runs on loses its power, in the lab's own time.
        public var losesPowerAt: Duration?
        /// How long until the next life begins.
        public var pause: Duration

        /// A life that ends so.
        public init(end: LabLife.End?, losesPowerAt: Duration?, pause: Duration) {
            self.end = end
            self.losesPowerAt = losesPowerAt
            self.pause = pause
        }
    }

    /// The seed.
    public let seed: UInt64
    /// The site and what goes wrong with it.
    public private(set) var scenario: LabScenario
    /// The lives that end; the last one does not.
    public private(set) var lives: [Life] = []
    /// After so many records the disk is full; nil where it never is.
    public private(set) var diskFullAfter: Int?
    /// Whether hosts are put in maintenance mode before they are shut down.
    public private(set) var maintenanceMode = false
    /// What is done with guests that do not shut down in time.
    public private(set) var escalation = Escalation.powerOff
    /// How guests are to come up.
    public private(set) var boot = BootPolicy.auto
    /// What of all this goes wrong, kind by kind.
    public private(set) var kinds: [LabFault] = []

    /// When the mains fail, in the lab's own time.
    public static let mainsFailAt: Duration = .seconds(10)
    /// When everything that can be is healed, in the lab's own time.
    public private(set) var healsAt: Duration = .seconds(60)

    private var random: LabRandom

    /// Draws an afternoon.
    public init(seed: UInt64) {
        self.seed = seed
        random = LabRandom(seed: seed)
        scenario = .standard()
        scenario.pace = drawnPace()
        healsAt += some(80)
        scenario.mainsFailAt = Self.mainsFailAt
        scenario.healsAt = healsAt
        drawSite()
        drawVSAN()
        drawBoot()
        drawSSH()
        drawBMCs()
        drawMachine()
        // Swarm: each kind is in a run or not, and the run has a rate at which kinds are.
        let rate = Double(random.below(60)) / 100
        for kind in LabFault.allCases where random.chance(rate) { draw(kind) }
        kinds.sort { $0.rawValue < $1.rawValue }
        for index in scenario.tiers.indices { scenario.tiers[index].onLimit = escalation }
    }

    /// An afternoon made by hand.
    public init(
        _ scenario: LabScenario, healsAt: Duration, lives: [Life] = [],
        maintenanceMode: Bool = false, escalation: Escalation = .powerOff
    ) {
        seed = 0
        random = LabRandom(seed: 0)
        self.scenario = scenario
        self.healsAt = healsAt
        self.lives = lives
        self.maintenanceMode = maintenanceMode
        self.escalation = escalation
        self.scenario.healsAt = healsAt
        if self.scenario.mainsFailAt == nil { self.scenario.mainsFailAt = Self.mainsFailAt }
        for index in self.scenario.tiers.indices {
            self.scenario.tiers[index].onLimit = escalation
        }
    }

    private func scaled(_ duration: Duration, _ random: inout LabRandom) -> Duration {
        .milliseconds(duration.milliseconds * Int64(random.below(27) + 3) / 10)
    }

    private mutating func drawnPace() -> LabPace {
        var pace = LabPace()
        pace.guestStops = scaled(pace.guestStops, &random)
        pace.toolsUp = scaled(pace.toolsUp, &random)
        pace.hostStops = scaled(pace.hostStops, &random)
        pace.hostBoots = scaled(pace.hostBoots, &random)
        pace.hostdUp = scaled(pace.hostdUp, &random)
        pace.vcenterUp = scaled(pace.vcenterUp, &random)
        pace.haFollows = scaled(pace.haFollows, &random)
        pace.vclsFollows = scaled(pace.vclsFollows, &random)
        return pace
    }

    private mutating func drawSite() {
        maintenanceMode = random.chance(0.3)
        escalation = [.powerOff, .powerOff, .suspend, .leave][random.below(4)]
        scenario.infrastructure = ["inf-*"]
        var dns = LabGuestSpec(
            id: GuestID("50000000-0000-4000-8000-0000000000d1"), name: "inf-dns01",
            reference: "vm-200", vmxPath: "[datastore 1] dns/dns.vmx",
            host: scenario.hosts[random.below(scenario.hosts.count)].name, nature: .ordinary)
        dns.isDNS = true
        scenario.guests.append(dns)
        for index in scenario.guests.indices where scenario.guests[index].nature == .ordinary {
            if random.chance(0.1) {
                scenario.guests[index].stopsIn = scaled(scenario.pace.guestStops, &random)
            }
            let spec = scenario.guests[index]
            if !spec.isVCSA, !spec.isDNS, random.chance(0.1) { scenario.guests[index].isOn = false }
        }
        scenario.automation.ha = random.chance(0.9)
        scenario.automation.dpm = random.chance(0.2)
        if random.chance(0.2) { scenario.automation.drsLevel = .manual }
        if random.chance(0.2) {
            scenario.automation.vcls = .retreat
            scenario.guests.removeAll { $0.nature == .vcls }
        }
        drawRelease()
    }

    /// What newer releases of vCenter have, and what an administrator has made of it.
    private mutating func drawRelease() {
        if random.chance(0.5) {
            scenario.automation.vclsMode = .systemManaged
            if scenario.automation.vcls == .retreat, random.chance(0.5) {
                scenario.automation.vcls = .unset
                scenario.automation.vclsMode = .absent
            }
            if random.chance(0.3) {
                for index in scenario.guests.indices
                where scenario.guests[index].nature == .vcls {
                    scenario.guests[index].nature = .embeddedVCLS
                }
            }
        }
        if random.chance(0.2) { scenario.automation.drsOverrides = false }
        for index in scenario.guests.indices
        where scenario.guests[index].nature == .ordinary && random.chance(0.2) {
            scenario.guests[index].drsLevel = .fullyAutomated
        }
    }

    /// Some clusters are vSAN clusters. By numbers of their own: the others are what they were.
    private mutating func drawVSAN() {
        var random = LabRandom(seed: ~seed)
        guard random.chance(0.2) else { return }
        let release: [Int] = random.chance(0.6) ? [8, 0, 3, 0] : [7, 0, 2, 0]
        scenario.hasVSAN = true
        scenario.apiVersion = VersionNumber(release)
        scenario.pace.vsanStage = scaled(scenario.pace.vsanStage, &random)
    }

    /// Some hosts have Secure Boot, some start guests by themselves. By numbers of their own too.
    private mutating func drawBoot() {
        var random = LabRandom(seed: seed &+ 0x5ec0_0b00)
        guard !scenario.hasVSAN, random.chance(0.4) else { return }
        if random.chance(0.3) { boot = BootPolicy.allCases[random.below(4)] }
        scenario.showsBootState = random.chance(0.7)
        for index in scenario.hosts.indices {
            scenario.hosts[index].secureBoot = random.chance(0.5)
            scenario.hosts[index].hasAPI = random.chance(0.6)
            if random.chance(0.4) { drawAutostart(index, &random) }
        }
    }

    /// At some sites SSH is stopped but for a run, on hosts that have an endpoint of their own:
    /// with vCenter alone nobody could start a vCSA that no host starts. By numbers of their own
    /// too.
    private mutating func drawSSH() {
        var random = LabRandom(seed: seed &+ 0x55ad_0b00)
        guard random.chance(0.3) else { return }
        for index in scenario.hosts.indices where random.chance(0.8) {
            scenario.hosts[index].opensSSH = true
            scenario.hosts[index].hasAPI = true
            scenario.hosts[index].sshRuns = random.chance(0.2)
            scenario.hosts[index].sshStartsAtBoot = random.chance(0.2)
        }
    }

    /// Some hosts have a management controller. By numbers of their own too.
    private mutating func drawBMCs() {
        var random = LabRandom(seed: seed &+ 0xb3c0_0000)
        guard random.chance(0.3) else { return }
        for index in scenario.hosts.indices {
            scenario.hosts[index].hasBMC = random.chance(0.8)
        }
    }

    /// Where vpower cannot switch it off, it starts nothing that was off.
    private mutating func drawAutostart(_ index: Int, _ random: inout LabRandom) {
        let host = scenario.hosts[index]
        var entries: [HostAutostart.Entry] = []
        for guest in scenario.guests
        where guest.nature == .ordinary && guest.host == host.name && random.chance(0.5) {
            guard guest.isOn || host.hasAPI else { continue }
            entries.append(
                HostAutostart.Entry(
                    vmxPath: guest.vmxPath, startOrder: entries.count + 1,
                    startDelaySeconds: random.chance(0.5) ? -1 : random.below(5),
                    waitForHeartbeat: "systemDefault", startAction: "powerOn",
                    stopDelaySeconds: -1, stopAction: "systemDefault"))
        }
        var settings = HostAutostart(defaults: host.autostart.defaults, guests: entries)
        settings.defaults.enabled = random.chance(0.7)
        settings.defaults.startDelaySeconds = random.below(5)
        scenario.hosts[index].autostart = settings
    }

    /// Some sites have storage of their own. By numbers of its own too.
    private mutating func drawMachine() {
        var random = LabRandom(seed: seed &+ 0x5704_a6e0)
        guard random.chance(0.4) else { return }
        let delay: Duration? =
            random.chance(0.6) ? .seconds(Int64(random.below(30)) + 1) : nil
        scenario.machines = [
            LabMachineSpec(
                name: MachineName("nas"), delay: delay,
                canBeCalledOff: delay != nil && random.chance(0.5))
        ]
        scenario.pace.machineStops = scaled(scenario.pace.machineStops, &random)
    }

    // MARK: Faults

    private mutating func moment(from first: Duration = .zero) -> Duration {
        let span = (healsAt - first).milliseconds
        return first + .milliseconds(Int64(random.below(Int(span))))
    }

    private mutating func some(_ most: Int) -> Duration {
        .milliseconds(Int64(random.below(most * 1000)) + 100)
    }

    private mutating func host() -> String {
        scenario.hosts[random.below(scenario.hosts.count)].name.rawValue
    }

    private mutating func guest() -> String {
        let guests = scenario.guests.filter { $0.nature == .ordinary && !$0.isVCSA && $0.isOn }
        return guests[random.below(guests.count)].id.rawValue
    }

    private mutating func add(
        _ kind: LabFault, _ object: String = "", at moment: Duration? = nil,
        lasts: Duration? = nil, amount: Duration = .zero
    ) {
        let at = moment ?? self.moment()
        let time = lasts ?? some(60)
        scenario.faults.append(PlannedFault(kind, object, at: at, lasts: time, amount: amount))
    }

    private mutating func draw(_ kind: LabFault) {
        kinds.append(kind)
        let outage = Self.mainsFailAt
        for _ in 0..<(1 + random.below(2)) {
            switch kind {
            case .hostRefuses, .hostKeyWrong, .hostdNotReady, .haAgentSticks: add(kind, host())
            case .hostHangs: add(kind, host(), amount: some(8))
            case .hostNeverStops: add(kind, host(), at: .zero, lasts: healsAt)
            case .hostStopsLate, .hostComesBack:
                add(kind, host(), at: .zero, lasts: healsAt, amount: some(15))
            case .hostStaysOff: add(kind, host(), at: .zero, lasts: healsAt)
            case .datastoreLate:
                add(kind, host(), at: .zero, lasts: healsAt, amount: some(15))
            case .guestHasQuestion:
                add(kind, guest(), at: .zero, lasts: healsAt)
                if random.chance(0.5) {
                    let label = ["I moved it", "i _copied it", "Cancel", "Maybe"]
                    let answer = QuestionAnswer(
                        match: "msg.uuid.altered", choose: label[random.below(label.count)])
                    scenario.answers = [answer]
                }
            case .guestBusy: add(kind, guest(), at: outage, lasts: some(20))
            case .guestIgnores, .guestWithoutTools, .guestDisabled, .guestRestartedByHA:
                add(kind, guest(), at: .zero, lasts: healsAt)
            case .guestSuspended: add(kind, guest(), at: moment(from: .seconds(1)))
            case .drsMoves: add(kind, guest(), at: Self.mainsFailAt - .seconds(4) + some(10))
            case .vclsComesBack: add(kind, at: Self.mainsFailAt - .seconds(4) + some(10))
            case .vcenterSlow, .vcenterStateLags: add(kind, amount: some(4))
            case .vcenterSessionExpired: add(kind, at: outage + some(30))
            case .haTaskFails: add(kind, at: outage)
            case .vcenterDiesEarly: add(kind, at: outage + some(30))
            case .vcenterDeadBefore: add(kind, at: some(8))
            case .dnsDies: add(kind, at: .zero, lasts: healsAt, amount: some(3))
            case .switchDead: add(kind, lasts: some(20))
            case .linkCut: drawLinks()
            default: drawPower(kind)
            }
        }
    }

    /// Links are cut one by one and restored in random order.
    private mutating func drawLinks() {
        let links =
            scenario.hosts.map(\.name.rawValue) + [LabWorld.vcenterLink]
            + scenario.feeds.map(\.rawValue)
        for link in links where random.chance(0.4) { add(.linkCut, link) }
        add(.linkCut, links[random.below(links.count)])
    }

    private mutating func drawPower(_ kind: LabFault) {
        let outage = Self.mainsFailAt
        let feed = scenario.feeds[random.below(scenario.feeds.count)].rawValue
        switch kind {
        case .powerFlaps: add(kind, feed, amount: some(8))
        case .runtimeJumps: add(kind, feed, at: outage, amount: some(600))
        case .runtimeMissing, .feedSilent, .staleFSD: add(kind, feed)
        case .lowBatteryWithoutWarning: add(kind, feed, at: outage + some(30), amount: some(60))
        case .feedsDisagree:
            scenario.secondFeed = FeedName("ups2")
            add(kind, "ups2", at: moment(from: .seconds(5)))
        case .hostsDualFed: scenario.secondFeed = FeedName("ups2")
        case .mainsReturnEarly: add(kind, at: outage + some(60))
        case .secondOutage: add(kind, at: moment(from: .seconds(30)))
        case .batteryDies: scenario.pace.battery = .seconds(20) + some(100)
        default: drawVpower(kind)
        }
    }

    private mutating func drawVpower(_ kind: LabFault) {
        switch kind {
        case .killedBeforeRecord:
            lives.append(
                Life(end: .beforeRecord(1 + random.below(90)), losesPowerAt: nil, pause: some(30)))
        case .killedAfterRecord:
            lives.append(
                Life(end: .afterRecord(1 + random.below(90)), losesPowerAt: nil, pause: some(30)))
        case .controllerLosesPower:
            lives.append(
                Life(end: nil, losesPowerAt: moment(from: Self.mainsFailAt), pause: some(30)))
        case .diskFull: diskFullAfter = random.below(90)
        case .wallClockStepped:
            let far = Duration.seconds(Int64(random.below(1600)) - 800)
            add(kind, amount: far)
        default: break
        }
    }

    /// What was drawn, for people.
    public var description: String {
        let faults = scenario.faults.sorted { $0.at < $1.at }.map { "  \($0)" }
        let lives = lives.map { "  life: \($0)" }
        return
            (["seed \(seed): \(kinds.map(\.rawValue).joined(separator: " "))"] + faults + lives)
            .joined(separator: "\n")
    }
}

/// The smallest good generator (SplitMix64): one seed, one sequence.
public struct LabRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A sequence.
    public init(seed: UInt64) { state = seed }

    /// The next number.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 to one below the limit.
    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(limit, 1))) }

    /// Whether something happens that does so at this rate.
    mutating func chance(_ rate: Double) -> Bool { Double(next() >> 11) / 0x1p53 < rate }
}
