import ArgumentParser
import PowerModel
import PowerRun
import PowerService
import PowerStore

/// `vpower abort`: reverses the run that goes on, whichever process carries it out.
struct AbortCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "abort", abstract: "Reverse the shutdown that is going on, now.",
        usage: "vpower abort [--cluster <cluster>] [<options>]",
        discussion: """
            Reaches the daemon or a `vpower shutdown` on this machine. What was shut down
            is started again at once, without waiting for the mains. The daemon leaves this
            outage alone from then on. Refused once a host was told to stop: then
            `vpower restore` brings the cluster back when power is there.

            EXAMPLE
              vpower abort --cluster Prod --reason "generator is running"

            EXIT CODES
              0 reversed, being brought back   1 nothing is running, or no answer
              64 wrong use   65 site file   77 refused: past the point of no return
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The cluster; not needed when the site has one only.")
    var cluster: String?

    @Option(help: "Why, for the records.")
    var reason = "by hand"

    /// How long the run may take to answer: the longest of its acts that is not called off.
    private static let answerLimit: Duration = .seconds(180)
    private static let look: Duration = .milliseconds(500)
    /// As many records as a run may write between two looks.
    private static let newestRecords = 2000

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let site = try context.cluster(cluster)
            let run = try await runningRun(context, site)
            let book = AbortBook(directory: context.lockDirectory, cluster: site.name)
            do {
                try book.ask(AbortRequest(run: run.id, at: context.time.wall, reason: reason))
                defer { do { try book.withdraw() } catch { Terminal.error("\(error)") } }
                return try await awaitEnd(of: run.id, site, context)
            } catch let error as JournalError { throw Problem(.journal(error)) }
        }
    }

    /// The run that a process carries out now.
    private func runningRun(
        _ context: SiteContext, _ site: ClusterSite
    ) async throws -> RunLedger {
        let name = site.name
        let holder: String?
        let records: [Record]
        do {
            holder = try RunLock.whoHolds(directory: context.lockDirectory, cluster: name)
            records = try await context.state.openToRead().openOutage(of: name)
        } catch let error as JournalError { throw Problem(.journal(error)) }
        let run = Ledger(records).interruptedRun
        guard let holder else {
            throw Problem(
                summary: "nothing is running for cluster \(name)",
                detail: run.map { ["its \($0.plan.kind.rawValue) run was interrupted"] } ?? [],
                tryThis: run == nil
                    ? "vpower status"
                    : "vpower restore --cluster \(name) brings it back, vpower resume goes on",
                code: .failed)
        }
        guard let run else {
            throw Problem(
                summary: "the run has not begun, or is not in the journal", detail: [holder],
                tryThis: "once more in a moment, or end that process", code: .failed)
        }
        if run.plan.kind == .restore {
            throw Problem(
                summary: "cluster \(name) is being brought back: there is nothing to reverse",
                tryThis: "vpower status", code: .failed)
        }
        if run.isPastReturn { throw refusal(records, run.id, name) }
        return run
    }

    private func refusal(_ records: [Record], _ run: RunID, _ name: ClusterName) -> Problem {
        let why = records.compactMap { record -> String? in
            guard record.run == run, case .pointOfNoReturn(let why) = record.event else {
                return nil
            }
            return why.onOneLine
        }.last
        return Problem(
            summary: "refused: the run is past the point of no return",
            detail: why.map { [$0] } ?? [],
            tryThis: "vpower restore --cluster \(name), when power is there", code: .refused)
    }

    /// What the run's own records say came of it.
    private func awaitEnd(
        of run: RunID, _ site: ClusterSite, _ context: SiteContext
    ) async throws -> ExitCodes {
        let deadline = context.time.elapsed + Self.answerLimit
        while context.time.elapsed < deadline {
            // Opened anew: when the disk fails the records go elsewhere.
            let records = try await context.state.openToRead().newest(Self.newestRecords)
                .filter { $0.run == run }
            for record in records {
                switch record.event {
                case .runEnded(.reversed):
                    Terminal.out("reversed: cluster \(site.name) is being brought back")
                    Terminal.out("Try: vpower status")
                    return .done
                case .pointOfNoReturn: throw refusal(records, run, site.name)
                case .runEnded(.finished), .runEnded(.finishedWithGaps):
                    throw Problem(
                        summary: "the run was over before it could be reversed",
                        tryThis: "vpower restore --cluster \(site.name)", code: .failed)
                default: break
                }
            }
            try await context.time.sleep(for: Self.look)
        }
        throw Problem(
            summary: "no answer within \(Self.answerLimit.short)",
            tryThis: "vpower status; is the process that carries the run out alive?", code: .failed)
    }
}
