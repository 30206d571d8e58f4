import ArgumentParser
import PowerModel
import PowerRun

/// `vpower shutdown`: takes a cluster down, by hand.
struct ShutdownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shutdown", abstract: "Shut a cluster down: guests, vCSA, hosts.",
        usage: "vpower shutdown [--cluster <cluster>] [<options>]",
        discussion: """
            Shows the plan, asks, does it. Never cuts a UPS without --cut-output.
            If it is interrupted, `vpower resume` continues it; `vpower restore` brings
            everything back.

            EXAMPLE
              vpower shutdown --cluster Prod --dry-run
              vpower shutdown --cluster Prod --reason "moving the rack"
              vpower shutdown --cluster Prod --plan 0f1e2d3c4b5a6978 --yes

            EXIT CODES
              0 done   1 failed   3 some steps gave up   64 wrong use   65 site file
              69 vCenter unreachable   75 interrupted   77 refused
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The cluster; not needed when the site has one only.")
    var cluster: String?

    @Option(help: "Only if the plan still has this digest, which `vpower plan` prints.")
    var plan: String?

    @Flag(help: "Show the plan and do nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @Option(help: "Why, for the records.")
    var reason = "by hand"

    @Flag(help: "When every host is down, tell the UPSes they hang on to cut their output.")
    var cutOutput = false

    @Option(help: "text or json: how the plan of --dry-run is printed.")
    var format: OutputFormat = .text

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let site = try context.cluster(cluster)
            if dryRun {
                let report = try await context.report(on: site)
                try check(report.digest)
                try report.print(format)
                return .done
            }
            let hand = HandRun(context, cluster: site)
            return try await hand.with { operation in
                let prepared = try await operation.prepareShutdown()
                try check(PlanDigest(prepared.plan))
                if !yes {
                    let battery = await context.lookAtBattery(of: site)
                    PlanText(report: PlanReport(prepared, battery: battery)).lines
                        .forEach(Terminal.error)
                    try confirm("Shut cluster \(site.name) down? Type its name: ", site.name)
                }
                let result = await operation.shutDown(
                    prepared, because: RunCause(.hand, reason))
                if cutOutput { try await cut(result, context, site, hand.timeline) }
                return ExitCodes(result)
            }
        }
    }

    func validate() throws {
        if let plan, PlanDigest(typed: plan) == nil {
            throw ValidationError(
                "--plan: \(plan) is no digest: it has \(PlanDigest.length) hexadecimal digits, "
                    + "as `vpower plan` prints them")
        }
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

    /// Cuts the output of the cluster's feeds, only when the run saw every host down.
    private func cut(
        _ result: RunResult, _ context: SiteContext, _ site: ClusterSite, _ timeline: Timeline
    ) async throws {
        guard result == .finished else {
            await timeline.say("not every step was done: the output is not cut")
            return
        }
        for name in Set(site.hosts.flatMap(\.feeds)).sorted() {
            guard let feed = context.site.feed(name) else { continue }
            let others = context.site.clusters.filter { other in
                other.name != site.name && other.hosts.contains { $0.feeds.contains(name) }
            }
            guard others.isEmpty else {
                await timeline.say(
                    "\(name): cluster \(others[0].name) hangs on it: the output is not cut")
                continue
            }
            let control = try context.feedControl(feed)
            do {
                try await control.cutOutput()
                await timeline.say("\(name): told to cut its output")
            } catch {
                await control.close()
                throw Problem(
                    summary: "\(error)", tryThis: "cut the output at the UPS itself",
                    code: .failed)
            }
            await control.close()
        }
    }
}

/// Asks a person to type a name; anything else, or nobody to ask, is a no.
func confirm(_ question: String, _ name: ClusterName) throws {
    guard Terminal.isInteractive else {
        throw Problem(
            summary: "nobody is there to say yes", tryThis: "the same with --yes", code: .usage)
    }
    guard Terminal.ask(question) == name.rawValue else {
        throw Problem(summary: "not confirmed: nothing was done", code: .failed)
    }
}
