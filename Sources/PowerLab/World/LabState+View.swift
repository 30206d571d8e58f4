public import PowerModel
import PowerRun

/// What of the inventory as vCenter last showed it is no longer so: at a thousand hosts it is not
/// made anew for every guest that stops.
struct LabStateView {
    fileprivate(set) var shown: Inventory?
    fileprivate var guests: [GuestPlace] = []
    fileprivate var hosts: [HostPlace] = []
}

extension LabState {
    mutating func guestChanged(_ guest: GuestPlace) {
        if view.shown == nil || guests[guest].isShownStale { return }
        guests[guest].isShownStale = true
        view.guests.append(guest)
    }

    /// A host has changed, and with it what is known of its guests.
    mutating func hostChanged(_ host: HostPlace) {
        if view.shown == nil || hosts[host].isShownStale { return }
        hosts[host].isShownStale = true
        view.hosts.append(host)
        for guest in hosts[host].guests { guestChanged(guest) }
    }

    /// Objects came or went.
    mutating func forgetView() {
        for guest in view.guests { guests[guest].isShownStale = false }
        for host in view.hosts { hosts[host].isShownStale = false }
        view.guests.removeAll(keepingCapacity: true)
        view.hosts.removeAll(keepingCapacity: true)
        view.shown = nil
    }

    /// Hosts and guests as vCenter shows them.
    mutating func inventory() -> Inventory {
        let inventory = renewedView() ?? wholeView()
        forgetView()
        view.shown = inventory
        return inventory
    }

    private mutating func wholeView() -> Inventory {
        Inventory(
            version: version, hosts: hosts.all.map { shown($0) },
            guests: guests.all.filter { guests[$0].exists }.map { shown($0) })
    }

    private mutating func renewedView() -> Inventory? {
        // Taken out, so that changing it copies nothing that nobody else holds.
        guard var inventory = view.shown.take() else { return nil }
        for host in view.hosts { inventory.update(shown(host)) }
        for guest in view.guests { update(guest, in: &inventory) }
        inventory.version = version
        return inventory
    }

    private func update(_ place: GuestPlace, in inventory: inout Inventory) {
        inventory.updateGuest(guests[place].spec.id) { show(place, in: &$0) }
    }

    private mutating func shown(_ place: HostPlace) -> HostView {
        let spec = hosts[place].spec
        let sticks = !haAgents && hits(.haAgentSticks, spec.name.rawValue)
        var view = HostView(
            name: spec.name, reference: spec.reference,
            connected: hosts[place].power == .on && hosts[place].hostdReady,
            inMaintenance: hosts[place].inMaintenance, haAgentConfigured: haAgents || sticks,
            apiVersion: scenario.apiVersion)
        view.inStandby = hosts[place].inStandby
        if scenario.showsBootState {
            view.secureBoot =
                scenario.apiVersion < Self.secureBootSince ? nil : spec.secureBoot
            view.startsByItself = hosts[place].autostart.isOn
        }
        view.haAgentFault = sticks ? Self.agentFault : nil
        return view
    }

    /// The first release whose API tells.
    private static let secureBootSince = VersionNumber([8, 0, 3])

    /// What vCenter says of an agent that it could not take away.
    static let agentFault = "uninitializationError"

    /// Whether a guest waits for the answer to a question.
    func hasQuestion(_ place: GuestPlace) -> Bool {
        let spec = guests[place].spec
        return (spec.hasQuestion && !guests[place].isAnswered)
            || isActive(.guestHasQuestion, spec.id.rawValue)
    }

    private func shown(_ place: GuestPlace) -> Guest {
        let spec = guests[place].spec
        var guest = Guest(
            id: spec.id, name: spec.name, reference: spec.reference, vmxPath: spec.vmxPath,
            host: nil, power: .unknown, tools: .absent, nature: spec.nature, labels: spec.labels,
            memoryMiB: spec.memoryMiB)
        guest.disabledMethods = spec.disabledBy == nil ? nil : ["ShutdownGuest"]
        guest.encryption = spec.keyProvider.map {
            GuestEncryption(
                keyProvider: $0, provider: spec.hasNativeKey ? .native : .external,
                hasTPM: spec.hasTPM)
        }
        show(place, in: &guest)
        return guest
    }

    /// What of a guest may change.
    private func show(_ place: GuestPlace, in guest: inout Guest) {
        let host = guests[place].host
        let known = hosts[host].power == .on && hosts[host].hostdReady
        let isMute = isActive(.guestWithoutTools, guest.id.rawValue)
        guest.host = hosts[host].spec.name
        guest.power = known ? guests[place].power : .unknown
        guest.tools = guests[place].toolsRunning && !isMute ? .running : .absent
        if hasQuestion(place) != guest.hasQuestion {
            guest.question = guest.hasQuestion ? nil : .lab
        }
    }
}

extension GuestQuestion {
    /// The question that the lab's guests wait with (facts/esxi.md 1.4).
    public static let lab = GuestQuestion(
        id: "7", text: "msg.uuid.altered:This virtual machine may have been moved or copied.",
        messages: ["msg.uuid.altered"],
        choices: [
            Choice(key: "0", label: "Cancel"), Choice(key: "1", label: "I _moved it"),
            Choice(key: "2", label: "I _copied it"),
        ])
}
