public import PowerModel
import PowerRun

/// Why the simulated site says no.
public enum LabRefusal: Error, Hashable, Sendable {
    /// No such guest or host, or not here.
    case notFound
    /// The guest is not in a state that allows it; this is the one it is in.
    case wrongState(GuestPower)
    /// Tools do not answer.
    case toolsUnavailable
    /// Any other reason.
    case failed(String)
}

/// One guest as a host lists it.
public struct LabGuestRow: Hashable, Sendable {
    /// Its number on that host.
    public var vmid: Int
    /// Its identity.
    public var id: GuestID
    /// Its name.
    public var name: String
    /// Its configuration file.
    public var vmxPath: String
    /// Its note.
    public var annotation: String
    /// Whether it is on.
    public var power: GuestPower
    /// Whether its Tools answer.
    public var toolsRunning: Bool
    /// Whether it is the vCenter.
    public var isVCSA: Bool
    /// What kind it is.
    public var nature: GuestNature
    /// Whether it waits for the answer to a question.
    public var hasQuestion: Bool
}

/// The guests.
extension LabState {
    /// The guests registered on a host, by number.
    func rows(on name: HostName) -> [LabGuestRow] {
        guests(on: name).map { guest in
            LabGuestRow(
                vmid: guest.vmid, id: guest.spec.id, name: guest.spec.name,
                vmxPath: guest.spec.vmxPath,
                annotation: guest.spec.isVCSA
                    ? "VMware vCenter Server Appliance\n\n   Second line of its note.\n7   x"
                    : "",
                power: guest.power, toolsRunning: guest.toolsRunning,
                isVCSA: guest.spec.isVCSA, nature: guest.spec.nature,
                hasQuestion: hasQuestion(guest))
        }
    }

    /// The guests registered on a host, by number.
    func guests(on name: HostName) -> [LabGuest] {
        (guestsOn[name] ?? []).compactMap { guests[$0] }.filter(\.exists)
            .sorted { $0.vmid < $1.vmid }
    }

    /// Asks a guest's Tools to shut it down, as `by` (vCenter or a host).
    mutating func shutDownGuest(_ id: GuestID, by: String) throws(LabRefusal) {
        guard let guest = guests[id], guest.exists else { throw .notFound }
        guard guest.power == .on else { throw .wrongState(guest.power) }
        guard guest.toolsRunning, bites(.guestWithoutTools, id.rawValue) == nil else {
            throw .toolsUnavailable
        }
        if bites(.guestHasQuestion, id.rawValue) != nil {
            throw .failed("it waits for an answer to a question")
        }
        note(.guestAsked, id.rawValue, by)
        if guest.stopping || guest.spec.ignoresShutdown { return }
        if bites(.guestIgnores, id.rawValue) != nil { return }
        guests[id]?.stopping = true
        schedule(.guestStops(id), in: guest.spec.stopsIn ?? scenario.pace.guestStops)
    }

    /// Cuts a guest's power.
    mutating func powerOffGuest(_ id: GuestID) throws(LabRefusal) {
        guard let guest = guests[id], guest.exists else { throw .notFound }
        guard guest.power == .on else { throw .wrongState(guest.power) }
        guestStops(id, detail: "forced")
        if guest.spec.nature == .vcls { schedule(.vclsFollows, in: scenario.pace.vclsFollows) }
    }

    /// Writes a guest's memory to disk: it is suspended at once.
    mutating func suspendGuest(_ id: GuestID) throws(LabRefusal) {
        guard let guest = guests[id], guest.exists else { throw .notFound }
        guard guest.power == .on else { throw .wrongState(guest.power) }
        guests[id]?.stop(.suspended, cleanly: true)
        view.guestChanged(id)
        note(.guestSuspended, id.rawValue)
        vcsaStopped(id)
    }

    /// Registers a guest on a host, where its own host is off: the files are on shared storage.
    mutating func registerGuest(at vmxPath: String, on host: HostName) throws(LabRefusal) {
        guard let guest = guestAt[vmxPath].flatMap({ guests[$0] }), guest.exists else {
            throw .notFound
        }
        if guest.host == host { return }
        guard guest.power != .on else { throw .failed("the file is locked by \(guest.host)") }
        move(guest.spec.id, to: host)
        note(.guestRegistered, guest.spec.id.rawValue, host.rawValue)
    }

    /// Starts a guest where it is registered, as `by` (vCenter, or a host's shell).
    mutating func powerOnGuest(_ id: GuestID, on host: HostName, by: String) throws(LabRefusal) {
        guard let guest = guests[id], guest.exists, guest.host == host else { throw .notFound }
        if guest.power == .on { throw .wrongState(.on) }
        guard hostdReady(host) else { throw .failed("the host is not connected") }
        if inMaintenance(host) { throw .failed("the host is in maintenance mode") }
        if isDatastoreLate(host) { throw .failed("its datastore is not accessible") }
        start(id, on: host, by: by)
    }

    /// The guest with this number on a host.
    func guestID(vmid: Int, on name: HostName) -> GuestID? {
        registered(on: name).first { guests[$0]?.vmid == vmid }
    }

    func guest(at vmxPath: String, on name: HostName) -> GuestID? {
        guard let id = guestAt[vmxPath], guests[id]?.exists == true else { return nil }
        return guests[id]?.host == name ? id : nil
    }

    /// The guests registered on a host, sorted.
    func registered(on name: HostName) -> [GuestID] {
        guestsOn[name, default: []].filter { guests[$0]?.exists == true }.sorted()
    }

    mutating func guestStops(_ id: GuestID, detail: String) {
        guard guests[id]?.power == .on else { return }
        guests[id]?.stop(.off, cleanly: true)
        view.guestChanged(id)
        note(.guestOff, id.rawValue, detail)
        vcsaStopped(id)
        restartByHA(id)
    }

    mutating func vcsaStopped(_ id: GuestID) {
        guard guests[id]?.spec.isVCSA == true else { return }
        vcenterUpAt = nil
        note(.vcenterDown)
    }

    mutating func start(_ id: GuestID, on host: HostName, by: String) {
        guard guests[id]?.power != .on, hosts[host]?.power == .on,
            hosts[host]?.inMaintenance == false, !isDatastoreLate(host)
        else { return }
        guests[id]?.power = .on
        view.guestChanged(id)
        note(.guestOn, id.rawValue, by)
        if guests[id]?.spec.hasTools == true {
            schedule(.toolsUp(id), in: scenario.pace.toolsUp)
        }
        if guests[id]?.spec.isVCSA == true {
            schedule(.vcenterUp, in: scenario.pace.vcenterUp)
        }
    }

    mutating func toolsUp(_ id: GuestID) {
        guard guests[id]?.power == .on else { return }
        guests[id]?.toolsRunning = true
        view.guestChanged(id)
        touch()
    }

    mutating func move(_ id: GuestID, to host: HostName) {
        guard let from = guests[id]?.host else { return }
        guestsOn[from]?.remove(id)
        guestsOn[host, default: []].insert(id)
        let number = (hosts[host]?.highestVMID ?? 0) + 1
        hosts[host]?.highestVMID = number
        guests[id]?.host = host
        guests[id]?.vmid = number
        view.guestChanged(id)
    }
}

/// vCenter.
extension LabState {
    /// Whether vCenter can be spoken to now.
    func vcenterState() -> LabWorld.VCenterState {
        if let vcsa, guests[vcsa]?.power != .on { return .down }
        return vcenterUpAt == nil ? .starting : .up
    }

    mutating func vcenterUp() {
        guard vcenterUpAt == nil, vcenterState() == .starting else { return }
        vcenterUpAt = now
        note(.vcenterUp)
        schedule(.haFollows, in: scenario.pace.haFollows)
        schedule(.vclsFollows, in: scenario.pace.vclsFollows)
    }

    /// Changes HA, DRS and DPM.
    mutating func change(_ change: AutomationChange) {
        if let ha = change.ha, ha != automation.ha {
            automation.ha = ha
            note(ha ? .haOn : .haOff)
            schedule(.haFollows, in: scenario.pace.haFollows)
        }
        if let level = change.drsLevel, level != automation.drsLevel {
            automation.drsLevel = level
            note(.drsChanged, "", level.rawValue)
        }
        if let dpm = change.dpm, dpm != automation.dpm {
            automation.dpm = dpm
            note(.dpmChanged, "", dpm ? "on" : "off")
        }
    }

    /// Changes the advanced setting of vCLS.
    mutating func setVCLS(_ setting: VCLSSetting) {
        guard setting != automation.vcls else { return }
        let kept = automation.vcls.keepsGuests
        automation.vcls = setting
        guard setting.keepsGuests != kept else { return }
        note(setting.keepsGuests ? .vclsBack : .vclsRetreat)
        schedule(.vclsFollows, in: scenario.pace.vclsFollows)
    }

    mutating func haFollows() {
        guard vcenterState() == .up, haAgents != automation.ha else { return }
        haAgents = automation.ha
        for name in hosts.keys { view.hostChanged(name) }
        note(haAgents ? .haAgentsBack : .haAgentsGone)
    }

    mutating func vclsFollows() {
        guard vcenterState() == .up else { return }
        let wanted = automation.vcls.keepsGuests
        var changed = false
        for spec in scenario.guests where spec.nature == .vcls {
            let id = spec.id
            guard let guest = guests[id] else { continue }
            let isThere = guest.exists && guest.power == .on
            let host = hosts[guest.host]
            let canRun = host?.power == .on && host?.inMaintenance == false
            if wanted == isThere || (wanted && !canRun) { continue }
            guests[id]?.exists = wanted
            guests[id]?.power = wanted ? .on : .off
            changed = true
        }
        if changed {
            view.forget()
            note(wanted ? .vclsGuestsBack : .vclsGuestsGone)
        }
    }
}
