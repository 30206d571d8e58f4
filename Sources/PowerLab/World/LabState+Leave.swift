import PowerModel

/// A host that goes by itself, with the guest in which vpower runs: what its detached script does
/// on the wire.
extension LabState {
    /// By whom things are done that a host was handed over.
    static let handOver = "hand-over"

    /// Tells a host; one that is at it already goes on.
    mutating func leave(_ orders: LeaveOrders, host: HostPlace) {
        guard hosts[host].power == .on, hosts[host].leaving == nil else { return }
        hosts[host].leaving = orders
        note(.hostLeft, hosts[host].spec.name.rawValue)
        let generation = hosts[host].generation
        schedule(.leaveGuest(host, generation: generation), in: orders.grace)
        schedule(
            .leaveHost(host, generation: generation), in: orders.grace + orders.guestLimit)
    }

    mutating func leaveGuest(on host: HostPlace) {
        guard let path = hosts[host].leaving?.controller.vmxPath,
            let guest = guest(at: path, on: host)
        else { return }
        do throws(LabRefusal) { try shutDownGuest(guest, by: Self.handOver) } catch {
            // Then its host goes at the limit, as the script has it.
            note(.fault, guests[guest].spec.id.rawValue, "hand-over: \(error)")
        }
    }

    /// The host goes as soon as its script sees the guest off.
    mutating func controllerStopped(_ guest: GuestPlace) {
        let host = guests[guest].host
        guard hosts[host].leaving?.controller.vmxPath == guests[guest].spec.vmxPath else { return }
        schedule(
            .leaveHost(host, generation: hosts[host].generation), in: .milliseconds(500))
    }
}
