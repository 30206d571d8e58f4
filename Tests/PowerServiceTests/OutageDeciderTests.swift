import PowerModel
import PowerService
import Testing

/// One feed or two on a clock of the test's own.
private struct Bench {
    var decider: OutageDecider
    var now: Duration = .seconds(1000)

    init(
        feeds: [FeedName] = [FeedName("a")],
        trigger: TriggerPolicy = TriggerPolicy(onBatteryFor: .seconds(60)),
        clusters: [ClusterName: [[FeedName]]] = [ClusterName("c"): [[FeedName("a")]]],
        shed: [ShedTrigger?] = [nil]
    ) {
        decider = OutageDecider(
            site: site(feeds: feeds, trigger: trigger, clusters: clusters, shed: shed))
    }

    /// Takes a reading a second after the last; leaves out what only counts time.
    mutating func take(
        _ status: String?, of feed: FeedName = a, after wait: Duration = .seconds(1),
        runtime: Duration? = nil, charge: Int? = nil
    ) -> [OutageDecider.Decision] {
        now += wait
        return decider.take(
            reading(status, runtime: runtime, charge: charge), of: feed, at: now
        ).filter { if case .mains = $0 { false } else { true } }
    }
}

private let a = FeedName("a")
private let b = FeedName("b")
private let c = ClusterName("c")

private func cause(_ feed: FeedName, _ reason: FeedWatch.Reason) -> OutageDecider.Cause {
    OutageDecider.Cause(feed: feed, reason: reason)
}

@Suite struct OutageDeciderTests {
    @Test func `OB starts the wait and OL cancels it`() {
        var bench = Bench()
        #expect(bench.take("OL CHRG") == [])
        #expect(bench.take("OB DISCHRG") == [.outageBegan(a)])
        #expect(bench.take("OB DISCHRG", after: .seconds(30)) == [])
        #expect(bench.take("OL CHRG") == [.outageEnded(a)])
        // The next outage waits from its own beginning.
        #expect(bench.take("OB", after: .seconds(20)) == [.outageBegan(a)])
        #expect(bench.take("OB", after: .seconds(59)) == [])
    }

    @Test func `OB LB triggers as soon as a second look says so`() {
        var bench = Bench()
        #expect(bench.take("OL") == [])
        #expect(bench.take("OB LB") == [.outageBegan(a), .readAgain([a])])
        #expect(
            bench.take("OB LB", after: .milliseconds(100)) == [
                .trigger([c], [cause(a, .lowBattery)])
            ])
        #expect(bench.take("OB LB") == [])
        #expect(bench.decider.triggered == [c])
    }

    @Test func `mains that are back at the second look mean no run`() {
        var bench = Bench()
        #expect(bench.take("OB LB") == [.outageBegan(a), .readAgain([a])])
        #expect(
            bench.take("OL") == [.outageEnded(a), .notConfirmed(cause(a, .lowBattery))])
        #expect(bench.decider.triggered == [])
    }

    @Test func `a low battery that is gone at the second look waits on, and may trigger later`() {
        var bench = Bench()
        _ = bench.take("OB")
        #expect(bench.take("OB LB") == [.readAgain([a])])
        #expect(bench.take("OB") == [.notConfirmed(cause(a, .lowBattery))])
        #expect(bench.take("OB LB") == [.readAgain([a])])
        #expect(bench.take("OB LB") == [.trigger([c], [cause(a, .lowBattery)])])
    }

    @Test func `silence at the second look is no confirmation, but the outage is not forgotten`() {
        var bench = Bench()
        #expect(bench.take("OB LB") == [.outageBegan(a), .readAgain([a])])
        #expect(
            bench.take(nil) == [
                .unreadable(a, problem: "silent"), .notConfirmed(cause(a, .lowBattery)),
            ])
        #expect(bench.take(nil, after: .seconds(23)) == [])
        #expect(bench.take(nil, after: .seconds(2)) == [.readAgain([a])])
        #expect(
            bench.take(nil) == [.trigger([c], [cause(a, .silentOnBattery(.seconds(25)))])])
    }

    @Test func `FSD triggers only together with OB`() {
        var bench = Bench()
        #expect(bench.take("FSD OL") == [.staleForcedShutdown(a)])
        #expect(bench.take("FSD OL") == [])
        #expect(bench.take("FSD OL", after: .seconds(3600)) == [.supplied([c])])
        #expect(bench.decider.triggered == [])
        #expect(bench.take("FSD OB") == [.outageBegan(a), .readAgain([a])])
        #expect(bench.take("FSD OB") == [.trigger([c], [cause(a, .forcedShutdown)])])
    }

    @Test func `FSD on battery that is FSD on line at the second look is stale`() {
        var bench = Bench()
        #expect(bench.take("FSD OB") == [.outageBegan(a), .readAgain([a])])
        #expect(
            bench.take("FSD OL") == [
                .outageEnded(a), .staleForcedShutdown(a), .notConfirmed(cause(a, .forcedShutdown)),
            ])
    }

    @Test func `time, runtime and charge trigger as policy says`() {
        var bench = Bench(
            trigger: TriggerPolicy(
                onBatteryFor: .seconds(60), runtimeBelow: .seconds(300), chargeBelowPercent: 40))
        _ = bench.take("OB", runtime: .seconds(900), charge: 90)
        #expect(bench.take("OB", runtime: .seconds(300), charge: 90) == [.readAgain([a])])
        #expect(
            bench.take("OB", runtime: .seconds(299), charge: 90)
                == [.trigger([c], [cause(a, .runtimeBelow(.seconds(300)))])])

        var charge = Bench(trigger: TriggerPolicy(chargeBelowPercent: 40))
        _ = charge.take("OB", charge: 41)
        #expect(charge.take("OB", charge: 40) == [.readAgain([a])])
        #expect(
            charge.take("OB", charge: 40) == [.trigger([c], [cause(a, .chargeBelowPercent(40))])])

        var time = Bench()
        _ = time.take("OB")
        #expect(time.take("OB", after: .seconds(60)) == [.readAgain([a])])
        #expect(
            time.take("OB") == [.trigger([c], [cause(a, .onBatteryFor(.seconds(60)))])])
    }

    @Test func `a feed that was never read, or goes silent on line, triggers nothing`() {
        var bench = Bench()
        #expect(bench.take(nil) == [.unreadable(a, problem: "silent")])
        #expect(bench.take(nil, after: .seconds(3600)) == [])
        #expect(bench.take("OL") == [.readable(a)])
        #expect(bench.take(nil, after: .seconds(10)) == [.unreadable(a, problem: "silent")])
        #expect(bench.take(nil, after: .seconds(3600)) == [])
        #expect(bench.decider.triggered == [])
    }

    @Test func `a cluster on two feeds is triggered by the second, read again with the first`() {
        var bench = Bench(feeds: [a, b], clusters: [c: [[a, b]]])
        _ = bench.take("OL", of: a)
        _ = bench.take("OL", of: b)
        #expect(bench.take("OB LB", of: a) == [.outageBegan(a), .readAgain([a])])
        #expect(bench.take("OB LB", of: a) == [])
        #expect(bench.take("OB LB", of: b) == [.outageBegan(b), .readAgain([b, a])])
        // b says so still, but a has not been read since.
        #expect(bench.take("OB LB", of: b) == [.readAgain([a])])
        #expect(
            bench.take("OB LB", of: a)
                == [.trigger([c], [cause(a, .lowBattery), cause(b, .lowBattery)])])
    }

    @Test func `a first feed that is back at the second look saves the cluster`() {
        var bench = Bench(feeds: [a, b], clusters: [c: [[a, b]]])
        _ = bench.take("OB LB", of: a)
        _ = bench.take("OB LB", of: a)
        _ = bench.take("OB LB", of: b)
        #expect(bench.take("OB LB", of: b) == [.readAgain([a])])
        #expect(bench.take("OL", of: a) == [.outageEnded(a)])
        #expect(bench.decider.triggered == [])
    }

    @Test func `only what hangs on the feed is at risk, and the whole when all of it is`() {
        let d = ClusterName("d")
        var bench = Bench(feeds: [a, b], clusters: [c: [[a], [b]], d: [[b], [b]]])
        _ = bench.take("OB LB", of: a)
        let low = [cause(a, .lowBattery)]
        #expect(bench.take("OB LB", of: a) == [.hostsAtRisk(c, [HostName("c-0")], low)])
        #expect(bench.take("OB LB", of: a) == [])
        #expect(bench.decider.triggered == [])
        _ = bench.take("OB LB", of: b)
        // All of d hangs on b alone; for the rest of c a must say so once more too.
        #expect(
            bench.take("OB LB", of: b) == [
                .readAgain([a]), .trigger([d], [cause(b, .lowBattery)]),
            ])
        #expect(
            bench.take("OB LB", of: a)
                == [.trigger([c], low + [cause(b, .lowBattery)])])
        #expect(bench.decider.triggered == [c, d])
    }

    @Test func `hosts at risk whose feed is back are relieved`() {
        var bench = Bench(feeds: [a, b], clusters: [c: [[a], [b]]])
        _ = bench.take("OL", of: b)
        _ = bench.take("OB LB", of: a)
        _ = bench.take("OB LB", of: a)
        #expect(bench.take("OL", of: a) == [.outageEnded(a), .relieved([c])])
        #expect(bench.decider.condemned == [:])
    }

    // MARK: Shedding

    /// Two tiers: the first goes after 10 s on battery, the second at 300 s of runtime.
    private static let shed = [
        ShedTrigger(onBatteryFor: .seconds(10)), ShedTrigger(runtimeBelow: .seconds(300)), nil,
    ]
    private let t0 = TierName("t0")
    private let t1 = TierName("t1")

    @Test func `each tier is shed once, by its own trigger, when a second look says so`() {
        var bench = Bench(
            trigger: TriggerPolicy(chargeBelowPercent: 20), shed: Self.shed)
        #expect(bench.take("OB", runtime: .seconds(900)) == [.outageBegan(a)])
        #expect(bench.take("OB", after: .seconds(9)) == [])
        #expect(bench.take("OB") == [.readAgain([a])])
        #expect(bench.take("OB") == [.shed(c, [t0], [cause(a, .onBatteryFor(.seconds(10)))])])
        #expect(bench.take("OB") == [])
        #expect(bench.take("OB", runtime: .seconds(300)) == [.readAgain([a])])
        #expect(bench.take("OB", runtime: .seconds(301)) == [], "the second look says no")
        #expect(bench.take("OB", runtime: .seconds(299)) == [.readAgain([a])])
        #expect(
            bench.take("OB", runtime: .seconds(299))
                == [.shed(c, [t1], [cause(a, .runtimeBelow(.seconds(300)))])])
        // The cluster's own trigger follows as if nothing had been shed.
        #expect(bench.take("OB", charge: 20) == [.readAgain([a])])
        #expect(
            bench.take("OB", charge: 20) == [.trigger([c], [cause(a, .chargeBelowPercent(20))])])
    }

    @Test(arguments: ["OL", nil])
    func `a tier is not shed when the second look does not say so`(_ second: String?) {
        var bench = Bench(trigger: TriggerPolicy(), shed: Self.shed)
        _ = bench.take("OB")
        #expect(bench.take("OB", after: .seconds(10)) == [.readAgain([a])])
        _ = bench.take(second)
        #expect(bench.decider.shedding == [:])
    }

    @Test func `a tier is shed only when its host would lose its power by that feed`() {
        var bench = Bench(
            feeds: [a, b], trigger: TriggerPolicy(), clusters: [c: [[a, b]]], shed: Self.shed)
        _ = bench.take("OL", of: b)
        _ = bench.take("OB", of: a)
        _ = bench.take("OB", of: a, after: .seconds(60))
        #expect(bench.take("OB", of: a) == [])
        // Both feeds then: each is read again before it counts.
        #expect(bench.take("OB", of: b) == [.outageBegan(b), .readAgain([a])])
        #expect(
            bench.take("OB", of: a) == [.shed(c, [t0], [cause(a, .onBatteryFor(.seconds(10)))])])
    }

    @Test func `what was shed is relieved by the mains and restored when they stay`() {
        var bench = Bench(trigger: TriggerPolicy(), shed: Self.shed)
        _ = bench.take("OB")
        _ = bench.take("OB", after: .seconds(10))
        _ = bench.take("OB")
        #expect(bench.decider.shedding == [c: [t0]])
        #expect(bench.take("OL") == [.outageEnded(a), .relieved([c])])
        #expect(bench.decider.shedding == [:])
        #expect(bench.take("OL", after: .seconds(60)) == [.supplied([c])])
    }

    @Test func `a cluster that was triggered is not shed any more`() {
        var bench = Bench(trigger: TriggerPolicy(), shed: Self.shed)
        _ = bench.take("OB LB")
        _ = bench.take("OB LB")
        #expect(bench.decider.triggered == [c])
        _ = bench.take("OB LB", after: .seconds(60))
        #expect(bench.take("OB LB") == [])
    }

    // MARK: Feeds that disagree

    @Test func `feeds that disagree for a while are told once`() {
        var bench = Bench(feeds: [a, b], trigger: TriggerPolicy(), clusters: [c: [[a, b]]])
        _ = bench.take("OL", of: b)
        _ = bench.take("OB", of: a)
        #expect(bench.take("OL", of: b, after: .seconds(9)) == [])
        #expect(bench.take("OL", of: b) == [.disagree(c, onBattery: [a], onLine: [b])])
        #expect(bench.take("OB", of: a) == [])
        _ = bench.take("OL", of: a)
        _ = bench.take("OB", of: a)
        #expect(
            bench.take("OB", of: a, after: .seconds(10))
                == [.disagree(c, onBattery: [a], onLine: [b])])
    }

    @Test func `feeds that notice an outage some seconds apart do not disagree`() {
        var bench = Bench(feeds: [a, b], trigger: TriggerPolicy(), clusters: [c: [[a, b]]])
        _ = bench.take("OL", of: b)
        _ = bench.take("OB", of: a)
        _ = bench.take("OB", of: b, after: .seconds(8))
        #expect(bench.take("OB", of: a, after: .seconds(60)) == [])
    }

    // MARK: Charge

    @Test func `a restore waits for the charge the site file wants`() {
        var bench = Bench(trigger: TriggerPolicy(restoreAtPercent: 40))
        _ = bench.take("OB LB", charge: 5)
        _ = bench.take("OB LB", charge: 5)
        _ = bench.take("OL CHRG", charge: 6)
        #expect(
            bench.take("OL CHRG", after: .seconds(60), charge: 39)
                == [.waitsForCharge(a, percent: 39, wanted: 40)])
        #expect(bench.take("OL CHRG", after: .seconds(600), charge: 39) == [])
        #expect(bench.take("OL CHRG", charge: 40) == [.supplied([c])])
    }

    @Test func `a battery that never charges does not hold a restore up for ever`() {
        var bench = Bench(trigger: TriggerPolicy(restoreAtPercent: 40))
        _ = bench.take("OB LB", charge: 5)
        _ = bench.take("OB LB", charge: 5)
        _ = bench.take("OL", charge: 5)
        _ = bench.take("OL", after: .seconds(60), charge: 5)
        // A gap in the readings begins the stable time anew, not this.
        _ = bench.take(nil, after: .seconds(4 * 3600 - 200))
        _ = bench.take("OL", after: .seconds(40), charge: 5)
        #expect(
            bench.take("OL", after: .seconds(100), charge: 5) == [
                .chargeOverdue(a, percent: 5, wanted: 40), .supplied([c]),
            ])
        #expect(bench.take("OL", charge: 5) == [])
    }

    @Test func `a UPS that gives no charge is not waited for, another feed that gives one is`() {
        var one = Bench(trigger: TriggerPolicy(restoreAtPercent: 40))
        _ = one.take("OL")
        #expect(one.take("OL", after: .seconds(60)) == [.supplied([c])])

        var two = Bench(
            feeds: [a, b], trigger: TriggerPolicy(restoreAtPercent: 40), clusters: [c: [[a, b]]])
        _ = two.take("OL", of: a, charge: 10)
        _ = two.take("OL", of: b, charge: 90)
        _ = two.take("OL", of: a, after: .seconds(60), charge: 10)
        #expect(two.take("OL", of: b, charge: 90) == [])
        #expect(two.take("OL", of: a, charge: 40) == [.supplied([c])])
    }

    @Test func `mains that return during a run are reported, and a restore when they stay`() {
        var bench = Bench()
        _ = bench.take("OB LB")
        _ = bench.take("OB LB")
        #expect(bench.take("OL CHRG") == [.outageEnded(a), .relieved([c])])
        #expect(bench.decider.triggered == [])
        #expect(bench.take("OL CHRG", after: .seconds(59)) == [])
        #expect(bench.take("OL CHRG") == [.supplied([c])])
        #expect(bench.take("OL CHRG") == [])
        // A second outage is a new one.
        #expect(bench.take("OB LB") == [.outageBegan(a), .readAgain([a])])
        #expect(bench.take("OB LB") == [.trigger([c], [cause(a, .lowBattery)])])
    }

    @Test func `the time since the mains are back is told until it suffices`() {
        var decider = OutageDecider(site: site(feeds: [a], clusters: [c: [[a]]]))
        func take(_ status: String, _ at: Int) -> [OutageDecider.Decision] {
            decider.take(reading(status), of: a, at: .seconds(at))
        }
        _ = take("OB", 0)
        #expect(take("OL", 10) == [.outageEnded(a), .mains(a, stableFor: .zero)])
        #expect(take("OL", 40) == [.mains(a, stableFor: .seconds(30))])
        #expect(take("OL", 70) == [.mains(a, stableFor: .seconds(60)), .supplied([c])])
        #expect(take("OL", 72) == [])
    }

    @Test func `a gap in the readings starts the stable time again`() {
        var bench = Bench()
        _ = bench.take("OB")
        _ = bench.take("OL")
        _ = bench.take(nil, after: .seconds(30))
        #expect(bench.take("OL", after: .seconds(100)) == [.readable(a)])
        #expect(bench.take("OL", after: .seconds(59)) == [])
        #expect(bench.take("OL") == [.supplied([c])])
    }

    @Test func `clusters count as supplied once after the start`() {
        var bench = Bench()
        #expect(bench.take("OL") == [])
        #expect(bench.take("OL", after: .seconds(60)) == [.supplied([c])])
        #expect(bench.take("OL", after: .seconds(60)) == [])
    }

    @Test func `a cluster that kept one of its two feeds is not restored`() {
        var bench = Bench(feeds: [a, b], clusters: [c: [[a, b]]])
        _ = bench.take("OL", of: a)
        #expect(bench.take("OL", of: a, after: .seconds(60)) == [.supplied([c])])
        _ = bench.take("OL", of: b)
        #expect(bench.take("OB", of: a) == [.outageBegan(a)])
        #expect(
            bench.take("OL", of: b, after: .seconds(60))
                == [.disagree(c, onBattery: [a], onLine: [b])])
        #expect(bench.take("OL", of: a) == [.outageEnded(a)])
        #expect(bench.take("OL", of: a, after: .seconds(60)) == [])
    }

    @Test func `in every history of four readings a trigger had two looks that say so`() {
        let statuses: [String?] = ["OL", "OB", "OB LB", "FSD OL", "FSD OB", "DISCHRG", nil]
        var triggers = 0
        for history in sequences(of: statuses, length: 4) {
            var bench = Bench()
            for (place, status) in history.enumerated() {
                let decisions = bench.take(status)
                let triggered = decisions.contains {
                    if case .trigger = $0 { true } else { false }
                }
                guard triggered else { continue }
                triggers += 1
                let looks = place > 0 ? history[(place - 1)...place] : []
                let urgent = looks.filter { $0 == "OB LB" || $0 == "FSD OB" }
                #expect(urgent.count == 2, "\(history)")
            }
        }
        #expect(triggers > 0)
    }

    private func sequences(of values: [String?], length: Int) -> [[String?]] {
        guard length > 0 else { return [[]] }
        return sequences(of: values, length: length - 1).flatMap { head in
            values.map { head + [$0] }
        }
    }
}
