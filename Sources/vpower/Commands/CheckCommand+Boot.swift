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

    /// The way of one host, and what stands in its way. What vCenter does not tell of Secure Boot
    /// the host is asked.
    func checkBoot(
        _ choice: BootChoice?, of ssh: ESXiHost?, _ what: String, _ sheet: inout CheckSheet
    ) async {
        guard var choice else { return }
        if choice.secureBoot == nil, let ssh {
            do { choice.secureBoot = try await ssh.hasSecureBoot() } catch {
                sheet.note(what, "whether Secure Boot is on is not known: \(error)")
            }
        }
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
        if choice.startsByItself == true {
            sheet.note(
                what,
                choice.hasAPI
                    ? "its own autostart is on: vpower changes it for an outage, and puts it back"
                    : "its own autostart is on, and starts guests in an order of its own: give it "
                        + "an `api`, and vpower switches that off for an outage")
        }
    }
}
