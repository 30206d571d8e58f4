import PowerModel
import Testing

/// What boot scripts are told beside the guests.
@Suite struct BootOrderTests {
    static let fixture = Fixture(guests: [
        Fixture.guest("dns1", on: "h2"), Fixture.guest("dns2", on: "h3", power: .off),
        Fixture.guest("app-1", on: "h3"),
    ])

    @Test func `unarmed, every host knows all that others need, and nothing by default`() throws {
        #expect(try Self.fixture.orders().allSatisfy { $0.standing.isEmpty && $0.isArmed })
        var fixture = Self.fixture
        fixture.site.unarmedBoot = .infrastructureAndVCSA
        for orders in try fixture.orders() {
            #expect(orders.standing.map(\.vmxPath) == ["[ds] dns1.vmx", "[ds] vcsa.vmx"])
        }
    }

    @Test func `vCSA is looked for by the addresses that its name had, where it is waited for`()
        throws
    {
        var fixture = Self.fixture
        #expect(try fixture.orders().allSatisfy { $0.vcenter.isEmpty })
        let goal = fixture.snapshot
        fixture.snapshot.addresses = ["vc": ["192.0.2.9", "fe80::9"], "h1": ["192.0.2.1"]]
        let known = [Endpoint(host: "192.0.2.9", port: 443), Endpoint(host: "fe80::9", port: 443)]
        #expect(try fixture.orders(goal: goal).allSatisfy { $0.vcenter == known })
        // DNS is down by now: the outage's snapshot still tells.
        let first = fixture.snapshot
        fixture.snapshot.addresses = [:]
        #expect(try fixture.orders(goal: first).allSatisfy { $0.vcenter == known })
        for address in ["10.1.2.3", "fe80::1"] {
            fixture.site.vcenter.endpoint.host = address
            #expect(
                try fixture.orders().allSatisfy {
                    $0.vcenter == [Endpoint(host: address, port: 443)]
                })
        }
        var without = Fixture(vcsaPower: .off)
        without.site.vcenter.endpoint.host = "10.1.2.3"
        #expect(try without.orders().allSatisfy { $0.vcenter.isEmpty })
    }

    @Test func `a host's extras come after the cluster's`() throws {
        var fixture = Self.fixture
        let extras = ["a", "b"].map { BootExtra(.line($0)) }
        fixture.site.extras = [extras[0]]
        fixture.site.hosts[1].extras = [extras[1]]
        #expect(try fixture.orders().map(\.extras) == [[extras[0]], extras, [extras[0]]])
    }
}
