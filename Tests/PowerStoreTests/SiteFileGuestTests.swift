import PowerModel
import PowerStore
import Testing

/// What a site file says of guests, and of clusters that need one another.
@Suite struct SiteFileGuestTests {
    @Test(arguments: badGuests)
    func `a mistake is told by line and column with what would be right`(bad: BadSite) throws {
        let expected = bad.lines.map { "site.yaml:\($0)" }
        #expect(lines(of: try changed(bad.from, bad.to)) == expected)
    }

    private func cluster(_ from: String, _ to: String) throws -> ClusterSite {
        try #require(try site(from, to).clusters.first)
    }

    @Test func `a tier chooses by all it names and has terms of its own`() throws {
        let tier = """
            guests: ["web*", 5012-ab]
                    folders: [Prod/Web]
                    resourcePools: [High]
                    tags: [Role/front end]
                    attributes: {Owner: "team-*", "on": yes}
                    limit: 4m
                    onLimit: suspend
                    shed: {onBatteryFor: 0s, runtimeBelow: 20m, chargeBelow: 60}
                    keepOff: true
                    startDelay: 0s
                    waitForTools: true
                    before:
                      - {command: [/bin/a, -x, "b c"], limit: 5s}
                      - command: [/bin/b]
                    after: [{command: [/bin/c]}]
            """
        let cluster = try cluster("guests: [\"web*\"]", tier)
        let expected = TierSite(
            name: TierName("apps"),
            choice: GuestChoice(
                names: ["web*", "5012-ab"], folders: ["Prod/Web"], resourcePools: ["High"],
                tags: ["Role/front end"], attributes: ["Owner": "team-*", "on": "yes"]),
            limit: .seconds(240), onLimit: .suspend,
            shed: ShedTrigger(
                onBatteryFor: .zero, runtimeBelow: .seconds(1200), chargeBelowPercent: 60),
            keepOff: true, startDelay: .zero, waitForTools: true,
            before: [
                Hook(command: ["/bin/a", "-x", "b c"], limit: .seconds(5)),
                Hook(command: ["/bin/b"]),
            ],
            after: [Hook(command: ["/bin/c"])])
        #expect(cluster.tiers == [expected])
    }

    @Test(arguments: ["folders: [Prod]", "resourcePools: [R]", "tags: [a/b]", "attributes: {a: b}"])
    func `a tier may do without names`(choice: String) throws {
        let two = "\(choice)\n      - name: others\n        guests: [x]"
        let tier = try cluster("guests: [\"web*\"]", two).tiers.first
        #expect(tier?.choice.isEmpty == false && tier?.choice.names == [])
    }

    @Test func `rules hold for single guests`() throws {
        let rules = """
            vcsa: vcenter
                guests:
                  - match: [sql1]
                    limit: 20m
                    after: ["app*", web1]
                  - match: {guests: [sql1], tags: [a/b]}
                    onLimit: leave
                    keepOff: false
                    startDelay: 5s
                    waitForTools: true
                    after: {folders: [Prod]}
            """
        #expect(
            try cluster("vcsa: vcenter", rules).guestRules == [
                GuestRule(choice: ["sql1"], limit: .seconds(1200), after: ["app*", "web1"]),
                GuestRule(
                    choice: GuestChoice(names: ["sql1"], tags: ["a/b"]), onLimit: .leave,
                    keepOff: false, startDelay: .seconds(5), waitForTools: true,
                    after: GuestChoice(folders: ["Prod"])),
            ])
    }

    @Test func `infrastructure is a list of names or a choice`() throws {
        let list = try cluster("vcsa: vcenter", "vcsa: vcenter\n    infrastructure: [dns1]")
        #expect(list.infrastructure == ["dns1"])
        let choice = try cluster(
            "vcsa: vcenter", "vcsa: vcenter\n    infrastructure: {guests: [a], folders: [Core]}")
        #expect(choice.infrastructure == GuestChoice(names: ["a"], folders: ["Core"]))
    }

    @Test func `vCSA may be elsewhere, and guests may be adopted`() throws {
        let elsewhere = try cluster("vcsa: vcenter", "vcsaElsewhere: true")
        #expect(elsewhere.vcsaGuest == nil && !elsewhere.findsVCSA)
        let unsaid = try cluster("vcsa: vcenter", "vcsaElsewhere: false")
        #expect(unsaid.vcsaGuest == nil && unsaid.findsVCSA && unsaid.controllerGuest == nil)
        let word = try cluster("vcsa: vcenter", "vcsa: v\n    controllerElsewhere: true")
        #expect(word.controllerElsewhere && !word.findsVCSA)
        let both = try cluster("vcsa: vcenter", "vcsaElsewhere: false\n    vcsa: vcenter")
        #expect(both.vcsaGuest == "vcenter")
        #expect(!both.adoptGuests)
        #expect(try cluster("vcsa: vcenter", "vcsa: vcenter\n    adoptGuests: true").adoptGuests)
    }

    @Test func `how guests come up is a cluster's and a host's to say, and by itself it is auto`()
        throws
    {
        let unsaid = try cluster("vcsa: vcenter", "vcsa: vcenter")
        #expect(unsaid.boot == .auto && unsaid.hosts.allSatisfy { $0.boot == nil })
        for policy in BootPolicy.allCases {
            let said = try cluster("vcsa: vcenter", "vcsa: vcenter\n    boot: \(policy.rawValue)")
            #expect(said.boot == policy)
        }
        let host = try cluster("key: /k/esx", "key: /k/esx\n        boot: controller")
        #expect(host.hosts.map(\.boot) == [.controller])
    }

    @Test func `answers to guests' questions are a list, and by default there are none`() throws {
        #expect(
            try cluster("vcsa: vcenter", "vcsa: vcenter\n    maintenanceMode: true").answers == [])
        let text = """
            vcsa: vcenter
                answers:
                  - match: msg.uuid.altered
                    choose: I _copied it
                  - {match: "disk space", choose: "1"}
            """
        #expect(
            try cluster("vcsa: vcenter", text).answers == [
                QuestionAnswer(match: "msg.uuid.altered", choose: "I _copied it"),
                QuestionAnswer(match: "disk space", choose: "1"),
            ])
    }

    @Test(arguments: ["- {match: a}", "- {choose: a}", "- a", "- {match: \"\", choose: a}"])
    func `an answer without a question or a choice is refused`(item: String) throws {
        #expect(throws: (any Error).self) {
            try cluster("vcsa: vcenter", "vcsa: vcenter\n    answers:\n      \(item)")
        }
    }

    @Test func `a feed has the charge at which a restore begins`() throws {
        let feed = try site("ups: ups1", "ups: ups1\n    trigger: {restoreAt: 35%}").feeds.first
        #expect(feed?.trigger == TriggerPolicy(restoreAtPercent: 35))
    }

    // MARK: Clusters that need one another

    /// Clusters of these names, each with what it needs, at the end of the shortest site file.
    private func clusters(_ needs: [(name: String, needs: String)]) throws -> String {
        let block = try #require(shortest.firstRange(of: "  - name: prod"))
        let one = String(shortest[block.lowerBound...])
        return String(shortest[..<block.lowerBound])
            + needs.map { name, needs in
                one.replacing("prod", with: name).replacing("esx1", with: "esx-\(name)")
                    .replacing("vcsa: vcenter", with: "vcsa: vcenter\n    needs: \(needs)")
            }.joined()
    }

    @Test func `clusters that need one another go down in that order`() throws {
        let text = try clusters([("m", "[]"), ("a", "[m]"), ("b", "[a, m]")])
        let site = try SiteFile.parse(text, path: "site.yaml")
        let (m, a, b) = (ClusterName("m"), ClusterName("a"), ClusterName("b"))
        #expect(site.clusters.map(\.needs) == [[], [m], [a, m]])
        let order = site.shutdownOrder(of: [m, a, b])
        #expect(order.map(\.cluster) == [b, a, m])
    }

    @Test func `a cluster that is needed is there, and goes down last`() throws {
        #expect(
            lines(of: try clusters([("a", "[x, x]"), ("b", "[b]"), ("c", "[b, d]"), ("d", "[c]")]))
                == [
                    #"site.yaml:14:13: no cluster is named "x"; there are: a, b, c, d"#,
                    #"site.yaml:14:16: no cluster is named "x"; there are: a, b, c, d"#,
                    #"site.yaml:14:16: the cluster "x" is there already, at line 14"#,
                    #"site.yaml:31:13: "b" cannot need itself"#,
                    #"site.yaml:48:16: "c" and "d" need each other: neither could go down last"#,
                    #"site.yaml:65:13: "d" and "c" need each other: neither could go down last"#,
                ])
        // By way of a third.
        let circle = try clusters([("a", "[b]"), ("b", "[c]"), ("c", "[a]")])
        #expect(lines(of: circle).count == 3)
    }
}

private let choiceWords =
    #"expected a list of names or patterns, e.g. ["*-db", web01], or the keys guests, folders, resourcePools, tags, attributes"#

let badGuests: [BadSite] = [
    BadSite(
        "guests: [\"web*\"]", "limit: 1m\n      - name: dbs",
        "22:9: the tier has no `guests`: a list of names or patterns; or one of `folders`, `resourcePools`, `tags`, `attributes`"
    ),
    BadSite(
        "guests: [\"web*\"]", "limit: 1m\n      - name: dbs\n        tags: []\n        guests: []",
        "24:17: `guests` is empty: only the default tier needs no guests of its own"),
    BadSite(
        "guests: [\"web*\"]",
        "folders: [/Prod, a/]\n        resourcePools: High\n        tags: [nightly]",
        #"21:19: the folder is "/Prod"; expected a folder or resource pool below the top one, e.g. Prod/Web"#,
        #"21:26: the folder is "a/"; expected a folder or resource pool below the top one, e.g. Prod/Web"#,
        "22:24: `resourcePools` is a single value; expected a list of resource pools, e.g. [High]",
        #"23:16: the tag is "nightly"; expected a category and a tag, e.g. Backup/nightly"#),
    BadSite(
        "guests: [\"web*\"]",
        "folders: [Prod]\n      - name: dbs\n        folders: [Prod]\n        tags: [a/b, a/b]",
        #"23:19: the folder "Prod" is there already, at line 21"#,
        #"24:21: the tag "a/b" is there already, at line 24"#),
    BadSite(
        "guests: [\"web*\"]", "attributes: [Owner]",
        #"21:21: `attributes` is a list; expected names of custom attributes with a value each, e.g. {Owner: "team-*"}"#
    ),
    BadSite(
        "guests: [\"web*\"]", "attributes: {a: [b], a: c}",
        #"21:25: "a" is a list; expected a value or a pattern, e.g. "team-*""#,
        #"21:30: the attribute "a" is there already, at line 21"#),
    BadSite(
        "guests: [\"web*\"]", "shed: {}\n        keepOff: yes\n        startDelay: 30",
        "21:15: `shed` never comes true; give one of onBatteryFor, runtimeBelow, chargeBelow",
        #"22:18: `keepOff` is "yes"; expected true or false"#,
        #"23:21: `startDelay` is "30", which has no unit; expected a duration with its units d, h, m, s, e.g. 90s, 5m, 1m30s"#
    ),
    BadSite(
        "guests: [\"web*\"]", "shed: {onBattery: 5m, chargeBelow: 101%}",
        #"21:16: unknown key "onBattery" in `shed` (did you mean "onBatteryFor"?); allowed: onBatteryFor, runtimeBelow, chargeBelow"#,
        #"21:44: `chargeBelow` is "101%"; expected percent of the charge, 1 to 100, e.g. 30%"#),
    BadSite(
        "guests: [\"web*\"]",
        "before: [{command: [quiesce, --all]}, {command: /bin/a b}, {limit: 0s}]\n        after: /bin/c",
        #"21:29: the program is "quiesce"; expected an absolute path, e.g. /etc/vpower/key"#,
        "21:57: `command` is a single value; expected a list of an absolute path and its arguments",
        "21:68: the hook has no `command`: a list of an absolute path and its arguments",
        #"21:76: `limit` is "0s"; expected a duration of at least 1s with its units d, h, m, s, e.g. 90s, 5m, 1m30s"#,
        "22:16: `after` is a single value; expected a list of commands, e.g. {command: [/usr/bin/true], limit: 1m}"
    ),
    BadSite(
        "guests: [\"web*\"]", "before: [{command: []}, {command: [/a, [b], \"c\\0d\"]}]",
        "21:28: `command` is empty; expected at least one of an absolute path and its arguments",
        "21:48: the argument is a list; expected an argument of the command",
        #"21:53: the argument is "c\u{0}d"; expected an argument of the command"#),
    BadSite(
        "vcsa: vcenter",
        "vcsa: vcenter\n    guests: [{limit: 5m}, {match: [a]}, {match: a, limit: 1m}]",
        "14:14: the rule has no `match`: \(choiceWords.dropFirst(9))",
        "14:27: the rule says nothing; give one of limit, onLimit, keepOff, startDelay, waitForTools, after",
        "14:49: `match` is a single value; \(choiceWords)"),
    BadSite(
        "vcsa: vcenter",
        "vcsa: vcenter\n    guests: [{match: [], limit: 5m}, {match: {tags: []}, after: {}}]",
        "14:22: `match` is empty; \(choiceWords)", "14:46: `match` is empty; \(choiceWords)",
        "14:65: `after` is empty; \(choiceWords)"),
    BadSite(
        "vcsa: vcenter", "vcsa: vcenter\n    guests: [{match: {names: [a]}, shed: {}, limit: 5m}]",
        #"14:23: unknown key "names" in `match`; allowed: guests, folders, resourcePools, tags, attributes"#,
        #"14:36: unknown key "shed" in the rule; allowed: match, limit, onLimit, keepOff, startDelay, waitForTools, after"#
    ),
    BadSite(
        "vcsa: vcenter", "vcsaElsewhere: true\n    vcsa: vcenter",
        "13:20: `vcsaElsewhere` beside `vcsa`: give one of them"),
    BadSite(
        "vcsa: vcenter", "controllerElsewhere: true\n    controller: vpower",
        "13:26: `controllerElsewhere` beside `controller`: give one of them"),
    BadSite(
        "vcsa: vcenter", "vcsaElsewhere: false\n    needs: prod\n    adoptGuests: maybe",
        "14:12: `needs` is a single value; expected a list of names of clusters",
        #"15:18: `adoptGuests` is "maybe"; expected true or false"#),
    BadSite(
        "ups: ups1", "ups: ups1\n    trigger: {restoreAt: 0%}",
        #"6:26: `restoreAt` is "0%"; expected percent of the charge, 1 to 100, e.g. 30%"#),
]
