import ArgumentParser
import ESXi
import PowerModel
import PowerRun
import PowerService
import PowerStore

/// `vpower render-localsh`: a host's boot script.
struct RenderLocalshCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render-localsh", abstract: "Print or install a host's boot script.",
        usage:
            "vpower render-localsh --host <host> [--install] [<options>]",
        discussion: """
            Prints the block that goes into /etc/rc.local.d/local.sh: vCSA first, a pause,
            the other guests that are on now, tier by tier; and where earlier versions of
            what else was in the file are kept. --install keeps that, uploads the block,
            runs auto-backup.sh, reads the file back, and shows what auto-backup saw
            change; a second time it changes nothing. --check tells what differs, and
            writes nothing. `vpower shutdown` installs it by itself on every host.

            It is armed: it acts at the next boot. --unarmed leaves that out: what stays is
            what the site file's `unarmedBoot` and `extras` say.

            EXAMPLE
              vpower render-localsh --host esx1.example
              vpower render-localsh --host esx1.example --install
              vpower render-localsh --host esx1.example --check

            EXIT CODES
              0 done, or nothing differs   1 failed (Secure Boot on, not read back as
              written), or --check found drift   64 wrong use   65 site file
              69 host or vCenter unreachable   77 key or login refused
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The host, as vCenter names it.")
    var host: String

    @Flag(help: "Upload it, save it with auto-backup.sh, read it back.")
    var install = false

    @Flag(help: "Not armed: only what `unarmedBoot` and `extras` say.")
    var unarmed = false

    @Flag(help: "Take it out again.")
    var uninstall = false

    @Flag(help: "Tell what differs on the host; write nothing.")
    var check = false

    @Flag(
        name: .customLong("open-ssh"),
        help: "Start SSH on the host where it is stopped, and stop it afterwards.")
    var openSSH = false

    func validate() throws {
        guard !openSSH || install || uninstall || check else {
            throw ValidationError("--open-ssh goes with --install, --uninstall or --check")
        }
        guard [install, uninstall, check].count(where: \.self) <= 1 else {
            throw ValidationError("--install, --uninstall and --check exclude each other")
        }
    }

    func run() async throws {
        try await Problem.report {
            let context = try SiteContext.load(options)
            let name = HostName(host)
            guard
                let cluster = context.site.clusters.first(where: { cluster in
                    cluster.hosts.contains { $0.name == name }
                })
            else {
                let hosts = context.site.clusters.flatMap(\.hosts).map(\.name.rawValue)
                throw Problem(
                    summary: "the site file has no host \(host)",
                    tryThis: "--host with one of: \(hosts.joined(separator: ", "))", code: .usage)
            }
            return try await LogoutAtSignal.during { try await act(context, cluster, name) }
        }
    }

    private func act(
        _ context: SiteContext, _ cluster: ClusterSite, _ name: HostName
    ) async throws -> ExitCodes {
        let journal = try await context.state.openToRead()
        await context.recallAddresses(of: cluster, from: journal)
        let hosts = try context.makeHosts(cluster)
        let around = try context.surroundings(
            cluster, through: context.makeCluster(cluster), hosts: hosts.map(\.control),
            journal: journal, announcer: Silence())
        guard let host = hosts.first(where: { $0.ssh.host == name }) else { return .failed }
        let result: Result<ExitCodes, any Error>
        do {
            if openSSH, let site = cluster.hosts.first(where: { $0.name == name }) {
                _ = try await OpenedSSH.ofThisProcess.open(site, of: cluster, context)
            }
            result = .success(try await act(context, around, host))
        } catch { result = .failure(error) }
        for host in hosts { await host.control.close() }
        let left = await OpenedSSH.ofThisProcess.closeAll()
        for problem in left { Terminal.error("vpower: \(problem)") }
        let code = try result.get()
        return left.isEmpty ? code : .failed
    }

    private func act(
        _ context: SiteContext, _ around: Surroundings, _ adapters: HostAdapters
    ) async throws -> ExitCodes {
        if uninstall {
            try await adapters.control.removeBootScript()
            Terminal.out("\(host): the boot script is out, and that is saved")
            return .done
        }
        let operation = Operation(
            in: around, control: RunControl(), makeID: { context.makeID() })
        guard
            var orders = try await operation.bootOrders().first(where: {
                $0.host == adapters.ssh.host
            })
        else { return .failed }
        orders.isArmed = !unarmed
        if unarmed, orders.standing.isEmpty, orders.extras.isEmpty {
            throw Problem(
                summary: "an unarmed script of \(host) would have nothing to do",
                tryThis: "set `unarmedBoot` or `extras` in the site file", code: .usage)
        }
        if check { return try await check(orders, adapters.ssh, context) }
        if install { return try await install(orders, adapters, context) }
        Terminal.out(try ESXiHost.script(orders))
        let versions = try context.localShArchive.versions(of: orders.host)
        if let newest = versions.last {
            Terminal.error(
                "\(host): \(versions.count.counted("version")) of what else was in its local.sh; "
                    + "the newest:\n  \(newest)")
        }
        return .done
    }

    private func check(
        _ orders: BootOrders, _ ssh: ESXiHost, _ context: SiteContext
    ) async throws -> ExitCodes {
        let archive = context.localShArchive
        let drift = try await ssh.localSh().drift(
            from: orders, kept: archive.newest(of: orders.host), at: context.time.wall)
        var sheet = CheckSheet()
        for text in drift.good { sheet.good(host, text) }
        for text in drift.problems { sheet.bad(host, text) }
        for text in drift.notes { sheet.note(host, text) }
        if let newest = try archive.versions(of: orders.host).last {
            sheet.good(host, "what else was in it is kept: \(newest)")
        }
        sheet.lines.forEach(Terminal.out)
        return sheet.problems == 0 ? .done : .failed
    }

    private func install(
        _ orders: BootOrders, _ adapters: HostAdapters, _ context: SiteContext
    ) async throws -> ExitCodes {
        let before = try await adapters.ssh.localSh()
        let guests = orders.guests.count.counted("guest")
        if before.isSaved == true, try before.holds(orders, at: context.time.wall) {
            Terminal.out("\(host): \(guests); local.sh was so already, and is saved")
            Terminal.out("sha256 \(before.sha256)")
            return .done
        }
        // By hand nothing is written where the old version cannot be kept.
        let kept = try context.localShArchive.keep(
            before.foreign, of: orders.host, at: context.time.wall)
        let done = try await adapters.control.arm(orders)
        show(done.drift)
        Terminal.out(
            "\(host): \(guests); local.sh "
                + (done.unchanged ? "was so already" : "installed and read back"))
        if let kept { Terminal.out("what was in it before:\n  \(kept)") }
        Terminal.out("sha256 \(done.sha256)")
        return .done
    }

    /// Which side of a difference is which is easily taken for the other.
    private func show(_ drift: [String]) {
        for line in drift {
            // Cut, not wrapped: in a diff the first column tells what a line is.
            let shown = line.onOneLine
            Terminal.out(shown.count > Terminal.columns ? shown.padded(Terminal.columns) : shown)
        }
        guard drift.contains(where: { $0.hasPrefix("-") || $0.hasPrefix("+") }) else { return }
        Terminal.out("`-` is in the live file, and new since the last save: saved now, not lost;")
        Terminal.out("`+` was in the copy saved before, and is in the live file no more.")
    }
}
