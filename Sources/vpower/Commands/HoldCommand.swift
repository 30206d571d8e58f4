import ArgumentParser
import PowerModel
import PowerRun
import PowerService
import PowerStore

/// `vpower hold`: the daemon watches and announces for a while, and does not act.
struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Let the daemon watch without acting, for a while.",
        usage: """
            vpower hold --until <time> --reason <reason> [--cluster <cluster>]
            vpower hold --clear [--cluster <cluster>]
            vpower hold
            """,
        discussion: """
            For work on the UPS or its feeds. Nothing is shut down or brought back by the
            daemon until then; at its end it acts at once on what is still so. A run that
            has begun is not touched: that is `vpower abort`. At most 24 hours. Without
            options it shows the holds. Without --cluster it is for the whole site.

            EXAMPLE
              vpower hold --until +2h --reason "battery exchange"
              vpower hold --until 14:30 --reason "UPS test" --cluster Prod
              vpower hold --clear

            EXIT CODES
              0 done   1 failed   64 wrong use   65 site file
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "Only this cluster.")
    var cluster: String?

    @Option(help: "Until when: 14:30, 2026-11-21T14:30, +2h, +90m.")
    var until: String?

    @Option(help: "Why; shown with the hold.")
    var reason: String?

    @Flag(help: "End the hold.")
    var clear = false

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let name = try cluster.map { try context.cluster($0).name }
            let book = HoldBook(directory: context.state.directory)
            do {
                if clear {
                    try refuse(
                        until != nil || reason != nil, "--clear takes no --until or --reason")
                    try book.clear(name)
                } else if until != nil || reason != nil {
                    try book.place(try hold(name, context))
                }
            } catch let error as JournalError {
                throw Problem(
                    summary: "\(error)",
                    tryThis: "run it as the user of the daemon, or mend the disk",
                    code: .failed)
            }
            let lines = context.holdLines(context.site.clusters)
            (lines.isEmpty ? ["no hold: outages are acted on"] : lines)
                .flatMap { $0.wrapped() }.forEach(Terminal.out)
            return .done
        }
    }

    private func hold(_ name: ClusterName?, _ context: SiteContext) throws -> Hold {
        guard let until, let reason, !reason.allSatisfy(\.isWhitespace) else {
            throw Problem(
                summary: "a hold needs --until and --reason",
                tryThis: "vpower hold --until +2h --reason \"battery exchange\"", code: .usage)
        }
        let now = context.time.wall
        guard let end = HoldTime.parse(until, now: now) else {
            throw Problem(
                summary: "\(until.onOneLine) is no time",
                tryThis: "14:30, 2026-11-21T14:30, +2h or +90m", code: .usage)
        }
        try refuse(end <= now, "\(HoldTime.text(end)) is past")
        try refuse(
            end - now > Hold.longest, "a hold may last \(Hold.longest.short) at most")
        return Hold(cluster: name, until: end, reason: reason)
    }

    private func refuse(_ isWrong: Bool, _ why: String) throws {
        if isWrong { throw Problem(summary: why, tryThis: "vpower hold --help", code: .usage) }
    }
}
