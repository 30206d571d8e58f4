import PowerModel
import PowerRun

extension LabScenario {
    /// Whether vCenter shuts the cluster down by itself, as a vSAN cluster.
    var hasVSANWizard: Bool { hasVSAN && apiVersion >= VSANWay.wizardSince }
}

/// A vSAN cluster as it is now.
struct LabVSANState: Sendable {
    /// Whether nobody gets at any object: prepared, and not recovered since.
    var isPaused = false
    /// What vCenter says of its power.
    var status = "clusterPoweredOn"
    /// Whether vCenter shut it down and was not asked to start it since.
    var isOut = false
    /// Grows with each request, so that what an earlier one had planned is void.
    var generation = 0
}

/// What vCenter does by itself, one after the other, when it shuts a vSAN cluster down.
enum LabVSANStage: Int, Sendable {
    case vcsa, maintenance, hosts

    var next: LabVSANStage? { LabVSANStage(rawValue: rawValue + 1) }
}

/// vSAN, as the vendor's own documents describe it (facts/vsphere.md 2.16, esxi.md section 7); what
/// really happens was never seen.
extension LabState {
    /// Whether guests can be started: on vSAN, only while most hosts are there and nothing is
    /// paused.
    var isStorageThere: Bool {
        if !scenario.hasVSAN { return true }
        return !vsan.isPaused && vsanMembers * 2 > scenario.hosts.count
    }

    /// How many hosts see one another.
    var vsanMembers: Int { hosts.all.count { hosts[$0].answers && hosts[$0].hostdReady } }

    /// What a host sees of the cluster.
    var vsanMembership: VSANMembership {
        VSANMembership(members: vsanMembers, isHealthy: isStorageThere)
    }

    /// Whether every host is there and out of maintenance mode.
    private var isVSANWhole: Bool { hosts.all.allSatisfy { hosts[$0].takesGuests } }

    private var guestsOn: [GuestPlace] {
        guests.all.filter { guests[$0].spec.nature == .ordinary && guests[$0].power == .on }
    }

    // MARK: By hand

    mutating func keepVSANMembers(_ on: Bool, on host: HostPlace) {
        hosts[host].keepsVSANMembers = on
    }

    /// Prepares the cluster as one host's helper does; returns what it says when it does not.
    mutating func prepareVSAN(on host: HostPlace) -> String? {
        let others = hosts.all.filter { hosts[$0].answers && !hosts[$0].keepsVSANMembers }
        if let first = others.first {
            return "\(hosts[first].spec.name) still updates its list of members"
        }
        vsan.isPaused = true
        note(.vsanPrepared, hosts[host].spec.name.rawValue)
        return nil
    }

    /// Recovers the cluster as one host's helper does; returns what it says when it does not.
    mutating func recoverVSAN(on host: HostPlace) -> String? {
        guard isVSANWhole else { return "not every host is back and out of maintenance mode" }
        vsan.generation += 1
        vsan.isOut = false
        vsan.status = "clusterPoweredOn"
        vsanRecovered(by: hosts[host].spec.name.rawValue)
        return nil
    }

    private mutating func vsanRecovered(by whom: String) {
        vsan.isPaused = false
        note(.vsanRecovered, whom)
        mendVCSA()
        schedule(.vclsFollows, in: scenario.pace.vclsFollows)
    }

    // MARK: By vCenter

    /// What vCenter says of the cluster's power.
    var vsanPower: VSANPower { VSANPower(status: vsan.status, problem: nil) }

    /// vCenter is asked to shut the cluster down, or to start it; returns why it does not.
    mutating func powerVSAN(_ on: Bool) -> String? {
        guard scenario.hasVSANWizard else { return "it has no vSAN that can be so" }
        if case .changing = vsanPower { return "another action is under way" }
        if on {
            guard hosts.all.allSatisfy({ hosts[$0].hostdAnswers }) else {
                return "not every host is connected"
            }
        } else if guestsOn.contains(where: { !guests[$0].spec.isVCSA }) {
            return "guests are on"
        }
        vsan.generation += 1
        vsan.isOut = true
        note(on ? .vsanPowerOn : .vsanPowerOff)
        if on {
            vsan.status = "hostsOutOfMM"
            schedule(.vsanOn(vsan.generation), in: scenario.pace.vsanStage)
        } else {
            vsan.status = "haDisabled"
            schedule(.vsanStage(.vcsa, vsan.generation), in: scenario.pace.vsanStage)
        }
        return nil
    }

    mutating func vsanStage(_ stage: LabVSANStage, _ generation: Int) {
        guard generation == vsan.generation, hasOutput else { return }
        switch stage {
        case .vcsa:
            if let vcsa { guestStops(vcsa, detail: "vSAN") }
            vsan.status = "vcVMPoweredOff"
        case .maintenance:
            vsan.isPaused = true
            note(.vsanPrepared, "", "vCenter")
            for host in hosts.all where hosts[host].answers {
                hosts[host].keepsVSANMembers = true
                _ = setMaintenance(host, on: true, by: "vSAN")
            }
            vsan.status = "hostsInMM"
        case .hosts:
            for host in hosts.all { shutDownHost(host, by: "vSAN") }
            vsan.status = "clusterPoweredOff"
        }
        if let next = stage.next {
            schedule(.vsanStage(next, generation), in: scenario.pace.vsanStage)
        }
    }

    /// A host is back. Where vCSA is on the cluster itself, the hosts bring that much back alone.
    mutating func vsanHostBack() {
        guard vsan.isOut, isReadyToReturn, let vcsa, guests[vcsa].power != .on else { return }
        schedule(.vsanOrchestrates(vsan.generation), in: scenario.pace.vsanStage)
    }

    private var isReadyToReturn: Bool { hosts.all.allSatisfy { hosts[$0].hostdAnswers } }

    mutating func vsanOrchestrates(_ generation: Int) {
        guard generation == vsan.generation, vsan.isOut, isReadyToReturn, let vcsa else { return }
        vsan.status = "clusterPoweredOff"
        letHostsGoOn()
        start(vcsa, on: guests[vcsa].host, by: "vSAN")
    }

    mutating func vsanOn(_ generation: Int) {
        guard generation == vsan.generation else { return }
        guard isReadyToReturn else {
            vsan.status = "clusterPoweredOff"
            return
        }
        vsan.isOut = false
        vsan.status = "clusterPoweredOn"
        letHostsGoOn()
    }

    private mutating func letHostsGoOn() {
        for host in hosts.all {
            hosts[host].keepsVSANMembers = false
            _ = setMaintenance(host, on: false, by: "vSAN")
        }
        vsanRecovered(by: "vCenter")
    }
}
