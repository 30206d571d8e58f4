import PowerModel
import Testing

struct GuestPatternTests {
    @Test(arguments: [
        ("web", "web", true), ("web", "Web", false), ("web", "web1", false), ("", "", true),
        ("", "x", false), ("*", "", true), ("*", "anything\nat all", true),
        ("app-*", "app-", true), ("app-*", "my-app-1", false), ("*-db", "x-db", true),
        ("*-db", "x-db2", false), ("a*b*c", "aXbXbc", true), ("a*b*c", "acb", false),
        ("**a**", "bab", true), ("*aab", "aaab", true),
        // Only `*` means something.
        ("a?c", "abc", false), ("a?c", "a?c", true), ("[ab]", "a", false), ("a.c", "abc", false),
        ("日*語", "日本語", true), ("$(x)*", "$(x)'\"", true),
    ])
    func `a pattern fits what it says`(pattern: String, name: String, fits: Bool) {
        #expect(GuestPattern(pattern).matches(name) == fits)
    }

    @Test func `all short patterns agree with a matcher that tries everything`() {
        let patterns = Self.words("ab*", upTo: 4)
        for pattern in patterns {
            for name in Self.words("ab", upTo: 4) {
                let wanted = Self.fits(Array(pattern)[...], Array(name)[...])
                if GuestPattern(pattern).matches(name) != wanted {
                    Issue.record("\(pattern) on \(name): not \(wanted)")
                }
            }
        }
        #expect(patterns.count == 121)
    }

    @Test func `many stars take no exponential time`() {
        let pattern = GuestPattern(String(repeating: "*a", count: 100) + "b")
        let name = String(repeating: "a", count: 2000)
        let taken = ContinuousClock().measure { #expect(!pattern.matches(name)) }
        #expect(taken < .seconds(5))
    }

    private static func words(_ letters: String, upTo length: Int) -> [String] {
        if length == 0 { return [""] }
        let shorter = words(letters, upTo: length - 1)
        let longest = shorter.filter { $0.count == length - 1 }
        return shorter + longest.flatMap { word in letters.map { word + String($0) } }
    }

    private static func fits(
        _ pattern: ArraySlice<Character>, _ name: ArraySlice<Character>
    ) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == "*" {
            return fits(pattern.dropFirst(), name)
                || (!name.isEmpty && fits(pattern, name.dropFirst()))
        }
        return name.first == first && fits(pattern.dropFirst(), name.dropFirst())
    }
}

struct SiteRiskTests {
    /// Feeds a and b, each healthy or not; the second host hangs on what the test says.
    @Test(arguments: [
        (["a"], 1, [[], ["b"]]),
        (["a", "b"], 1, [[]]),
        (["a", "b"], 2, [[], ["a"], ["b"]]),
    ])
    func `a host is at risk when too few of its feeds are healthy`(
        feeds: [String], needed: Int, atRisk: [[String]]
    ) {
        var fixture = Fixture(hosts: 2)
        fixture.site.hosts[0].feeds = [FeedName("a"), FeedName("b")]
        fixture.site.hosts[1].feeds = feeds.map { FeedName($0) }
        fixture.site.hosts[1].feedsNeeded = needed
        let site = Site(name: "s", feeds: [], clusters: [fixture.site])
        for healthy in [[], ["a"], ["b"], ["a", "b"]] {
            let clusters = site.clustersAtRisk(healthy: Set(healthy.map { FeedName($0) }))
            #expect(clusters.isEmpty == !atRisk.contains(healthy), "\(healthy)")
        }
    }

    @Test func `only the clusters that hang on a feed are at risk`() {
        var first = Fixture(hosts: 1).site
        var second = Fixture(hosts: 1).site
        first.name = ClusterName("first")
        second.name = ClusterName("second")
        second.hosts[0].feeds = [FeedName("other")]
        let site = Site(name: "s", feeds: [], clusters: [first, second])
        #expect(site.clustersAtRisk(healthy: [FeedName("other")]).map(\.name) == [first.name])
        #expect(site.clustersAtRisk(healthy: [FeedName("ups")]).map(\.name) == [second.name])
        #expect(site.clustersAtRisk(healthy: [FeedName("ups"), FeedName("other")]).isEmpty)
        #expect(site.cluster(second.name) == second)
        #expect(site.cluster(ClusterName("third")) == nil)
    }

    @Test func `an IPv6 address stands in brackets`() {
        #expect("\(Endpoint(host: "::1", port: 22))" == "[::1]:22")
        #expect("\(Endpoint(host: "host", port: 22))" == "host:22")
    }
}

struct SmallValueTests {
    @Test func `a secret prints as dots wherever it is printed`() {
        struct Holder { var secret: Secret? }
        let secret = Secret("hunter2")
        let shown = [
            "\(secret)", String(reflecting: secret), "\([secret])",
            String(describing: Optional(secret)), "\(Holder(secret: secret))",
            "\(["k": secret])",
        ]
        for text in shown {
            #expect(!text.contains("hunter2"), "\(text)")
            #expect(text.contains("•••"), "\(text)")
        }
        var dumped = ""
        dump(Holder(secret: secret), to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect(Mirror(reflecting: secret).children.isEmpty)
        #expect(!((secret as Any) is any Encodable))
        #expect(secret.value == "hunter2")
    }

    @Test func `references to secrets are spelled as in the site file`() {
        #expect("\(SecretReference.file(path: "/a"))" == "file:/a")
        #expect("\(SecretReference.environment(name: "A"))" == "env:A")
        #expect("\(SecretReference.credential(name: "a"))" == "credential:a")
    }

    @Test func `time is counted in whole milliseconds`() {
        #expect(Duration.milliseconds(1999).milliseconds == 1999)
        #expect(Duration.microseconds(1999).milliseconds == 1)
        #expect(Duration.microseconds(-1999).milliseconds == -1)
        #expect((Duration.seconds(-2) + .milliseconds(500)).milliseconds == -1500)
        #expect(Duration.milliseconds(1500).inSeconds == 1.5)
        let noon = Timestamp(millisecondsSinceEpoch: 1000)
        #expect((noon + .seconds(2)).millisecondsSinceEpoch == 3000)
        #expect(noon - (noon + .milliseconds(5)) == .milliseconds(-5))
        #expect(noon < noon + .milliseconds(1))
        #expect(!(noon + .milliseconds(1) < noon))
    }

    @Test func `names are known by their text and sort by it`() {
        #expect(["b", "a", "B"].map { HostName($0) }.sorted().map(\.rawValue) == ["B", "a", "b"])
        #expect("\(HostName("x"))" == "x")
        #expect(HostName("x") == HostName(rawValue: "x"))
    }

    @Test(arguments: [
        ("web01", "web01"), ("日本語 $(x)", "日本語 $(x)"), ("", ""),
        ("a\nb", "a\\u{a}b"), ("a\r\nb", "a\\u{d}\\u{a}b"), ("\u{1B}[31m", "\\u{1b}[31m"),
        // What turns the line round, and what breaks it elsewhere.
        ("a\u{202E}b", "a\\u{202e}b"), ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
        ("\u{85}", "\\u{85}"), ("e\u{301}", "e\u{301}"),
    ])
    func `a name is shown on one line`(name: String, shown: String) {
        #expect(name.onOneLine == shown)
    }

    @Test func `a long name is cut whatever it is made of`() {
        let eighty = String(repeating: "x", count: 80)
        #expect(eighty.onOneLine == eighty)
        #expect((eighty + "y").onOneLine == eighty + "…")
        // One character of many marks.
        let marks = "e" + String(repeating: "\u{301}", count: 10_000)
        #expect(marks.onOneLine.unicodeScalars.count == 81)
        #expect(String(repeating: "\n", count: 1000).onOneLine.count == 80 * 5 + 1)
    }
}
