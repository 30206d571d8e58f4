import ArgumentParser

/// `vpower plan`: what a shutdown would do now. Reads, changes nothing.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show what a shutdown of a cluster would do now.",
        usage: "vpower plan [--cluster <cluster>] [<options>]",
        discussion: """
            Reads vCenter and the UPSes; changes nothing. Shows when each phase would run,
            how long the battery lasts at the present load, and the latest start.
            `vpower shutdown --plan DIGEST` carries out exactly what was shown, or nothing.
            For several clusters at once: `vpower shutdown --dry-run --all`.

            EXAMPLE
              vpower plan --cluster Prod
              vpower plan --cluster Prod --format json

            EXIT CODES
              0 done   1 no plan can be made   64 wrong use   65 site file
              69 vCenter and the hosts unreachable   77 key or login refused
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The cluster; not needed when the site has one only.")
    var cluster: String?

    @Option(help: "text or json.")
    var format: OutputFormat = .text

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let site = try context.cluster(cluster)
            try await LogoutAtSignal.during { try await context.report(on: site) }.print(format)
            return .done
        }
    }
}
