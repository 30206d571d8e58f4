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
        clusters: [ClusterName: [[FeedName]]] = [ClusterName("c"): [[FeedName("a")]]]
    ) {
        decider = OutageDecider(site: site(feeds: feeds, trigger: trigger, clusters: clusters))
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

    @Test func `only the clusters that hang on the feed are triggered`() {
        let d = ClusterName("d")
        var bench = Bench(feeds: [a, b], clusters: [c: [[a], [b]], d: [[b], [b]]])
        _ = bench.take("OB LB", of: a)
        #expect(bench.take("OB LB", of: a) == [.trigger([c], [cause(a, .lowBattery)])])
        _ = bench.take("OB LB", of: b)
        #expect(
            bench.take("OB LB", of: b)
                == [.trigger([d], [cause(b, .lowBattery)])])
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
        #expect(bench.take("OL", of: b, after: .seconds(60)) == [])
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
