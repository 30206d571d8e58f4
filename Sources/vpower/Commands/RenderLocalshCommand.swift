import ArgumentParser
import ESXi
import PowerModel
import PowerRun

/// `vpower render-localsh`: a host's boot script.
struct RenderLocalshCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render-localsh", abstract: "Print or install a host's boot script.",
        usage: "vpower render-localsh --host <host> [--install | --remove] [<options>]",
        discussion: """
            Prints the block that goes into /etc/rc.local.d/local.sh: vCSA first, a pause,
            the other guests that are on now, tier by tier. --install uploads it, keeps
            what was there, runs auto-backup.sh, reads it back, and shows what auto-backup
            saw change. `vpower shutdown` does the same by itself for every host.

            It is armed: it acts at the next boot. --unarmed leaves that out: what stays is
            what the site file's `unarmedBoot` and `extras` say.

            EXAMPLE
              vpower render-localsh --host esx1.example
              vpower render-localsh --host esx1.example --install

            EXIT CODES
              0 done   1 failed (Secure Boot on, not read back as written)   64 wrong use
              65 site file   69 host or vCenter unreachable   77 key or login refused
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The host, as vCenter names it.")
    var host: String

    @Flag(help: "Upload it, save it with auto-backup.sh, read it back.")
    var install = false

    @Flag(help: "Not armed: only what `unarmedBoot` and `extras` say.")
    var unarmed = false

    @Flag(help: "Take it out again.")
    var remove = false

    func validate() throws {
        if install, remove { throw ValidationError("--install and --remove exclude each other") }
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
        let around = try await context.surroundings(
            cluster, journal: try await context.state.openToRead(), announcer: Silence())
        guard let control = around.hosts[name] else { return .failed }
        let result: Result<ExitCodes, any Error>
        do {
            result = .success(try await act(context, cluster, around, control))
        } catch { result = .failure(error) }
        for host in around.hosts.values { await host.close() }
        return try result.get()
    }

    private func act(
        _ context: SiteContext, _ cluster: ClusterSite, _ around: Surroundings,
        _ control: any HostControl
    ) async throws -> ExitCodes {
        if remove {
            try await control.removeBootScript()
            Terminal.out("\(host): the boot script is out, and that is saved")
            return .done
        }
        let operation = Operation(
            in: around, control: RunControl(), makeID: { context.makeID() })
        guard
            var orders = try await operation.bootOrders().first(where: { $0.host == control.host })
        else { return .failed }
        orders.isArmed = !unarmed
        if unarmed, orders.standing.isEmpty, orders.extras.isEmpty {
            throw Problem(
                summary: "an unarmed script of \(host) would have nothing to do",
                tryThis: "set `unarmedBoot` or `extras` in the site file", code: .usage)
        }
        guard install else {
            Terminal.out(try ESXiHost.script(orders))
            return .done
        }
        let done = try await control.arm(orders)
        // Cut, not wrapped: in a diff the first column tells what a line is.
        for line in done.drift {
            let shown = line.onOneLine
            Terminal.out(shown.count > Terminal.columns ? shown.padded(Terminal.columns) : shown)
        }
        Terminal.out(
            "\(host): \(orders.guests.count.counted("guest")); local.sh "
                + (done.unchanged ? "was so already" : "installed and read back"))
        Terminal.out("sha256 \(done.sha256)")
        return .done
    }
}
