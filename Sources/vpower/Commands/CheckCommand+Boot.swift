import ESXi
import PowerModel
import PowerRun

/// What `check` says of how guests come up with their host.
extension CheckCommand {
    /// How each host's guests would come up, as far as vCenter tells.
    func bootChoices(
        _ snapshot: ClusterSnapshot, of cluster: ClusterSite
    ) -> [HostName: BootChoice] {
        // A restore recovers vSAN first: nothing may start before.
        if snapshot.hasVSAN { return [:] }
        return Dictionary(
            uniqueKeysWithValues: Planner(site: cluster).bootChoices(now: snapshot))
    }

    /// The way of one host, and what stands in its way. What vCenter does not tell the host's own
    /// survey does, where there is one.
    func checkBoot(
        _ choice: BootChoice?, _ survey: HostSurvey?, _ what: String, _ sheet: inout CheckSheet
    ) {
        guard var choice else { return noteAutostart(nil, survey, what, &sheet) }
        choice.secureBoot = choice.secureBoot ?? survey?.secureBoot.isOn
        choice.startsByItself = choice.startsByItself ?? survey?.autostart?.isOn
        let onlyVpower = "nothing but vpower starts its guests"
        switch choice.way {
        case .controller where choice.isRefused:
            sheet.bad(
                what,
                "`boot: \(choice.policy.rawValue)` cannot be: \(choice.why ?? ""); \(onlyVpower)")
        case .controller where choice.policy == .auto:
            sheet.note(what, "\(choice.summary); \(onlyVpower)")
        case .controller: sheet.note(what, "\(choice.summary): \(onlyVpower)")
        case .localsh, .autostart: sheet.good(what, choice.summary)
        }
        noteAutostart(choice, survey, what, &sheet)
    }

    /// What the host starts by itself, in an order of its own.
    private func noteAutostart(
        _ choice: BootChoice?, _ survey: HostSurvey?, _ what: String, _ sheet: inout CheckSheet
    ) {
        let guests = survey?.autostart.map { $0.guests.counted("guest") } ?? "guests"
        switch choice?.startsByItself ?? survey?.autostart?.isOn {
        case true? where choice?.hasAPI == true:
            sheet.note(
                what, "its own autostart is on: vpower changes it for an outage, and puts it back")
        case true?:
            sheet.note(
                what,
                "its own autostart is on, and starts \(guests) in an order of its own"
                    + (choice == nil
                        ? ": switch it off"
                        : ": give it an `api`, and vpower switches that off for an outage"))
        case false?: break
        case nil:
            guard survey?.autostart != nil else { return }
            sheet.note(
                what,
                "in its autostart order: \(guests); whether autostart is on it does not say")
        }
    }
}
