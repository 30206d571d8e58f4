import ArgumentParser
import PowerModel
import PowerRun
import PowerService
import VSphere

/// `vpower check`: is everything there that an outage will need? Reads, changes nothing.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Look at everything an outage will need.",
        discussion: """
            The site file, every secret, every UPS (with a real login), every vCenter and
            what vpower's user may do there, every host over each way that the site
            file gives, how its guests come up after a cut, who is who, guests in no
            tier, and whether a shutdown fits the runtime at the present load. Changes
            nothing, but for SSH with --open-ssh. `BAD` is what would hinder a shutdown
            or a restore; `note` is what you should know.

            EXAMPLE
              vpower check

            EXIT CODES
              0 everything is there   1 something is BAD   64 wrong use
              65 site file invalid
            """)

    @OptionGroup var options: SiteOptions

    @Flag(
        name: .customLong("open-ssh"),
        help: "Start SSH on hosts with `ssh: run` where it is stopped, and stop it afterwards.")
    var openSSH = false

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let sheet = try await LogoutAtSignal.during { await self.sheet(context) }
            sheet.lines.forEach(Terminal.out)
            return sheet.problems == 0 ? .done : .failed
        }
    }

    private func sheet(_ context: SiteContext) async -> CheckSheet {
        var sheet = CheckSheet()
        sheet.good("site file", "\(context.sitePath)")
        for line in context.holdLines(context.site.clusters) { sheet.note("hold", line) }
        for feed in context.site.feeds { await check(feed, context, &sheet) }
        for cluster in context.site.clusters {
            let seen = await check(cluster, context, &sheet)
            checkProof(of: cluster, &sheet)
            for host in cluster.hosts {
                if seen.asleep.contains(host.name) {
                    sheet.note(
                        "host \(host.name)",
                        "DPM has put it in standby: it is left there, and was not asked")
                } else {
                    await check(
                        host, of: cluster, seen.boots[host.name], context, &sheet)
                }
            }
        }
        for problem in await OpenedSSH.ofThisProcess.closeAll() { sheet.bad("ssh", problem) }
        return sheet
    }

    private func check(_ feed: Feed, _ context: SiteContext, _ sheet: inout CheckSheet) async {
        let what = "feed \(feed.name)"
        do {
            let control = try context.feedControl(feed)
            let reading = await control.read()
            if let status = reading.status {
                let runtime = reading.runtime ?? feed.assumedRuntime
                sheet.good(what, "\(status), runtime \(runtime?.short ?? "not given")")
                if runtime == nil, feed.trigger.onBatteryFor == nil {
                    sheet.bad(what, "no runtime: set assumedRuntime or trigger.onBatteryFor")
                }
            } else {
                sheet.bad(what, reading.problem ?? "no status")
            }
            if feed.user != nil {
                do {
                    try await control.holdLogin()
                    sheet.good(what, "login accepted")
                } catch { sheet.bad(what, "\(error)") }
                await control.releaseLogin()
            } else {
                sheet.note(what, "no user: a NUT primary may cut the output before hosts are off")
            }
            await control.close()
        } catch { sheet.bad(what, "\(error)") }
    }

    /// What of a cluster's hosts vCenter has told.
    private struct SeenHosts {
        var asleep: Set<HostName> = []
        /// How their guests come up.
        var boots: [HostName: BootChoice] = [:]
    }

    private func check(
        _ cluster: ClusterSite, _ context: SiteContext, _ sheet: inout CheckSheet
    ) async -> SeenHosts {
        var seen = SeenHosts()
        let what = "cluster \(cluster.name)"
        for name in await context.lookUpNames(of: cluster) {
            sheet.bad(what, "\(name.onOneLine) does not resolve: put it into DNS or /etc/hosts")
        }
        do {
            let vcenter = try context.makeCluster(cluster)
            do {
                let login = try await vcenter.logIn()
                sheet.good(
                    what,
                    "\(login.about.name), \(login.transport.rawValue.uppercased()) "
                        + "\(login.apiVersion)")
                if login.transport != cluster.vcenter.transport {
                    sheet.note(what, "`transport: json` needs vCenter 8.0U1; SOAP is used")
                }
                let snapshot = await context.complete(
                    try await vcenter.snapshot(), of: cluster, through: vcenter)
                seen.asleep = Set(snapshot.inventory.hosts.filter(\.inStandby).map(\.name))
                seen.boots = bootChoices(snapshot, of: cluster)
                let on = snapshot.inventory.guests.count { $0.power == .on }
                sheet.good(
                    what,
                    "\(snapshot.inventory.hosts.count.counted("host")), "
                        + "\(on.counted("guest")) on; HA "
                        + "\(snapshot.automation.ha ? "on" : "off"), DRS "
                        + "\(snapshot.automation.drsLevel.rawValue)")
                check(snapshot, of: cluster, &sheet)
                await checkController(snapshot, of: cluster, context, &sheet)
                await checkPrivileges(vcenter, snapshot, of: cluster, &sheet)
                await checkREST(vcenter, snapshot, of: cluster, &sheet)
                await checkRuntime(snapshot, of: cluster, context, &sheet)
            } catch { sheet.bad(what, "\(error)") }
            await vcenter.close()
        } catch { sheet.bad(what, "\(error)") }
        return seen
    }

    private func check(
        _ snapshot: ClusterSnapshot, of cluster: ClusterSite, _ sheet: inout CheckSheet
    ) {
        let what = "cluster \(cluster.name)"
        var roles: Roles?
        do {
            let told = try Roles(of: snapshot.inventory, in: cluster)
            roles = told
            if let vcsa = told.vcsa {
                let place = vcsa.host?.rawValue ?? "an unknown host"
                sheet.good(what, "vCSA is \(vcsa.name.onOneLine) on \(place)")
            }
            if let way = VSANWay(for: snapshot) {
                sheet.note(
                    what, "its storage is vSAN: \(way.words), as Runbooks/vsan-cluster.md says")
            }
            for warning in try Planner(site: cluster).warnings(now: snapshot) {
                sheet.note(what, warning)
            }
        } catch { sheet.bad(what, "\(error.summary)") }
        let review = GuestReview(of: snapshot.inventory, roles: roles, in: cluster)
        for note in review.notes { sheet.note(what, note) }
        for problem in review.problems { sheet.bad(what, problem) }
        let known = Set(cluster.hosts.map(\.name))
        for host in snapshot.inventory.hosts where !known.contains(host.name) {
            sheet.bad(what, "host \(host.name) is not in the site file")
        }
        for host in cluster.hosts where snapshot.inventory.host(host.name) == nil {
            sheet.bad(what, "host \(host.name) is not in the cluster")
        }
    }

    /// Whether vpower's user may do at the vCenter what a shutdown and a restore do.
    private func checkPrivileges(
        _ vcenter: VCenterCluster, _ snapshot: ClusterSnapshot, of cluster: ClusterSite,
        _ sheet: inout CheckSheet
    ) async {
        let what = "cluster \(cluster.name)"
        do {
            let missing = try await vcenter.missingPrivileges(
                on: snapshot, suspends: cluster.suspendsGuests,
                answers: !cluster.answers.isEmpty, opened: cluster.openedThroughVCenter)
            for one in missing {
                sheet.bad(
                    what,
                    "vpower's user may not \(one.privilege.purpose): "
                        + "\(one.privilege.rawValue) is missing on \(one.objects.some)")
            }
            if missing.isEmpty {
                sheet.good(what, "vpower's user has every privilege it needs")
            } else {
                sheet.note(what, "`vpower init --role` prints how to make the role it needs")
            }
        } catch { sheet.bad(what, "\(error)") }
    }

    /// Whether a shutdown fits the runtime at the present load.
    private func checkRuntime(
        _ snapshot: ClusterSnapshot, of cluster: ClusterSite, _ context: SiteContext,
        _ sheet: inout CheckSheet
    ) async {
        let what = "cluster \(cluster.name)"
        let planner = Planner(
            site: cluster, machines: context.machines(of: cluster),
            estimates: await context.estimates(for: cluster))
        let battery = await context.lookAtBattery(of: cluster)
        do {
            let plan = try planner.shutdown(
                now: snapshot, goal: snapshot, run: RunID("check"), wall: context.time.wall)
            let schedule = Schedule(plan, deadline: battery.deadline)
            for warning in schedule.warnings { sheet.note(what, "a shutdown \(warning)") }
            guard let start = schedule.startNoLaterThan else {
                sheet.note(what, "no UPS gives a runtime: whether a shutdown fits is not known")
                return
            }
            if start >= .zero {
                sheet.good(
                    what,
                    "a shutdown takes \(schedule.total.short), and must start within \(start.short) of "
                        + "an outage")
            }
        } catch {
            sheet.bad(what, "no plan can be made: \(error.summary)")
        }
    }
}

extension [String] {
    /// So many of a list are named.
    private static var namesMax: Int { 5 }

    /// The first of these, and how many more there are, for people.
    var some: String {
        let named = prefix(Self.namesMax).map(\.onOneLine).joined(separator: ", ")
        return count > Self.namesMax ? "\(named) and \(count - Self.namesMax) more" : named
    }
}

/// What was found, thing by thing.
struct CheckSheet {
    private struct Row {
        var mark: String
        var what: String
        var text: String
    }

    private var rows: [Row] = []
    private(set) var problems = 0
    private var notes = 0

    /// Names stay whole up to here; behind a longer one little room would be left.
    private static let nameColumns = 20...40

    /// Every row, and what comes of them all.
    var lines: [String] {
        let longest = rows.map(\.what.columns).max() ?? 0
        let columns = min(max(longest, Self.nameColumns.lowerBound), Self.nameColumns.upperBound)
        return rows.flatMap { row in
            row.text.wrapped(after: "\(row.mark)  \(row.what.padded(columns)) ")
        } + ["", end]
    }

    private var end: String {
        let noted = notes == 0 ? "" : ", \(notes.counted("note"))"
        return problems == 0
            ? "everything is there\(noted)" : "\(problems.counted("thing")) BAD\(noted)"
    }

    mutating func good(_ what: String, _ text: String) { add("ok  ", what, text) }
    mutating func note(_ what: String, _ text: String) {
        notes += 1
        add("note", what, text)
    }
    mutating func bad(_ what: String, _ text: String) {
        problems += 1
        add("BAD ", what, text)
    }

    private mutating func add(_ mark: String, _ what: String, _ text: String) {
        rows.append(Row(mark: mark, what: what, text: text.without(lead: what)))
    }
}

extension VSANWay {
    /// Who shuts such a cluster down, in an operator's words.
    fileprivate var words: String {
        switch self {
        case .wizard: "vCenter shuts it down, hosts and all"
        case .manual: "vpower prepares it over SSH, then shuts the hosts down"
        }
    }
}
