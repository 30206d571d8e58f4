import PowerModel

/// HA without vCenter: its agents on the hosts act by themselves, and are stopped there.
extension Runner {
    /// Where freeze saw HA off, nothing is to be done. Else every agent is asked to stop, side by
    /// side: one that does not is told by name and holds up nobody.
    func stopHAAgents(on hosts: [HostName], _ wait: Wait) async -> StepOutcome? {
        if facts.isFrozen { return .done(.already) }
        let open = hosts.filter { host in
            // Seen down by an earlier try of the run.
            if case .done = earlier?.outcome(of: Action.stopHost(host, maintenance: false).id) {
                return false
            }
            return true
        }
        let failures = await withTaskGroup(of: String?.self) { group in
            for host in open {
                group.addTask {
                    if await self.around.sleeps(host, in: self.goal.inventory) { return nil }
                    return switch await self.stopHAAgent(on: host, wait) {
                    case .gaveUp(let why): "\(host) (\(why))"
                    case .done, .left, nil: nil
                    }
                }
            }
            return await group.reduce(into: [String]()) { $0 += $1.map { [$0] } ?? [] }
        }
        if wait.mustStop { return nil }
        if failures.isEmpty { return .done(.asked) }
        return .gaveUp("HA's agent may still run on " + failures.sorted().joined(separator: ", "))
    }

    private func stopHAAgent(on name: HostName, _ wait: Wait) async -> StepOutcome? {
        await untilDone(on: name, wait) { host throws(HostError) in
            await recordAsk(.stopHAAgent(on: name), "stop HA's agent on \(name)")
            try await host.stopHAAgent()
            return .over(.done(.asked))
        }
    }

    /// HA's agent seen to run again.
    func startHAAgent(on name: HostName, _ wait: Wait) async -> StepOutcome? {
        await untilDone(on: name, wait) { host throws(HostError) in
            await recordAsk(wait.step.id, wait.step.action.summary)
            try await host.startHAAgent()
            return .over(.done(.asked))
        }
    }
}
