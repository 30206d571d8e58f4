import PowerModel

/// The end of a run whose controller is a guest of the cluster: the last host is told to shut that
/// guest down, and then itself. Nobody sees it go.
extension Runner {
    /// Host told, once nothing but the controller is on there, and seen to be at it.
    func leaveHost(
        _ name: HostName, controller id: GuestID, _ wait: Wait
    ) async -> StepOutcome? {
        guard let controller = known(id) else { return .gaveUp("no inventory has the controller") }
        var late = LateGuests()
        let outcome = await untilDone(on: name, wait) { host throws(HostError) in
            let listed = try await host.guests()
            let others = listed.filter { $0.vmxPath != controller.vmxPath }
            if let why = await whyNotToStop(host, others, &late, wait) { return .notYet(why) }
            guard others.count < listed.count else {
                return .notYet("\(controller.name.onOneLine) is not registered there any more")
            }
            guard await passReturn("\(name) is told to stop", wait) else {
                return .notYet("the run was called back")
            }
            await recordAsk(wait.step.id, wait.step.action.summary)
            try await host.leave(leaveOrders(name, controller))
            return .over(.done(.asked))
        }
        await around.hosts[name]?.close()
        return outcome
    }

    private func leaveOrders(_ host: HostName, _ controller: Guest) -> LeaveOrders {
        LeaveOrders(
            host: host, run: run, controller: controller.forHost,
            limit: around.site.limits.leave)
    }

    /// Host seen not to be at it: it has gone and come back, or could not go.
    func awaitLeave(of name: HostName, _ wait: Wait) async -> StepOutcome? {
        await untilDone(on: name, wait) { host throws(HostError) in
            try await host.isLeaving()
                ? .notYet("it is about to shut down, and vpower's own guest with it")
                : .over(.done(.already))
        }
    }
}
