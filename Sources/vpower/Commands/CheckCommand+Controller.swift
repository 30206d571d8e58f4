import PowerModel
import PowerRun

/// Where vpower runs: outside of the cluster, or in one of its guests.
extension CheckCommand {
    func checkController(
        _ snapshot: ClusterSnapshot, of cluster: ClusterSite, _ context: SiteContext,
        _ sheet: inout CheckSheet
    ) async {
        let what = "cluster \(cluster.name)"
        let roles: Roles
        // Why they cannot be told is said elsewhere.
        do { roles = try Roles(of: snapshot.inventory, in: cluster) } catch { return }
        if let controller = roles.controller {
            await checkInside(controller, of: cluster, context, &sheet)
            return
        }
        let machine = ThisMachine.evidence()
        let word = "set `controller` of the cluster, or `controllerElsewhere: true`"
        if cluster.controllerElsewhere {
            sheet.good(what, "vpower runs in none of its guests, as the site file says")
        } else if !machine.isVMwareGuest {
            sheet.good(what, "vpower runs in none of its guests: this machine is no VMware guest")
        } else if machine.hasIdentity {
            sheet.bad(
                what, "vpower runs in a VMware guest, but in none that this cluster shows: \(word)")
        } else {
            sheet.bad(
                what,
                "vpower runs in a VMware guest and may not read which (root only): \(word)")
        }
    }

    /// The host goes by itself, and what comes after it must wait: nobody is there to see it off.
    private func checkInside(
        _ controller: Guest, of cluster: ClusterSite, _ context: SiteContext,
        _ sheet: inout CheckSheet
    ) async {
        let what = "cluster \(cluster.name)"
        let place = controller.host?.rawValue ?? "an unknown host"
        sheet.good(
            what,
            "vpower runs in \(controller.name.onOneLine) on \(place): that host goes last, by itself"
        )
        guard let host = cluster.hosts.first(where: { $0.name == controller.host }) else { return }
        let need = cluster.limits.leave
        for feed in context.site.feeds where host.feeds.contains(feed.name) {
            guard feed.output != nil else {
                sheet.note(
                    what,
                    "nobody cuts the output of feed \(feed.name): when the mains return before its "
                        + "battery is empty, \(place) stays off, and vpower with it")
                continue
            }
            do {
                let control = try context.feedControl(feed)
                let result: Result<String?, any Error>
                do { result = .success(try await control.whyNotEnough(for: need)) } catch {
                    result = .failure(error)
                }
                await control.close()
                if let why = try result.get() {
                    sheet.bad(what, "the output of feed \(feed.name) would not be cut: \(why)")
                }
            } catch { sheet.bad(what, "\(error)") }
        }
    }
}
