public import PowerModel
public import PowerRun
import Templates

extension ESXiHost {
    /// What stands in local.sh, and what the boot script says that ran at the last boot.
    public func bootScriptState() async throws(HostError) -> BootScriptState {
        let attempting = "read the boot script's state"
        let local = try await readLocalSh(attempting, forBoot: false)
        var state = BootScriptState(
            installed: local.map { Self.installed($0.text) } ?? .none, lastBoot: nil)
        if let report = try await readReport(attempting) {
            state.lastBoot = BootScriptState.LastBoot(
                run: RunID(report.run), mode: .init(report.mode), progress: .init(report.state),
                started: report.started, of: report.of, failed: try await named(report.failed))
        }
        return state
    }

    /// The report in memory; nil when no script has run since the host booted.
    func readReport(_ attempting: String) async throws(HostError) -> BootScriptReport? {
        let nonce = Sections.Nonce()
        let sections = try await run(
            """
            \(nonce.begin("report"))
            [ ! -e \(BootScript.reportPath) ] || cat \(BootScript.reportPath)
            """, nonce, attempting: attempting, limit: limits.command)
        let text = sections.text("report") ?? ""
        if text.isEmpty { return nil }
        do throws(TemplateError) {
            return try BootScriptReport.parse(text)
        } catch {
            throw self.error(.badAnswer, attempting, error.detail)
        }
    }

    /// The guests of a report with why they did not start. It names files: who is no longer
    /// listed keeps the file's name.
    func named(_ failed: [BootScriptReport.Failure]) async throws(HostError) -> [String] {
        if failed.isEmpty { return [] }
        let listed: [HostGuest]
        do throws(HostError) { listed = try await guests() } catch {
            guard error.reason == .notReady else { throw error }
            listed = []
        }
        return failed.map { failure in
            let name = listed.first { $0.vmxPath == failure.vmxPath }?.name ?? failure.vmxPath
            return "\(name) (\(failure.reason.words))"
        }
    }

    /// A host has not long to be armed: a firewall that answers nothing costs this for each address
    /// and program.
    private static let probeSeconds = 3
    private static let probedAddresses = 2

    /// What this host gets through to vCSA with; nil where its firewall, or what ESXi has of
    /// programs, lets nothing through. With vCSA off it is nil too.
    func probe(
        _ vcenter: [Endpoint], _ attempting: String
    ) async throws(HostError) -> BootScriptProbe? {
        let probes = vcenter.prefix(Self.probedAddresses).flatMap { endpoint in
            BootScriptProbe.Tool.allCases.map {
                BootScriptProbe(tool: $0, address: endpoint.host, port: endpoint.port)
            }
        }
        if probes.isEmpty { return nil }
        let nonce = Sections.Nonce()
        let tries = probes.enumerated().map { index, probe in
            let words = probe.command.map(ShellWord.quoted).joined(separator: " ")
            return "[ -n \"$found\" ] || ! try \(words) || found=\(index)"
        }
        let sections = try await run(
            """
            found=
            \(ShellLimit.function)
            try() {
                which "$1" >/dev/null 2>&1 || return 1
                vpower_limited \(Self.probeSeconds) "$@" >/dev/null 2>&1 </dev/null
            }
            \(tries.joined(separator: "\n"))
            \(nonce.begin("probe"))
            echo "$found"
            """, nonce, attempting: attempting,
            limit: limits.command + .seconds(Self.probeSeconds * probes.count))
        return VimText.lines(of: sections.text("probe") ?? "").first.flatMap { Int($0) }
            .flatMap { probes.indices.contains($0) ? probes[$0] : nil }
    }

    private static func installed(_ local: String) -> BootScriptState.Installed {
        guard let block = BootScript.installed(in: local) else { return .none }
        guard block.isArmed else { return .unarmed }
        return .armed(
            RunID(block.run),
            until: Timestamp(millisecondsSinceEpoch: Int64(block.expiresEpochSeconds) * 1000))
    }
}

extension BootScriptReport.Failure.Reason {
    /// Why, for people.
    fileprivate var words: String {
        switch self {
        case .hostd: "hostd did not answer"
        case .maintenance: "the host is in maintenance mode"
        case .missing: "not registered on the host"
        case .invalid: "its files cannot be read: its datastore is missing"
        case .question: "it waits for the answer to a question"
        case .start: "it did not start"
        }
    }
}

extension BootScriptState.LastBoot.Mode {
    fileprivate init(_ mode: BootScriptReport.Mode) {
        switch mode {
        case .armed: self = .armed
        case .expired: self = .expired
        case .unarmed: self = .unarmed
        }
    }
}

extension BootScriptState.LastBoot.Progress {
    fileprivate init(_ state: BootScriptReport.State) {
        switch state {
        case .running: self = .running
        case .done: self = .done
        case .calledOff: self = .calledOff
        }
    }
}

extension BootScriptExtra {
    init(_ extra: BootExtra) {
        let limit = min(max(1, Int(extra.limit.components.seconds)), 3600)
        switch extra.work {
        case .line(let line): self.init(.line(line), limitSeconds: limit)
        case .file(let path, let content):
            self.init(.file(path: path, content: content), limitSeconds: limit)
        }
    }
}
