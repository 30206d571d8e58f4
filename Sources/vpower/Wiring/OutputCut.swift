import PowerModel
import PowerRun

/// Cuts the output of the feeds that the clusters of one call hang on, as `--cut-output` asks:
/// feed by feed, and only where everything on the feed is proven off.
struct OutputCut {
    private let context: SiteContext
    private let turns: [HandTurn]

    init(_ context: SiteContext, _ turns: [HandTurn]) {
        self.context = context
        self.turns = turns
    }

    /// What came of each feed, in the order of their names.
    func carryOut() async -> [ExitCodes] {
        var codes: [ExitCodes] = []
        for name in Set(turns.flatMap(\.cluster.feeds)).sorted() {
            let on = turns.filter { $0.cluster.feeds.contains(name) }
            guard let feed = context.site.feed(name), let timeline = on.first?.timeline else {
                continue
            }
            let hindrances = await hindrances(to: feed, on)
            for why in hindrances { await timeline.say("feed \(name): not cut: \(why)") }
            guard hindrances.isEmpty else {
                codes.append(.gaps)
                continue
            }
            do {
                try await context.cutOutput(of: feed, neededFor: try await need(of: feed, on))
                await timeline.say("feed \(name): told to cut its output")
            } catch {
                let problem = Problem(
                    summary: "feed \(name): not cut: \(error)",
                    tryThis: "cut the output at the UPS itself", code: .failed)
                codes.append(problem.tell())
            }
        }
        return codes
    }

    /// What needs the output longest yet.
    private func need(of feed: Feed, _ on: [HandTurn]) async throws -> OutputNeed {
        var need = OutputNeed.nothing
        for turn in on {
            need = max(need, try await turn.operation.outputIsNeeded(on: feed.name))
        }
        return need
    }

    /// Why the output must stay on, each thing in words.
    private func hindrances(to feed: Feed, _ on: [HandTurn]) async -> [String] {
        var hindrances = context.site.clusters
            .filter { other in
                other.feeds.contains(feed.name) && !on.contains { $0.cluster.name == other.name }
            }
            .map { "cluster \($0.name) hangs on it, and was not shut down with these" }
        for turn in on {
            do { hindrances += try await turn.operation.notOff() } catch {
                hindrances.append("whether cluster \(turn.cluster.name) is off: \(error)")
            }
        }
        return hindrances
    }
}

extension SiteContext {
    /// Tells a UPS to cut its output, over a connection of its own. Whether it may be cut is for
    /// the caller to know: `Operation.notOff`.
    func cutOutput(of feed: Feed, neededFor need: OutputNeed) async throws {
        let control = try feedControl(feed)
        do { try await control.cutOutput(neededFor: need) } catch {
            await control.close()
            throw error
        }
        await control.close()
    }
}
