import ArgumentParser
import PowerModel
import PowerRun

/// `vpower resume`: goes on with a run that was interrupted.
struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Go on with an interrupted run.",
        discussion: """
            Reads the power first. A run begun by hand is continued. A run begun by an outage
            is reversed when the mains are back and no host was told to stop yet; else it is
            continued.

            EXAMPLE
              vpower resume --cluster Prod
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The cluster; not needed when the site has one only.")
    var cluster: String?

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let site = try context.cluster(cluster)
            return try await HandRun(context, cluster: site).with { turn in
                let areBack = try await context.mainsAreThere(for: site)
                await turn.timeline.say(
                    areBack ? "the mains are there" : "on battery, or not to be read")
                let ended = try await turn.goDown { operation in
                    switch try await operation.resume(mainsAreBack: areBack) {
                    case .continued(_, let result), .reversed(let result): result
                    }
                }
                return ExitCodes(ended.result)
            }
        }
    }
}
