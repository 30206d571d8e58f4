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
}
