import PowerModel
import PowerRun
import Testing

@testable import VSphere

/// Traps that no simulator has (facts/vsphere.md 4).
extension ExchangeTests {
    /// Folders, names and references change when a guest is registered anew; its identity does not.
    @Test func `trap 4.4: a guest that was registered anew is found by its instanceUuid`()
        async throws
    {
        func guest(_ id: String) -> String {
            Recorded.vm("vm-11", "moved").replacing(">vm-11</obj>", with: ">\(id)</obj>")
        }
        func told(_ version: String, _ sets: String) -> String {
            Recorded.returning(
                "WaitForUpdatesEx",
                "<returnval><version>\(version)</version><filterSet><filter type=\"PropertyFilter\">"
                    + "f</filter>\(sets)</filterSet></returnval>")
        }
        func entering(_ objects: [String]) -> String {
            objects.map {
                $0.replacing("<objects>", with: "<objectSet><kind>enter</kind>")
                    .replacing("</objects>", with: "</objectSet>")
                    .replacing("<propSet>", with: "<changeSet>")
                    .replacing("</propSet>", with: "</changeSet>")
                    .replacing("</name><val", with: "</name><op>assign</op><val")
            }.joined()
        }
        let places = [Recorded.cluster("domain-c8", "Prod"), Recorded.host("host-9", "esx1")]
        let gone =
            "<objectSet><kind>leave</kind><obj type=\"VirtualMachine\">vm-11</obj></objectSet>"
        let exchange = try Exchange([
            "RetrievePropertiesEx.1": Recorded.page(places + [guest("vm-11")]),
            "WaitForUpdatesEx.1": told("1", entering(places + [guest("vm-11")])),
            "WaitForUpdatesEx.2": told("2", gone + entering([guest("vm-511")])),
        ])
        let before = try #require(try await exchange.cluster.snapshot().inventory.guests.first)
        let first = try await exchange.cluster.inventory(newerThan: nil, within: .seconds(10))
        let after = try await exchange.cluster.inventory(
            newerThan: first.version, within: .seconds(10))
        #expect(before.reference == "vm-11")
        #expect(after.guests.map(\.reference) == ["vm-511"])
        #expect(after.guests.map(\.id) == [before.id])
        // As the outage's snapshot has it, with the old reference.
        try await exchange.cluster.shutDown(before)
        let asked = try await exchange.calls().last { $0.method == "ShutdownGuest" }
        #expect(asked?.body.contains(">vm-511</_this>") == true)
        await exchange.cluster.close()
    }

    /// A row of what vCenter says of a host, and what is made of it.
    struct HostRow: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let properties: String
        var isAsleep = false
        var fault: String?
    }

    private static func das(_ state: String) -> String {
        "<propSet><name>runtime.dasHostState</name><val xsi:type=\"ClusterDasFdmHostState\">"
            + "<state>\(state)</state></val></propSet>"
    }

    private static let hostRows = [
        HostRow(testDescription: "nothing special", properties: das("connectedToMaster")),
        HostRow(
            testDescription: "in standby",
            properties: Recorded.property(
                "runtime.powerState", "HostSystemPowerState", "standBy"), isAsleep: true),
        HostRow(
            testDescription: "in standby, its power unknown since it is out of touch",
            properties: Recorded.property("runtime.powerState", "HostSystemPowerState", "unknown")
                + Recorded.property("runtime.standbyMode", "xsd:string", "in"), isAsleep: true),
        HostRow(
            testDescription: "it comes out of standby",
            properties: Recorded.property("runtime.standbyMode", "xsd:string", "exiting")),
        HostRow(
            testDescription: "its agent could not be taken away",
            properties: das("uninitializationError"), fault: "uninitializationError"),
        HostRow(
            testDescription: "its agent could not be made ready",
            properties: das("initializationError"), fault: "initializationError"),
        HostRow(testDescription: "an election passes by itself", properties: das("election")),
    ]

    @Test(arguments: hostRows)
    func `traps 2.4 and 4.3: standby and HA's faults are read of a host`(row: HostRow) async throws
    {
        let host = Recorded.object(
            "HostSystem", "host-9", Recorded.property("name", "xsd:string", "esx1"),
            Recorded.reference("parent", "ClusterComputeResource", "domain-c8"), row.properties)
        let exchange = try Exchange([
            "RetrievePropertiesEx.1": Recorded.page([
                Recorded.cluster("domain-c8", "Prod"), host,
            ])
        ])
        let seen = try #require(try await exchange.cluster.snapshot().inventory.hosts.first)
        #expect(seen.inStandby == row.isAsleep)
        #expect(seen.haAgentFault == row.fault)
    }
}
