import ArgumentParser
import PowerModel
import PowerRun

/// `vpower status`: the feeds and the open outages, now.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the feeds and what is open or interrupted.",
        discussion: """
            EXAMPLE
              vpower status
              vpower status --format json
            """)

    @OptionGroup var options: SiteOptions

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
            var interrupted: Bool
            /// The phases an interrupted run had begun and not ended, in the plan's order.
            var openPhases: [String]
            var gaps: [String]
            /// The abort that the daemon heeds.
            var aborted: String?
        }
        var site: String
        /// The holds, and what counts as none.
        var holds: [String]
        var feeds: [FeedReport]
        var clusters: [ClusterReport]
    }

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let report = try await report(context)
            switch format {
            case .json: try Terminal.json(report)
            case .text: text(report).forEach(Terminal.out)
            }
            return .done
        }
    }

    private func report(_ context: SiteContext) async throws -> Report {
        var report = Report(
            site: context.site.name, holds: context.holdLines(context.site.clusters), feeds: [],
            clusters: [])
        for feed in context.site.feeds {
            let control = try context.feedControl(feed)
            let reading = await control.read()
            await control.close()
            report.feeds.append(
                Report.FeedReport(
                    feed: feed.name.rawValue, status: reading.status?.description,
                    runtimeSeconds: reading.runtime?.inSeconds,
                    chargePercent: reading.chargePercent, problem: reading.problem))
        }
        let journal = try context.readJournal()
        for cluster in context.site.clusters {
            let records: [Record]
            do { records = try await journal.openOutage(of: cluster.name) } catch {
                throw Problem(.journal(error))
            }
            let ledger = Ledger(records)
            report.clusters.append(
                Report.ClusterReport(
                    cluster: cluster.name.rawValue, outage: ledger.outage?.rawValue,
                    run: ledger.lastRun?.plan.kind.rawValue,
                    result: ledger.lastRun?.result?.rawValue,
                    interrupted: ledger.interruptedRun != nil,
                    openPhases: ledger.interruptedRun?.openPhases ?? [],
                    gaps: ledger.lastRun?.gaps.map { "\($0.step): \($0.why)" } ?? [],
                    aborted: context.abortLine(cluster.name)))
        }
        return report
    }

    private func text(_ report: Report) -> [String] {
        var lines = ["site \(report.site)"]
        lines += report.holds.flatMap { $0.wrapped(after: "  ") }
        for feed in report.feeds {
            let charge = feed.chargePercent.map { ", \($0) % charge" } ?? ""
            let runtime = feed.runtimeSeconds.map { ", \(Int($0)) s of runtime" } ?? ""
            let text = (feed.status ?? feed.problem ?? "no status") + charge + runtime
            lines += text.wrapped(after: "  feed \(feed.feed.padded(16)) ")
        }
        for cluster in report.clusters {
            let name = "  cluster \(cluster.cluster.padded(13))"
            defer {
                if let aborted = cluster.aborted {
                    lines += "\(aborted); the daemon does not act until the mains were back"
                        .wrapped(after: "    ")
                }
            }
            guard cluster.outage != nil else {
                lines.append("\(name) nothing open")
                continue
            }
            let run = cluster.run ?? "no run"
            if cluster.interrupted {
                let phases = cluster.openPhases.joined(separator: ", ")
                lines += "run \(run) was interrupted in: \(phases)".wrapped(after: name + " ")
                lines.append("    Try: vpower resume --cluster \(cluster.cluster)")
            } else {
                let result = cluster.result ?? "not begun"
                lines.append("\(name) outage open; last run: \(run), \(result)")
                lines.append("    Try: vpower restore --cluster \(cluster.cluster)")
            }
            lines += cluster.gaps.flatMap { "    gave up: \($0)".wrapped() }
        }
        return lines
    }
}

extension RunLedger {
    /// The phases that began and are not over, in the plan's order.
    fileprivate var openPhases: [String] {
        plan.phases.map(\.name).filter { phasesStarted[$0] != nil && phasesEnded[$0] == nil }
            .map(\.rawValue)
    }
}
