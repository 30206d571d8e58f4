import Foundation
import PowerModel
import Testing

@testable import PowerLab

/// A simulated host's own endpoint, as pyvmomi sees it.
struct LabHostClientTests {
    private static let name = HostName("esx1.lab")
    private static let password = "pass&<word>\"'"

    @Test func `pyvmomi reads and steers a host by itself`() async throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("lab-host-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        let world = LabWorld(LabScenario.standard(pace: LabVCenterRig.quick), time: WallTime())
        let account = LabHostAccount(user: "root", password: Self.password, time: WallTime())
        let api = LabHostAPI(Self.name, in: world, account: account, directory: directory)
        let outcome: Result<Void, any Error>
        do {
            let address = try await api.start()
            let output = try await LabVCenterRig.python(
                "host_client.py",
                [String(address.port), address.certificatePEMPath, "root", Self.password])
            try expect(try JSONDecoder().decode(Seen.self, from: output), world)
            let deadline = ContinuousClock.now + .seconds(60)
            while world.answers(Self.name), ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(!world.answers(Self.name))
            outcome = .success(())
        } catch { outcome = .failure(error) }
        await api.stop()
        try FileManager.default.removeItem(atPath: directory)
        try outcome.get()
    }

    private func expect(_ seen: Seen, _ world: LabWorld) throws {
        #expect(seen.wrongPassword == "InvalidLogin")
        #expect(seen.about == ["HostAgent", "embeddedEsx", "8.0.3.0"])
        #expect(seen.ids == ["ha-folder-root", "ha-property-collector", "ha-sessionmgr"])
        #expect(
            seen.tree == [
                "ha-datacenter", "ha-folder-vm", "ha-compute-res", "ha-root-pool", "ha-host",
                "ha-autostart-mgr",
            ])
        let rows = world.rows(on: Self.name)
        #expect(seen.view == rows.map(\.vmid).sorted())
        #expect(seen.guests.count == rows.count)
        for row in rows {
            #expect(
                seen.guests[row.name]
                    == [row.id.rawValue, row.vmxPath, "poweredOn", "ha-host", "ha-root-pool"])
        }
        #expect(seen.lockdown == "lockdownDisabled")
        #expect(seen.privileges == [true])
        #expect(seen.noTools == "ToolsUnavailable")
        #expect(seen.off == ["running", "success"])
        #expect(seen.offAgain == "poweredOff")
        #expect(seen.shutdownOff == "InvalidPowerState")
        #expect(seen.on == nil)
        #expect(seen.suspend == nil)
        #expect(seen.register == ["here already": "AlreadyExists", "no file": "NotFound"])
        #expect(seen.maintenance == "Timedout")
        #expect(seen.exit == "InvalidState")
        #expect(seen.shutdown == nil && seen.then == "poweredOff")
        #expect(seen.evacuate == "NotSupported")
        func settings(_ enabled: Bool, _ delay: Int, _ guests: [String: [Seen.Word]]) -> Seen.Start
        {
            Seen.Start(
                enabled: enabled, startDelay: delay, stopAction: "PowerOff", guests: guests)
        }
        func entry(_ order: Int, _ action: String) -> [String: [Seen.Word]] {
            [
                "app-web01": [
                    .number(order), .text(action), .number(-1), .text("systemDefault"),
                ]
            ]
        }
        #expect(
            seen.autostart == [
                settings(false, 120, [:]), settings(true, 7, entry(1, "powerOn")),
                settings(true, 7, entry(-1, "none")),
            ])
        #expect(seen.cluster == "MethodNotFound")
        #expect(seen.notForced == "InvalidState")
        #expect(seen.afterLogout == "NotAuthenticated")
        #expect(seen.forced)
    }
}

/// What host_client.py prints.
private struct Seen: Decodable {
    enum Word: Decodable, Equatable {
        case number(Int)
        case text(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) {
                self = .number(number)
            } else {
                self = .text(try container.decode(String.self))
            }
        }
    }

    struct Start: Decodable, Equatable {
        var enabled: Bool
        var startDelay: Int
        var stopAction: String
        var guests: [String: [Word]]
    }

    var about, ids, tree, off: [String]
    var view: [Int]
    var guests: [String: [String]]
    var lockdown, offAgain, then: String
    var shutdown, exit: String?
    var privileges: [Bool]
    var wrongPassword, noTools, shutdownOff, on, suspend, maintenance, evacuate: String?
    var cluster, notForced, afterLogout: String?
    var register: [String: String]
    var autostart: [Start]
    var forced: Bool

    enum CodingKeys: String, CodingKey {
        case about, ids, tree, off, view, guests, lockdown, privileges, on, suspend, maintenance
        case shutdown, then, exit, evacuate, cluster, register, autostart, forced
        case offAgain = "off again"
        case wrongPassword = "wrong password"
        case noTools = "no tools"
        case shutdownOff = "shutdown of an off one"
        case notForced = "not forced"
        case afterLogout = "after logout"
    }
}
