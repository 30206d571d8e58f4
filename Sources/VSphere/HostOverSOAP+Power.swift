import PowerModel
public import PowerRun
import Transport

extension HostOverSOAP {
    private static let maintenancePath = "runtime.inMaintenanceMode"

    /// Whether the host is in maintenance mode. `notReady` while hostd does not answer.
    public func inMaintenance() async throws(HostError) -> Bool {
        try await attempt("read the maintenance mode") { session throws(CallFailure) in
            try await self.inMaintenance(try await self.reference(in: session), in: session)
        }
    }

    private func inMaintenance(
        _ host: Reference, in session: Session
    ) async throws(CallFailure) -> Bool {
        let seen = try await look(at: host, [Self.maintenancePath], in: session)
        guard let isOn = seen[Self.maintenancePath]?.bool else {
            throw .unreadable("does not say whether the host is in maintenance mode")
        }
        return isOn
    }

    /// Enters or leaves maintenance mode; success also when it was so already. Entering waits
    /// until no guest runs.
    public func setMaintenance(_ on: Bool, within limit: Duration) async throws(HostError) {
        let attempting = on ? "enter maintenance mode" : "leave maintenance mode"
        try await attempt(attempting) { session throws(CallFailure) in
            let host = try await self.reference(in: session)
            if try await self.inMaintenance(host, in: session) == on { return }
            do throws(CallFailure) {
                // The host gives up by itself at the limit; it may be a little late to say so.
                try await self.steer(
                    on ? .enterMaintenanceMode : .exitMaintenanceMode, on: host,
                    to: HostGoal(
                        paths: [Self.maintenancePath],
                        isReached: { $0[Self.maintenancePath]?.bool == on }),
                    within: limit + self.limits.call, in: session
                ) {
                    // 0 would mean: no limit. `evacuatePoweredOffVms` is vCenter's alone
                    // (facts/vsphere.md 2.9).
                    $0.add("timeout", Int(max(1, limit.components.seconds)))
                    guard on else { return }
                    // On vSAN it would first make sure that others have what the host stores.
                    $0.add("maintenanceSpec", "HostMaintenanceSpec") {
                        $0.add("vsanMode", "VsanHostDecommissionMode") {
                            $0.add("objectAction", "noAction")
                        }
                    }
                }
            } catch {
                guard case .fault(let fault) = error, fault.type == "Timedout" else { throw error }
                throw .refused("not done within \(limit.short): \(fault.description)")
            }
        }
    }

    /// Tells the host to power itself off, whatever runs there and in whatever mode it is. The
    /// caller has looked.
    ///
    /// A host that answered a moment ago, and whose connection breaks when it is told, has taken
    /// it: one that goes down often does not get to say so (facts/vsphere.md 2.10). libcurl sends a
    /// request again on a new connection where an old one broke, so that may be refused as well.
    public func shutDownHost(reason: String) async throws(HostError) {
        try await attempt("shut down the host") { session throws(CallFailure) in
            let host = try await self.reference(in: session)
            _ = try await self.inMaintenance(host, in: session)
            let task: Reference
            do throws(CallFailure) {
                // The reason has no place in the call.
                let reply = try await self.vim.call(
                    .shutdownHost, on: host, in: session, within: self.limits.call
                ) { $0.add("force", true) }
                task = try VimClient.returned(reply)
            } catch {
                guard case .transport(let error) = error,
                    error.reason == .broken || error.reason == .unreachable, !Task.isCancelled
                else { throw error }
                return
            }
            try await self.checkAccepted(task, in: session)
        }
        // Nobody waits for a logout from a host that is going down.
        vim.abandon()
    }

    /// Throws what a task has failed with. Whether it ends well is nobody's to see.
    private func checkAccepted(
        _ task: Reference, in session: Session
    ) async throws(CallFailure) {
        let info: Element
        do throws(CallFailure) {
            info = try await vim.taskInfo(task, in: session, limits: limits.vim)
        } catch {
            switch error {
            case .transport, .status: return
            case .fault(let fault) where fault.type == "ManagedObjectNotFound": return
            default: throw error
            }
        }
        if info["state"]?.text == "error", let error = info["error"] {
            throw .fault(VimFault(localized: error))
        }
    }
}
