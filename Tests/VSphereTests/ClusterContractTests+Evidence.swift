import PowerLab
import PowerModel
import PowerRun
import Testing

@testable import VSphere

/// By what it can be told who is who.
extension ClusterContractTests {
    @Test func `vCSA's guest is found by what vCenter shows of itself and of its guests`()
        async throws
    {
        try await with(.wire) { bench in
            let cluster = try bench.client()
            let snapshot = try await cluster.snapshot()
            let evidence = try await cluster.evidence(of: snapshot)
            let ordinary = bench.world.scenario.guests.filter { $0.nature == .ordinary }
            #expect(Set(evidence.guests.map(\.id)) == Set(ordinary.map(\.id)))
            #expect(evidence.guests.allSatisfy { $0.biosUUID?.count == 36 })
            #expect(evidence.vcenterNames.contains("localhost"))
            let vcsa = try #require(ordinary.first { $0.isVCSA })
            let names = VCenterEvidence(names: evidence.vcenterNames, addresses: [])
            #expect(WhoIsWho.vcsa(names, among: evidence.guests) == .guest(vcsa.id))
            // Without its Tools nothing of it is known.
            let mute = evidence.guests.filter { $0.name == "mid-notools" }
            #expect(mute.map(\.hostName) == [nil] && mute.allSatisfy { $0.addresses.isEmpty })
            await cluster.close()
        }
    }
}

struct EvidenceTests {
    @Test func `all addresses of all cards of a guest are read`() throws {
        let cards = """
            <GuestNicInfo><network>VM Network</network><ipAddress>10.0.0.9</ipAddress>\
            <ipAddress>fe80::1</ipAddress><macAddress>00:50:56:aa:00:01</macAddress>\
            <connected>true</connected><deviceConfigId>4000</deviceConfigId></GuestNicInfo>\
            <GuestNicInfo><macAddress>00:50:56:aa:00:02</macAddress><connected>false</connected>\
            <deviceConfigId>4001</deviceConfigId></GuestNicInfo>
            """
        let page = Recorded.object(
            "VirtualMachine", "vm-7",
            Recorded.property("config.uuid", "string", "421f245c-7fa8-60fa-6af6-a46351ced0eb"),
            Recorded.property("guest.hostName", "string", "vc.example.org"),
            Recorded.property("guest.ipAddress", "string", "10.0.0.9"),
            Recorded.property("guest.net", "ArrayOfGuestNicInfo", cards))
        let reply = try ReplyReader.payload(of: Array(Recorded.page([page]).utf8))
        let result = try #require(reply["returnval"])
        let vm = try #require(try VimClient.objects(in: result).first)
        let guest = Guest(
            id: GuestID("g"), name: "vc", reference: "vm-7", vmxPath: "", host: nil, power: .on,
            tools: .running, nature: .ordinary)
        let evidence = VCenterCluster.evidence(guest, vm)
        #expect(evidence.hostName == "vc.example.org")
        #expect(evidence.biosUUID == "421f245c-7fa8-60fa-6af6-a46351ced0eb")
        #expect(
            evidence.addresses == [
                "10.0.0.9", "fe80::1", "00:50:56:aa:00:01", "00:50:56:aa:00:02", "10.0.0.9",
            ])
    }
}
