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
        let machines = context.machines(of: cluster)
        for machine in machines { check(machine, beside: place, cluster.limits, &sheet) }
        for feed in context.site.feeds {
            let holdsHost = host.feeds.contains(feed.name)
            let needs =
                (holdsHost ? [OutputNeed.ownHost(cluster.limits.leave)] : [])
                + machines.filter { $0.delay != nil && $0.feeds.contains(feed.name) }
                .map { .machine($0.name, goneWithin: $0.goneWithin) }
            if feed.output != nil {
                await check(feed, waitsFor: needs, what, context, &sheet)
            } else if holdsHost {
                sheet.note(
                    what,
                    "nobody cuts the output of feed \(feed.name): when the mains return before its "
                        + "battery is empty, \(place) stays off, and vpower with it")
            }
        }
    }

    /// A machine beside vpower's own host, which may live on it.
    private func check(
        _ machine: MachineSite, beside host: String, _ limits: ClusterLimits,
        _ sheet: inout CheckSheet
    ) {
        let what = "machine \(machine.name)"
        guard let delay = machine.delay else {
            sheet.note(
                what,
                "it goes down before \(host), which vpower runs on: storage that \(host) lives on "
                    + "must have `delay`")
            return
        }
        if delay < limits.leastDelay {
            sheet.bad(
                what,
                "it would go before vpower's host: its `delay` is \(delay.short) and needs at least "
                    + "\(limits.leastDelay.short), which is `limits.arm` and `limits.leave`")
        } else {
            sheet.good(what, "it is told before vpower goes, and goes \(delay.short) later")
        }
    }

    /// Whether the UPS waits long enough before it cuts its output.
    private func check(
        _ feed: Feed, waitsFor needs: [OutputNeed], _ what: String, _ context: SiteContext,
        _ sheet: inout CheckSheet
    ) async {
        if needs.isEmpty { return }
        do {
            let control = try context.feedControl(feed)
            let result: Result<Duration?, any Error>
            do { result = .success(try await control.outputDelay()) } catch {
                result = .failure(error)
            }
            await control.close()
            let delay = try result.get()
            for why in needs.compactMap({ $0.whyNotEnough(delay) }) {
                sheet.bad(what, "the output of feed \(feed.name) would not be cut: \(why)")
            }
        } catch { sheet.bad(what, "\(error)") }
    }
}
