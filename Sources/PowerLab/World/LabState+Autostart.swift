import PowerModel

/// What hosts start by themselves (facts/vsphere.md 4.3, facts/esxi.md 1.5).
extension LabState {
    /// Changes what a host starts by itself; false where a guest of it is not registered there.
    mutating func setAutostart(_ wanted: HostAutostart, on host: HostPlace) -> Bool {
        for entry in wanted.guests where guest(at: entry.vmxPath, on: host) == nil { return false }
        if hosts[host].autostart == wanted { return true }
        hosts[host].autostart = wanted
        hostChanged(host)
        let isAsBefore = wanted == hosts[host].autostartBefore
        note(
            .autostartSet, hosts[host].spec.name.rawValue,
            isAsBefore ? "as before" : wanted.isOn ? "on" : "off")
        return true
    }

    /// A host knows nothing any more of a guest that is not registered there.
    mutating func forgetAutostart(of guest: GuestPlace, on host: HostPlace) {
        let path = guests[guest].spec.vmxPath
        hosts[host].autostart.guests.removeAll { $0.vmxPath == path }
        hosts[host].autostartBefore.guests.removeAll { $0.vmxPath == path }
    }

    /// A host that is up starts its guests, one after the other; not where HA is on.
    mutating func runAutostart(_ host: HostPlace) {
        let settings = hosts[host].autostart
        guard settings.isOn, !haAgents, !hosts[host].inMaintenance else { return }
        var after: Duration = .milliseconds(10)
        let starts = settings.guests.filter {
            $0.startOrder > 0 && $0.startAction.lowercased() == "poweron"
        }
        for entry in starts.sorted(by: { $0.startOrder < $1.startOrder }) {
            if let guest = guest(at: entry.vmxPath, on: host) {
                schedule(.autostart(host, guest, generation: hosts[host].generation), in: after)
            }
            let delay =
                entry.startDelaySeconds >= 0
                ? entry.startDelaySeconds : settings.defaults.startDelaySeconds ?? 0
            after += .seconds(delay)
        }
    }
}
