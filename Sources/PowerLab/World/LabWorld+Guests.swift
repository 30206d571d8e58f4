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
extension LabWorld {
    /// The guests registered on a host, by number.
    public func rows(on name: HostName) -> [LabGuestRow] {
        advance()
        return guests.values.filter { $0.host == name && $0.exists }
            .map { guest in
                LabGuestRow(
                    vmid: guest.vmid, id: guest.spec.id, name: guest.spec.name,
                    vmxPath: guest.spec.vmxPath,
                    annotation: guest.spec.isVCSA
                        ? "VMware vCenter Server Appliance\n\n   Second line of its note.\n7   x"
                        : "",
                    power: guest.power, toolsRunning: guest.toolsRunning,
                    isVCSA: guest.spec.isVCSA, nature: guest.spec.nature,
                    hasQuestion: guest.spec.hasQuestion)
            }
            .sorted { $0.vmid < $1.vmid }
    }

    /// Asks a guest's Tools to shut it down, as `by` (vCenter or a host).
    public func shutDownGuest(_ id: GuestID, by: String) throws(LabRefusal) {
        advance()
        guard let guest = guests[id], guest.exists else { throw .notFound }
        guard guest.power == .on else { throw .wrongState(guest.power) }
        guard guest.toolsRunning else { throw .toolsUnavailable }
        note(.guestAsked, id.rawValue, by)
        if guest.spec.ignoresShutdown || guest.stopping { return }
        guests[id]?.stopping = true
        schedule(.guestStops(id), in: scenario.pace.guestStops)
    }

    /// Cuts a guest's power.
    public func powerOffGuest(_ id: GuestID) throws(LabRefusal) {
        advance()
        guard let guest = guests[id], guest.exists else { throw .notFound }
        guard guest.power == .on else { throw .wrongState(guest.power) }
        guestStops(id, detail: "forced")
        if guest.spec.nature == .vcls { schedule(.vclsFollows, in: scenario.pace.vclsFollows) }
    }

    /// Writes a guest's memory to disk: it is suspended at once.
    public func suspendGuest(_ id: GuestID) throws(LabRefusal) {
        advance()
        guard let guest = guests[id], guest.exists else { throw .notFound }
        guard guest.power == .on else { throw .wrongState(guest.power) }
        guests[id]?.power = .suspended
        guests[id]?.toolsRunning = false
        guests[id]?.stopping = false
        note(.guestSuspended, id.rawValue)
        vcsaStopped(id)
    }

    /// Registers a guest on a host, where its own host is off: the files are on shared storage.
    public func registerGuest(at vmxPath: String, on host: HostName) throws(LabRefusal) {
        advance()
        guard let guest = guests.values.first(where: { $0.spec.vmxPath == vmxPath && $0.exists })
        else { throw .notFound }
        if guest.host == host { return }
        guard guest.power != .on else { throw .failed("the file is locked by \(guest.host)") }
        move(guest.spec.id, to: host)
        note(.guestRegistered, guest.spec.id.rawValue, host.rawValue)
    }

    /// Starts a guest where it is registered, as `by` (vCenter, or a host's shell).
    public func powerOnGuest(_ id: GuestID, on host: HostName, by: String) throws(LabRefusal) {
        advance()
        guard let guest = guests[id], guest.exists, guest.host == host else { throw .notFound }
        if guest.power == .on { throw .wrongState(.on) }
        guard hostdReady(host) else { throw .failed("the host is not connected") }
        if inMaintenance(host) { throw .failed("the host is in maintenance mode") }
        start(id, on: host, by: by)
    }

    /// The guest with this number on a host.
    public func guestID(vmid: Int, on name: HostName) -> GuestID? {
        guests.values.first { $0.host == name && $0.vmid == vmid && $0.exists }?.spec.id
    }

    func guest(at vmxPath: String, on name: HostName) -> GuestID? {
        guests.values.first { $0.host == name && $0.spec.vmxPath == vmxPath && $0.exists }?.spec.id
    }

    func guestStops(_ id: GuestID, detail: String) {
        guard guests[id]?.power == .on else { return }
        guests[id]?.power = .off
        guests[id]?.toolsRunning = false
        guests[id]?.stopping = false
        guests[id]?.stoppedCleanly = true
        note(.guestOff, id.rawValue, detail)
        vcsaStopped(id)
    }

    func vcsaStopped(_ id: GuestID) {
        guard guests[id]?.spec.isVCSA == true else { return }
        vcenterUpAt = nil
        note(.vcenterDown)
    }

    func start(_ id: GuestID, on host: HostName, by: String) {
        guard guests[id]?.power != .on, hosts[host]?.power == .on,
            hosts[host]?.inMaintenance == false
        else { return }
        guests[id]?.power = .on
        note(.guestOn, id.rawValue, by)
        if guests[id]?.spec.hasTools == true {
            schedule(.toolsUp(id), in: scenario.pace.toolsUp)
        }
        if guests[id]?.spec.isVCSA == true {
            schedule(.vcenterUp, in: scenario.pace.vcenterUp)
        }
    }

    func move(_ id: GuestID, to host: HostName) {
        let highest = guests.values.filter { $0.host == host }.map(\.vmid).max() ?? 0
        guests[id]?.host = host
        guests[id]?.vmid = highest + 1
    }
}

/// vCenter.
extension LabWorld {
    /// Whether vCenter can be spoken to.
    public enum VCenterState: Sendable, Hashable {
        /// Its guest is off: nobody listens.
        case down
        /// Its proxy answers 503.
        case starting
        /// It answers.
        case up
    }

    /// Whether vCenter can be spoken to now.
    public func vcenterState() -> VCenterState {
        advance()
        guard guests.values.contains(where: { $0.spec.isVCSA && $0.power == .on }) else {
            return .down
        }
        return vcenterUpAt == nil ? .starting : .up
    }

    func vcenterUp() {
        guard vcenterUpAt == nil, vcenterState() == .starting else { return }
        vcenterUpAt = time.elapsed
        note(.vcenterUp)
        schedule(.haFollows, in: scenario.pace.haFollows)
        schedule(.vclsFollows, in: scenario.pace.vclsFollows)
    }

    /// Hosts and guests as vCenter shows them.
    public func inventory() -> Inventory {
        advance()
        let hosts = hosts.values.map { host in
            HostView(
                name: host.spec.name, reference: host.spec.reference,
                connected: host.power == .on && host.hostdReady,
                inMaintenance: host.inMaintenance, haAgentConfigured: haAgents)
        }
        let guests = guests.values.filter(\.exists).map { guest in
            let host = self.hosts[guest.host]
            let known = host?.power == .on && host?.hostdReady == true
            return Guest(
                id: guest.spec.id, name: guest.spec.name, reference: guest.spec.reference,
                vmxPath: guest.spec.vmxPath, host: guest.host,
                power: known ? guest.power : .unknown,
                tools: guest.toolsRunning ? .running : .absent, nature: guest.spec.nature,
                labels: guest.spec.labels, memoryMiB: guest.spec.memoryMiB,
                hasQuestion: guest.spec.hasQuestion)
        }
        return Inventory(version: version, hosts: hosts, guests: guests)
    }

    /// The automation as configured.
    public func currentAutomation() -> Automation {
        advance()
        return automation
    }

    /// Changes HA, DRS and DPM.
    public func change(_ change: AutomationChange) {
        advance()
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
    public func setVCLS(_ setting: VCLSSetting) {
        advance()
        guard setting != automation.vcls else { return }
        let kept = automation.vcls.keepsGuests
        automation.vcls = setting
        guard setting.keepsGuests != kept else { return }
        note(setting.keepsGuests ? .vclsBack : .vclsRetreat)
        schedule(.vclsFollows, in: scenario.pace.vclsFollows)
    }

    func haFollows() {
        guard vcenterState() == .up, haAgents != automation.ha else { return }
        haAgents = automation.ha
        note(haAgents ? .haAgentsBack : .haAgentsGone)
    }

    func vclsFollows() {
        guard vcenterState() == .up else { return }
        let wanted = automation.vcls.keepsGuests
        var changed = false
        for id in guests.keys.sorted() where guests[id]?.spec.nature == .vcls {
            guard let host = guests[id]?.host else { continue }
            if !wanted, guests[id]?.exists == true {
                guests[id]?.exists = false
                guests[id]?.power = .off
                changed = true
            }
            let canRun = hosts[host]?.power == .on && hosts[host]?.inMaintenance == false
            if wanted, guests[id]?.exists != true || guests[id]?.power != .on, canRun {
                guests[id]?.exists = true
                guests[id]?.power = .on
                changed = true
            }
        }
        if changed { note(wanted ? .vclsGuestsBack : .vclsGuestsGone) }
    }
}
