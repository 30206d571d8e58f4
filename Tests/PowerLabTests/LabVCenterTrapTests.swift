import Foundation
import PowerLab
import PowerModel
import Testing

/// What a client of guests falls over, as pyvmomi meets it at the lab's vCenter.
struct LabVCenterTrapTests {
    private struct Seen: Decodable {
        struct Start: Decodable, Equatable {
            var error: String?
            var attempted: Int
            var refused: Int
            var recommended: [String]
            var states: [String]
        }
        struct Answer: Decodable, Equatable {
            var waiting: String
            var choices: [String]
            var other: String?
            var again: String?
            var error: String?
        }
        struct End: Decodable, Equatable {
            var waiting: String
            var on: String
            var error: String?
            var then: String
            var again: String?
        }
        var starts: [String: Start]
        var answer: Answer
        var terminate: End
        var disabled: String?
        var health: String?
        var levels: [[String]]
        var key: String
        var tpm: Bool
        var providers: [[String]]

        private enum CodingKeys: String, CodingKey {
            case answer, terminate, disabled, health, key, tpm, providers
            case starts = "power on"
            case levels = "own level"
        }
    }

    private func seen() async throws -> Seen {
        var answer = Data()
        try await LabVCenterRig.with { scenario in
            for index in scenario.guests.indices {
                switch scenario.guests[index].name {
                case "app-web01":
                    scenario.guests[index].keyProvider = "kms-1"
                    scenario.guests[index].hasTPM = true
                case "db-main":
                    scenario.guests[index].hasQuestion = true
                    scenario.guests[index].isOn = false
                case "mid-queue01": scenario.guests[index].hangsAtPowerOff = true
                case "mid-queue02": scenario.guests[index].disabledBy = "com.example.backup"
                default: break
                }
            }
        } _: { rig in
            answer = try await LabVCenterRig.python(
                "guest_traps.py",
                [
                    "\(rig.address.port)", rig.address.certificatePEMPath, LabVCenterRig.user,
                    LabVCenterRig.password,
                ])
        }
        return try JSONDecoder().decode(Seen.self, from: answer)
    }

    /// Trap (facts/vsphere.md 2.7, 4.0): a restore by PowerOnMultiVM in manual DRS starts nothing,
    /// and every task succeeds. vpower starts guests one by one, each on a host of its own.
    @Test func `PowerOnMultiVM in manual DRS succeeds and starts nothing`() async throws {
        let seen = try await seen()
        let off = "poweredOff"
        #expect(
            seen.starts["manual"]
                == Seen.Start(
                    error: nil, attempted: 0, refused: 0, recommended: ["esx3.lab", "esx1.lab"],
                    states: [off, off]))
        #expect(seen.starts["overridden"]?.attempted == 1)
        #expect(seen.starts["overridden"]?.states == ["poweredOn"])
        #expect(seen.starts["automatic"]?.attempted == 1)
        #expect(seen.starts["automatic"]?.refused == 1)
        #expect(seen.starts["automatic"]?.states == ["poweredOn", "poweredOn"])
        expectGuests(seen)
    }

    private func expectGuests(_ seen: Seen) {
        #expect(
            seen.answer
                == Seen.Answer(
                    waiting: "running", choices: ["0", "1", "2"], other: "ConcurrentAccess",
                    again: "ConcurrentAccess", error: nil))
        #expect(
            seen.terminate
                == Seen.End(
                    waiting: "running", on: "poweredOn", error: nil, then: "poweredOff",
                    again: "InvalidPowerState"))
        #expect(seen.disabled == "MethodDisabled")
        #expect(seen.health == "healthy")
        #expect(seen.levels == [["app-web02", "fullyAutomated"]])
        #expect(seen.key == "kms-1")
        #expect(seen.tpm)
        #expect(seen.providers == [["kms-1", "vCenter"]])
    }
}
