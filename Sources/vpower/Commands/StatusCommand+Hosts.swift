import PowerModel
import PowerRun

/// What each host's boot script did, for `vpower status`.
extension StatusCommand {
    struct HostReport: Encodable {
        struct LastBoot: Encodable {
            /// The run that its script was written for.
            var run: String
            /// armed, expired (armed too long ago) or unarmed.
            var mode: String
            /// running, done or calledOff.
            var progress: String
            var started: Int
            /// How many guests it was to start, where it was armed.
            var of: Int
            /// The guests that would not start, each with why.
            var failed: [String]
        }
        var host: String
        /// none, armed or unarmed; nil where the host does not say.
        var script: String?
        var armedUntil: String?
        /// What ran when the host booted; nil where nothing did.
        var lastBoot: LastBoot?
        var problem: String?
    }

    /// So long all hosts together may take: those that are off do not answer.
    private static let hostsLimit: Duration = .seconds(5)

    /// Asks all hosts of a cluster at the same time, each once.
    func hosts(of cluster: ClusterSite, _ context: SiteContext) async -> [HostReport] {
        await withTaskGroup(of: HostReport.self) { group in
            for site in cluster.hosts {
                group.addTask { await Self.report(site, of: cluster, context) }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.host < $1.host }
        }
    }

    private static func report(
        _ site: HostSite, of cluster: ClusterSite, _ context: SiteContext
    ) async -> HostReport {
        let host: any HostControl
        do { host = try context.makeHost(site, of: cluster).control } catch {
            return HostReport(host: site.name.rawValue, problem: "\(error)")
        }
        let report = await withTaskGroup(of: HostReport.self) { group in
            group.addTask {
                do throws(HostError) {
                    return HostReport(site.name, try await host.bootScriptState())
                } catch { return HostReport(host: site.name.rawValue, problem: error.detail) }
            }
            group.addTask {
                // Called off when the host has answered: nobody reads this then.
                try? await Task.sleep(for: hostsLimit)
                return HostReport(
                    host: site.name.rawValue, problem: "no answer within \(hostsLimit.short)")
            }
            let first = await group.next()
            group.cancelAll()
            return first
        }
        await host.close()
        return report ?? HostReport(host: site.name.rawValue, problem: "no answer")
    }
}

extension StatusCommand.HostReport {
    init(_ host: HostName, _ state: BootScriptState) {
        self.init(host: host.rawValue)
        switch state.installed {
        case .none: script = "none"
        case .unarmed: script = "unarmed"
        case .armed(_, let until):
            script = "armed"
            armedUntil = until.iso
        }
        lastBoot = state.lastBoot.map { boot in
            LastBoot(
                run: boot.run.rawValue, mode: boot.mode.rawValue,
                progress: boot.progress.rawValue, started: boot.started, of: boot.of,
                failed: boot.failed.map(\.onOneLine))
        }
    }

    /// In one line: what ran at the last boot, and what will at the next one.
    var words: String {
        if let problem { return "not known: \(problem.onOneLine)" }
        let next =
            switch script {
            case "armed": "armed until \(armedUntil ?? "?")"
            case "unarmed": "not armed"
            default: "no boot script"
            }
        return [lastBoot.map(\.words), next].compactMap(\.self).joined(separator: "; ")
    }
}

extension StatusCommand.HostReport.LastBoot {
    fileprivate var words: String {
        let count =
            mode == "armed"
            ? "\(started) of \(of.counted("guest")) on" : "\(started.counted("guest")) on"
        let lead =
            switch mode {
            case "expired": "expired before it ran, "
            case "unarmed": "ran without being armed, "
            default: ""
            }
        let missing = failed.isEmpty ? "" : ", not started: \(failed.joined(separator: ", "))"
        let state = progress == "calledOff" ? "called off" : progress
        return "\(lead)\(state), \(count)\(missing)"
    }
}
