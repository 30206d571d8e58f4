import ArgumentParser
import PowerModel
import PowerRun

/// `vpower plan`: what a shutdown would do now. Reads, changes nothing.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show what a shutdown of a cluster would do now.",
        usage: "vpower plan [--cluster <cluster>] [<options>]",
        discussion: """
            Reads vCenter; changes nothing.

            EXAMPLE
              vpower plan --cluster Prod
              vpower plan --cluster Prod --format json
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
            // Reads the journal where there is one: an open outage's snapshot is the goal.
            let journal = try await context.state.openToRead()
            let around = try context.surroundings(site, journal: journal, announcer: Silence())
            let operation = Operation(
                in: around, machines: context.machines(of: site), control: RunControl(),
                makeID: { context.makeID() })
            do {
                let prepared = try await operation.prepareShutdown()
                await around.cluster.close()
                switch format {
                case .text: PlanText(prepared: prepared).lines.forEach(Terminal.out)
                case .json: try Terminal.json(PlanJSON(prepared))
                }
                return .done
            } catch {
                await around.cluster.close()
                throw error
            }
        }
    }
}

/// Tells nobody.
struct Silence: Announcer {
    func announce(_ record: Record) async {}
}
