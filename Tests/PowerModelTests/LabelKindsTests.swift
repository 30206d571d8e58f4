import PowerModel
import Testing

struct LabelKindsTests {
    private func site(
        tier: GuestChoice = [], infrastructure: GuestChoice = [], rule: GuestRule? = nil
    ) -> ClusterSite {
        ClusterSite(
            name: ClusterName("c"),
            vcenter: VCenterSite(
                endpoint: Endpoint(host: "vc", port: 443), user: "u",
                password: .environment(name: "P"), trust: .system),
            vcsaGuest: nil, hosts: [],
            tiers: [TierSite(name: TierName("t"), choice: tier)], defaultTier: TierName("t"),
            infrastructure: infrastructure, guestRules: rule.map { [$0] } ?? [])
    }

    @Test func `a site needs the labels its choices name, wherever they stand`() {
        let folder = GuestChoice(folders: ["Prod"])
        let pool = GuestChoice(resourcePools: ["High"])
        let tag = GuestChoice(tags: ["Tier/1"])
        let attribute = GuestChoice(attributes: ["power": "late"])
        #expect(site(tier: ["web*"]).labelKinds == [])
        #expect(site(tier: folder).labelKinds == .folders)
        #expect(site(infrastructure: pool).labelKinds == .resourcePools)
        #expect(site(rule: GuestRule(choice: tag)).labelKinds == .tags)
        #expect(site(rule: GuestRule(choice: [], after: attribute)).labelKinds == .attributes)
        #expect(
            site(
                tier: folder, infrastructure: pool, rule: GuestRule(choice: tag, after: attribute)
            ).labelKinds == .all)
    }

    @Test func `a guest keeps the labels of the outage's snapshot, a new one has its own`() {
        func guest(_ id: String, _ tags: [String], _ power: GuestPower) -> Guest {
            Guest(
                id: GuestID(id), name: id, reference: nil, vmxPath: "[d] \(id).vmx", host: nil,
                power: power, tools: .running, nature: .ordinary,
                labels: GuestLabels(tags: tags))
        }
        let goal = Inventory(
            version: 1, hosts: [], guests: [guest("a", ["t/1"], .on), guest("gone", [], .on)])
        var now = Inventory(
            version: 2, hosts: [], guests: [guest("a", [], .off), guest("new", ["t/2"], .on)])
        now.takeLabels(of: goal)
        #expect(now.guests == [guest("a", ["t/1"], .off), guest("new", ["t/2"], .on)])
    }
}
