import PowerLab
import PowerModel
import PowerRun
import Testing

@testable import VSphere

/// What vpower's user may do at a vCenter.
extension ClusterContractTests {
    @Test func `what the user may not do is named with its objects, and found before an outage`()
        async throws
    {
        try await with(.wire) { scenario in
            // The key is there: then it is by that setting that vCLS is put into retreat mode.
            scenario.automation.vcls = .on
        } _: { bench in
            let server = try #require(bench.server)
            let cluster = try bench.client()
            let snapshot = try await cluster.snapshot()
            #expect(try await cluster.missingPrivileges(on: snapshot, suspends: true) == [])
            await server.withhold([
                "VirtualMachine.Interact.PowerOff", "Host.Inventory.EditCluster",
                "VirtualMachine.Interact.Suspend", "Global.Settings",
            ])
            let missing = try await cluster.missingPrivileges(on: snapshot, suspends: false)
            #expect(missing.map(\.privilege) == [.settings, .editCluster, .powerOff])
            #expect(missing[0].objects == ["the vCenter"])
            #expect(missing[1].objects == [bench.world.scenario.cluster.rawValue])
            // vCLS is never a target.
            let targets = bench.world.scenario.guests.filter { $0.nature == .ordinary }
            #expect(missing[2].objects == targets.map(\.name).sorted())
            let all = try await cluster.missingPrivileges(on: snapshot, suspends: true)
                .map(\.privilege)
            #expect(all == [.settings, .editCluster, .powerOff, .suspend])
            // What every role has: at the root, and on all that is read.
            await server.withhold(["System.View", "System.Read"])
            let reading = try await cluster.missingPrivileges(on: snapshot, suspends: false)
            #expect(reading.map(\.privilege) == [.view, .read, .read, .read])
            let hosts = bench.world.scenario.hosts.map(\.name.rawValue).sorted()
            #expect(
                reading.map(\.objects) == [
                    ["the vCenter"], [bench.world.scenario.cluster.rawValue], hosts,
                    targets.map(\.name).sorted(),
                ])
            await server.withhold([
                "VirtualMachine.Interact.PowerOff", "Host.Inventory.EditCluster",
            ])
            // As vCenter says it when it is too late.
            let guest = try await bench.guest("app-web01")
            #expect(
                await failure { () async throws(ClusterError) in
                    try await cluster.shutDown(guest)
                } == .notPermitted)
            #expect(
                await failure { () async throws(ClusterError) in
                    try await cluster.change(.freeze(bench.world.currentAutomation()))
                } == .notPermitted)
            await server.withhold([])
            #expect(try await cluster.missingPrivileges(on: snapshot, suspends: true) == [])
            await cluster.close()
        }
    }

    @Test func `what is not needed is not asked for`() async throws {
        try await with(.wire) { bench in
            let server = try #require(bench.server)
            let cluster = try bench.client()
            let snapshot = try await cluster.snapshot()
            await server.withhold(["Global.Settings", "VirtualMachine.Interact.AnswerQuestion"])
            // The cluster's own mode takes no more than the privilege for HA and DRS.
            #expect(try await cluster.missingPrivileges(on: snapshot, suspends: true) == [])
            let missing = try await cluster.missingPrivileges(
                on: snapshot, suspends: false, answers: true)
            #expect(missing.map(\.privilege) == [.answerQuestion])
            await cluster.close()
        }
    }
}

@Suite struct PrivilegeTests {
    private func answer(_ entity: String, _ granted: String...) -> String {
        "<returnval><entity type=\"VirtualMachine\">\(entity)</entity>\(granted.joined())</returnval>"
    }

    private func granted(_ privilege: VCenterPrivilege, _ flag: String) -> String {
        "<privAvailability><privId>\(privilege.rawValue)</privId>\(flag)</privAvailability>"
    }

    private func missing(_ answers: String) throws -> [String] {
        let reply = try ReplyReader.payload(
            of: Array(Recorded.returning("HasPrivilegeOnEntities", answers).utf8))
        let objects = ["vm-1", "vm-2"].map {
            PrivilegeObject(
                reference: Reference(kind: "VirtualMachine", id: $0), name: "guest \($0)")
        }
        return try PrivilegeQuestion<VCenterPrivilege>.missing(
            in: reply, asked: [.powerOff, .powerOn], of: objects
        ).map { "\($0.privilege.rawValue) on \($0.name)" }
    }

    @Test func `what an answer leaves open is an error, never a yes`() throws {
        let (yes, no) = ("<isGranted>true</isGranted>", "<isGranted>false</isGranted>")
        let whole = granted(.powerOff, yes) + granted(.powerOn, yes)
        #expect(try missing(answer("vm-1", whole) + answer("vm-2", whole)) == [])
        let half = granted(.powerOn, no) + granted(.powerOff, yes)
        #expect(
            try missing(answer("vm-2", half) + answer("vm-1", whole)) == [
                "VirtualMachine.Interact.PowerOn on guest vm-2"
            ])
        for open in [
            "", answer("vm-1", whole), answer("vm-1", whole) + answer("vm-2"),
            answer("vm-1", whole) + answer("vm-2", granted(.powerOff, yes)),
            answer("vm-1", whole) + answer("vm-2", granted(.powerOff, "") + granted(.powerOn, yes)),
            answer("vm-1", whole) + answer("vm-2", granted(.powerOff, "<isGranted>x</isGranted>")),
            "<returnval>\(whole)</returnval>",
        ] {
            #expect(throws: CallFailure.self, "\(open)") { try missing(open) }
        }
    }
}
