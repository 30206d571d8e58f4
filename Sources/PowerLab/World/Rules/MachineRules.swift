import PowerModel

/// DESIGN 4: machines go after the last host, whose guests' disks they may hold. Vpower's own host
/// goes after those that cannot wait.
struct MachinesAfterHosts: LabRule {
    let name = "3: machines go after the hosts"
    var tally = LabTally()

    mutating func see(_ event: LabEvent, _ site: LabSiteState) {
        guard event.kind == .machineOff, site.plan?.kind.isWhole != false else { return }
        let canWait = site.machine(event.object)?.delay != nil
        let on = site.hostsOn.filter { host in
            (canWait || !site.holdsController(host)) && !site.upSinceRunBegan.contains(host)
                && !Self.isGivenUp(host, site)
                && !site.isFaulted([.linkCut, .switchDead], [host, ""])
        }
        tally.judge(
            at: event.atSeconds,
            on.isEmpty ? nil : "\(event.object) went with \(on.sorted()) still on")
    }

    private static func isGivenUp(_ host: String, _ site: LabSiteState) -> Bool {
        switch site.outcomes[StepID("stop-host/\(host)")] {
        case .gaveUp, .left: true
        case .done, nil: false
        }
    }
}
