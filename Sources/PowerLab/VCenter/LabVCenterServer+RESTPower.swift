import Foundation
import Hummingbird
import NIOCore
import PowerModel

/// The power of guests, and of vCenter's own appliance (facts/vsphere.md 2.6, 2.7, 2.15).
extension LabVCenterServer {
    /// Answers what is asked of one guest.
    func answerPower(
        _ what: String, _ request: Request, _ shape: LabRESTShape
    ) async throws -> RESTValue {
        let parts = what.split(separator: "/").map(String.init)
        guard let id = parts.first?.removingPercentEncoding else { throw RESTRefusal.notFound }
        let vm = VimReference("VirtualMachine", id)
        guard let guest = world.vcenterSnapshot().guest(vm) else { throw RESTRefusal.notFound }
        let action = request.uri.queryParameters["action"].map(String.init)
        switch (request.method, Array(parts.dropFirst()), action) {
        case (.get, ["guest", "power"], nil):
            return [
                "state": guest.toolsRunning ? "RUNNING" : "NOT_RUNNING",
                "operations_ready": guest.toolsRunning,
            ]
        case (.post, ["guest", "power"], "shutdown"):
            try await act("ShutdownGuest", vm, .off)
        case (.post, ["power"], let action?) where shape == .api: try await act(action, vm)
        case (.post, let rest, nil) where shape == .rest && rest.count == 2 && rest[0] == "power":
            try await act(rest[1], vm)
        default: throw RESTRefusal.notFound
        }
        return nil
    }

    private func act(_ action: String, _ vm: VimReference) async throws(RESTRefusal) {
        switch action {
        case "start": try await act("PowerOnVM_Task", vm, .on)
        case "stop": try await act("PowerOffVM_Task", vm, .off)
        case "suspend": try await act("SuspendVM_Task", vm, .suspended)
        default: throw .notFound
        }
    }

    /// Does what the method of vim25 does; returns when it is done, unless the lab says otherwise.
    private func act(
        _ method: String, _ vm: VimReference, _ wanted: GuestPower
    ) async throws(RESTRefusal) {
        do throws(VimFault) {
            try demandPrivilege(method, on: vm)
            try await perform(method, vm)
        } catch { throw Self.refusal(error, wanted) }
    }

    private func perform(_ method: String, _ vm: VimReference) async throws(VimFault) {
        let snapshot = world.vcenterSnapshot()
        let guest = try guest(vm, snapshot)
        let id = guest.spec.id
        if let running = task(of: vm) { throw Self.inProgress(running) }
        let work: LabTask.Work
        switch method {
        case "PowerOnVM_Task": work = .powerOn(id, nil)
        case "PowerOffVM_Task": work = .powerOff(id)
        case "SuspendVM_Task": work = .suspend(id)
        default:
            do throws(LabRefusal) { try world.shutDownGuest(id, by: "vCenter") } catch {
                throw Self.fault(error, vm, wanted: .off)
            }
            return
        }
        let begun = begin(work, on: vm, named: guest.spec.name, for: user, snapshot)
        guard restAwaitsPower else { return }
        await untilEnded(begun)
        if case .error(let fault) = tasks[begun.id]?.state { throw fault }
    }

    /// What a fault of vim25 is called there.
    private static func refusal(_ fault: VimFault, _ wanted: GuestPower) -> RESTRefusal {
        switch fault.detail.type {
        case "InvalidPowerState":
            fault.detail["existingState"]?.text == wanted.vim
                ? RESTRefusal(type: "ALREADY_IN_DESIRED_STATE", status: .badRequest)
                : RESTRefusal(type: "NOT_ALLOWED_IN_CURRENT_STATE", status: .badRequest)
        case "InvalidState":
            RESTRefusal(type: "NOT_ALLOWED_IN_CURRENT_STATE", status: .badRequest)
        case "ToolsUnavailable": .unavailable
        case "NotSupported": RESTRefusal(type: "UNSUPPORTED", status: .badRequest)
        case "TaskInProgress": RESTRefusal(type: "RESOURCE_BUSY", status: .internalServerError)
        case "NoPermission": .unauthorized
        case "ManagedObjectNotFound": .notFound
        case "HostNotReachable":
            RESTRefusal(type: "RESOURCE_INACCESSIBLE", status: .internalServerError)
        default: RESTRefusal(type: "ERROR", status: .internalServerError)
        }
    }

    // MARK: The appliance

    /// Whose members may shut it down; no privilege of vim25 gives that.
    private static let applianceGroup = "SystemConfiguration.Administrators"

    /// What a shutdown of the appliance is asked with.
    private struct Shutdown: Decodable {
        /// In minutes.
        var delay: Int
        var reason: String
    }

    /// Answers what is asked of vCenter's own appliance.
    func answerAppliance(
        _ path: String, _ request: Request, _ shape: LabRESTShape
    ) async throws -> RESTValue {
        let action = request.uri.queryParameters["action"].map(String.init)
        let isAct =
            shape == .api
            ? path == "appliance/shutdown" && action == "poweroff"
            : path == "appliance/shutdown/poweroff" && action == nil
        guard request.method == .post ? isAct : path == "appliance/shutdown" && action == nil
        else { throw RESTRefusal.notFound }
        guard world.scenario.mayShutDownAppliance, !withheld.contains(Self.applianceGroup) else {
            throw RESTRefusal.unauthorized
        }
        guard request.method == .post else { return ["action": "", "reason": ""] }
        guard request.headers[.contentType] == "application/json" else {
            throw RESTRefusal.invalidArgument
        }
        let body = try await request.body.collect(upTo: LabVCenterServer.largestRequest)
        let shutdown = try JSONDecoder().decode(Shutdown.self, from: Data(body.readableBytesView))
        guard shutdown.delay >= 0, !shutdown.reason.isEmpty else {
            throw RESTRefusal.invalidArgument
        }
        applianceReasons.append(shutdown.reason)
        try world.shutDownAppliance(in: .seconds(60 * shutdown.delay))
        return nil
    }
}
