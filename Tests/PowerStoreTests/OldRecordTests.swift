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
}
