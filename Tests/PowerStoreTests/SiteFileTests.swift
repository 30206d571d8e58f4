import Glibc
import PowerModel
import PowerStore
import Testing

/// The shortest site file: the table of bad ones changes one place of it.
let shortest = """
    site: lab
    feeds:
      - name: a
        server: localhost
        ups: ups1
    clusters:
      - name: prod
        vcenter:
          address: vc.example.org
          user: vpower
          password: file:/s/vc
          certificate: system
        vcsa: vcenter
        hosts:
          - name: esx1
            key: /k/esx
            hostKeys: [SHA256:0123456789abcdefghijABCDEFGHIJ0123456789abc]
            feeds: [a]
        tiers:
          - name: apps
            guests: ["web*"]
        defaultTier: apps

    """

/// A change of ``shortest`` and every line that is then to be said, without the file's name.
struct BadSite: CustomTestStringConvertible, Sendable {
    var from: String
    var to: String
    var lines: [String]
    var testDescription: String { "\(from) -> \(to)" }

    init(_ from: String, _ to: String, _ lines: String...) {
        self.from = from
        self.to = to
        self.lines = lines
    }
}

func lines(of text: String) -> [String] {
    do throws(SiteFileError) {
        _ = try SiteFile.parse(text, path: "site.yaml")
        return []
    } catch {
        return error.lines
    }
}

func changed(_ from: String, _ to: String) throws -> String {
    try #require(shortest.contains(from), "nothing to change")
    return shortest.replacing(from, with: to, maxReplacements: 1)
}

func site(_ from: String, _ to: String) throws -> Site {
    try SiteFile.parse(try changed(from, to), path: "site.yaml")
}

@Suite struct SiteFileTests {
    @Test(arguments: badSites)
    func `a bad site file is told by line and column with what would be right`(
        bad: BadSite
    ) throws {
        let expected = bad.lines.map { "site.yaml:\($0)" }
        #expect(lines(of: try changed(bad.from, bad.to)) == expected)
    }

    @Test func `a login takes a key with its passphrase, or an agent's key`() throws {
        let hosts = try ["key: /k/esx\n        passphrase: env:A", "agent: /run/agent"].map {
            try site("key: /k/esx", $0).clusters[0].hosts[0].login
        }
        #expect(
            hosts == [
                .key(path: "/k/esx", passphrase: .environment(name: "A")),
                .agent(socket: "/run/agent"),
            ])
    }

    @Test func `the shortest site file has the defaults of the model`() throws {
        let feed = Feed(
            name: FeedName("a"), server: Endpoint(host: "localhost", port: 3493), ups: "ups1")
        let host = HostSite(
            name: HostName("esx1"), ssh: Endpoint(host: "esx1", port: 22),
            login: .key(path: "/k/esx"),
            hostKeys: ["SHA256:0123456789abcdefghijABCDEFGHIJ0123456789abc"],
            feeds: [FeedName("a")])
        let vcenter = VCenterSite(
            endpoint: Endpoint(host: "vc.example.org", port: 443), user: "vpower",
            password: .file(path: "/s/vc"), trust: .system)
        let expected = Site(
            name: "lab", feeds: [feed],
            clusters: [
                ClusterSite(
                    name: ClusterName("prod"), vcenter: vcenter, vcsaGuest: "vcenter",
                    hosts: [host],
                    tiers: [TierSite(name: TierName("apps"), guests: ["web*"])],
                    defaultTier: TierName("apps"))
            ])
        #expect(try SiteFile.parse(shortest, path: "site.yaml") == expected)
    }

    @Test func `everything that is wrong is told at once and in the file's order`() {
        let text = """
            site: [lab]
            feeds:
              - name: a
                server: localhost:0
                upss: ups1
              - name: a
                server: localhost
                ups: ups1
                password: hunter2
            cluster: []
            machines:
              - name: nas
                feeds: [b, a]
            """
        #expect(
            lines(of: text) == [
                "site.yaml:1:1: the site file has no `clusters`: a list of vSphere clusters",
                "site.yaml:1:7: `site` is a list; expected the site's name, for messages",
                "site.yaml:3:5: the feed has no `ups`: the UPS's name at upsd, e.g. ups1",
                #"site.yaml:4:13: `server` is "localhost:0"; expected a name or address, and a port unless it is 3493, e.g. name.example.org:3493; IPv6 as [::1]:3493"#,
                #"site.yaml:5:5: unknown key "upss" in the feed (did you mean "ups"?); allowed: name, server, ups, user, password, tls, assumedRuntime, trigger, output"#,
                #"site.yaml:6:11: the feed "a" is there already, at line 3"#,
                "site.yaml:9:15: `password` is not a reference (a site file holds no secret itself); expected where the secret is kept: file:/path, env:NAME or credential:NAME",
                "site.yaml:9:15: `password` without `user`: give both or none",
                #"site.yaml:10:1: unknown key "cluster" in the site file (did you mean "clusters"?); allowed: site, feeds, clusters, machines"#,
                "site.yaml:12:5: the machine has no `hostKeys`: a list of SHA256: and 43 characters, as `vpower trust` and `ssh-keygen -l` print them",
                "site.yaml:12:5: the machine has no `key`: the path of a private key; or `password`, a reference to one; or `agent`, the socket of an SSH agent",
                "site.yaml:12:5: the machine has no `shutdownCommand`: a command on one line, e.g. /sbin/poweroff",
                "site.yaml:12:5: the machine has no `user`: the user to log in as",
            ])
    }

    @Test func `the example reads without an error and says every default as it is`() throws {
        let example = try SiteFile.parse(SiteFile.example, path: "site.yaml")
        let prod = try #require(example.cluster(ClusterName("prod")))
        #expect(prod.limits == ClusterLimits())
        #expect(
            prod.maintenanceMode
                == ClusterSite(
                    name: prod.name, vcenter: prod.vcenter, vcsaGuest: "", hosts: [], tiers: [],
                    defaultTier: prod.defaultTier
                ).maintenanceMode)
        #expect(prod.tiers.first?.limit == TierSite.limitDefault)
        #expect(example.machines.first?.limit == .seconds(300))
        #expect(example.machines.first?.delay == nil)
        #expect(example.machines.last?.delay == .seconds(480))
        #expect(example.machines.last?.cancelCommand == "sudo /sbin/shutdown -c")
        let trigger = example.feeds.first?.trigger
        #expect(trigger?.silentFor == TriggerPolicy.silentForDefault)
        #expect(trigger?.mainsStableFor == TriggerPolicy.mainsStableForDefault)
        #expect(example.feeds.first?.output == OutputPolicy())
        #expect(SiteFile.example.split(separator: "\n").allSatisfy { $0.count <= 100 })
    }

    @Test(arguments: [
        ("delay: 0s", "`delay` is \"0s\""), ("delay: 8", "`delay` is \"8\", which has no unit"),
        ("cancelCommand: stay", "`cancelCommand` without `delay`"),
        ("delay: 8m\n    cancelCommand: ' '", "`cancelCommand` is \" \""),
    ])
    func `a machine's delay is a time, and only what waits can be called off`(
        keys: String, told: String
    ) throws {
        let machine = """
            machines:
              - name: nas
                user: root
                key: /k
                hostKeys: [SHA256:\(String(repeating: "A", count: 43))]
                shutdownCommand: poweroff
                feeds: [a]

            """
        let good = try SiteFile.parse(
            shortest + machine + "    delay: 8m\n    cancelCommand: stay\n", path: "x")
        #expect(good.machines.map(\.delay) == [.seconds(480)])
        #expect(good.machines.map(\.cancelCommand) == ["stay"])
        let bad = lines(of: shortest + machine + "    \(keys)\n")
        #expect(bad.count == 1 && bad[0].contains(told), "\(bad)")
    }

    @Test func `the example names every key that the reader allows`() throws {
        // The reader itself says what it allows when it meets a key it does not know.
        let places = [
            ("site: lab\n", "site: lab\n"), ("  - name: a\n", "    "),
            ("ups: ups1\n", "    trigger: {zzzz: 1}\n    output: {zzzz: 1}\n    tls: {zzzz: 1}\n"),
            ("address: vc.example.org\n", "      "), ("- name: prod\n", "    "),
            ("- name: esx1\n", "        "), ("- name: apps\n", "        "),
            ("key: /k/esx\n", "        api: {zzzz: 1}\n"),
            ("vcsa: vcenter\n", "    limits: {zzzz: 1}\n"),
            ("vcsa: vcenter\n", "    extras: [{zzzz: 1}]\n"),
            ("defaultTier: apps\n", "machines: [{zzzz: 1}]\n"),
            ("vcsa: vcenter\n", "    guests: [{zzzz: 1}]\n    infrastructure: {zzzz: 1}\n"),
            (
                "guests: [\"web*\"]\n",
                "        shed: {zzzz: 1}\n        before: [{zzzz: 1}]\n"
            ),
        ]
        var keys: Set<String> = ["bundle", "sha256"]
        for (place, added) in places {
            let indent = added.allSatisfy { $0 == " " }
            let text = try changed(
                place,
                added == place
                    ? place + "zzzz: 1\n"
                    : place + (indent ? added + "zzzz: 1\n" : added))
            for line in lines(of: text) where line.contains("unknown key") {
                let allowed = line.split(separator: "allowed: ").last ?? ""
                keys.formUnion(allowed.split(separator: ", ").map(String.init))
            }
        }
        #expect(keys.count > 75)
        for key in keys.sorted() {
            #expect(SiteFile.example.contains("\(key):"), "\(key) is not in the example")
        }
    }

    @Test func `every limit of the model has its key`() throws {
        for (label, _) in Mirror(reflecting: ClusterLimits()).children.map({ ($0.label, 0) }) {
            let key = try #require(label)
            let limits = try site("vcsa: vcenter", "vcsa: vcenter\n    limits: {\(key): 123m}")
                .clusters.first?.limits
            let set = Mirror(reflecting: try #require(limits)).children
                .filter { ($0.value as? Duration) == .seconds(123 * 60) }.map(\.label)
            #expect(set == [key])
        }
    }

    @Test(arguments: [
        ("90s", 90), ("5m", 300), ("2h", 7200), ("1m30s", 90), ("1d1h1m1s", 90061), ("007m", 420),
        ("366d", 31_622_400),
    ])
    func `durations have units`(text: String, seconds: Int) throws {
        let feed = try site("ups: ups1", "ups: ups1\n    assumedRuntime: \(text)").feeds.first
        #expect(feed?.assumedRuntime == .seconds(seconds))
    }

    @Test(arguments: [
        "90", "1.5m", "-5m", "5M", "5 m", "m", "5m5m", "30s1m", "367d", "999999999999999999d",
        "PT5M", "~", "0s", "٣m",
    ])
    func `what is no duration is refused`(text: String) throws {
        let bad = try changed("ups: ups1", "ups: ups1\n    assumedRuntime: \(text)")
        #expect(lines(of: bad).count == 1)
    }

    @Test(arguments: [
        "on", "off", "yes", "no", "null", "~", "012", "1:30", "0x1F", "1e3", ".inf", "2026-01-01",
        "12_000", "true", "1.10",
    ])
    func `a name is what was typed, whatever YAML takes it for`(text: String) throws {
        let lab = try site("site: lab", "site: \(text)")
        #expect(lab.name == text)
        #expect(try site("site: lab", "site: '\(text)'") == lab)
        let renamed = shortest.replacing("- name: a\n", with: "- name: \(text)\n")
            .replacing("feeds: [a]", with: "feeds: [\(text)]")
        let feeds = try SiteFile.parse(renamed, path: "x").clusters.first?.hosts.first?.feeds
        #expect(feeds == [FeedName(text)])
    }

    @Test(arguments: weirdNames.filter { !$0.contains("\0") })
    func `a guest may be named anything`(name: String) throws {
        let written = name.unicodeScalars.map { "\\U" + hex($0.value) }.joined()
        let tiers = try site("[\"web*\"]", "[\"\(written)\"]").clusters.first?.tiers
        #expect(tiers?.first?.choice.names == [GuestPattern(name)])
    }

    private func hex(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    @Test func `addresses, keys and references are read whole`() throws {
        #expect(
            try site("server: localhost", "server: \"[2001:db8::1]:99\"").feeds.first?.server
                == Endpoint(host: "2001:db8::1", port: 99))
        #expect(
            try site("key: /k/esx", "key: /k\n        wake: 0C-C4-7A-00-0a-FF").clusters.first?
                .hosts.first?.wakeAddress == "0c:c4:7a:00:0a:ff")
        #expect(
            try site("key: /k/esx", "password: credential:esx.pw").clusters.first?
                .hosts.first?.login == .password(.credential(name: "esx.pw")))
        let hash = String(repeating: "aB:", count: 31) + "Cd"
        #expect(
            try site("certificate: system", "certificate: {sha256: \"\(hash)\"}").clusters.first?
                .vcenter.trust
                == .pinned(sha256: String(repeating: "ab", count: 31) + "cd"))
        #expect(
            try site("ups: ups1", "ups: ups1\n    tls: {require: /ca.pem}").feeds.first?.tls
                == .require(caBundle: "/ca.pem"))
        #expect(
            try site("vcsa: vcenter", "vcsa: vcenter\n    witness: sw:22").clusters.first?.witness
                == Endpoint(host: "sw", port: 22))
    }

    @Test func `a host's own endpoint is read whole and is asked first unless told otherwise`()
        throws
    {
        func host(_ more: String) throws -> HostSite? {
            try site("key: /k/esx", "key: /k/esx\n\(more)").clusters.first?.hosts.first
        }
        let short = "        api: {password: env:ESX, certificate: system}"
        let plain = HostAPISite(
            endpoint: Endpoint(host: "esx1", port: 443), password: .environment(name: "ESX"),
            trust: .system)
        #expect(try host(short)?.api == plain)
        #expect(try host(short)?.control == .soap)
        #expect(try host(short + "\n        control: ssh")?.control == .ssh)
        #expect(try host("        control: ssh")?.api == nil)
        #expect(try host("        sshPort: 22")?.control == .ssh)
        let whole = try host(
            """
                    address: 192.0.2.7
                    api:
                      port: 8443
                      user: vpower
                      password: file:/s/esx
                      certificate: {bundle: /ca.pem}
            """)
        #expect(
            whole?.api
                == HostAPISite(
                    endpoint: Endpoint(host: "192.0.2.7", port: 8443), user: "vpower",
                    password: .file(path: "/s/esx"), trust: .bundle(path: "/ca.pem")))
    }

    @Test func `line ends and a byte order mark of Windows do no harm`() throws {
        let plain = try SiteFile.parse(shortest, path: "x")
        let windows = "\u{FEFF}" + shortest.replacing("\n", with: "\r\n")
        #expect(try SiteFile.parse(windows, path: "x") == plain)
    }

    @Test func `no message repeats what stands where a password belongs`() throws {
        let secrets = [
            "hunter2", "{hunter2: x}", "[hunter2]", "\"hunter2\\n\"", "file:hunter2",
            "env:hun-ter2",
            "credential:../hunter2", "|\n        hunter2", "'hunter2", "hunter2: x", "@hunter2",
        ]
        for secret in secrets {
            let found = lines(of: try changed("password: file:/s/vc", "password: \(secret)"))
            #expect(!found.isEmpty)
            #expect(!found.joined().contains("hunter2") && !found.joined().contains("hun-ter2"))
        }
    }

    @Test func `bombs are refused in a moment`() throws {
        let deep =
            "site: " + String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        let tooDeep = String(repeating: "{a: ", count: 100_000)
        var laughs = "a0: &a0 [x, x]\n"
        for level in 1...40 {
            laughs += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n"
        }
        let inKey = laughs + "? *a40\n: x\n"
        let keys = (0..<500).map { "k\($0): 1\nk\($0): 2\n" }.joined()
        let long = "# " + String(repeating: "x", count: SiteFile.limitBytes)
        let start = ContinuousClock.now
        #expect(lines(of: deep).contains { $0.hasSuffix("nested deeper than 16 levels") })
        for text in [tooDeep, laughs, inKey, keys, long] { #expect(!lines(of: text).isEmpty) }
        #expect(lines(of: inKey).first?.contains("a YAML a") == true)
        // Far above what it takes here; an expansion would take years.
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test func `any bytes give a site or an error`() {
        var random = SeededGenerator(seed: 42)
        let base = Array(SiteFile.example.utf8)
        let spice = Array("\"'&*!|>%@`{}[]?:-,#\n \t\r\0~<".utf8) + [0xFF, 0xC3, 0xE2, 0x80]
        var sites = 0
        for round in 0..<600 {
            var bytes: [UInt8]
            if round % 3 == 0 {
                let count = Int.random(in: 0..<200, using: &random)
                bytes = (0..<count).map { _ in
                    Bool.random(using: &random)
                        ? spice.randomElement(using: &random) ?? 0
                        : UInt8.random(in: .min ... .max, using: &random)
                }
            } else {
                bytes = base
                for _ in 0..<Int.random(in: 1..<6, using: &random) {
                    let at = Int.random(in: 0..<bytes.count, using: &random)
                    switch round % 4 {
                    case 0: bytes.remove(at: at)
                    case 1: bytes.removeSubrange(at...)
                    case 2: bytes.insert(spice.randomElement(using: &random) ?? 0, at: at)
                    default: bytes[at] = spice.randomElement(using: &random) ?? 0
                    }
                    if bytes.isEmpty { break }
                }
            }
            do throws(SiteFileError) {
                _ = try SiteFile.parse(bytes: bytes, path: "x")
                sites += 1
            } catch {
                #expect(!error.problems.isEmpty && error.problems == error.problems.sorted())
            }
        }
        #expect(sites > 10, "the changes are too rough to find anything")
    }

    @Test func `bytes that are not UTF-8 are told by place`() {
        #expect(
            throws: SiteFileError(
                path: "x",
                problems: [
                    SiteProblem(line: 2, column: 3, message: "not UTF-8; save the file as UTF-8")
                ])
        ) {
            try SiteFile.parse(bytes: Array("é\nab日".utf8.dropLast(1)) + [0x0A], path: "x")
        }
    }

    @Test func `a file is read, and one that is not to be read is refused`() throws {
        let scratch = try ScratchDirectory()
        let file = try scratch.write(shortest, to: "site.yaml", mode: 0o644)
        #expect(try SiteFile.load(path: file) == SiteFile.parse(shortest, path: file))
        let open = try scratch.write(shortest, to: "open.yaml", mode: 0o666)
        let empty = try scratch.write("# nothing\n", to: "empty.yaml")
        let long = try scratch.write(
            [UInt8](repeating: 0x20, count: SiteFile.limitBytes + 1), to: "long.yaml")
        let none = "\(scratch.path)/none"
        for (path, words) in [
            (open, "everybody may write to it; run `chmod o-w` on it and look it through"),
            (empty, "nothing in it; `vpower init --example` prints one to start from"),
            (long, "longer than 1048576 bytes; a site file is not"),
            (none, "no such file; `vpower init --example` prints one to start from"),
            (scratch.path, "not a regular file"),
        ] {
            #expect(throws: SiteFileError(path: path, problems: [SiteProblem(message: words)])) {
                try SiteFile.load(path: path)
            }
        }
        #expect(
            SiteFileError(path: none, problems: [SiteProblem(message: "x")]).description
                == "\(none): x")
    }
}

/// Random numbers that are the same each time (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

let badSites: [BadSite] = [
    BadSite(
        "site: lab\n", "",
        "1:1: the site file has no `site`: the site's name, for messages"),
    BadSite(
        "site: lab", "site:",
        "1:6: `site` is empty; expected the site's name, for messages"),
    BadSite(
        "site: lab", "site: lab\nsite: lab2",
        #"2:1: the key "site" is there already, at line 1"#),
    BadSite(
        "site: lab", "site: lab\nsites: lab",
        #"2:1: unknown key "sites" in the site file (did you mean "site"?); allowed: site, feeds, clusters, machines"#
    ),
    BadSite(
        "site: lab", "site: lab\n<<: {a: b}",
        "2:1: a YAML merge key (`<<`); a site file has none: write the keys where they belong"),
    BadSite(
        "site: lab", "site: &x lab",
        "1:7: a YAML anchor (`&`); a site file has none: write the value where it is needed, a text that begins with & in quotes"
    ),
    BadSite(
        "site: lab", "site: *x",
        #"1:7: a YAML alias (`*`); a site file has none: write a pattern that begins with * in quotes, e.g. "*-db""#
    ),
    BadSite(
        "site: lab", "site: !!str lab",
        "1:7: a YAML tag (`!`); a site file has none: leave it out"),
    BadSite(
        "site: lab", "site: \tlab",
        #"1:7: a tab; indent with spaces, in a text write "\t""#),
    BadSite(
        "site: lab", "site: l\0ab",
        "1:8: the invisible character U+0000 has no place in a site file"),
    BadSite(
        "site: lab", "site: l\u{200B}ab\u{2028}",
        "1:11: the invisible character U+2028 has no place in a site file"),
    BadSite(
        "site: lab", "site: lab\n---\nsite: lab",
        "2:1: a second YAML document; a site file is one"),
    BadSite(
        "site: lab", "site: \"lab",
        "21:19: not YAML: did not find expected key (while parsing a block mapping from line 1)"),
    BadSite(
        "site: lab", "site: @lab",
        "1:7: not YAML: found character that cannot start any token (while scanning for the next token from line 1)"
    ),
    BadSite(
        "site: lab", "site: lab\n? [a, b]\n: c",
        "2:3: a key must be a word, not a list"),
    BadSite(
        "server: localhost", "server: ::1",
        #"4:13: `server` is "::1"; expected a name or address, and a port unless it is 3493, e.g. name.example.org:3493; IPv6 as [::1]:3493"#
    ),
    BadSite(
        "server: localhost", "server: localhost:70000",
        #"4:13: `server` is "localhost:70000"; expected a name or address, and a port unless it is 3493, e.g. name.example.org:3493; IPv6 as [::1]:3493"#
    ),
    BadSite(
        "server: localhost", "server: -oProxyCommand=x",
        #"4:13: `server` is "-oProxyCommand=x"; expected a name or address, and a port unless it is 3493, e.g. name.example.org:3493; IPv6 as [::1]:3493"#
    ),
    BadSite(
        "ups: ups1", "ups: ups1\n    assumedRuntime: 90",
        #"6:21: `assumedRuntime` is "90", which has no unit; expected a duration of at least 1s with its units d, h, m, s, e.g. 90s, 5m, 1m30s"#
    ),
    BadSite(
        "ups: ups1", "ups: ups1\n    assumedRuntime: 1:30",
        #"6:21: `assumedRuntime` is "1:30"; expected a duration of at least 1s with its units d, h, m, s, e.g. 90s, 5m, 1m30s"#
    ),
    BadSite(
        "ups: ups1", "ups: ups1\n    trigger: {onBatteryFor: 5min, chargeBelow: 0, silent: 3s}",
        #"6:29: `onBatteryFor` is "5min"; expected a duration with its units d, h, m, s, e.g. 90s, 5m, 1m30s"#,
        #"6:48: `chargeBelow` is "0"; expected percent of the charge, 1 to 100, e.g. 30%"#,
        #"6:51: unknown key "silent" in `trigger` (did you mean "silentFor"?); allowed: onBatteryFor, runtimeBelow, chargeBelow, silentFor, mainsStableFor, restoreAt"#
    ),
    BadSite(
        "ups: ups1", "ups: ups1\n    assumedRuntime: 5m\n    trigger: {onBatteryFor: 300s}",
        "7:29: `onBatteryFor` (5m) is not shorter than `assumedRuntime` (5m): the battery would be empty first"
    ),
    BadSite(
        "ups: ups1", "ups: ups1\n    tls: on",
        #"6:10: `tls` is "on"; expected `off` or {require: /path/of/ca.pem}"#),
    BadSite(
        "ups: ups1", "ups: ups1\n    tls: {require: ca.pem}",
        #"6:20: `require` is "ca.pem"; expected an absolute path, e.g. /etc/vpower/key"#),
    BadSite(
        "ups: ups1", "ups: ups1\n    user: u\n    output: shutdown.return",
        "6:11: `user` without `password`: give both or none",
        "7:13: `output` is a single value; expected the keys command"),
    BadSite(
        "ups: ups1", "ups: ups1\n  - {name: b, server: localhost, ups: ups1}",
        #"6:39: the UPS "ups1@localhost:3493" is there already, at line 5"#),
    BadSite(
        "- name: a\n", "- name: a\n    name: b\n",
        #"4:5: the key "name" is there already, at line 3"#),
    BadSite(
        "password: file:/s/vc", "password: hunter2",
        "11:17: `password` is not a reference (a site file holds no secret itself); expected where the secret is kept: file:/path, env:NAME or credential:NAME"
    ),
    BadSite(
        "password: file:/s/vc", "password: {hunter2: 1}",
        "11:17: `password` is a group of keys; expected where the secret is kept: file:/path, env:NAME or credential:NAME"
    ),
    BadSite(
        "password: file:/s/vc", "password: file:relative/hunter2",
        "11:17: `password` is not a reference (a site file holds no secret itself); expected where the secret is kept: file:/path, env:NAME or credential:NAME"
    ),
    BadSite(
        "certificate: system", "certificate: insecure",
        #"12:20: `certificate` is "insecure"; expected `system`, {bundle: /path/of/ca.pem} or {sha256: 64 hexadecimal digits}"#
    ),
    BadSite(
        "certificate: system", "certificate: {}",
        "12:20: `certificate` needs one of `bundle` and `sha256`; expected `system`, {bundle: /path/of/ca.pem} or {sha256: 64 hexadecimal digits}"
    ),
    BadSite(
        "certificate: system", "certificate: {sha256: 12:34}",
        #"12:29: `sha256` is "12:34"; expected 64 hexadecimal digits (`openssl x509 -noout -fingerprint -sha256` prints them)"#
    ),
    BadSite(
        "certificate: system", "port: 0x1BB\n      certificate: {bundle: /a, sha256: x}",
        #"12:13: `port` is "0x1BB"; expected a TCP port, 1 to 65535"#,
        "13:20: `certificate` needs one of `bundle` and `sha256`; expected `system`, {bundle: /path/of/ca.pem} or {sha256: 64 hexadecimal digits}",
        #"13:41: `sha256` is "x"; expected 64 hexadecimal digits (`openssl x509 -noout -fingerprint -sha256` prints them)"#
    ),
    BadSite(
        "address: vc.example.org", "address: vc.example.org:443",
        #"9:16: `address` is "vc.example.org:443"; expected a name or IP address without a port, e.g. esx1.example.org"#
    ),
    BadSite(
        "vcsa: vcenter\n", "maintenanceMode: yes\n",
        #"13:22: `maintenanceMode` is "yes"; expected true or false"#),
    BadSite(
        "vcsa: vcenter", "vcsa: vcenter\n    witness: switch\n    limits: {freez: 1m, host: 0s}",
        #"14:14: `witness` is "switch"; expected a name or address and a port, e.g. name.example.org:443; IPv6 as [::1]:443"#,
        #"15:14: unknown key "freez" in `limits` (did you mean "freeze"?); allowed: freeze, vcls, arm, vcsa, infrastructure, vsan, maintenance, host, leave, settle, hostBack, bootScript, vcenterBack, start, armedFor, bootSettle, startGap, afterVCSA, look, tools, dependents, margin"#,
        #"15:31: `host` is "0s"; expected a duration of at least 1s with its units d, h, m, s, e.g. 90s, 5m, 1m30s"#
    ),
    BadSite(
        "key: /k/esx", "wake: 01:00:5e:00:00:01",
        "15:9: the host has no `key`: the path of a private key; or `password`, a reference to one; or `agent`, the socket of an SSH agent",
        #"16:15: `wake` is "01:00:5e:00:00:01"; expected a hardware address of one machine, e.g. 0c:c4:7a:12:34:56"#
    ),
    BadSite(
        "key: /k/esx", "key: /k/esx\n        password: env:A",
        "17:19: `password` beside `key`: give one of them"),
    BadSite(
        "key: /k/esx", "agent: /run/agent\n        passphrase: env:A\n        agentKey: md5",
        "17:21: `passphrase` without `key`",
        #"18:19: `agentKey` is "md5"; expected SHA256: and 43 characters, as `vpower trust` and `ssh-keygen -l` print them"#
    ),
    BadSite(
        "key: /k/esx", "key: /k/esx\n        control: soap",
        "17:18: `control` is soap, but the host has no `api`, which SOAP logs in with"),
    BadSite(
        "key: /k/esx", "key: /k/esx\n        boot: autostart",
        "17:15: `boot` is autostart, but the host has no `api`, over which that is set"),
    BadSite(
        "vcsa: vcenter\n", "boot: localsch\n",
        #"13:11: `boot` is "localsch" (did you mean "localsh"?); expected auto or localsh or autostart or controller"#
    ),
    BadSite(
        "key: /k/esx", "key: /k/esx\n        control: sssh\n        api: {pasword: env:A}",
        #"17:18: `control` is "sssh" (did you mean "ssh"?); expected soap or ssh"#,
        "18:14: `api` has no `certificate`: `system`, {bundle: /path/of/ca.pem} or {sha256: 64 hexadecimal digits}",
        "18:14: `api` has no `password`: where the secret is kept: file:/path, env:NAME or credential:NAME",
        #"18:15: unknown key "pasword" in `api` (did you mean "password"?); allowed: port, user, password, certificate"#
    ),
    BadSite(
        "key: /k/esx", "key: /k/esx\n        api: {password: hunter2, certificate: none}",
        "17:25: `password` is not a reference (a site file holds no secret itself); expected where the secret is kept: file:/path, env:NAME or credential:NAME",
        #"17:47: `certificate` is "none"; expected `system`, {bundle: /path/of/ca.pem} or {sha256: 64 hexadecimal digits}"#
    ),
    BadSite(
        "hostKeys: [SHA256:0123456789abcdefghijABCDEFGHIJ0123456789abc]", "hostKeys: []",
        "17:19: `hostKeys` is empty; expected at least one of SHA256: and 43 characters, as `vpower trust` and `ssh-keygen -l` print them"
    ),
    BadSite(
        "hostKeys: [SHA256:0123456789abcdefghijABCDEFGHIJ0123456789abc]", "hostKeys: [MD5:aa]",
        #"17:20: the host key is "MD5:aa"; expected SHA256: and 43 characters, as `vpower trust` and `ssh-keygen -l` print them"#
    ),
    BadSite(
        "feeds: [a]", "feeds: [b, a, a]\n        feedsNeeded: 4",
        #"18:17: no feed is named "b"; there are: a"#,
        #"18:23: the feed "a" is there already, at line 18"#,
        "19:22: `feedsNeeded` is 4, but the host has 3 in `feeds`"),
    BadSite(
        "feeds: [a]", "feeds: a",
        "18:16: `feeds` is a single value; expected a list of names of feeds"),
    BadSite(
        "- name: esx1", "- name: host one",
        #"15:15: "host one" is not an address: give `address`, a name or IP address without a port, e.g. esx1.example.org"#
    ),
    BadSite(
        "feeds: [a]", "feeds: [a]\n      - name: esx1",
        "19:9: the host has no `feeds`: a list of names of feeds",
        "19:9: the host has no `hostKeys`: a list of SHA256: and 43 characters, as `vpower trust` and `ssh-keygen -l` print them",
        "19:9: the host has no `key`: the path of a private key; or `password`, a reference to one; or `agent`, the socket of an SSH agent",
        #"19:15: the host "esx1" is there already, at line 15"#),
    BadSite(
        "guests: [\"web*\"]", "guests: [*-db]",
        #"21:18: a YAML alias (`*`); a site file has none: write a pattern that begins with * in quotes, e.g. "*-db""#
    ),
    BadSite(
        "guests: [\"web*\"]", "guests: [web1, web1]\n        onLimit: poweroff",
        #"21:24: the guest "web1" is there already, at line 21"#,
        #"22:18: `onLimit` is "poweroff" (did you mean "powerOff"?); expected powerOff or suspend or leave"#
    ),
    BadSite(
        "guests: [\"web*\"]", "limit: soon\n      - name: dbs\n        guests: []",
        #"21:16: `limit` is "soon"; expected a duration of at least 1s with its units d, h, m, s, e.g. 90s, 5m, 1m30s"#,
        "23:17: `guests` is empty: only the default tier needs no guests of its own"),
    BadSite(
        "defaultTier: apps", "defaultTier: app",
        #"22:18: no tier is named "app" (did you mean "apps"?); there are: apps"#),
    BadSite(
        "defaultTier: apps", "infrastructure: \"web*\"",
        "7:5: the cluster has no `defaultTier`: the name of a tier",
        #"22:21: `infrastructure` is a single value; expected a list of names or patterns, e.g. ["*-db", web01], or the keys guests, folders, resourcePools, tags, attributes"#
    ),
    BadSite(
        "defaultTier: apps", "defaultTier: apps\n    infrastructure: [\"web*\"]",
        #"23:22: the guest "web*" is there already, at line 21"#),
    BadSite(
        "tiers:\n      - name: apps\n        guests: [\"web*\"]", "tiers: []",
        "19:12: `tiers` is empty; expected at least one of tiers, the first to go down first"),
    BadSite(
        "user: vpower",
        "user: v\n      transport: xml\n      guestPower: Rest\n      proxy: https://p:1",
        #"11:18: `transport` is "xml"; expected soap or json"#,
        #"12:19: `guestPower` is "Rest" (did you mean "rest"?); expected vim or rest"#,
        #"13:14: `proxy` is "https://p:1"; expected http://, a name or IP address, and a port, e.g. http://proxy.example.org:3128"#
    ),
    BadSite(
        "vcenter:\n", "vcenter: vc\n    x:\n",
        "8:14: `vcenter` is a single value; expected the keys address, port, user, password, certificate, transport, guestPower, proxy",
        #"9:5: unknown key "x" in the cluster; allowed: name, vcenter, vcsa, vcsaElsewhere, needs, controller, controllerElsewhere, hosts, tiers, defaultTier, infrastructure, guests, answers, adoptGuests, limits, maintenanceMode, boot, ssh, witness, unarmedBoot, extras"#
    ),
    BadSite(
        "vcsa: vcenter", "vcsa: \" vcenter\"\n    controller: \"a\\nb\"",
        #"13:11: `vcsa` begins or ends with a blank: " vcenter"; expected the guest's name or instanceUuid, of the guest that is this vCenter"#,
        #"14:17: `controller` holds a control character: "a\u{a}b"; expected the guest's name or instanceUuid, of the guest vpower runs in"#
    ),
    BadSite(
        "- name: a\n", "- name: a\n    \"server\": x\n    ups: y\n    ups: z\n",
        #"6:5: the key "ups" is there already, at line 5"#,
        #"7:5: the key "server" is there already, at line 4"#,
        #"8:5: the key "ups" is there already, at line 5"#),
    BadSite(
        "vcsa: vcenter", "vcsa: ${x}\n    maintenanceMode: true # yes\n    witness: [::1]:22",
        "15:15: not YAML: did not find expected node content (while parsing a flow node from line 15)"
    ),
]
