import ArgumentParser
import PowerModel
import PowerRun

/// `vpower restore`: brings back what the open outage's snapshot has.
struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Bring a cluster back to what it was.",
        usage: "vpower restore [--cluster <cluster>] [<options>]",
        discussion: """
            Waits for the hosts and their boot scripts, for vCenter, puts vCLS and DRS
            back, starts what is still missing, HA last, and takes the boot scripts out.
            May be run at any time, and twice.

            EXAMPLE
              vpower restore --cluster Prod --dry-run
              vpower restore --cluster Prod

            EXIT CODES
              0 done: the outage is closed   3 some steps gave up: the outage stays open
              1 failed, or nothing to restore   64 wrong use   65 site file
              75 interrupted: vpower resume   77 refused: another run has the cluster
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The cluster; not needed when the site has one only.")
    var cluster: String?

    @Flag(help: "Show the plan and do nothing.")
    var dryRun = false

    @Flag(help: "Close the outage even when some steps gave up.")
    var acceptGaps = false

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let site = try context.cluster(cluster)
            return try await HandRun(context, cluster: site).with { turn in
                let prepared = try await turn.operation.prepareRestore()
                if dryRun {
                    try PlanReport(prepared, battery: BatteryLook()).print(.text)
                    return .done
                }
                let result = await turn.operation.restore(
                    prepared, because: RunCause(.hand, "by hand"), acceptGaps: acceptGaps)
                let end = HandTurn.End(result: result, isAborted: false)
                if !acceptGaps { await turn.tellNext(after: .restore, end) }
                return end.code
            }
        }
    }
}
