import ArgumentParser
import FoundationEssentials
import Glibc
import Logging
import PowerModel
import PowerRun
import PowerService
import ServiceLifecycle

/// `vpower watch`: the daemon.
struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Watch the feeds and act: the daemon.",
        usage: "vpower watch [<options>]",
        discussion: """
            Reads every UPS from upsd and decides from that; an event of upsmon
            (vpower-notify) only makes it read at once. systemd starts it
            (Templates/systemd/vpower.service and vpower.socket).

            EXAMPLE
              vpower watch

            EXIT CODES
              0 told to stop   1 failed   64 wrong use   65 site file
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "The socket vpower-notify sends to, where systemd does not hand one over.")
    var socket: String = NotifySocket.pathDefault

    @Option(help: "Where vpower-notify leaves events that nobody took.")
    var spool: String = EventSpool.directoryDefault

    func run() async throws {
        try await Problem.report {
            LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
            let logger = Logger(label: "vpower")
            let context = try SiteContext.load(options)
            let environment = ProcessInfo.processInfo.environment
            let journal = await context.state.openForDaemon()
            let feeds = try context.site.feeds.map(context.makeFeed)
            let daemon = Daemon(context, feeds: feeds, logger: logger)
            let inbox = EventInbox()
            var keepers: [ClusterKeeper] = []
            for cluster in context.site.clusters {
                let keeper = ClusterKeeper(
                    context, cluster: cluster, journal: journal, logger: logger,
                    callbacks: ClusterKeeper.Callbacks(
                        dependents: { await daemon.dependents(of: $0) },
                        isOver: { await daemon.clusterIsOver($0) },
                        hostsAreDown: { await daemon.hostsAreDown(of: $0) },
                        comesBack: { await daemon.clusterComesBack($0) }))
                await daemon.add(keeper, for: cluster.name)
                keepers.append(keeper)
            }
            let watch = WatchLoop(
                site: context.site, feeds: feeds, inbox: inbox, handler: daemon, time: context.time,
                logger: logger)
            let services: [any Service] =
                [
                    try notifySocket(inbox, environment),
                    SpoolReader(
                        spool: EventSpool(directory: spool), inbox: inbox, time: context.time,
                        logger: logger), watch,
                ] + keepers
            await daemon.begin()
            try await ServiceRunner(
                services: services, environment: environment,
                onSecondSignal: { await daemon.abandonRuns() }, logger: logger
            ).run()
            // What its tasks were doing when they were called off.
            await OpenSessions.ofThisProcess.logOut()
            return .done
        }
    }

    private func notifySocket(
        _ inbox: EventInbox, _ environment: [String: String]
    ) throws -> NotifySocket {
        do {
            if let inherited = NotifySocket.inheritedDescriptor(
                environment: environment, process: getpid())
            {
                return try NotifySocket(inherited: inherited, inbox: inbox)
            }
            return try NotifySocket(path: socket, inbox: inbox)
        } catch {
            throw Problem(
                summary: "\(error)", tryThis: "is another daemon running?", code: .failed)
        }
    }
}
