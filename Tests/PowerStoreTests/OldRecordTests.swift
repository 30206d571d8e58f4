import Foundation
import PowerModel
import Testing

/// Journals of earlier releases are read.
struct OldRecordTests {
    @Test func `a snapshot without addresses and findings is read, and one with them comes back`()
        throws
    {
        let new = snapshot()
        let bytes = try JSONEncoder().encode(new)
        #expect(try JSONDecoder().decode(ClusterSnapshot.self, from: bytes) == new)
        var fields = try #require(
            try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        var inventory = try #require(fields["inventory"] as? [String: Any])
        #expect(fields.removeValue(forKey: "addresses") != nil)
        #expect(fields.removeValue(forKey: "apiVersion") as? String == "7.0.3.0")
        #expect(inventory.removeValue(forKey: "found") != nil)
        fields["inventory"] = inventory
        let old = try JSONDecoder().decode(
            ClusterSnapshot.self, from: JSONSerialization.data(withJSONObject: fields))
        var expected = new
        expected.addresses = [:]
        expected.apiVersion = nil
        expected.inventory.found = FoundGuests()
        #expect(old == expected)
    }

    @Test func `a machine's step of an earlier release is read as one that goes at once`() throws {
        let nas = MachineName("nas")
        let steps: [(String, Action)] = [
            (#"{"stopMachine":{"_0":"nas"}}"#, .stopMachine(nas, delay: nil)),
            (#"{"startMachine":{"_0":"nas"}}"#, .startMachine(nas, going: nil)),
        ]
        for (old, action) in steps {
            #expect(try JSONDecoder().decode(Action.self, from: Data(old.utf8)) == action)
        }
    }

    @Test func `a boot script's orders of an earlier release are read as what they were`() throws {
        let boot = BootGuest(name: "dns", vmxPath: "[ds] dns.vmx")
        var new = BootOrders(
            host: HostName("esx1"), run: RunID("r"), armed: noon, expires: noon,
            leaveMaintenance: false, infrastructure: [boot], vcsa: nil, waitsForVCSA: true,
            tiers: [[boot]], startGap: .seconds(5), afterVCSA: .seconds(300))
        let expected = new
        new.isArmed = false
        new.settle = .seconds(60)
        new.vcenter = [Endpoint(host: "192.0.2.9", port: 443)]
        new.standing = [boot]
        new.extras = [
            BootExtra(.line("true")), BootExtra(.file(path: "/a", content: "b\n")),
        ]
        let bytes = try JSONEncoder().encode(new)
        #expect(try JSONDecoder().decode(BootOrders.self, from: bytes) == new)
        var fields = try #require(
            try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        for key in ["isArmed", "vcenter", "settle", "standing", "extras"] {
            #expect(fields.removeValue(forKey: key) != nil, "\(key)")
        }
        let old = try JSONDecoder().decode(
            BootOrders.self, from: JSONSerialization.data(withJSONObject: fields))
        #expect(old == expected)
    }
}
