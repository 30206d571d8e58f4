package import PowerModel

/// What the lab's servers ask of the world.
package struct LabWireBackend: LabHostBackend, LabUPSBackend {
    let world: LabWorld

    /// The window on this world.
    package init(world: LabWorld) { self.world = world }

    /// The longest a host that was told to stop is waited for.
    private static let hostStopsLimit: Duration = .seconds(30)

    package func upsVariables(_ ups: String) async -> [String: String]? {
        ups == world.scenario.feed.rawValue ? world.upsVariables() : nil
    }

    package func instantCommand(_ ups: String, _ command: String) async -> Bool {
        guard ups == world.scenario.feed.rawValue, command == "shutdown.return" else {
            return false
        }
        world.cutOutput()
        return true
    }

    package func guests(on host: String) async -> [LabHostGuest] {
        world.rows(on: HostName(host)).map { row in
            LabHostGuest(
                vmid: row.vmid, name: row.name, vmxPath: row.vmxPath,
                guestOS: row.isVCSA ? "vmwarePhoton64Guest" : "other3xLinux64Guest",
                hardwareVersion: "vmx-19", annotation: row.annotation,
                power: row.power == .on ? .on : row.power == .suspended ? .suspended : .off,
                toolsRunning: row.toolsRunning, invalid: false, hasQuestion: row.hasQuestion)
        }
    }

    package func power(_ verb: LabPowerVerb, vmid: Int, on host: String) async -> LabPowerAnswer {
        let name = HostName(host)
        guard let id = world.guestID(vmid: vmid, on: name) else { return .notFound }
        do {
            switch verb {
            case .shutdown: try world.shutDownGuest(id, by: host)
            case .off: try world.powerOffGuest(id)
            case .on: try world.powerOnGuest(id, on: name, by: host)
            case .suspend: try world.suspendGuest(id)
            }
            return .done
        } catch {
            return switch error {
            case .notFound: .notFound
            case .wrongState(let power):
                .wrongState(existing: power == .on ? .on : power == .suspended ? .suspended : .off)
            case .toolsUnavailable: .toolsUnavailable
            case .disabled(let solution): .failed("\(solution) has disabled it")
            case .busy: .failed("another operation is under way")
            case .notPermitted: .failed("the user may not do it")
            case .otherQuestion: .failed("it asks something else")
            case .failed(let why): .failed(why)
            }
        }
    }

    package func register(_ vmxPath: String, on host: String) async -> LabRegisterAnswer {
        let name = HostName(host)
        let row = { world.rows(on: name).first { $0.vmxPath == vmxPath } }
        if let there = row() { return .alreadyExists(vmid: there.vmid) }
        do { try world.registerGuest(at: vmxPath, on: name) } catch {
            if case .failed(let why) = error { return .failed(why) }
            return .notFound
        }
        return row().map { .done(vmid: $0.vmid) } ?? .notFound
    }

    package func answer(
        vmid: Int, on host: String, question: String, choice: String
    ) async -> Bool {
        guard let id = world.guestID(vmid: vmid, on: HostName(host)) else { return false }
        do {
            try world.answer(id, question: question, choice: choice)
            return true
        } catch { return false }
    }

    package func hostdReady(_ host: String) async -> Bool { world.hostdReady(HostName(host)) }

    package func inMaintenance(_ host: String) async -> Bool {
        world.inMaintenance(HostName(host))
    }

    package func setMaintenance(_ host: String, on: Bool, limitSeconds: Int) async -> Bool {
        world.setMaintenance(HostName(host), on: on)
    }

    package func runsHAAgent(_ host: String) async -> Bool { world.runsHAAgent(HostName(host)) }

    package func setHAAgent(_ host: String, runs: Bool) async {
        world.setHAAgent(HostName(host), runs: runs)
    }

    package func keepsVSANMembers(_ host: String) async -> Bool {
        world.keepsVSANMembers(HostName(host))
    }

    package func keepVSANMembers(_ host: String, _ on: Bool) async {
        world.keepVSANMembers(HostName(host), on)
    }

    package func helpVSAN(_ host: String, _ verb: LabVSANVerb) async -> String? {
        world.helpVSAN(HostName(host), prepares: verb == .prepare)
    }

    package func vsanMembership(_ host: String) async -> VSANMembership? {
        world.vsanMembership()
    }

    package func datastores(on host: String) async -> [LabHostDatastore] {
        [LabHostDatastore(name: "datastore 1", uuid: "5f000000-00000001-0001-000000000001")]
    }

    package func rescanStorage(_ host: String) async {}

    package func powerOffHost(_ host: String) async {
        let name = HostName(host)
        world.shutDownHost(name)
        var version = world.version
        let deadline = ContinuousClock.now + Self.hostStopsLimit
        while world.answers(name), ContinuousClock.now < deadline {
            version = await world.change(after: version, within: .seconds(1))
        }
    }

    package func bootScriptSaved(_ host: String, _ saved: LabBootScript) async {
        world.bootScriptSaved(HostName(host), saved)
    }
}
