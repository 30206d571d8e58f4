import PowerModel

/// SSH on hosts whose administrator keeps it stopped: there for what needs it, gone afterwards.
extension Runner {
    /// SSH seen to run on a host. How it was found is on record first: what ran before is never
    /// stopped, and what did not is, also when this process dies here.
    func openSSH(on name: HostName, _ wait: Wait) async -> StepOutcome? {
        if case .done = earlier?.outcome(of: Action.stopHost(name, maintenance: false).id) {
            return .left("it is down")
        }
        var wasAsked = false
        return await untilDone(on: name, wait) { host throws(HostError) in
            let door = SSHDoor(of: host, in: around.cluster)
            let service = try await door.service()
            if facts.sshFound(on: name) == nil {
                facts.findSSH(on: name, runs: service.runs)
                await record(.sshFound(name, runs: service.runs))
            }
            if service.runs { return .over(.done(wasAsked ? .asked : .already)) }
            await recordAsk(wait.step.id, wait.step.action.summary)
            wasAsked = true
            try await door.set(runs: true)
            return .notYet("SSH does not run yet")
        }
    }

    /// SSH stopped where vpower started it.
    func closeSSH(
        on name: HostName, wasOpened: Bool, _ wait: Wait
    ) async -> StepOutcome? {
        switch wasOpened ? false : facts.sshFound(on: name) {
        case false?: break
        case true?: return .left("SSH ran there before")
        case nil: return .left("whether SSH ran there before is not known")
        }
        var wasAsked = false
        return await untilDone(on: name, wait) { host throws(HostError) in
            let door = SSHDoor(of: host, in: around.cluster)
            guard try await door.service().runs else {
                return .over(.done(wasAsked ? .asked : .already))
            }
            await recordAsk(wait.step.id, wait.step.action.summary)
            wasAsked = true
            try await door.set(runs: false)
            return .notYet("SSH still runs")
        }
    }
}
