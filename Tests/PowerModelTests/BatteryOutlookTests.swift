import PowerModel
import Testing

/// When a cluster is expected to lose its power.
struct BatteryOutlookTests {
    static let a = FeedName("a")
    static let b = FeedName("b")

    /// One host on these feeds.
    static func outlook(
        _ names: [FeedName] = [a], needed: Int = 1, assumed: Duration? = nil,
        mainsFailNow: Bool = false
    ) -> BatteryOutlook {
        var site = Fixture().site
        site.hosts = [site.hosts[0]]
        site.hosts[0].feeds = names
        site.hosts[0].feedsNeeded = needed
        site.limits.margin = .seconds(60)
        let feeds = names.map { name in
            Feed(
                name: name, server: Endpoint(host: "h", port: 3493), ups: "u",
                assumedRuntime: assumed)
        }
        return BatteryOutlook(of: site, feeds: feeds, ifMainsFailNow: mainsFailNow)
    }

    static func reading(_ status: String, _ runtime: Int? = nil) -> FeedReading {
        FeedReading(status: UPSStatus(status), runtime: runtime.map { .seconds($0) })
    }

    @Test func `the deadline is the newest runtime less the margin`() {
        var outlook = Self.outlook()
        #expect(outlook.deadline == nil)
        outlook.take(Self.reading("OB", 600), of: Self.a, at: .seconds(100))
        #expect(outlook.deadline == .seconds(640))
        // It falls faster than time goes on, then rises.
        outlook.take(Self.reading("OB", 300), of: Self.a, at: .seconds(110))
        #expect(outlook.deadline == .seconds(350))
        outlook.take(Self.reading("OB", 500), of: Self.a, at: .seconds(120))
        #expect(outlook.deadline == .seconds(560))
        // One that cannot be read goes on draining; one that is on line power does not.
        outlook.take(FeedReading(status: nil, problem: "x"), of: Self.a, at: .seconds(130))
        #expect(outlook.deadline == .seconds(560))
        outlook.take(Self.reading("OL CHRG", 500), of: Self.a, at: .seconds(140))
        #expect(outlook.deadline == nil)
    }

    @Test func `where the UPS gives no runtime the assumed one counts from the outage on`() {
        var outlook = Self.outlook(assumed: .seconds(900))
        outlook.take(Self.reading("OB"), of: Self.a, at: .seconds(100))
        outlook.take(Self.reading("OB"), of: Self.a, at: .seconds(200))
        #expect(outlook.deadline == .seconds(940))
        outlook.take(Self.reading("OB"), of: Self.a, at: .seconds(200), onBatterySince: .zero)
        #expect(outlook.deadline == .seconds(840))
        var unknown = Self.outlook()
        unknown.take(Self.reading("OB"), of: Self.a, at: .seconds(100))
        #expect(unknown.deadline == nil)
    }

    @Test func `a runtime of nothing counts only with a low battery`() {
        var outlook = Self.outlook(assumed: .seconds(900))
        outlook.take(Self.reading("OB", 0), of: Self.a, at: .zero)
        #expect(outlook.deadline == .seconds(840))
        outlook.take(Self.reading("OB LB", 0), of: Self.a, at: .zero)
        #expect(outlook.deadline == .seconds(-60))
    }

    @Test func `a host on two feeds goes with the one it cannot do without`() {
        for (needed, alone, both) in [(1, Duration?.none, 540), (2, .seconds(240), 240)] {
            var outlook = Self.outlook([Self.a, Self.b], needed: needed)
            outlook.take(Self.reading("OB", 300), of: Self.a, at: .zero)
            outlook.take(Self.reading("OL", 600), of: Self.b, at: .zero)
            #expect(outlook.deadline == alone)
            outlook.take(Self.reading("OB", 600), of: Self.b, at: .zero)
            #expect(outlook.deadline == .seconds(both))
        }
    }

    @Test func `on line power a plan asks what would be if the mains failed now`() {
        var outlook = Self.outlook(mainsFailNow: true)
        outlook.take(Self.reading("OL", 600), of: Self.a, at: .seconds(5))
        #expect(outlook.deadline == .seconds(545))
    }
}
