import ArgumentParser
import FoundationEssentials
import PowerModel
import PowerRun

/// `vpower history`: past runs, and what one of them did beside what was expected of it.
struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show past runs; expected against observed.",
        usage: "vpower history [<run>] [<options>]",
        discussion: """
            Without RUN: the newest runs, newest first. With RUN, which is an identity of
            that list or `last`: each phase and step with the time expected and the time it
            took, what was forced, left or gave up, and why. Times are UTC. Reads no site
            file and changes nothing; it may be asked while a run is going on.

            EXAMPLE
              vpower history
              vpower history last
              vpower history last --format json

            EXIT CODES
              0 done   1 there is no such run, or the journal cannot be read   64 wrong use
            """)

    @Argument(help: "The run, or `last`.")
    var run: String?

    @Option(help: "Only runs of this cluster.")
    var cluster: String?

    @Option(help: "How many runs to list.")
    var limit = 20

    @Option(help: "The state directory. Default: $VPOWER_STATE, else /var/lib/vpower.")
    var state: String?

    @Option(help: "text or json.")
    var format: OutputFormat = .text

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be 1 or more") }
    }

    func run() async throws {
        try await Problem.report {
            let places = StatePlaces(state, ProcessInfo.processInfo.environment)
            let history = try await places.openToRead()
            do {
                if let run {
                    try show(try await report(of: run, in: history))
                } else {
                    try show(try await newest(limit, in: history))
                }
            } catch let error as JournalError { throw Problem(.journal(error)) }
            return .done
        }
    }

    /// The newest runs of the newest outages, newest first.
    private func newest(
        _ limit: Int, in history: any History
    ) async throws(JournalError) -> [AfterAction] {
        var reports: [AfterAction] = []
        let name = cluster.map { ClusterName($0) }
        for outage in try await history.outages(of: name, newest: limit) {
            let records = try await history.records(of: outage)
            reports += Ledger(records).runs.compactMap { AfterAction(of: $0.id, in: records) }
        }
        let newestFirst = reports.sorted { $0.run.started > $1.run.started }
        return Array(newestFirst.prefix(limit))
    }

    private func report(of wanted: String, in history: any History) async throws -> AfterAction {
        if wanted == "last" {
            // The newest outage's: an older one that is still open may have a newer run.
            guard let last = try await newest(limit, in: history).first else {
                throw Problem(
                    summary: cluster.map { "there is no run of cluster \($0.onOneLine) yet" }
                        ?? "there is no run yet",
                    tryThis: "vpower history, with the --state of the daemon if it has one",
                    code: .failed)
            }
            return last
        }
        let run = RunID(wanted)
        guard let outage = try await history.outage(of: run),
            let report = AfterAction(of: run, in: try await history.records(of: outage))
        else {
            throw Problem(
                summary: "there is no run \(wanted.onOneLine)",
                tryThis: "vpower history lists those there are", code: .failed)
        }
        return report
    }

    private func show(_ reports: [AfterAction]) throws {
        switch format {
        case .json: try Terminal.json(reports.map(RunJSON.init))
        case .text: HistoryText.list(reports).forEach(Terminal.out)
        }
    }

    private func show(_ report: AfterAction) throws {
        switch format {
        case .json: try Terminal.json(ReportJSON(report))
        case .text: HistoryText(report).lines.forEach(Terminal.out)
        }
    }
}
