public import PowerModel

/// A site behind simulated hosts that is kept in memory: every act takes effect at once, and is
/// noted in order.
public actor LabHostMemory: LabHostBackend {
    /// One thing that happened.
    public struct Event: Hashable, Sendable, CustomStringConvertible {
        /// The host.
        public var host: String
        /// What, e.g. `on web`.
        public var what: String

        /// An event.
        public init(host: String, what: String) {
            self.host = host
            self.what = what
        }

        /// Host and act.
        public var description: String { "\(host): \(what)" }
    }

    private struct Host {
        var guests: [LabHostGuest]
        var datastores: [LabHostDatastore]
        var hostdReady = true
        var maintenance = false
        var runsHAAgent = true
    }

    private var hosts: [String: Host] = [:]
    private var answers: [String: [Int: LabPowerAnswer]] = [:]

    /// What happened, in order.
    public private(set) var events: [Event] = []

    /// A site without hosts.
    public init() {}

    /// Adds a host, or replaces it.
    public func add(
        _ host: String, guests: [LabHostGuest],
        datastores: [LabHostDatastore] = [
            LabHostDatastore(name: "ds1", uuid: "600d9cc6-915fbb51-f64b-d8d385d87c24")
        ]
    ) {
        hosts[host] = Host(guests: guests, datastores: datastores)
    }

    /// Says whether hostd answers.
    public func setHostdReady(_ host: String, _ ready: Bool) { hosts[host]?.hostdReady = ready }

    /// Says whether a volume is mounted; its guests are invalid while it is not.
    public func setMounted(_ host: String, datastore: String, _ mounted: Bool) {
        guard var state = hosts[host] else { return }
        for index in state.datastores.indices where state.datastores[index].name == datastore {
            state.datastores[index].mounted = mounted
        }
        for index in state.guests.indices
        where state.guests[index].vmxPath.hasPrefix("[\(datastore)] ") {
            state.guests[index].invalid = !mounted
        }
        hosts[host] = state
    }

    /// Makes every power verb on a guest answer this; nil: as usual again.
    public func setAnswer(_ host: String, vmid: Int, _ answer: LabPowerAnswer?) {
        answers[host, default: [:]][vmid] = answer
    }

    /// Takes the answer that the recorded question has (0, 1 or 2) and lets the guest go on; with
    /// 0 it does not.
    public func answer(vmid: Int, on host: String, question: String, choice: String) -> Bool {
        guard answers[host]?[vmid] == .question, question == "0", ["0", "1", "2"].contains(choice)
        else { return false }
        answers[host]?[vmid] = choice == "0" ? .failed("The operation was cancelled.") : nil
        note(host, "answered \(choice)")
        return true
    }

    /// All guests of a host are off, as after a power cut.
    public func cutPower(_ host: String) {
        guard var state = hosts[host] else { return }
        for index in state.guests.indices { state.guests[index].power = .off }
        hosts[host] = state
        note(host, "power cut")
    }

    /// Forgets what happened so far.
    public func clearEvents() { events = [] }

    private func note(_ host: String, _ what: String) {
        events.append(Event(host: host, what: what))
    }

    /// The guests registered on a host.
    public func guests(on host: String) -> [LabHostGuest] {
        (hosts[host]?.guests ?? []).map { guest in
            var guest = guest
            if answers[host]?[guest.vmid] == .question { guest.hasQuestion = true }
            return guest
        }
    }

    /// Acts on one guest.
    public func power(_ verb: LabPowerVerb, vmid: Int, on host: String) -> LabPowerAnswer {
        guard let index = hosts[host]?.guests.firstIndex(where: { $0.vmid == vmid }),
            let guest = hosts[host]?.guests[index], !guest.invalid
        else { return .notFound }
        if let answer = answers[host]?[vmid] {
            note(host, "\(verb.rawValue) \(guest.name) answered \(answer)")
            return answer
        }
        switch (verb, guest.power) {
        case (.on, .on), (.off, .off), (.shutdown, .off), (.shutdown, .suspended),
            (.suspend, .suspended), (.suspend, .off):
            return .wrongState(existing: guest.power)
        case (.shutdown, .on) where !guest.toolsRunning: return .toolsUnavailable
        default: break
        }
        hosts[host]?.guests[index].power =
            switch verb {
            case .on: .on
            case .suspend: .suspended
            case .off, .shutdown: .off
            }
        note(host, "\(verb.rawValue) \(guest.name)")
        return .done
    }

    /// Moves the guest of this file from the host that has it.
    public func register(_ vmxPath: String, on host: String) -> LabRegisterAnswer {
        func has(_ guest: LabHostGuest) -> Bool { guest.vmxPath == vmxPath }
        guard let owner = hosts.first(where: { $0.value.guests.contains(where: has) }),
            var guest = owner.value.guests.first(where: has)
        else { return .notFound }
        if owner.key == host { return .alreadyExists(vmid: guest.vmid) }
        hosts[owner.key]?.guests.removeAll(where: has)
        guest.vmid = (hosts[host]?.guests.map(\.vmid).max() ?? 0) + 1
        hosts[host]?.guests.append(guest)
        note(host, "registered \(guest.name)")
        return .done(vmid: guest.vmid)
    }

    /// Whether hostd answers.
    public func hostdReady(_ host: String) -> Bool { hosts[host]?.hostdReady ?? false }

    /// Whether the host is in maintenance mode.
    public func inMaintenance(_ host: String) -> Bool { hosts[host]?.maintenance ?? false }

    /// Enters (if no guest runs) or leaves maintenance mode.
    public func setMaintenance(_ host: String, on: Bool, limitSeconds: Int) -> Bool {
        guard let state = hosts[host] else { return false }
        if on, state.guests.contains(where: { $0.power == .on }) { return false }
        hosts[host]?.maintenance = on
        note(host, on ? "entered maintenance" : "left maintenance")
        return true
    }

    /// Whether HA's agent runs.
    public func runsHAAgent(_ host: String) -> Bool { hosts[host]?.runsHAAgent ?? false }

    /// Stops or starts HA's agent.
    public func setHAAgent(_ host: String, runs: Bool) {
        guard hosts[host]?.runsHAAgent == !runs else { return }
        hosts[host]?.runsHAAgent = runs
        note(host, runs ? "HA agent started" : "HA agent stopped")
    }

    /// There is no vSAN, so no list of its members.
    public func keepsVSANMembers(_ host: String) -> Bool { false }

    /// There is nothing to keep.
    public func keepVSANMembers(_ host: String, _ on: Bool) {}

    /// There is no vSAN to help.
    public func helpVSAN(_ host: String, _ verb: LabVSANVerb) -> String? { "there is no vSAN" }

    /// There is no vSAN.
    public func vsanMembership(_ host: String) -> VSANMembership? { nil }

    /// The volumes.
    public func datastores(on host: String) -> [LabHostDatastore] { hosts[host]?.datastores ?? [] }

    /// Notes it.
    public func rescanStorage(_ host: String) { note(host, "rescan") }

    /// Notes it; the guests are cut.
    public func powerOffHost(_ host: String) {
        note(host, "host off")
        cutPower(host)
    }

    /// Notes it.
    public func bootScriptSaved(_ host: String, _ saved: LabBootScript) {
        switch saved {
        case .armed: note(host, "boot script saved")
        case .unarmed: note(host, "unarmed boot script saved")
        case .none: note(host, "no boot script saved")
        }
    }
}
