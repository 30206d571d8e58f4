import PowerModel
import PowerRun

/// What of the inventory as vCenter last showed it is no longer so: at a thousand hosts it is not
/// made anew for every guest that stops.
struct LabStateView {
    private(set) var shown: Inventory?
    private(set) var guests: Set<GuestID> = []
    private(set) var hosts: Set<HostName> = []

    mutating func guestChanged(_ id: GuestID) { if shown != nil { guests.insert(id) } }
    mutating func hostChanged(_ name: HostName) { if shown != nil { hosts.insert(name) } }
    /// Objects came or went.
    mutating func forget() { shown = nil }

    mutating func show(_ inventory: Inventory) {
        shown = inventory
        guests.removeAll(keepingCapacity: true)
        hosts.removeAll(keepingCapacity: true)
    }

    /// Gives the inventory away, so that changing it copies nothing that nobody else holds.
    mutating func take() -> Inventory? {
        defer { shown = nil }
        return shown
    }
}

extension LabState {
    /// Hosts and guests as vCenter shows them.
    mutating func inventory() -> Inventory {
        if var shown = view.take() {
            update(&shown)
            view.show(shown)
            return shown
        }
        let made = Inventory(
            version: version, hosts: hosts.values.map { shown($0) },
            guests: guests.values.filter(\.exists).map { shown($0) })
        view.show(made)
        return made
    }

    private mutating func update(_ inventory: inout Inventory) {
        var changed = view.guests
        for name in view.hosts {
            changed.formUnion(guestsOn[name] ?? [])
            guard let host = hosts[name] else { continue }
            inventory.update(shown(host))
        }
        for id in changed {
            if let guest = guests[id] { inventory.update(shown(guest)) }
        }
        inventory.version = version
    }

    private mutating func shown(_ host: LabHost) -> HostView {
        let sticks = !haAgents && bites(.haAgentSticks, host.spec.name.rawValue) != nil
        return HostView(
            name: host.spec.name, reference: host.spec.reference,
            connected: host.power == .on && host.hostdReady, inMaintenance: host.inMaintenance,
            haAgentConfigured: haAgents || sticks)
    }

    /// Whether a guest waits for the answer to a question.
    func hasQuestion(_ guest: LabGuest) -> Bool {
        guest.spec.hasQuestion || isActive(.guestHasQuestion, guest.spec.id.rawValue)
    }

    private func shown(_ guest: LabGuest) -> Guest {
        let host = hosts[guest.host]
        let known = host?.power == .on && host?.hostdReady == true
        let id = guest.spec.id
        let isMute = isActive(.guestWithoutTools, id.rawValue)
        return Guest(
            id: id, name: guest.spec.name, reference: guest.spec.reference,
            vmxPath: guest.spec.vmxPath, host: guest.host, power: known ? guest.power : .unknown,
            tools: guest.toolsRunning && !isMute ? .running : .absent, nature: guest.spec.nature,
            labels: guest.spec.labels, memoryMiB: guest.spec.memoryMiB,
            hasQuestion: hasQuestion(guest))
    }
}
