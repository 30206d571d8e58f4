import Foundation
import HTTPTypes
import Hummingbird

/// vSAN's endpoint: a cluster's power, in the sessions of `/sdk` (facts/vsphere.md 2.16).
extension LabVCenterServer {
    static let vsanPath = "/vsanHealth"
    private static let vsan = "urn:vsan"
    /// The first version that has these calls, and how newer ones still call it.
    private static let vsanVersion = "vSAN 7.0U3"
    private static let powerSystem = "vsan-cluster-power-system"

    func answerVSAN(_ body: [UInt8], headers: HTTPFields) -> Response {
        calls += 1
        bytesIn += body.count
        let table = VimTable.vsan
        let encoder = VimEncoder(table: table, version: release.newest, namespace: Self.vsan)
        do {
            try demandVSANVersion(headers)
            let decoder = VimDecoder(
                table: table, version: release.newest, namespace: Self.vsan)
            let call = try decoder.call(in: body)
            note(body, of: call.method)
            let result = try executeVSAN(call, session: Self.sessionKey(in: headers))
            return text(
                encoder.response(to: call.method, result), .ok, "text/xml; charset=utf-8")
        } catch {
            return text(encoder.fault(error), .internalServerError, "text/xml; charset=utf-8")
        }
    }

    private func demandVSANVersion(_ headers: HTTPFields) throws(VimFault) {
        let action = headers.first { $0.name.canonicalName == "soapaction" }?.value ?? ""
        guard release.hasVSANPower, action == "\"\(Self.vsan)/\(Self.vsanVersion)\"" else {
            throw .invalidRequest("Unsupported version URI \(action)")
        }
    }

    private func executeVSAN(
        _ call: VimCall, session key: String?
    ) throws(VimFault) -> VimValue? {
        let snapshot = world.vcenterSnapshot()
        guard let key, let live = sessions[key] else { throw .notAuthenticated(call.receiver) }
        sessions[key]?.lastActive = snapshot.wall
        sessions[key]?.callCount += 1
        guard call.receiver.id == Self.powerSystem else { throw .notFound(call.receiver) }
        guard let cluster = call["cluster"]?.reference, cluster == snapshot.clusterReference,
            snapshot.hasVSAN
        else { throw .invalidArgument("cluster", "It is no vSAN cluster.") }
        if call.method == "QueryClusterPowerContext" {
            return .object(
                VimObject(
                    "ClusterPowerContext",
                    ["currentClusterPowerStatus": .string(world.turn { $0.vsan.status })]))
        }
        for privilege in ["Host.Config.Power", "Host.Inventory.EditCluster"] {
            try demand(privilege, on: cluster)
        }
        let spec = call["spec"]?.object
        let reason = spec?["powerOffReason"]?.text ?? ""
        let reader = reader(snapshot, version: release.newest, session: live)
        switch spec?["targetPowerStatus"]?.text {
        case "clusterPoweredOn":
            return start(.powerVSAN(on: true), on: cluster, key, reader)
        case "clusterPoweredOff" where !reason.isEmpty && reason.utf8.count < 512:
            return start(.powerVSAN(on: false), on: cluster, key, reader)
        default: throw .invalidArgument("spec", "The target, or the reason for it, is wrong.")
        }
    }
}
