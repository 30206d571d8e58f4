import PowerModel
import Testing

@testable import ESXi

/// What vSAN's commands say (facts/esxi.md section 7).
struct VSANTextTests {
    @Test func `a cluster's members and health are read`() {
        let page = """
            Cluster Information
               Enabled: true
               Local Node Health State: HEALTHY
               Sub-Cluster Member Count: 16
               Sub-Cluster Member UUIDs: 6813878b-163d-3a33-cc63-0050569c4bac, 68138792
            """
        #expect(VSANText.membership(page) == VSANMembership(members: 16, isHealthy: true))
        #expect(
            VSANText.membership(page.replacing("HEALTHY", with: "UNHEALTHY"))
                == VSANMembership(members: 16, isHealthy: false))
        for bad in ["", "Error: Unknown command or namespace vsan", "Sub-Cluster Member Count: 3"] {
            #expect(VSANText.membership(bad) == nil)
        }
        #expect(VSANText.membership(page.replacing("16", with: "-1")) == nil)
        #expect(VSANText.membership(page.replacing("16", with: "many")) == nil)
    }

    @Test func `only 0 and 1 are settings`() {
        let start = "Value of IgnoreClusterMemberListUpdates is "
        #expect(VSANText.value(start + "1\n") == 1)
        #expect(VSANText.value(start + "0") == 0)
        for bad in ["", start, start + "2", start + "1\n" + start + "0", "Invalid Option"] {
            #expect(VSANText.value(bad) == nil, "\(bad)")
        }
    }

    @Test func `the helper's words are known, in both forms of recovery`() {
        #expect(VSANText.isPrepared("Time: 12\nCluster preparation is done.\n"))
        #expect(!VSANText.isPrepared("Cluster preparation failed"))
        #expect(VSANText.isRecovered("Cluster reboot/poweron is completed successfully!"))
        #expect(VSANText.isRecovered("x\nCluster reboot/power-on is completed successfully!\n"))
        #expect(!VSANText.isRecovered("Cluster reboot/poweron failed"))
        #expect(!VSANText.isRecovered(""))
    }
}
