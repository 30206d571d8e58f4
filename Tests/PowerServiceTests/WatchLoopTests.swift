import PowerModel
import PowerService
import Testing

@Suite struct WatchLoopTests {
    /// A pace at which nothing but the first reading and events makes it look.
    static var slow: WatchPace {
        var pace = WatchPace()
        pace.interval = .seconds(3600)
        pace.intervalOnBattery = .seconds(3600)
        return pace
    }

    private static let a = FeedName("a")
    private static let b = FeedName("b")
    private static let c = ClusterName("c")

    /// Runs a loop over these feeds while the body runs.
    private func watching(
        _ feeds: [ScriptedFeed], pace: WatchPace = slow,
        _ body: (RecordingHandler, EventInbox, WatchLoop) async throws -> Void
    ) async throws {
        let handler = RecordingHandler()
        let inbox = EventInbox()
        let loop = WatchLoop(
            site: site(feeds: feeds.map(\.feed), clusters: [Self.c: [[feeds[0].feed]]]),
            feeds: feeds, inbox: inbox, handler: handler, pace: pace, logger: quiet)
        let running = Task { try await loop.run() }
        try await body(handler, inbox, loop)
        running.cancel()
        try await running.value
    }

    @Test func `an event makes it look at once, and the second look follows at once`() async throws
    {
        let feed = ScriptedFeed(Self.a, status: "OL")
        try await watching([feed]) { handler, inbox, _ in
            #expect(try await eventually { feed.reads == 1 })
            feed.say("OB LB")
            let before = SystemTime().elapsed
            inbox.put(.live(event("ONBATT")))
            #expect(try await eventually { handler.all.count == 2 })
            #expect(handler.all == ["began a", "trigger [c] [a: the battery is low]"])
            let triggeredAt = try #require(handler.triggeredAt)
            #expect(triggeredAt - before < .seconds(2))
            #expect(feed.reads == 3)
        }
    }

    @Test(arguments: ["FSD", "LOWBATT", "SHUTDOWN", "ONBATT"])
    func `an event alone never triggers`(_ type: String) async throws {
        let feed = ScriptedFeed(Self.a, status: "OL")
        try await watching([feed]) { handler, inbox, _ in
            #expect(try await eventually { feed.reads == 1 })
            inbox.put(.live(event(type)))
            #expect(try await eventually { feed.reads == 2 })
            try await Task.sleep(for: .milliseconds(300))
            #expect(handler.all == [])
        }
    }

    @Test func `events of the past are handed on, and not even looked after`() async throws {
        let feed = ScriptedFeed(Self.a, status: "OL")
        try await watching([feed]) { handler, inbox, _ in
            #expect(try await eventually { feed.reads == 1 })
            inbox.put(.history(event("FSD"), .earlierBoot))
            inbox.put(.unreadable(.cutShort))
            #expect(try await eventually { handler.noticed.count == 2 })
            try await Task.sleep(for: .milliseconds(300))
            #expect(feed.reads == 1)
            #expect(handler.all == [])
        }
    }

    @Test func `a flood of events is a few readings`() async throws {
        let feed = ScriptedFeed(Self.a, status: "OL")
        try await watching([feed]) { handler, inbox, _ in
            #expect(try await eventually { feed.reads == 1 })
            let before = SystemTime().elapsed
            for _ in 0..<1000 { inbox.put(.live(event("ONBATT"))) }
            #expect(try await eventually { handler.noticed.count == 1000 })
            try await Task.sleep(for: .milliseconds(300))
            let gaps = (SystemTime().elapsed - before) / .milliseconds(100)
            #expect(Double(feed.reads) <= gaps + 2)
            #expect(feed.reads >= 2)
        }
    }

    @Test func `a feed that hangs is silent, and holds no other up`() async throws {
        let stuck = ScriptedFeed(Self.b, status: "OL", hangs: true)
        let feed = ScriptedFeed(Self.a, status: "OL")
        var pace = Self.slow
        pace.interval = .milliseconds(200)
        pace.readLimit = .milliseconds(300)
        try await watching([feed, stuck], pace: pace) { (handler, _, loop) async throws -> Void in
            #expect(try await eventually { handler.all == ["unreadable b"] })
            feed.say("OB")
            #expect(try await eventually { handler.all == ["unreadable b", "began a"] })
            #expect(stuck.reads == 1)
            #expect(loop.state.feeds[Self.b]?.latest?.status == nil)
            #expect(loop.state.feeds[Self.a]?.latest?.status == UPSStatus("OB"))
        }
    }

    @Test func `it looks by itself, faster on battery`() async throws {
        let feed = ScriptedFeed(Self.a, status: "OL")
        var pace = WatchPace()
        pace.interval = .milliseconds(700)
        pace.intervalOnBattery = .milliseconds(150)
        try await watching([feed], pace: pace) { handler, _, _ in
            feed.say("OB")
            #expect(try await eventually { handler.all == ["began a"] })
            let before = feed.reads
            try await Task.sleep(for: .milliseconds(1400))
            // Two at the slow pace; nine at the fast one, less what a busy machine costs.
            #expect(feed.reads - before >= 4)
        }
    }
}
