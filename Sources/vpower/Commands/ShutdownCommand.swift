import ArgumentParser
import PowerModel
import PowerRun

/// `vpower shutdown`: takes clusters down, by hand.
struct ShutdownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shutdown", abstract: "Shut clusters down: guests, vCSA, hosts.",
        usage: "vpower shutdown [--cluster <cluster> ...] [--all] [<options>]",
        discussion: """
            Shows the plan, asks, does it. Never cuts a UPS without --cut-output. Several
            clusters go down side by side; one that others need keeps its vCSA until they
            are down. If it is interrupted, `vpower resume` continues it; `vpower abort`
            reverses it; `vpower restore` brings everything back.

            --cut-output tells a UPS to cut only when everything on it is proven off: each
            host and machine seen down by this outage's runs, and silent now. What else
            gave up is no hindrance. What is not off is named, and the exit code is 3.

            EXAMPLE
              vpower shutdown --cluster Prod --dry-run
              vpower shutdown --cluster Prod --reason "moving the rack"
              vpower shutdown --cluster Prod --cluster Mgmt
              vpower shutdown --cluster Prod --plan 0f1e2d3c4b5a6978 --yes

            EXIT CODES
              0 done   1 failed, or aborted and brought back   64 wrong use   65 site file
              3 some steps gave up, or an output was not cut   69 vCenter unreachable
              75 interrupted   77 refused
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "A cluster; may be repeated. Not needed when the site has one only.")
    var cluster: [String] = []

    @Flag(help: "Every cluster of the site.")
    var all = false

    @Option(help: "Only if the plan still has this digest, which `vpower plan` prints.")
    var plan: String?

    @Flag(help: "Show the plan and do nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @Option(help: "Why, for the records.")
    var reason = "by hand"

    @Flag(help: "When everything on a UPS is proven off, tell it to cut its output.")
    var cutOutput = false

    @Option(help: "text or json: how the plan of --dry-run is printed.")
    var format: OutputFormat = .text

    func validate() throws {
        if all, !cluster.isEmpty { throw ValidationError("--all and --cluster exclude each other") }
        guard let plan else { return }
        if all || cluster.count > 1 { throw ValidationError("--plan is for one cluster") }
        if PlanDigest(typed: plan) == nil {
            throw ValidationError(
                "--plan: \(plan.onOneLine) is no digest, which `vpower plan` prints: "
                    + "\(PlanDigest.length) of 0-9, a-f")
        }
    }

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let sites = all ? context.site.clusters : try context.clusters(cluster)
            if dryRun { return try await showPlans(context, sites) }
            return try await HandRun(context, clusters: sites).withAll { turns in
                var prepared: [Operation.Prepared] = []
                for turn in turns {
                    let plan = try await context.prepareShutdown(
                        turn.operation, of: turn.cluster, among: sites)
                    try check(PlanDigest(plan.plan))
                    prepared.append(plan)
                }
                try await ask(prepared, sites, context)
                let results = try await carryOut(zip(turns, prepared))
                var codes = results.map(\.code)
                if cutOutput { codes += await OutputCut(context, turns).carryOut() }
                return codes.worst
            }
        }
    }

    private func ask(
        _ prepared: [Operation.Prepared], _ sites: [ClusterSite], _ context: SiteContext
    ) async throws {
        if yes {
            context.holdLines(sites).flatMap { $0.wrapped() }.forEach(Terminal.error)
            return
        }
        for (plan, site) in zip(prepared, sites) {
            let battery = await context.lookAtBattery(of: site)
            PlanText(report: PlanReport(plan, battery: battery)).lines.forEach(Terminal.error)
        }
        if sites.count == 1 {
            let name = sites[0].name.rawValue
            try confirm("Shut cluster \(name) down? Type its name: ", name)
        } else {
            let names = sites.map(\.name.rawValue).joined(separator: ", ")
            try confirm("Shut clusters \(names) down? Type the site's name: ", context.site.name)
        }
    }

    /// Carries the runs out side by side.
    private func carryOut(
        _ runs: some Sequence<(HandTurn, Operation.Prepared)>
    ) async throws -> [HandTurn.End] {
        let cause = RunCause(.hand, reason)
        return try await withThrowingTaskGroup(of: HandTurn.End.self) { group in
            for (turn, prepared) in runs {
                group.addTask {
                    let end = try await turn.goDown {
                        await $0.shutDown(prepared, because: cause)
                    }
                    await turn.tellNext(after: prepared.plan.kind, end)
                    return end
                }
            }
            var results: [HandTurn.End] = []
            for try await result in group { results.append(result) }
            return results
        }
    }

    private func showPlans(
        _ context: SiteContext, _ sites: [ClusterSite]
    ) async throws -> ExitCodes {
        var reports: [PlanReport] = []
        for site in sites {
            let report = try await context.report(on: site, among: sites)
            try check(report.digest)
            reports.append(report)
        }
        if sites.count == 1 || format == .text {
            for report in reports { try report.print(format) }
        } else {
            try Terminal.json(reports.map(PlanJSON.init))
        }
        return .done
    }

    /// Refuses a plan that is not the one that was reviewed.
    private func check(_ now: PlanDigest) throws {
        guard let plan, PlanDigest(typed: plan) != now else { return }
        throw Problem(
            summary: "the plan is another one now: nothing was done",
            detail: ["reviewed  \(plan)", "now       \(now)"],
            tryThis: "vpower plan, and review what changed: guests, their hosts, or the site file",
            code: .refused)
    }
}

/// Asks a person to type a name; anything else, or nobody to ask, is a no.
func confirm(_ question: String, _ name: String) throws {
    guard Terminal.isInteractive else {
        throw Problem(
            summary: "nobody is there to say yes", tryThis: "the same with --yes", code: .usage)
    }
    guard Terminal.ask(question) == name else {
        throw Problem(summary: "not confirmed: nothing was done", code: .failed)
    }
}

extension [ExitCodes] {
    /// What a command that did all of these exits with.
    fileprivate var worst: ExitCodes {
        let order: [ExitCodes] = [.failed, .interrupted, .gaps]
        return order.first(where: contains) ?? .done
    }
}
