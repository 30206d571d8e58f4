import PowerLab
import PowerModel
import PowerRun
import Testing

/// What a run does as its battery drains, on the virtual clock.
struct BudgetRunTests {
    /// Everything takes as long as in a real site: guests 20 s, hosts 40 s.
    static func realistic(_ change: (inout LabScenario) -> Void = { _ in }) -> MemorySite {
        var pace = LabPace()
        pace.guestStops = .seconds(20)
        pace.hostStops = .seconds(40)
        pace.battery = .seconds(3600)
        var scenario = LabScenario.standard(pace: pace)
        change(&scenario)
        return MemorySite(scenario)
    }

    /// Limits as real sites have them; the plan takes no more than 1,600 s.
    static func limits(_ site: inout ClusterSite) {
        for index in site.tiers.indices { site.tiers[index].limit = .seconds(180) }
        site.limits.freeze = .seconds(60)
        site.limits.vcsa = .seconds(300)
        site.limits.host = .seconds(300)
        site.limits.settle = .seconds(5)
    }

    /// A run, and what is known of it afterwards.
    struct Told: Sendable {
        var result: RunResult
        var records: [Record]
        var log: [LabEvent]
        var ledger: RunLedger

        var changes: [(phase: PhaseName, from: Duration, to: Duration, number: Int64)] {
            records.compactMap { record in
                guard case .budgetChanged(let phase, let from, let to, _) = record.event else {
                    return nil
                }
                return (phase, from, to, record.number)
            }
        }

        /// When the last host was off, in seconds.
        var lastHostOff: Double {
            log.filter { $0.kind == .hostOff }.map(\.atSeconds).max() ?? .infinity
        }

        func forced(_ name: String, in site: MemorySite) -> Double? {
            let id = site.world.scenario.guests.first { $0.name == name }?.id.rawValue
            return log.first { $0.kind == .guestOff && $0.detail == "forced" && $0.object == id }?
                .atSeconds
        }
    }

    /// Takes the site down, with this expected of the battery at the beginning and, once these
    /// phases have begun, that.
    static func goDown(
        _ site: MemorySite, expecting first: Int?, then later: [PhaseName: Int?] = [:]
    ) throws -> Told {
        try simulate(site) {
            let control = RunControl()
            control.expectDeadline(first.map { .seconds($0) })
            let announcer = AtPhaseStart { phase in
                if let seconds = later[phase] {
                    control.expectDeadline(seconds.map { site.time.elapsed + .seconds($0) })
                }
            }
            let operation = site.operation(
                announcer: announcer, control: control, site: Self.limits)
            let result = try await site.goDown(operation)
            let ledger = try #require(try await operation.ledger().lastRun)
            return Told(
                result: result, records: site.journal.records, log: site.world.log,
                ledger: ledger)
        }
    }

    static let apps = PhaseName.guests(TierName("apps"))
    static let middle = PhaseName.guests(TierName("middle"))
    static let databases = PhaseName.guests(TierName("databases"))

    @Test(arguments: [3000, nil] as [Int?])
    func `with plenty of runtime, or none known, budgets are the plan's`(_ seconds: Int?) throws {
        let site = Self.realistic()
        let told = try Self.goDown(site, expecting: seconds)
        #expect(told.result == .finished)
        #expect(told.changes.isEmpty)
        // The one that ignores its request had its whole limit.
        let middle = try #require(told.ledger.phasesStarted[Self.middle])
        let began = (middle - told.records[0].at).inSeconds
        #expect(try #require(told.forced("mid-noisy", in: site)) >= began + 180)
    }

    @Test func `a battery that drains fast escalates guests early, and hosts are down in time`()
        throws
    {
        let site = Self.realistic()
        // 460 s are left when the second tier begins; the plan would take 180 s for that tier
        // alone, and 1,270 s at worst for what comes after.
        let told = try Self.goDown(site, expecting: 3000, then: [Self.middle: 460])
        #expect(told.result == .finished)
        let began = (told.ledger.phasesStarted[Self.middle]! - told.records[0].at).inSeconds
        let forced = try #require(told.forced("mid-noisy", in: site))
        #expect(forced < began + 100)
        #expect(told.lastHostOff <= began + 460)
        // On record before the guest's power was cut.
        let change = try #require(told.changes.first { $0.phase == Self.middle })
        #expect(change.from == .seconds(180))
        #expect(change.to < .seconds(100))
        let noisy = site.world.scenario.guests.first { $0.name == "mid-noisy" }!
        let cut = told.records.last { record in
            if case .asked(let step, _) = record.event {
                step == StepID("stop/\(noisy.id)")
            } else {
                false
            }
        }
        #expect(change.number < (try #require(cut)).number)
        // Tiers give before the hosts do: those keep what they are expected to take.
        for change in told.changes where change.phase == .hosts || change.phase == .vcsaHost {
            #expect(change.to >= .seconds(101))
        }
    }

    @Test func `a step that a cut budget ends is on record, also the last of its phase`() throws {
        let stuck = GuestID("50000000-0000-4000-8000-000000000002")
        let site = Self.realistic { scenario in
            scenario.faults = [PlannedFault(.guestHasQuestion, stuck.rawValue)]
            for index in scenario.tiers.indices { scenario.tiers[index].onLimit = .leave }
        }
        let run = try simulate(site) {
            let control = RunControl()
            control.expectDeadline(.seconds(3000))
            let operation = site.operation(control: control, site: Self.limits)
            async let result = site.goDown(operation)
            // All others of its tier are off; it is asked again and again. Between two requests:
            try await site.time.sleep(for: .milliseconds(60_050))
            control.expectDeadline(site.time.elapsed + .seconds(120))
            _ = try await result
            return try #require(try await operation.ledger().lastRun)
        }
        let cut = try #require(run.budgets[Self.apps])
        #expect(cut < .seconds(60))
        #expect(run.phasesEnded[Self.apps] != nil)
        let outcome = try #require(run.outcome(of: StepID("stop/\(stuck)")))
        guard case .left(let why) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(why.contains("left to go down with its host"))
    }

    @Test func `with hardly any runtime every tier keeps its floor, and hosts are down by then`()
        throws
    {
        let site = Self.realistic()
        let told = try Self.goDown(site, expecting: 240)
        #expect(told.lastHostOff <= 240)
        for tier in [Self.apps, Self.middle, Self.databases] {
            let change = try #require(told.changes.first { $0.phase == tier })
            #expect(change.to == Budgets.floor)
        }
    }

    @Test func `budgets grow back when the runtime recovers`() throws {
        let site = Self.realistic()
        let told = try Self.goDown(site, expecting: 300, then: [Self.middle: 3000])
        let grown = try #require(told.changes.first { $0.phase == Self.middle && $0.to > $0.from })
        #expect(grown.to == .seconds(180))
        // What was cut for good is only what was over by then.
        let plan = told.ledger.plan
        for phase in plan.phases where phase.name != .freeze && phase.name != Self.apps {
            let now = told.ledger.budgets[phase.name] ?? phase.budget
            #expect(now == phase.budget, "\(phase.name)")
        }
        let began = (told.ledger.phasesStarted[Self.middle]! - told.records[0].at).inSeconds
        #expect(try #require(told.forced("mid-noisy", in: site)) >= began + 180)
    }

    @Test func `mains that are back give the plan's budgets back`() throws {
        let site = Self.realistic()
        let told = try Self.goDown(site, expecting: 300, then: [Self.middle: nil])
        #expect(told.changes.last { $0.phase == Self.middle }?.to == .seconds(180))
    }

    @Test func `when the deadline passes hosts wait no longer for vCSA, which is never cut off`()
        throws
    {
        let site = Self.realistic { scenario in
            for index in scenario.guests.indices where scenario.guests[index].isVCSA {
                scenario.guests[index].ignoresShutdown = true
            }
        }
        let told = try Self.goDown(site, expecting: 3000, then: [.vcsa: 200])
        let began = (told.ledger.phasesStarted[.vcsa]! - told.records[0].at).inSeconds
        #expect(told.forced("vcsa01", in: site) == nil)
        let vcsaHost = try #require(told.log.last { $0.kind == .hostTold })
        #expect(vcsaHost.atSeconds >= began + 200)
        #expect(vcsaHost.atSeconds < began + 210)
        #expect(told.ledger.notes.contains { $0.contains("cut off: vcsa01") })
        guard
            case .gaveUp(let why) = told.ledger.outcome(
                of: try #require(told.ledger.plan.phase(.vcsa)?.steps.first?.id))
        else {
            Issue.record("vCSA was not given up")
            return
        }
        #expect(why.contains("budget was cut"))
    }

    @Test(arguments: [true, false])
    func `only a battery that is still at its end cuts off what stays on`(
        _ isStillAtEnd: Bool
    ) throws {
        let site = Self.realistic { scenario in
            for index in scenario.guests.indices where scenario.guests[index].isVCSA {
                scenario.guests[index].ignoresShutdown = true
            }
        }
        let (notes, told) = try simulate(site) {
            let control = RunControl()
            control.noteBatteryEnd(true)
            let announcer = AtPhaseStart { phase in
                if phase == .vcsaHost { control.noteBatteryEnd(isStillAtEnd) }
            }
            let operation = site.operation(
                announcer: announcer, control: control, site: Self.limits)
            _ = try await site.goDown(operation)
            let told = site.world.log.filter { $0.kind == .hostTold }.map(\.object)
            let ledger = try #require(try await operation.ledger().lastRun)
            return (ledger.notes, told)
        }
        let vcsa = try #require(site.world.scenario.guests.first { $0.isVCSA })
        #expect(notes.contains { $0.contains("cut off: vcsa01") } == isStillAtEnd)
        #expect(told.contains(vcsa.host.rawValue) == isStillAtEnd)
    }

    @Test func `a resumed run keeps the budgets of its earlier try until the battery is read`()
        throws
    {
        let site = Self.realistic()
        let resumed = try simulate(site) {
            let control = RunControl()
            control.expectDeadline(.seconds(400))
            let announcer = AtPhaseStart { phase in
                if phase == Self.middle { control.ask(.stop) }
            }
            let first = site.operation(announcer: announcer, control: control, site: Self.limits)
            _ = try await site.goDown(first)
            let budget = try #require(try await first.ledger().lastRun?.budgets[Self.middle])
            let before = site.time.elapsed
            let second = site.operation(site: Self.limits)
            _ = try await second.resume(mainsAreBack: false)
            let log = site.world.log
            let noisy = site.world.scenario.guests.first { $0.name == "mid-noisy" }!
            let forced = log.first {
                $0.kind == .guestOff && $0.object == noisy.id.rawValue
            }
            return (budget, before, try #require(forced).atSeconds)
        }
        let (budget, before, forced) = resumed
        #expect(budget < .seconds(100))
        #expect(forced < (before + budget).inSeconds + 5)
    }
}

/// Does something when a phase begins.
struct AtPhaseStart: Announcer {
    let act: @Sendable (PhaseName) -> Void
    init(_ act: @escaping @Sendable (PhaseName) -> Void) { self.act = act }
    func announce(_ record: Record) async {
        if case .phaseStarted(let phase) = record.event { act(phase) }
    }
}
