import PowerModel
import PowerRun
import VSphere

/// What `check` looks at beside vCenter's inventory: what only its REST interface has.
extension CheckCommand {
    func checkREST(
        _ vcenter: VCenterCluster, _ snapshot: ClusterSnapshot, of cluster: ClusterSite,
        _ sheet: inout CheckSheet
    ) async {
        let what = "cluster \(cluster.name)"
        let usesTags = cluster.labelKinds.contains(.tags)
        if usesTags, snapshot.inventory.guests.allSatisfy({ $0.labels.tags.isEmpty }) {
            sheet.bad(
                what,
                "tiers choose by tags, and no guest shows one: to read them vpower's user needs "
                    + "System.Read as a global permission (`vpower init --role` says more)")
        }
        let overREST = cluster.vcenter.guestPower == .rest
        guard overREST || cluster.holdsVCSA(snapshot.inventory.found) else { return }
        do {
            let mayLook = try await vcenter.mayLookAtAppliance()
            if overREST { sheet.good(what, "guests are stopped and started over REST") }
            guard cluster.holdsVCSA(snapshot.inventory.found) else { return }
            if mayLook {
                sheet.good(what, "should vCSA's Tools not run, it is told to power itself off")
            } else {
                sheet.note(
                    what,
                    "should vCSA's Tools not run, it cannot be shut down: vpower's user is not in "
                        + "the SSO group \(VCenterCluster.applianceGroup)")
            }
        } catch {
            sheet.note(
                what,
                overREST
                    ? "`guestPower: rest`: \(error). Guests are stopped and started over vim25"
                    : "should vCSA's Tools not run, it cannot be shut down: \(error)")
        }
    }
}

extension ClusterSite {
    /// Whether its vCenter is one of its guests.
    fileprivate func holdsVCSA(_ found: FoundGuests) -> Bool {
        if vcsaGuest != nil { return true }
        if case .guest = found.vcsa { return true }
        return false
    }
}
