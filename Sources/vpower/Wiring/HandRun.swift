import Dispatch
import FoundationEssentials
import Glibc
import PowerModel
import PowerRun
import PowerStore

/// A run that a person started: holds the cluster's lock, heeds signals, shows a timeline.
struct HandRun {
    let context: SiteContext
    let cluster: ClusterSite
    let timeline: Timeline

    init(_ context: SiteContext, cluster: ClusterSite) {
        self.context = context
        self.cluster = cluster
        timeline = Timeline(time: context.time) { Terminal.error($0) }
    }

    /// Runs the body with an operation on the cluster. One run per cluster at a time.
    func with(
        _ body: (Operation) async throws -> ExitCodes
    ) async throws -> ExitCodes {
        let journal = try await context.state.openByHand()
        let lock: RunLock
        do {
            lock = try RunLock(directory: context.lockDirectory, cluster: cluster.name)
        } catch { throw Problem(.journal(error)) }
        let control = RunControl()
        let signals = StopSignals(control)
        let context = context
        let around = try context.surroundings(cluster, journal: journal, announcer: timeline)
        let operation = Operation(
            in: around, machines: context.machines(of: cluster),
            estimates: await context.estimates(for: cluster, from: journal), control: control,
            makeID: { context.makeID() })
        // On battery, a run that a person began must fit it too.
        async let _ = BatteryWatch(context, cluster: cluster, control: control).run()
        let code: Result<ExitCodes, any Error>
        do { code = .success(try await body(operation)) } catch { code = .failure(error) }
        await around.cluster.close()
        for host in around.hosts.values { await host.close() }
        for machine in around.machines.values { await machine.close() }
        withExtendedLifetime(signals) {}
        _ = consume lock
        return try code.get()
    }
}

/// The first SIGTERM or SIGINT lets a run finish and record its present step; the second stops
/// waiting for it; the third ends the process at once. `vpower resume` continues after each.
final class StopSignals {
    private var sources: [any DispatchSourceSignal] = []

    init(_ control: RunControl) {
        for number in [SIGTERM, SIGINT] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { Self.stop(control) }
            source.resume()
            sources.append(source)
        }
    }

    private static func stop(_ control: RunControl) {
        if control.isAbandoned { exit(ExitCodes.interrupted.rawValue) }
        if control.wish == .stop {
            control.abandon()
            Terminal.error("vpower: not waiting for the present step any more")
        } else {
            control.ask(.stop)
            Terminal.error(
                "vpower: stopping after the present step; again to stop at once. "
                    + "`vpower resume` continues.")
        }
    }
}
