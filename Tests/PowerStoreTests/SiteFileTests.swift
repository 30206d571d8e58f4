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
            ])
    }
}

let badSites: [BadSite] = [
    BadSite("site: lab\n", ""),
    BadSite("site: lab", "site:"),
    BadSite("site: lab", "site: lab\nsite: lab2"),
    BadSite("site: lab", "site: lab\nsites: lab"),
    BadSite("site: lab", "site: lab\n<<: {a: b}"),
    BadSite("site: lab", "site: &x lab"),
    BadSite("site: lab", "site: *x"),
    BadSite("site: lab", "site: !!str lab"),
    BadSite("site: lab", "site: \tlab"),
    BadSite("site: lab", "site: l\0ab"),
    BadSite("site: lab", "site: l\u{200B}ab\u{2028}"),
    BadSite("site: lab", "site: lab\n---\nsite: lab"),
    BadSite("site: lab", "site: \"lab"),
    BadSite("site: lab", "site: @lab"),
    BadSite("site: lab", "site: lab\n? [a, b]\n: c"),
    BadSite("server: localhost", "server: ::1"),
    BadSite("server: localhost", "server: localhost:70000"),
    BadSite("server: localhost", "server: -oProxyCommand=x"),
    BadSite("ups: ups1", "ups: ups1\n    assumedRuntime: 90"),
    BadSite("ups: ups1", "ups: ups1\n    assumedRuntime: 1:30"),
    BadSite("ups: ups1", "ups: ups1\n    trigger: {onBatteryFor: 5min, chargeBelow: 0, silent: 3s}"),
    BadSite("ups: ups1", "ups: ups1\n    assumedRuntime: 5m\n    trigger: {onBatteryFor: 300s}"),
    BadSite("ups: ups1", "ups: ups1\n    tls: on"),
    BadSite("ups: ups1", "ups: ups1\n    tls: {require: ca.pem}"),
    BadSite("ups: ups1", "ups: ups1\n    user: u\n    output: shutdown.return"),
    BadSite("ups: ups1", "ups: ups1\n  - {name: b, server: localhost, ups: ups1}"),
    BadSite("- name: a\n", "- name: a\n    name: b\n"),
    BadSite("password: file:/s/vc", "password: hunter2"),
    BadSite("password: file:/s/vc", "password: {hunter2: 1}"),
    BadSite("password: file:/s/vc", "password: file:relative/hunter2"),
    BadSite("certificate: system", "certificate: insecure"),
    BadSite("certificate: system", "certificate: {}"),
    BadSite("certificate: system", "certificate: {sha256: 12:34}"),
    BadSite("certificate: system", "port: 0x1BB\n      certificate: {bundle: /a, sha256: x}"),
    BadSite("address: vc.example.org", "address: vc.example.org:443"),
    BadSite("vcsa: vcenter\n", "maintenanceMode: yes\n"),
    BadSite("vcsa: vcenter", "vcsa: vcenter\n    witness: switch\n    limits: {freez: 1m, host: 0s}"),
    BadSite("key: /k/esx", "wake: 01:00:5e:00:00:01"),
    BadSite("key: /k/esx", "key: /k/esx\n        password: env:A"),
    BadSite("hostKeys: [SHA256:0123456789abcdefghijABCDEFGHIJ0123456789abc]", "hostKeys: []"),
    BadSite("hostKeys: [SHA256:0123456789abcdefghijABCDEFGHIJ0123456789abc]", "hostKeys: [MD5:aa]"),
    BadSite("feeds: [a]", "feeds: [b, a, a]\n        feedsNeeded: 4"),
    BadSite("feeds: [a]", "feeds: a"),
    BadSite("- name: esx1", "- name: host one"),
    BadSite("feeds: [a]", "feeds: [a]\n      - name: esx1"),
    BadSite("guests: [\"web*\"]", "guests: [*-db]"),
    BadSite("guests: [\"web*\"]", "guests: [web1, web1]\n        onLimit: poweroff"),
    BadSite("guests: [\"web*\"]", "limit: soon\n      - name: dbs\n        guests: []"),
    BadSite("defaultTier: apps", "defaultTier: app"),
    BadSite("defaultTier: apps", "infrastructure: \"web*\""),
]
