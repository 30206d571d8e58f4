import PowerModel
import Testing

/// What gives when time runs short.
struct BudgetTests {
    /// A plan as the planner makes it, every limit and estimate drawn from the seed.
    static func plan(_ seed: UInt64) throws -> Plan {
        var draw = Seeded(seed)
        func seconds(_ range: ClosedRange<Int>) -> Duration {
            .milliseconds(Int.random(in: range, using: &draw) * 1000 + 7)
        }
        var guests = [Fixture.guest("app-1"), Fixture.guest("mid-1"), Fixture.guest("db-1")]
        if Bool.random(using: &draw) { guests.append(Fixture.guest("dns1")) }
        var fixture = Fixture(guests: guests)
        if Bool.random(using: &draw) { fixture.machines = [Fixture.machine("nas")] }
        for index in fixture.site.tiers.indices {
            fixture.site.tiers[index].limit = seconds(5...300)
        }
        fixture.site.limits.freeze = seconds(5...200)
        fixture.site.limits.arm = seconds(5...600)
        fixture.site.limits.vcls = seconds(5...900)
        fixture.site.limits.vcsa = seconds(5...600)
        fixture.site.limits.infrastructure = seconds(5...300)
        fixture.site.limits.host = seconds(5...600)
        let bare = try fixture.shutdown()
        var estimates = Estimates()
        for step in bare.steps where Int.random(in: 0..<3, using: &draw) > 0 {
            estimates.bySteps[step.id] = seconds(1...200)
        }
        return bare.estimated(by: estimates)
    }

    /// When the last phase is over if each takes its budget, worked out from its definition.
    static func total(_ plan: Plan, _ budgets: [PhaseName: Duration]) -> Duration {
        func end(_ phase: Phase) -> Duration {
            let starts = phase.needs.compactMap(plan.phase).map(end)
            return (starts.max() ?? .zero) + budgets[phase.name, default: .zero]
        }
        return plan.phases.map(end).max() ?? .zero
    }

    static func expected(_ phase: Phase) -> Duration {
        let usual = phase.steps.map { ($0.estimate ?? $0.limit / 3).milliseconds }.max() ?? 0
        return min(.milliseconds(usual), phase.budget)
    }

    static let seeds: [UInt64] = Array(1...40)

    @Test(arguments: seeds)
    func `budgets fit the time left, never above the plan, and more time is never less`(
        _ seed: UInt64
    ) throws {
        let plan = try Self.plan(seed)
        let budgets = Budgets(of: plan)
        let least = Self.total(plan, budgets.allotted(.init(), deadline: .zero))
        let most = Self.total(plan, budgets.allotted(.init(), deadline: .seconds(100_000)))
        #expect(most == Schedule(plan).worst)
        var before: [PhaseName: Duration] = [:]
        for left in stride(from: 0, through: 3000, by: 41) {
            let allotted = budgets.allotted(.init(), deadline: .seconds(left))
            for phase in plan.phases {
                let budget = try #require(allotted[phase.name])
                #expect(budget <= phase.budget)
                #expect(budget >= min(Budgets.floor, Self.expected(phase)), "\(phase.name)")
                #expect(
                    budget >= before[phase.name, default: .zero], "\(phase.name) at \(left) s")
            }
            #expect(Self.total(plan, allotted) <= max(least, .seconds(left)), "at \(left) s")
            before = allotted
        }
    }

    @Test(arguments: seeds)
    func `what is to give first has given all before the next one gives`(_ seed: UInt64) throws {
        let plan = try Self.plan(seed)
        let chain = [
            .guests(TierName("apps")), .guests(TierName("middle")), .guests(TierName("data")),
            .freeze, .infrastructure, .vcsa,
        ].compactMap { plan.phase($0) }
        let hosts = plan.phases.filter { $0.name == .hosts || $0.name == .vcsaHost }
        for left in stride(from: 0, through: 3000, by: 53) {
            let allotted = Budgets(of: plan).allotted(.init(), deadline: .seconds(left))
            func isShort(_ phase: Phase) -> Bool { allotted[phase.name]! < Self.expected(phase) }
            for (place, phase) in chain.enumerated() where isShort(phase) {
                for earlier in chain[..<place] {
                    #expect(
                        allotted[earlier.name] == min(Budgets.floor, Self.expected(earlier)),
                        "\(phase.name) gives before \(earlier.name) at \(left) s")
                }
                // Nobody on the way to the end has more than is expected of it any more.
                for other in chain + hosts {
                    #expect(allotted[other.name]! <= Self.expected(other), "\(other.name)")
                }
            }
            for host in hosts { #expect(!isShort(host)) }
        }
    }

    /// freeze 0/30, tiers with 20 s expected of 180 s and 40 s of 100 s, vCSA 60 of 300, hosts 100
    /// of 400.
    static let small = ScheduleTests.plan([
        ScheduleTests.phase("guests: a", [("a", 20, 180)]),
        ScheduleTests.phase("guests: b", needs: ["guests: a"], [("b", 40, 100)]),
        phase("vcsa", needs: "guests: b", 60, 300) {
            .stopGuestOnHost($0, name: "", HostName("h"))
        },
        phase("hosts", needs: "vcsa", 100, 400) { _ in .stopHost(HostName("h"), maintenance: false)
        },
    ])

    static func phase(
        _ name: String, needs: String, _ expected: Int, _ limit: Int, _ act: (GuestID) -> Action
    ) -> Phase {
        Phase(
            name: PhaseName(name), needs: [PhaseName(needs)], budget: .seconds(limit),
            steps: [
                Step(
                    act(GuestID(name)), limit: .seconds(limit), estimate: .seconds(expected))
            ])
    }

    @Test(arguments: [
        // Enough for all limits.
        (980, [180, 100, 300, 400]), (2000, [180, 100, 300, 400]),
        // Tiers give what they have beyond 20 s and 40 s, in proportion: 110 of 220 s.
        (870, [100, 70, 300, 400]), (760, [20, 40, 300, 400]),
        // Then vCSA gives its spare time, then the hosts.
        (700, [20, 40, 240, 400]), (520, [20, 40, 60, 400]), (300, [20, 40, 60, 180]),
        (220, [20, 40, 60, 100]),
        // Then the first tier gives down to the floor, the second, and vCSA.
        (215, [15, 40, 60, 100]), (190, [10, 20, 60, 100]), (180, [10, 10, 60, 100]),
        (150, [10, 10, 30, 100]), (130, [10, 10, 10, 100]), (0, [10, 10, 10, 100]),
    ])
    func `time runs short in the documented order`(_ left: Int, _ seconds: [Int]) {
        let allotted = Budgets(of: Self.small).allotted(.init(), deadline: .seconds(left))
        #expect(
            Self.small.phases.map { allotted[$0.name]!.milliseconds / 1000 }
                == seconds.map(Int64.init))
    }

    @Test func `a phase that has begun is counted from its beginning, one that is over not at all`()
    {
        let names = Self.small.phases.map(\.name)
        let progress = Budgets.Progress(
            started: [names[0]: .zero, names[1]: .seconds(30)], ended: [names[0]],
            now: .seconds(50))
        // Of 240 s the second tier has used up 20 s; vCSA and the hosts take 60 s and 100 s.
        let allotted = Budgets(of: Self.small).allotted(progress, deadline: .seconds(240))
        #expect(
            allotted == [names[1]: .seconds(40), names[2]: .seconds(60), names[3]: .seconds(110)])
    }

    @Test func `small changes are none, and the plan's own budget always comes back`() {
        let names = Self.small.phases.map(\.name)
        func changes(_ held: [PhaseName: Duration], _ left: Int?) -> [[Int64]] {
            Budgets(of: Self.small).changes(
                from: held, .init(), deadline: left.map { .seconds($0) }
            ).map { [Int64(names.firstIndex(of: $0.phase)!), $0.from.inWhole, $0.to.inWhole] }
        }
        #expect(changes([:], 980) == [])
        #expect(changes([:], 977) == [])
        #expect(changes([:], 760) == [[0, 180, 20], [1, 100, 40]])
        let held: [PhaseName: Duration] = [names[0]: .seconds(20), names[1]: .seconds(40)]
        #expect(changes(held, 770) == [])
        #expect(changes(held, 870) == [[0, 20, 100], [1, 40, 70]])
        #expect(changes([names[0]: .seconds(178)], 980) == [[0, 178, 180]])
        #expect(changes(held, nil) == [[0, 20, 180], [1, 40, 100]])
    }
}

extension Duration {
    fileprivate var inWhole: Int64 { milliseconds / 1000 }
}
