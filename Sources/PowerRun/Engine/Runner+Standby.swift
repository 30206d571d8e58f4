import PowerModel

/// Hosts that DPM had put to sleep before the outage. They cannot be shut down, and nobody waits
/// for them; DPM wakes them when it needs them (facts/vsphere.md 2.4, 4.3). One that was woken
/// since is a host like any other.
extension Runner {
    /// The outcome of what would be done on a host that sleeps; nil where it is to be done.
    func leftAsleep(_ action: Action) async -> StepOutcome? {
        switch action {
        case .arm(let host, _, _), .stopHost(let host, _), .awaitHost(let host, _),
            .restoreAutostart(let host, _), .disarm(let host), .openSSH(let host),
            .closeSSH(let host, _):
            await around.sleeps(host, in: goal.inventory)
                ? .left("DPM had put it in standby, where it still is") : nil
        default: nil
        }
    }
}

extension Surroundings {
    /// Whether a host that was in standby in this inventory is silent still.
    func sleeps(_ host: HostName, in inventory: Inventory) async -> Bool {
        guard inventory.host(host)?.inStandby == true else { return false }
        return await hosts[host]?.isSilent() == true
    }
}
