import Glibc
import PowerModel
import PowerRun
import PowerStore
import Testing

private let prod = ClusterName("prod")
private let test = ClusterName("test")

@Suite struct HoldTests {
    let scratch: ScratchDirectory
    let book: HoldBook
    private let now = Timestamp(millisecondsSinceEpoch: 1_800_000_000_000)

    init() throws {
        scratch = try ScratchDirectory()
        book = HoldBook(directory: scratch.path)
    }

    private func hold(_ cluster: ClusterName?, _ seconds: Int) -> Hold {
        Hold(cluster: cluster, until: now + .seconds(seconds), reason: "new battery")
    }

    @Test func `a hold is there for its cluster until it is cleared, and the site's for all`()
        throws
    {
        try book.place(hold(prod, 60))
        var page = book.read([prod, test], at: now)
        #expect(page.hold(for: prod) == hold(prod, 60))
        #expect(page.hold(for: test) == nil)
        try book.place(hold(nil, 120))
        page = book.read([prod, test], at: now)
        #expect(page.holds == [hold(nil, 120), hold(prod, 60)])
        #expect(page.hold(for: prod) == hold(nil, 120), "the one that ends last")
        try book.clear(nil)
        try book.clear(nil)
        #expect(book.read([prod, test], at: now).holds == [hold(prod, 60)])
        #expect(page.problems == [])
    }

    @Test func `a new hold takes the place of the old, in a file for its owner alone`() throws {
        try book.place(hold(prod, 60))
        try book.place(hold(prod, 10))
        #expect(book.read([prod], at: now).holds == [hold(prod, 10)])
        #expect(mode(of: "\(scratch.path)/prod.hold") == 0o600)
        #expect(names(in: scratch.path).filter { !$0.hasPrefix(".") } == ["prod.hold"])
    }

    @Test func `a hold ends by itself, and one that is too long is void`() throws {
        try book.place(hold(prod, 60))
        #expect(book.read([prod], at: now + .seconds(59)).holds.count == 1)
        #expect(book.read([prod], at: now + .seconds(60)).holds == [])
        // The clock was set back by a month.
        let page = book.read([prod], at: now + .seconds(-30 * 86_400))
        #expect(page.holds == [])
        #expect(page.problems.count == 1 && page.problems[0].contains("prod.hold"))
    }

    @Test(arguments: ["", "{", "{\"until\":\"x\"}", "\u{0}\u{1}"])
    func `a file that cannot be understood is no hold, and is told`(_ text: String) throws {
        _ = try scratch.write(text, to: "prod.hold")
        let page = book.read([prod], at: now)
        #expect(page.holds == [])
        #expect(page.problems.count == 1 && page.problems[0].contains("counts as no hold"))
    }

    @Test func `a clock that is set back does not make a hold longer`() {
        let hold = hold(prod, 600)
        var watch = HoldWatch()
        #expect(watch.stillOn([hold], wall: now, at: .seconds(10)) == [hold])
        let back = now + .seconds(-3600)
        #expect(watch.stillOn([hold], wall: back, at: .seconds(609)) == [hold])
        #expect(watch.stillOn([hold], wall: back, at: .seconds(610)) == [])
        // Placed anew, it counts anew.
        #expect(watch.stillOn([], wall: back, at: .seconds(611)) == [])
        #expect(watch.stillOn([hold], wall: now, at: .seconds(612)) == [hold])
    }
}

@Suite(.serialized) struct HoldTimeTests {
    /// 2026-11-21 12:00 in UTC.
    private let now = Timestamp(millisecondsSinceEpoch: 1_795_262_400_000)

    @Test(arguments: [
        ("+2h", 7200), ("+90m", 5400), ("+1h30m", 5400), ("+45s", 45), ("14:30", 9000),
        ("12:00", 86_400),
        ("9:05", 75_900), ("2026-11-21T14:30", 9000), ("2026-11-22T00:00", 43_200),
    ])
    func `a person's time is the moment that is meant`(_ text: String, _ seconds: Int) throws {
        let zone = TimeZoneOfTest("UTC")
        #expect(HoldTime.parse(text, now: now) == now + .seconds(seconds))
        withExtendedLifetime(zone) {}
    }

    @Test(arguments: [
        "", "+", "+0m", "2h", "+2", "+h", "+-2h", "+30s2h", "24:00", "12:60", "1230", "12:5", "now",
        "2026-13-01T10:00", "2026-02-30T10:00", "2026-11-21", "2026-11-21 14:30",
        "26-11-21T14:30", "+9999999h", "٣:٠٠",
    ])
    func `what is no time is refused`(_ text: String) {
        #expect(HoldTime.parse(text, now: now) == nil)
    }

    @Test func `times are this machine's own`() {
        let zone = TimeZoneOfTest("Etc/GMT-2")
        #expect(HoldTime.text(now) == "2026-11-21 14:00 +02")
        #expect(HoldTime.parse("14:30", now: now) == now + .seconds(1800))
        withExtendedLifetime(zone) {}
    }
}

/// Another time zone, until it is gone.
private final class TimeZoneOfTest {
    private let before: String?

    init(_ name: String) {
        before = getenv("TZ").map { String(cString: $0) }
        setenv("TZ", name, 1)
        tzset()
    }

    deinit {
        if let before { setenv("TZ", before, 1) } else { unsetenv("TZ") }
        tzset()
    }
}

@Suite struct AbortRequestTests {
    let scratch: ScratchDirectory
    let book: AbortBook
    private let now = Timestamp(millisecondsSinceEpoch: 10)
    private let request = AbortRequest(
        run: RunID("r1"), at: Timestamp(millisecondsSinceEpoch: 5), reason: "false alarm")

    init() throws {
        scratch = try ScratchDirectory()
        book = AbortBook(directory: scratch.path, cluster: prod)
    }

    @Test func `a request is there until it is withdrawn, the mark until it is cleared`() throws {
        #expect(try book.request() == nil)
        try book.ask(request)
        #expect(try book.request() == request)
        #expect(try book.mark(at: now) == nil)
        try book.setMark(request)
        try book.withdraw()
        try book.withdraw()
        #expect(try book.request() == nil)
        #expect(try book.mark(at: now) == request)
        #expect(
            try AbortBook(directory: scratch.path, cluster: test).mark(at: now) == nil,
            "it is one cluster's")
        try book.clearMark()
        #expect(try book.mark(at: now) == nil)
    }

    @Test func `a mark counts for a day, and not before it was made`() throws {
        try book.setMark(request)
        #expect(try book.mark(at: request.at + .seconds(86_399)) == request)
        #expect(try book.mark(at: request.at + .seconds(86_400)) == nil)
        #expect(try book.mark(at: request.at + .seconds(-1)) == nil)
    }

    @Test func `a request that cannot be understood is an error that names the file`() throws {
        _ = try scratch.write("abort!", to: "prod.abort")
        let error = #expect(throws: JournalError.self) { try book.request() }
        #expect(error?.reason == .damaged)
        #expect(error?.path == "\(scratch.path)/prod.abort")
    }

    @Test func `a disk without room is an error, and leaves what was there`() throws {
        let lost = AbortBook(directory: "/proc/none", cluster: prod)
        let error = #expect(throws: JournalError.self) { try lost.ask(request) }
        #expect(error?.path.hasPrefix("/proc/none") == true)
    }

    @Test func `who carries out a plan is told, and nobody when nobody does`() throws {
        #expect(try RunLock.whoHolds(directory: scratch.path, cluster: prod) == nil)
        let lock = try RunLock(directory: scratch.path, cluster: prod)
        let who = try RunLock.whoHolds(directory: scratch.path, cluster: prod)
        #expect(who?.contains("process \(getpid())") == true)
        _ = lock.path
    }
}
