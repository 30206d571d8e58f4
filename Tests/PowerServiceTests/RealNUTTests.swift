import NUT
import PowerModel
import PowerService
import Testing

/// vpower's watch beside a real NUT: upsd, dummy-ups, upsmon.
@Suite struct RealNUTTests {
    private static let a = FeedName("a")

    /// A watch on this upsd with socket and spool, while the body runs.
    private func watching(
        _ nut: RealNUT, _ body: (RecordingHandler) async throws -> Void
    ) async throws {
        let inbox = EventInbox()
        let socket = try NotifySocket(
            path: nut.scratch.socket, group: nut.group, inbox: inbox)
        let spool = SpoolReader(
            spool: EventSpool(directory: nut.scratch.spool), inbox: inbox, logger: quiet)
        var site = site(
            feeds: [Self.a], trigger: TriggerPolicy(onBatteryFor: .seconds(600)),
            clusters: [ClusterName("c"): [[Self.a]]])
        site.feeds[0].server = Endpoint(host: "127.0.0.1", port: nut.port)
        site.feeds[0].ups = "dummy"
        let feed = UPSDFeed(feed: site.feeds[0], password: nil)
        let handler = RecordingHandler()
        var pace = WatchPace()
        // So slow that only the events can make it look in time.
        pace.interval = .seconds(4)
        let loop = WatchLoop(
            site: site, feeds: [feed], inbox: inbox, handler: handler, pace: pace, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await socket.run() }
            group.addTask { try await spool.run() }
            group.addTask { try await loop.run() }
            try await body(handler)
            group.cancelAll()
            try await group.waitForAll()
        }
        await feed.close()
    }

    @Test func `OB starts, OL cancels, OB LB triggers, and FSD that stays is not obeyed`()
        async throws
    {
        let nut = try await RealNUT(status: "OL CHRG")
        defer { nut.stop() }
        try await watching(nut) { (handler: RecordingHandler) async throws -> Void in
            try nut.startMonitor()
            try await Task.sleep(for: .seconds(2))
            #expect(handler.all == [])

            try await nut.set("OB DISCHRG")
            #expect(try await eventually { handler.all == ["began a"] })
            #expect(try await eventually { handler.types == ["ONBATT"] })
            try await nut.set("OL CHRG")
            #expect(try await eventually { handler.all == ["began a", "ended a"] })
            #expect(try await eventually { handler.types == ["ONBATT", "ONLINE"] })

            try await nut.set("OB DISCHRG LB")
            #expect(try await eventually { handler.all.count == 4 })
            let call = handler.all.last ?? ""
            // upsmon may have set FSD before the second look.
            #expect(
                [
                    "trigger [c] [a: the battery is low]",
                    "trigger [c] [a: FSD is set while on battery]",
                ].contains(call), "\(call)")
            // All of upsmon's events came in, in whatever order, and it ran its SHUTDOWNCMD.
            let rest: Set = ["ONBATT", "LOWBATT", "SHUTDOWN"]
            #expect(
                try await eventually { rest.isSubset(of: Set(handler.types.dropFirst(2))) })
            #expect(try await eventually { nut.shutdowns == 1 })

            try await nut.set("OL CHRG")
            #expect(try await eventually { handler.all.count == 7 })
            #expect(Array(handler.all.dropFirst(4)) == ["ended a", "stale a", "relieved [c]"])
            let status = try await run("upsc", [nut.name, "ups.status"]).output
            #expect(status.contains("FSD OL"))
        }
    }

    @Test func `a boot with yesterday's FSD in the spool and FSD OL at upsd triggers nothing`()
        async throws
    {
        let nut = try await RealNUT(status: "FSD OL")
        defer { nut.stop() }
        let yesterday = event("FSD", boot: "0b0d4ed4-0000-4000-8000-5ca1ab1e0001")
        try nut.scratch.write(yesterday.encoded(), spooledAs: "event-1")
        let earlier = event("SHUTDOWN", age: .seconds(61))
        try nut.scratch.write(earlier.encoded(), spooledAs: "event-2")
        try await watching(nut) { (handler: RecordingHandler) async throws -> Void in
            #expect(try await eventually { handler.noticed.count == 2 && !handler.all.isEmpty })
            // Two more looks.
            try await Task.sleep(for: .seconds(9))
            #expect(handler.all == ["stale a"])
            #expect(handler.noticed.first == .history(yesterday, .earlierBoot))
            guard case .history(earlier, .old) = handler.noticed.last else {
                Issue.record("\(handler.noticed)")
                return
            }
        }
    }

    @Test func `what happens while the daemon is away is in the spool, and is looked after`()
        async throws
    {
        let nut = try await RealNUT(status: "OL CHRG")
        defer { nut.stop() }
        try nut.startMonitor()
        try await Task.sleep(for: .seconds(2))
        try await nut.set("OB DISCHRG LB")
        #expect(try await eventually { nut.shutdowns == 1 })
        try await watching(nut) { (handler: RecordingHandler) async throws -> Void in
            #expect(try await eventually { handler.all.count == 2 })
            #expect(handler.all.first == "began a")
            #expect(handler.all.last?.hasPrefix("trigger [c]") == true)
            let expected: Set = ["ONBATT", "LOWBATT", "SHUTDOWN"]
            #expect(try await eventually { expected.isSubset(of: Set(handler.types)) })
        }
    }
}

extension RecordingHandler {
    /// The types of the events of now, in the order they came in.
    fileprivate var types: [String] {
        noticed.compactMap { if case .live(let event) = $0 { event.type } else { nil } }
    }
}
