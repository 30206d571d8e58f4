import PowerModel
public import PowerRun

/// The agent of vSphere HA (FDM), where vCenter is not there to switch HA off.
extension ESXiHost {
    /// Its service script; there is none where HA was never configured on the host.
    private static let script = "/etc/init.d/vmware-fdm"

    /// Stops the agent, and looks that it does not run; success also when there is none.
    public func stopHAAgent() async throws(HostError) {
        let attempting = "stop HA's agent"
        let seen = try await haAgent("stop", attempting)
        if seen.isInstalled, seen.runs {
            throw error(.refused, attempting, "it still runs: \(seen.said)")
        }
    }

    /// Starts the agent, and looks that it runs.
    public func startHAAgent() async throws(HostError) {
        let attempting = "start HA's agent"
        let seen = try await haAgent("start", attempting)
        guard seen.isInstalled else {
            throw error(.refused, attempting, "HA is not configured on it: no \(Self.script)")
        }
        if !seen.runs { throw error(.refused, attempting, "it does not run: \(seen.said)") }
    }

    /// Gives the service script one verb, then asks it for the state: what it replies to the verb
    /// is nowhere described.
    private func haAgent(_ verb: String, _ attempting: String)
        async throws(HostError) -> (isInstalled: Bool, runs: Bool, said: String)
    {
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            if [ -e \(Self.script) ]; then
                \(nonce.begin("said"))
                \(Self.script) \(verb) </dev/null 2>&1
                \(nonce.begin("state"))
                \(Self.script) status </dev/null 2>&1
            fi
            """, nonce, attempting: attempting, limit: limits.command)
        guard let state = sections.text("state") else { return (false, false, "") }
        let said = Self.shortened((sections.text("said") ?? "") + "\n" + state)
        guard let runs = ServiceText.isRunning(state) else {
            throw error(.badAnswer, attempting, "its state is not understood: \(said)")
        }
        return (true, runs, said)
    }
}
