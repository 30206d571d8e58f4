import PowerModel
import PowerRun

/// The simulated cluster at one moment, with what `Inventory` hides: what is really on.
struct LabSnapshot: Sendable {
    struct Host: Sendable {
        let name: HostName
        let reference: VimReference
        let isConnected: Bool
        let inMaintenance: Bool
        var inStandby = false
        /// What is wrong with its HA agent for good.
        var agentFault: String?
        var secureBoot = false
        var autostart = LabHostSpec.noAutostart
        var ssh = SSHService(runs: true, policy: "on")
    }

    struct Guest: Sendable {
        let spec: LabGuestSpec
        let number: Int
        let host: HostName
        let power: GuestPower
        let toolsRunning: Bool
        let isStopping: Bool
        let hasQuestion: Bool
        var reference: VimReference { VimReference("VirtualMachine", spec.reference) }
    }

    let version: UInt64
    let cluster: ClusterName
    let clusterReference: VimReference
    let hosts: [Host]
    let guests: [Guest]
    let automation: Automation
    let hasVSAN: Bool
    let haAgents: Bool
    let vcenter: LabWorld.VCenterState
    let wall: Timestamp
    /// Where guests are put; the same all the time.
    let places: LabPlaces

    func host(_ name: HostName) -> Host? { hosts.first { $0.name == name } }
    func host(_ reference: VimReference) -> Host? { hosts.first { $0.reference == reference } }
    func guest(_ reference: VimReference) -> Guest? { guests.first { $0.reference == reference } }
}

/// What vCenter needs of the world beyond what everybody may ask.
extension LabWorld {
    func vcenterSnapshot() -> LabSnapshot { turn { $0.vcenterSnapshot() } }

    func powerOnByVCenter(_ id: GuestID, on wanted: HostName?) throws(LabRefusal) {
        try turn { state throws(LabRefusal) in try state.powerOnByVCenter(id, on: wanted) }
    }
}

extension LabState {
    /// Everything vCenter shows, at one moment.
    func vcenterSnapshot() -> LabSnapshot {
        let state = vcenterState()
        var order: [GuestID: Int] = [:]
        for (index, spec) in scenario.guests.enumerated() { order[spec.id] = index + 1 }
        return LabSnapshot(
            version: version, cluster: scenario.cluster,
            clusterReference: VimReference("ClusterComputeResource", scenario.clusterReference),
            hosts: hosts.all.map { place in
                let host = hosts[place]
                return LabSnapshot.Host(
                    name: host.spec.name,
                    reference: VimReference("HostSystem", host.spec.reference),
                    isConnected: host.hostdAnswers, inMaintenance: host.inMaintenance,
                    inStandby: host.inStandby,
                    agentFault: !haAgents && isActive(.haAgentSticks, host.spec.name.rawValue)
                        ? Self.agentFault : nil,
                    secureBoot: host.spec.secureBoot, autostart: host.autostart,
                    ssh: sshService(place) ?? SSHService(runs: false, policy: "off"))
            },
            guests: guests.all.filter { guests[$0].exists }.map { place in
                let guest = guests[place]
                return LabSnapshot.Guest(
                    spec: guest.spec, number: order[guest.spec.id] ?? 0,
                    host: hosts[guest.host].spec.name,
                    power: guest.power, toolsRunning: guest.toolsRunning,
                    isStopping: guest.stopping, hasQuestion: hasQuestion(place))
            }.sorted { $0.number < $1.number },
            automation: automationNow(), hasVSAN: scenario.hasVSAN, haAgents: haAgents,
            vcenter: state, wall: time.wall,
            places: LabPlaces(scenario.guests.map(\.labels)))
    }

    /// Starts a guest as vCenter does: on a host of the caller's choice, where it is then
    /// registered.
    mutating func powerOnByVCenter(_ id: GuestID, on wanted: HostName?) throws(LabRefusal) {
        let guest = try existing(id)
        let target =
            try wanted.map { name throws(LabRefusal) in try existing(name) }
            ?? guests[guest].host
        guard guests[guest].power != .on else { throw .wrongState(guests[guest].power) }
        guard hosts[target].hostdAnswers else { throw .failed("the host is not connected") }
        if hosts[target].inMaintenance { throw .failed("the host is in maintenance mode") }
        if target != guests[guest].host { move(guest, to: target) }
        try powerOnGuest(guest, on: target, by: "vCenter")
    }

    /// Turns DRS itself on or off; off would delete the resource pools of a real cluster.
    mutating func setDRS(enabled: Bool) {
        guard enabled != automation.drsEnabled else { return }
        automation.drsEnabled = enabled
        note(.drsChanged, "", enabled ? "on" : "off")
    }
}
