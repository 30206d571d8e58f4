import PowerModel
import Testing

/// The watch against an oracle: facts/nut.md 1.6 and facts 4 and 5, and the design's section 5.8,
/// said anew over the whole list of readings.
struct FeedWatchTests {
    /// One reading a second; nil is silence.
    static let alphabet: [String?] = [
        "OL", "OB", "OB LB", "FSD OL", "OB FSD", "OL BYPASS", "WAIT", nil,
    ]

    private static let policy = TriggerPolicy(onBatteryFor: .seconds(3), silentFor: .seconds(2))

    /// What the last of these readings, one a second, must lead to: found by looking back.
    private static func oracle(_ readings: [String?]) -> FeedWatch.Decision {
        let words = readings.map { ($0 ?? "").split(separator: " ").map(String.init) }
        let now = words.count - 1
        func off(_ second: Int) -> Bool { words[second].contains("OB") }
        func on(_ second: Int) -> Bool { words[second].contains("OL") && !off(second) }
        // The present stretch: since the mains were last said to be there.
        let lastOn = words.indices.dropLast().last(where: on)
        let stretch = ((lastOn ?? -1) + 1)..<now
        let wasOff = stretch.contains(where: off)
        if on(now) {
            // Reported when FSD is new in what was said of the mains.
            let before = words.indices.dropLast().last { on($0) || off($0) }
            let known = before.map { on($0) && words[$0].contains("FSD") } ?? false
            if words[now].contains("FSD"), !known {
                return .staleForcedShutdown(endsOutage: wasOff)
            }
            return wasOff ? .outageEnded : .none
        }
        func reason(at second: Int) -> FeedWatch.Reason? {
            guard let began = stretch.first(where: off) ?? (off(now) ? now : nil),
                second >= began
            else { return nil }
            if off(second) {
                if words[second].contains("FSD") { return .forcedShutdown }
                if words[second].contains("LB") { return .lowBattery }
                return second - began >= 3 ? .onBatteryFor(.seconds(3)) : nil
            }
            let seen = (began...second).last(where: off) ?? began
            return second - seen >= 2 ? .silentOnBattery(.seconds(2)) : nil
        }
        let given = stretch.contains { reason(at: $0) != nil }
        if let reason = reason(at: now) { return given ? .none : .trigger(reason) }
        return off(now) && !wasOff ? .outageBegan : .none
    }

    private static func decisions(
        _ readings: [String?], _ policy: TriggerPolicy = policy
    ) -> (decisions: [FeedWatch.Decision], watch: FeedWatch) {
        var watch = FeedWatch(policy: policy)
        let decisions = readings.enumerated().map { second, text in
            watch.take(reading(text), at: .seconds(100 + second))
        }
        return (decisions, watch)
    }

    private static func reading(_ text: String?) -> FeedReading {
        FeedReading(status: text.map { UPSStatus($0) }, problem: text == nil ? "silent" : nil)
    }

    /// All lists of this length.
    private static func sequences(_ length: Int) -> [[String?]] {
        if length == 0 { return [[]] }
        return sequences(length - 1).flatMap { start in alphabet.map { start + [$0] } }
    }

    @Test func `every list of up to four readings leads to what the oracle says`() {
        var count = 0
        for length in 1...4 {
            for readings in Self.sequences(length) {
                count += 1
                let last = Self.decisions(readings).decisions.last
                let wanted = Self.oracle(readings)
                if last != wanted {
                    Issue.record("\(readings): \(String(describing: last)), not \(wanted)")
                }
            }
        }
        #expect(count == 8 + 64 + 512 + 4096)
    }

    @Test func `an outage has one trigger at most, and calm readings none`() {
        for readings in Self.sequences(5) {
            var triggers = 0
            var wasOnBattery = false
            var watch = FeedWatch(policy: Self.policy)
            for (second, text) in readings.enumerated() {
                let status = UPSStatus(text ?? "")
                if status.onLine { triggers = 0 }
                wasOnBattery = status.onBattery || (wasOnBattery && !status.onLine)
                if case .trigger = watch.take(Self.reading(text), at: .seconds(second)) {
                    triggers += 1
                    if !wasOnBattery { Issue.record("\(readings): not on battery") }
                }
                if triggers > 1 { Issue.record("\(readings): twice") }
            }
        }
    }

    @Test func `a false alarm changes nothing`() {
        let (decisions, watch) = Self.decisions(["OL", "OB", "OL"])
        #expect(decisions == [.none, .outageBegan, .outageEnded])
        #expect(!watch.triggered)
        #expect(watch.isHealthy)
        #expect(watch.mainsStable(at: .seconds(105)) == .seconds(3))
        // The next outage counts its time from its own beginning.
        let again = Self.decisions(["OB", "OB", "OL", "OB", "OB", "OB", "OB"]).decisions
        #expect(again[3...] == [.outageBegan, .none, .none, .trigger(.onBatteryFor(.seconds(3)))])
    }

    @Test func `silence after OB triggers after its time and silence after OL never does`() {
        let policy = TriggerPolicy(silentFor: .seconds(25))
        var watch = FeedWatch(policy: policy)
        #expect(watch.take(Self.reading("OB"), at: .zero) == .outageBegan)
        #expect(watch.take(Self.reading(nil), at: .milliseconds(24_999)) == .none)
        #expect(
            watch.take(Self.reading(nil), at: .seconds(25))
                == .trigger(.silentOnBattery(.seconds(25))))
        #expect(!watch.isHealthy)
        var calm = FeedWatch(policy: policy)
        #expect(calm.take(Self.reading("OL"), at: .zero) == .none)
        var never = FeedWatch(policy: policy)
        for second in 1...1000 {
            #expect(calm.take(Self.reading(nil), at: .seconds(second)) == .none)
            #expect(never.take(Self.reading(nil), at: .seconds(second)) == .none)
        }
        #expect(calm.isHealthy)
        #expect(never.isHealthy)
        #expect(never.mainsStable(at: .seconds(1000)) == nil)
    }

    @Test func `a stale FSD on line power is reported once and obeyed on battery`() {
        let (decisions, watch) = Self.decisions(
            ["FSD OL", "FSD OL", "OL", "FSD OL", nil, "FSD OL", "FSD OB"])
        #expect(
            decisions == [
                .staleForcedShutdown(endsOutage: false), .none, .none,
                .staleForcedShutdown(endsOutage: false), .none, .none,
                .trigger(.forcedShutdown),
            ])
        #expect(watch.triggered)
    }

    @Test func `a trigger that was withdrawn comes again with the next reading`() {
        var watch = FeedWatch(policy: Self.policy)
        #expect(watch.take(Self.reading("OB LB"), at: .zero) == .trigger(.lowBattery))
        watch.withdrawTrigger()
        #expect(watch.isHealthy)
        #expect(watch.take(Self.reading("OB LB"), at: .seconds(1)) == .trigger(.lowBattery))
        #expect(watch.take(Self.reading("OB LB"), at: .seconds(2)) == .none)
    }

    @Test(arguments: [
        (Duration?.some(.seconds(121)), Int?.some(51), FeedWatch.Decision.outageBegan),
        (.seconds(120), 51, .trigger(.runtimeBelow(.seconds(120)))),
        (.seconds(121), 50, .trigger(.chargeBelowPercent(50))),
        (.zero, nil, .trigger(.runtimeBelow(.seconds(120)))),
        (nil, nil, .outageBegan),
    ])
    func `runtime and charge trigger at their bounds and absent values never do`(
        runtime: Duration?, charge: Int?, wanted: FeedWatch.Decision
    ) {
        let policy = TriggerPolicy(runtimeBelow: .seconds(120), chargeBelowPercent: 50)
        var watch = FeedWatch(policy: policy)
        let reading = FeedReading(
            status: UPSStatus("OB DISCHRG"), runtime: runtime, chargePercent: charge)
        #expect(watch.take(reading, at: .zero) == wanted)
        // On line power they say nothing.
        var online = FeedWatch(policy: policy)
        let calm = FeedReading(status: UPSStatus("OL"), runtime: runtime, chargePercent: charge)
        #expect(online.take(calm, at: .zero) == .none)
    }
}

struct UPSStatusTests {
    @Test(arguments: [
        ("OL", true, false, false, false), ("OB", false, true, false, false),
        ("OL OB", false, true, false, false), ("ALARM OB LB", false, true, true, false),
        ("FSD ALARM OB LB FSD", false, true, true, true), ("FSD OL CHRG", true, false, false, true),
        ("OL DISCHRG", true, false, false, false), ("DISCHRG", false, false, false, false),
        ("OL BYPASS", true, false, false, false), ("WAIT", false, false, false, false),
        ("OFF", false, false, false, false), ("", false, false, false, false),
        // Not tokens: parts of words, other case.
        ("OLB FSDX ob", false, false, false, false),
    ])
    func `tokens mean what NUT says`(
        text: String, onLine: Bool, onBattery: Bool, low: Bool, forced: Bool
    ) {
        let status = UPSStatus(text)
        #expect(status.onLine == onLine)
        #expect(status.onBattery == onBattery)
        #expect(status.lowBattery == low)
        #expect(status.forcedShutdown == forced)
    }

    @Test func `repeats go and unknown tokens stay in order`() {
        #expect(UPSStatus("FSD  NEW OB FSD ").tokens == ["FSD", "NEW", "OB"])
        #expect("\(UPSStatus(" OB  LB "))" == "OB LB")
    }

    @Test(arguments: [
        (FeedWatch.Reason.onBatteryFor(.seconds(300)), "on battery for 5m"),
        (.runtimeBelow(.milliseconds(1500)), "no more than 1.5s of runtime left"),
        (.silentOnBattery(.seconds(5400)), "silent for 90m since it was seen on battery"),
    ])
    func `a reason is told as an operator would say it`(_ reason: FeedWatch.Reason, _ told: String)
    {
        #expect(reason.description == told)
    }
}
