import PowerModel
import PowerRun

/// The guests that a PowerOnMultiVM_Task is to start, and what it may do for that.
struct LabPowerOnMany: Sendable {
    var guests: [VimReference]
    /// The option OverrideAutomationLevel; nil where the cluster's own level counts.
    var level: DRSLevel?
}

/// Starting several guests in one task (facts/vsphere.md 2.7).
extension LabVCenterServer {
    func powerOnMany(
        _ call: VimCall, _ snapshot: LabSnapshot
    ) throws(VimFault) -> LabPowerOnMany {
        var many = LabPowerOnMany(guests: (call["vm"]?.elements ?? []).compactMap(\.reference))
        for guest in many.guests where snapshot.guest(guest) == nil { throw .notFound(guest) }
        for option in (call["option"]?.elements ?? []).compactMap(\.object) {
            let value = option["value"]?.text ?? ""
            guard option["key"]?.text == "OverrideAutomationLevel",
                let level = DRSLevel(rawValue: value)
            else { throw .invalidArgument("option", "This vCenter does not know that option.") }
            many.level = level
        }
        return many
    }

    /// In manual DRS nothing starts: the task succeeds, and recommends. A person would have to
    /// apply that.
    func powerOn(
        _ many: LabPowerOnMany, _ snapshot: LabSnapshot
    ) async throws(VimFault) -> VimValue? {
        let automation = snapshot.automation
        let level = automation.drsEnabled ? many.level ?? automation.drsLevel : .fullyAutomated
        var attempted: [VimValue] = []
        var refused: [VimValue] = []
        var recommended: [VimValue] = []
        for reference in many.guests {
            do throws(VimFault) {
                let guest = try guest(reference, snapshot)
                if level == .manual {
                    recommended.append(recommendation(of: guest, snapshot))
                    continue
                }
                do { try world.powerOnByVCenter(guest.spec.id, on: nil) } catch {
                    throw LabVCenterServer.fault(error, reference, wanted: .on)
                }
                attempted.append(
                    .object(VimObject("ClusterAttemptedVmInfo", ["vm": .reference(reference)])))
            } catch {
                refused.append(
                    .object(
                        VimObject(
                            "ClusterNotAttemptedVmInfo",
                            ["vm": .reference(reference), "fault": error.localized])))
            }
        }
        return .object(
            VimObject(
                "ClusterPowerOnVmResult",
                [
                    "attempted": .list(attempted, of: "ClusterAttemptedVmInfo"),
                    "notAttempted": .list(refused, of: "ClusterNotAttemptedVmInfo"),
                    "recommendations": .list(recommended, of: "ClusterRecommendation"),
                ]))
    }

    private func recommendation(
        of guest: LabSnapshot.Guest, _ snapshot: LabSnapshot
    ) -> VimValue {
        let host = snapshot.host(guest.host)?.reference
        let action = VimObject(
            "ClusterInitialPlacementAction",
            [
                "type": .string("PlacementV1"), "target": .reference(guest.reference),
                "targetHost": host.map { .reference($0) },
            ])
        return .object(
            VimObject(
                "ClusterRecommendation",
                [
                    "key": .string("\(nextNumber())"), "type": .string("V1"),
                    "time": .date(snapshot.wall.vim), "rating": .int(5),
                    "reason": .string("powerOnVm"), "reasonText": .string("Power on"),
                    "action": .list([.object(action)], of: "ClusterAction"),
                    "target": .reference(guest.reference),
                ]))
    }
}
