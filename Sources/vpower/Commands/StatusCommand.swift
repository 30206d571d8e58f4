import ArgumentParser
import PowerModel
import PowerRun
import PowerStore

/// `vpower status`: the feeds and the open outages, now.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the feeds and what is open or interrupted.",
        usage: "vpower status [--hosts | --no-hosts] [<options>]",
        discussion: """
            Reads the UPSes and the journal, and changes nothing. A UPS that cannot be read
            is told in its line. While an outage is open, each host is asked over SSH what
            its boot script did: armed, running, done, which guests would not start,
            expired, called off. --hosts asks at any time, --no-hosts never.

            EXAMPLE
              vpower status
              vpower status --hosts
              vpower status --format json

            EXIT CODES
              0 done   1 the journal cannot be read   64 wrong use   65 site file
            """)

    @OptionGroup var options: SiteOptions

    @Flag(
        inversion: .prefixedNo,
        help: "Ask the hosts what their boot scripts did. Default: while an outage is open.")
    var hosts: Bool?

    @Option(help: "text or json.")
    var format: OutputFormat = .text

    struct Report: Encodable {
        struct FeedReport: Encodable {
            var feed: String
            var status: String?
            var runtimeSeconds: Double?
            var chargePercent: Int?
            var problem: String?
        }
        struct ClusterReport: Encodable {
            var cluster: String
            var outage: String?
            var run: String?
            var result: String?
            /// Whether the last run did not come to its end and nobody carries it out.
            var interrupted: Bool
            /// Who carries out a plan now.
            var runBy: String?
            /// The phases a run that is not over has begun and not ended, in the plan's order.
            var openPhases: [String]
            var gaps: [String]
            /// The abort that the daemon heeds.
            var aborted: String?
            /// The newest run, of a closed outage too.
            var lastRun: RunJSON?
            /// What each host's boot script did; nil where they were not asked.
            var hosts: [HostReport]?
        }
        var site: String
        /// The holds, and what counts as none.
        var holds: [String]
        var feeds: [FeedReport]
        var clusters: [ClusterReport]
        /// Why the journal cannot be read: then nothing is known of the clusters.
        var journalProblem: String?
    }

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let report = try await report(context)
            switch format {
            case .json: try Terminal.json(report)
            case .text: text(report).forEach(Terminal.out)
            }
            return report.journalProblem == nil ? .done : .failed
        }
    }

    private func report(_ context: SiteContext) async throws -> Report {
        var report = Report(
            site: context.site.name, holds: context.holdLines(context.site.clusters), feeds: [],
            clusters: [])
        for feed in context.site.feeds {
            report.feeds.append(await self.report(feed, context))
        }
        // The feeds are told all the same.
        do {
            let journal = try await context.state.openToRead()
            for cluster in context.site.clusters {
                var told = try await self.report(cluster.name, context, journal)
                if hosts ?? (told.outage != nil) {
                    await context.recallAddresses(of: cluster, from: journal)
                    told.hosts = await hosts(of: cluster, context)
                }
                report.clusters.append(told)
            }
        } catch {
            report.journalProblem = "\(error)"
        }
        return report
    }

    private func report(_ feed: Feed, _ context: SiteContext) async -> Report.FeedReport {
        var report = Report.FeedReport(feed: feed.name.rawValue)
        do {
            let reading = try await context.reading(of: feed)
            report.status = reading.status?.description
            report.runtimeSeconds = reading.runtime?.inSeconds
            report.chargePercent = reading.chargePercent
            report.problem = reading.problem
        } catch { report.problem = "\(error)" }
        return report
    }

    private func report(
        _ cluster: ClusterName, _ context: SiteContext, _ journal: any Journal & History
    ) async throws -> Report.ClusterReport {
        let holder = try RunLock.whoHolds(directory: context.lockDirectory, cluster: cluster)
        let ledger = Ledger(try await journal.openOutage(of: cluster))
        return Report.ClusterReport(
            cluster: cluster.rawValue, outage: ledger.outage?.rawValue,
            run: ledger.lastRun?.plan.kind.rawValue,
            result: ledger.lastRun?.result?.rawValue,
            interrupted: ledger.interruptedRun != nil && holder == nil, runBy: holder,
            openPhases: ledger.interruptedRun?.openPhases ?? [],
            gaps: ledger.lastRun?.gaps.map { "\($0.step): \($0.why)" } ?? [],
            aborted: context.abortLine(cluster), lastRun: try await lastRun(of: cluster, journal))
    }

    private func lastRun(
        of cluster: ClusterName, _ history: any History
    ) async throws -> RunJSON? {
        guard let outage = try await history.outages(of: cluster, newest: 1).first else {
            return nil
        }
        let records = try await history.records(of: outage)
        return Ledger(records).lastRun.flatMap { AfterAction(of: $0.id, in: records) }
            .map(RunJSON.init)
    }

    private func text(_ report: Report) -> [String] {
        var lines = ["site \(report.site)"]
        lines += report.holds.flatMap { $0.wrapped(after: "  ") }
        for feed in report.feeds {
            let charge = feed.chargePercent.map { ", \($0) % charge" } ?? ""
            let runtime = feed.runtimeSeconds.map { ", \(Duration.seconds($0).short) of runtime" }
            let problem = feed.problem?.without(lead: "feed \(feed.feed)")
            let text = (feed.status ?? problem ?? "no status") + charge + (runtime ?? "")
            lines += text.wrapped(after: "  feed \(feed.feed.padded(16)) ")
        }
        for cluster in report.clusters {
            let name = "  cluster \(cluster.cluster.padded(13))"
            defer {
                for host in cluster.hosts ?? [] {
                    lines += host.words.wrapped(after: "    host \(host.host.padded(16)) ")
                }
                if let aborted = cluster.aborted {
                    lines +=
                        "\(aborted); the daemon does not act until the mains have returned once"
                        .wrapped(after: "    ")
                }
            }
            guard cluster.outage != nil else {
                lines.append("\(name) nothing open")
                lines += cluster.lastRun.map(\.words) ?? []
                continue
            }
            let run = cluster.run ?? "no run"
            if let runBy = cluster.runBy {
                let phases = cluster.openPhases.joined(separator: ", ")
                lines += "the \(run) run goes on, in: \(phases)".wrapped(after: name + " ")
                lines += runBy.wrapped(after: "    ")
            } else if cluster.interrupted {
                let phases = cluster.openPhases.joined(separator: ", ")
                lines += "the \(run) run was interrupted in: \(phases)".wrapped(after: name + " ")
                lines.append("    Try: vpower resume --cluster \(cluster.cluster)")
            } else {
                let result = cluster.result.map(RunResult.words) ?? "not begun"
                lines.append("\(name) outage open; last run: \(run), \(result)")
                lines.append("    Try: vpower restore --cluster \(cluster.cluster)")
            }
            lines += cluster.gaps.flatMap { "    gave up: \($0)".wrapped() }
            lines += cluster.lastRun.map(\.words) ?? []
        }
        if let problem = report.journalProblem {
            lines += problem.wrapped(after: "  no journal: ")
            lines.append("    Try: Runbooks/journal-damaged.md")
        }
        return lines
    }
}

extension RunJSON {
    /// The run shortly, and where there is more of it.
    fileprivate var words: [String] {
        let moment = began.replacing("T", with: " ").replacing("Z", with: " UTC")
        let ending = result.map(RunResult.words) ?? "not ended"
        return "last run: \(kind), \(moment), \(ending): vpower history"
            .wrapped(after: "    ")
    }
}

extension RunLedger {
    /// The phases that began and are not over, in the plan's order.
    fileprivate var openPhases: [String] {
        plan.phases.map(\.name).filter { phasesStarted[$0] != nil && phasesEnded[$0] == nil }
            .map(\.rawValue)
    }
}
