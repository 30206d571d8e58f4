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

            EXIT CODES
              0 done   1 failed   3 some steps gave up   64 wrong use   65 site file
              69 vCenter unreachable   75 interrupted   77 refused
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The cluster; not needed when the site has one only.")
    var cluster: String?

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
            if dryRun { return try await showPlan(context, site) }
            let hand = HandRun(context, cluster: site)
            return try await hand.with { operation in
                let prepared = try await operation.prepareShutdown()
                if !yes {
                    PlanText(prepared: prepared).lines.forEach(Terminal.error)
                    try confirm("Shut cluster \(site.name) down? Type its name: ", site.name)
                }
                let result = await operation.shutDown(
                    prepared, because: RunCause(.hand, reason))
                if cutOutput { try await cut(result, context, site, hand.timeline) }
                return ExitCodes(result)
            }
        }
    }

    private func showPlan(_ context: SiteContext, _ site: ClusterSite) async throws -> ExitCodes {
        let journal = try await context.state.openToRead()
        let around = try context.surroundings(site, journal: journal, announcer: Silence())
        let operation = Operation(
            in: around, machines: context.machines(of: site), control: RunControl(),
            makeID: { context.makeID() })
        let prepared = try await operation.prepareShutdown()
        await around.cluster.close()
        switch format {
        case .text: PlanText(prepared: prepared).lines.forEach(Terminal.out)
        case .json: try Terminal.json(PlanJSON(prepared))
        }
        return .done
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
