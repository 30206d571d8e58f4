import ArgumentParser
import PowerModel
import PowerRun

/// `vpower resume`: goes on with a run that was interrupted.
struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Go on with an interrupted run.",
        discussion: """
            Reads the power first. A run begun by hand is continued. A run begun by an
            outage is reversed when the mains are back and no host was told to stop yet;
            else it is continued.

            EXAMPLE
              vpower resume --cluster Prod

            EXIT CODES
              0 done   1 nothing to resume, failed, or aborted and brought back
              3 some steps gave up   64 wrong use   65 site file
              75 interrupted again   77 refused: another run has the cluster
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The cluster; not needed when the site has one only.")
    var cluster: String?

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let site = try context.cluster(cluster)
            return try await HandRun(context, cluster: site).with { turn in
                let missing = await context.missingMains(for: site)
                if missing.isEmpty { await turn.timeline.say("the mains are there") }
                for why in missing { await turn.timeline.say("not on line power: \(why)") }
                let run = try await turn.operation.ledger().interruptedRun
                if let run { await turn.timeline.learn(run.plan) }
                // A reversed run has been brought back.
                var kind = PlanKind.restore
                let end = try await turn.goDown { operation in
                    switch try await operation.resume(mainsAreBack: missing.isEmpty) {
                    case .continued(let continued, let result):
                        kind = continued
                        return result
                    case .reversed(let result): return result
                    }
                }
                await turn.tellNext(after: kind, end)
                return end.code
            }
        }
    }
}
