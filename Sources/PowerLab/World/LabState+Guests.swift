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
    /// This solution has disabled it.
    case disabled(by: String)
    /// Another operation is under way on it.
    case busy
    /// The user may not do it.
    case notPermitted
    /// The question is another, or answered.
    case otherQuestion
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
    func registered(on host: HostPlace) -> [GuestPlace] {
        hosts[host].guests.filter { guests[$0].exists }
    }

    /// The guest with this configuration file, where it is registered on this host.
    func guest(at vmxPath: String, on host: HostPlace) -> GuestPlace? {
        hosts[host].guests.first { guests[$0].exists && guests[$0].spec.vmxPath == vmxPath }
    }

    /// As a host lists it.
    func row(_ place: GuestPlace) -> LabGuestRow {
        let guest = guests[place]
        return LabGuestRow(
            vmid: guest.vmid, id: guest.spec.id, name: guest.spec.name,
            vmxPath: guest.spec.vmxPath,
            annotation: guest.spec.isVCSA
                ? "VMware vCenter Server Appliance\n\n   Second line of its note.\n7   x" : "",
            power: guest.power, toolsRunning: guest.toolsRunning, isVCSA: guest.spec.isVCSA,
            nature: guest.spec.nature, hasQuestion: hasQuestion(place))
    }

    /// A guest that somebody wants something of.
    func existing(_ id: GuestID) throws(LabRefusal) -> GuestPlace {
        guard let guest = guests.place(of: id), guests[guest].exists else { throw .notFound }
        return guest
    }

    /// A host that something is wanted of.
    func existing(_ name: HostName) throws(LabRefusal) -> HostPlace {
        guard let host = hosts.place(of: name) else { throw .notFound }
        return host
    }

    private func mustBeOn(_ guest: GuestPlace) throws(LabRefusal) {
        guard guests[guest].exists else { throw .notFound }
        guard guests[guest].power == .on else { throw .wrongState(guests[guest].power) }
    }

    /// Asks a guest's Tools to shut it down, as `by` (vCenter or a host).
    mutating func shutDownGuest(_ guest: GuestPlace, by: String) throws(LabRefusal) {
        try mustBeOn(guest)
        let spec = guests[guest].spec
        let id = spec.id.rawValue
        guard guests[guest].toolsRunning, !hits(.guestWithoutTools, id) else {
            throw .toolsUnavailable
        }
        if let solution = spec.disabledBy { throw .disabled(by: solution) }
        if hits(.guestDisabled, id) { throw .disabled(by: "com.example.backup") }
        if hits(.guestBusy, id) { throw .busy }
        if asks(guest) { throw .failed("it waits for an answer to a question") }
        note(.guestAsked, id, by)
        if guests[guest].stopping || spec.ignoresShutdown { return }
        if hits(.guestIgnores, id) { return }
        guests[guest].stopping = true
        schedule(.guestStops(guest), in: spec.stopsIn ?? scenario.pace.guestStops)
    }

    /// Whether a guest waits for an answer, and lets somebody wait for it.
    mutating func asks(_ guest: GuestPlace) -> Bool {
        let id = guests[guest].spec.id.rawValue
        return hits(.guestHasQuestion, id) || hasQuestion(guest)
    }

    /// Answers the question that a guest waits with; "Cancel" leaves everything as it is.
    mutating func answer(
        _ guest: GuestPlace, question: String, choice key: String
    ) throws(LabRefusal) {
        let asked = GuestQuestion.lab
        guard hasQuestion(guest), question == asked.id else { throw .otherQuestion }
        guard let choice = asked.choices.first(where: { $0.key == key }) else {
            throw .failed("there is no such choice")
        }
        let id = guests[guest].spec.id.rawValue
        guests[guest].isAnswered = true
        faults.active[.guestHasQuestion]?[id] = nil
        guestChanged(guest)
        note(.guestAnswered, id, choice.label)
    }

    /// Cuts a guest's power.
    mutating func powerOffGuest(_ guest: GuestPlace) throws(LabRefusal) {
        try mustBeOn(guest)
        guestStops(guest, detail: "forced")
        if guests[guest].spec.nature.isVCLS {
            schedule(.vclsFollows, in: scenario.pace.vclsFollows)
        }
    }

    /// Writes a guest's memory to disk: it is suspended at once.
    mutating func suspendGuest(_ guest: GuestPlace) throws(LabRefusal) {
        try mustBeOn(guest)
        guests[guest].stop(.suspended, cleanly: true)
        guestChanged(guest)
        note(.guestSuspended, guests[guest].spec.id.rawValue)
        vcsaStopped(guest)
    }

    /// Registers a guest on a host, where its own host is off: the files are on shared storage.
    mutating func registerGuest(at vmxPath: String, on host: HostPlace) throws(LabRefusal) {
        let found = guests.all.first { guests[$0].exists && guests[$0].spec.vmxPath == vmxPath }
        guard let guest = found else { throw .notFound }
        let other = guests[guest].host
        if other == host { return }
        guard guests[guest].power != .on else {
            throw .failed("the file is locked by \(hosts[other].spec.name)")
        }
        move(guest, to: host)
        note(.guestRegistered, guests[guest].spec.id.rawValue, hosts[host].spec.name.rawValue)
    }

    /// Starts a guest where it is registered, as `by` (vCenter, or a host's shell).
    mutating func powerOnGuest(
        _ guest: GuestPlace, on host: HostPlace, by: String
    ) throws(LabRefusal) {
        guard guests[guest].exists, guests[guest].host == host else { throw .notFound }
        if guests[guest].power == .on { throw .wrongState(.on) }
        if hits(.guestBusy, guests[guest].spec.id.rawValue) { throw .busy }
        if asks(guest) { throw .failed("it waits for an answer to a question") }
        guard hosts[host].hostdAnswers else { throw .failed("the host is not connected") }
        if hosts[host].inMaintenance { throw .failed("the host is in maintenance mode") }
        if !isStorageThere { throw .failed("its vSAN object is not accessible") }
        if isDatastoreLate(host) { throw .failed("its datastore is not accessible") }
        start(guest, on: host, by: by)
    }

    mutating func guestStops(_ guest: GuestPlace, detail: String) {
        guard guests[guest].power == .on else { return }
        guests[guest].stop(.off, cleanly: true)
        guestChanged(guest)
        note(.guestOff, guests[guest].spec.id.rawValue, detail)
        vcsaStopped(guest)
        restartByHA(guest)
        controllerStopped(guest)
    }

    /// vCSA powers itself off, by its own management interface: its Tools have no part in it.
    mutating func shutDownAppliance(in delay: Duration = .zero) throws(LabRefusal) {
        guard let vcsa else { throw .notFound }
        try mustBeOn(vcsa)
        guard scenario.mayShutDownAppliance else { throw .notPermitted }
        note(.guestAsked, guests[vcsa].spec.id.rawValue, "vCSA itself")
        guard !guests[vcsa].stopping else { return }
        guests[vcsa].stopping = true
        let stopsIn = guests[vcsa].spec.stopsIn ?? scenario.pace.guestStops
        schedule(.guestStops(vcsa), in: delay + stopsIn)
    }

    mutating func vcsaStopped(_ guest: GuestPlace) {
        guard guests[guest].spec.isVCSA else { return }
        vcenterUpAt = nil
        note(.vcenterDown)
    }

    mutating func start(_ guest: GuestPlace, on host: HostPlace, by: String) {
        guard guests[guest].power != .on, hosts[host].power == .on, !hosts[host].inMaintenance,
            isStorageThere, !isDatastoreLate(host)
        else { return }
        let spec = guests[guest].spec
        guests[guest].power = .on
        guestChanged(guest)
        note(.guestOn, spec.id.rawValue, by)
        if spec.hasTools { schedule(.toolsUp(guest), in: scenario.pace.toolsUp) }
        if spec.isVCSA { schedule(.vcenterUp, in: scenario.pace.vcenterUp) }
    }

    mutating func toolsUp(_ guest: GuestPlace) {
        guard guests[guest].power == .on else { return }
        guests[guest].toolsRunning = true
        guestChanged(guest)
        touch()
    }

    mutating func move(_ guest: GuestPlace, to host: HostPlace) {
        hosts[guests[guest].host].guests.removeAll { $0 == guest }
        forgetAutostart(of: guest, on: guests[guest].host)
        hosts[host].guests.append(guest)
        hosts[host].highestVMID += 1
        guests[guest].host = host
        guests[guest].vmid = hosts[host].highestVMID
        guestChanged(guest)
    }
}

/// vCenter.
extension LabState {
    /// Whether vCenter can be spoken to now.
    func vcenterState() -> LabWorld.VCenterState {
        if let vcsa, guests[vcsa].power != .on { return .down }
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
        if let overrides = change.drsOverrides, overrides != automation.drsOverrides {
            automation.drsOverrides = overrides
            note(.drsOverridesChanged, "", overrides ? "on" : "off")
        }
        if let dpm = change.dpm, dpm != automation.dpm {
            automation.dpm = dpm
            note(.dpmChanged, "", dpm ? "on" : "off")
        }
    }

    /// Changes what is said of vCLS in one of the two places, or in both.
    mutating func setVCLS(_ setting: VCLSSetting? = nil, mode: VCLSMode? = nil) {
        let kept = automation.keepsVCLS
        if let setting { automation.vcls = setting }
        if let mode { automation.vclsMode = mode }
        let keeps = automation.keepsVCLS
        guard keeps != kept else { return }
        note(keeps ? .vclsBack : .vclsRetreat)
        schedule(.vclsFollows, in: scenario.pace.vclsFollows)
    }

    /// The automation, with how vCenter finds the cluster's own services.
    func automationNow() -> Automation {
        var now = automation
        let services = guests.all.filter { guests[$0].spec.nature.isVCLS }
        let on = services.count { guests[$0].exists && guests[$0].power == .on }
        now.vclsHealth =
            on == services.count && automation.keepsVCLS
            ? .healthy : on > 0 ? .degraded : .nonhealthy
        return now
    }

    mutating func haFollows() {
        guard vcenterState() == .up, haAgents != automation.ha else { return }
        haAgents = automation.ha
        for host in hosts.all {
            hosts[host].haAgentStopped = false
            hostChanged(host)
        }
        note(haAgents ? .haAgentsBack : .haAgentsGone)
    }

    mutating func vclsFollows() {
        guard vcenterState() == .up else { return }
        var changed = false
        for guest in guests.all where guests[guest].spec.nature.isVCLS {
            let isThere = guests[guest].exists && guests[guest].power == .on
            let host = guests[guest].host
            let canRun = hosts[host].power == .on && !hosts[host].inMaintenance && isStorageThere
            // Whether retreat mode ends those in a host's memory is not known: here it does not.
            let wanted = automation.keepsVCLS || guests[guest].spec.nature == .embeddedVCLS
            if wanted == isThere || (wanted && !canRun) { continue }
            guests[guest].exists = wanted
            guests[guest].power = wanted ? .on : .off
            changed = true
        }
        if changed {
            forgetView()
            note(automation.keepsVCLS ? .vclsGuestsBack : .vclsGuestsGone)
        }
    }
}

extension GuestNature {
    /// Whether vCenter keeps it for the cluster's own services.
    var isVCLS: Bool { self == .vcls || self == .embeddedVCLS }
}
