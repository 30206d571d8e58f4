import PowerModel
import Testing

struct GuestChoiceTests {
    private static let guest: Guest = {
        var guest = Fixture.guest("web-1")
        guest.labels = GuestLabels(
            folder: "Prod/Web/Old", resourcePool: "High/Databases",
            tags: ["Role/front end", "Backup/nightly"], attributes: ["Owner": "team-a"])
        return guest
    }()

    private static let choices: [(choice: GuestChoice, fits: Bool)] = [
        ([], false),
        (["web-1"], true), (["web-*"], true), (["other", "web-1"], true), (["Web-1"], false),
        (["ID-web-1"], true), (["id-web-2"], false), (["id-web*"], false),
        (GuestChoice(folders: ["Prod/Web/Old"]), true), (GuestChoice(folders: ["Prod"]), true),
        (GuestChoice(folders: ["Prod/We"]), false), (GuestChoice(folders: ["Web"]), false),
        (GuestChoice(folders: ["*/Web"]), true), (GuestChoice(folders: ["Prod/W*"]), true),
        (GuestChoice(resourcePools: ["High"]), true), (GuestChoice(resourcePools: ["Low"]), false),
        (GuestChoice(tags: ["Backup/nightly"]), true), (GuestChoice(tags: ["Role/*"]), true),
        (GuestChoice(tags: ["Role"]), false),
        (GuestChoice(attributes: ["Owner": "team-*"]), true),
        (GuestChoice(attributes: ["Owner": "x"]), false),
        (GuestChoice(attributes: ["owner": "team-*"]), false),
        // Any of them is enough.
        (GuestChoice(names: ["x"], folders: ["y"], tags: ["Role/*"]), true),
    ]

    @Test(arguments: choices)
    func `a guest fits that is what any of the keys says`(choice: GuestChoice, fits: Bool) {
        #expect(choice.matches(Self.guest) == fits)
        #expect(choice.isEmpty == (choice == []))
    }

    @Test func `labels that are not known fit nothing, and the top fits its own`() {
        var guest = Fixture.guest("a")
        #expect(!GuestChoice(folders: ["*"], resourcePools: ["*"]).matches(guest))
        guest.labels.folder = ""
        #expect(GuestChoice(folders: ["*"]).matches(guest))
        #expect(!GuestChoice(folders: ["Prod"]).matches(guest))
    }

    @Test func `a name is what it is written with`() {
        // One character in two spellings is two names.
        var guest = Fixture.guest("e")
        guest.name = "e\u{301}"
        #expect(GuestChoice(names: ["e\u{301}"]).matches(guest))
        #expect(!GuestChoice(names: ["\u{E9}"]).matches(guest))
        #expect(!GuestChoice(names: ["e"]).matches(guest))
    }

    @Test func `tiers choose by folder, pool, tag and attribute too`() throws {
        var fixture = Fixture(guests: [Self.guest, Fixture.guest("mid-1")])
        fixture.site.tiers[2].choice = GuestChoice(tags: ["Backup/*"])
        let roles = try Roles(of: fixture.snapshot.inventory, in: fixture.site)
        #expect(roles.tiers[2].guests.map(\.name) == ["web-1"])
        #expect(roles.unnamed == [])
    }
}

struct InventoryTests {
    private static let names = ["b", "a", "d", "c"]

    private func inventory(_ names: [String]) -> Inventory {
        Inventory(
            version: 1, hosts: names.map { HostView(name: HostName($0)) },
            guests: names.map { Fixture.guest($0) })
    }

    private func check(_ inventory: Inventory, _ names: [String]) {
        #expect(inventory.guests.map(\.name) == names)
        #expect(inventory.hosts.map(\.name.rawValue) == names)
        for name in names {
            #expect(inventory.guest(Fixture.id(name))?.name == name)
            #expect(inventory.host(HostName(name))?.name.rawValue == name)
        }
        for missing in ["", "aa", "bb", "zz"] {
            #expect(inventory.guest(Fixture.id(missing)) == nil)
            #expect(inventory.host(HostName(missing)) == nil)
        }
    }

    @Test(arguments: 0...4)
    func `everything in an inventory is found, and nothing else`(count: Int) {
        let names = Array(Self.names.prefix(count))
        check(inventory(names), names.sorted())
    }

    @Test func `an inventory stays sorted whatever is done to it`() {
        var inventory = inventory([])
        inventory.hosts = Self.names.map { HostView(name: HostName($0)) }
        inventory.guests = Self.names.map { Fixture.guest($0) }
        check(inventory, ["a", "b", "c", "d"])
        inventory.hosts[0].name = HostName("e")
        inventory.guests[0] = Fixture.guest("e")
        check(inventory, ["b", "c", "d", "e"])
        inventory.guests.append(Fixture.guest("a"))
        inventory.hosts.append(HostView(name: HostName("a")))
        check(inventory, ["a", "b", "c", "d", "e"])
    }
}

struct PlanSpeedTests {
    /// 20,000 guests in ten tiers on 1,000 hosts.
    private static var large: Fixture {
        let guests = (0..<20_000).map { number in
            Fixture.guest("t\(number % 11)-\(number)", on: "h\(number % 1000 + 1)")
        }
        var fixture = Fixture(hosts: 1000, guests: guests)
        fixture.site.tiers = (0..<10).map { tier in
            TierSite(
                name: TierName("t\(tier)"),
                choice: GuestChoice(
                    names: patterns(["x\(tier)-*", "t\(tier)-*"])
                        + patterns((0..<100).map { "n\(tier)-\($0)" }),
                    folders: patterns(["Prod/\(tier)"]), tags: patterns(["Role/\(tier)"])))
        }
        fixture.site.defaultTier = TierName("t9")
        fixture.site.guestRules = (0..<20).map { number in
            GuestRule(
                choice: GuestChoice(names: patterns(["t\(number % 10)-*00"])),
                limit: .seconds(60),
                after: GuestChoice(names: patterns(["t\(number % 10)-\(number)"])))
        }
        return fixture
    }

    private static func patterns(_ texts: [String]) -> [GuestPattern] {
        texts.map { GuestPattern($0) }
    }

    @Test func `a thousand hosts are planned in a moment`() throws {
        let fixture = Self.large
        var plans: [Plan] = []
        var recorder = Recorder()
        recorder.begin(fixture)
        var taken = try ContinuousClock().measure { plans = [try fixture.shutdown()] }
        recorder.start(plans[0], run: Fixture.run)
        for step in plans[0].steps {
            recorder.ask(step.id.rawValue, run: Fixture.run)
            recorder.end(step.id.rawValue, run: Fixture.run)
        }
        let ledger = recorder.ledger
        taken += try ContinuousClock().measure {
            plans.append(try fixture.planner.restore(goal: fixture.snapshot, ledger: ledger))
        }
        #expect(plans.map(\.guests.count) == [20_001, 20_001])
        #expect(plans[0].phase(.hosts)?.steps.count == 999)
        #expect(plans[1].phase(.bootScripts)?.steps.count == 1000)
        // Many times what it takes without optimization on an idle machine; a look at every guest
        // for every host would take an hour.
        #expect(taken < .seconds(60), "\(taken)")
    }
}
