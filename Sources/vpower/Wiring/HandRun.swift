import Dispatch
import FoundationEssentials
import Glibc
import PowerModel
import PowerRun
import PowerStore
import Synchronization

/// Runs that a person started: hold the clusters' locks, heed signals and aborts, show a timeline.
struct HandRun: Sendable {
    let context: SiteContext
    let clusters: [ClusterSite]

    /// Of one cluster, or of several side by side.
    init(_ context: SiteContext, clusters: [ClusterSite]) {
        self.context = context
        self.clusters = clusters
    }

    init(_ context: SiteContext, cluster: ClusterSite) { self.init(context, clusters: [cluster]) }

    /// Runs the body with a turn for the only cluster.
    func with(_ body: (HandTurn) async throws -> ExitCodes) async throws -> ExitCodes {
        try await withAll { turns in try await body(turns[0]) }
    }

    /// Runs the body with a turn for each cluster, in their order. One run per cluster at a time:
    /// all locks are held, or nothing begins.
    func withAll(_ body: ([HandTurn]) async throws -> ExitCodes) async throws -> ExitCodes {
        let journal = try await context.state.openByHand()
        let controls = RunControls()
        let signals = StopSignals(controls)
        let code = try await take(clusters[...], [], journal, controls, body)
        withExtendedLifetime(signals) {}
        return code
    }

    private func take(
        _ waiting: ArraySlice<ClusterSite>, _ turns: [HandTurn], _ journal: FallbackJournal,
        _ controls: RunControls, _ body: ([HandTurn]) async throws -> ExitCodes
    ) async throws -> ExitCodes {
        guard let cluster = waiting.first else { return try await body(turns) }
        let lock: RunLock
        do {
            lock = try RunLock(directory: context.lockDirectory, cluster: cluster.name)
        } catch { throw Problem(.journal(error)) }
        let timeline = Timeline(
            time: context.time, cluster: clusters.count > 1 ? cluster.name : nil
        ) { Terminal.error($0) }
        let around = try await context.surroundings(cluster, journal: journal, announcer: timeline)
        let turn = HandTurn(
            context: context, cluster: cluster, timeline: timeline, around: around,
            estimates: await context.estimates(for: cluster, from: journal), controls: controls)
        // On battery, a run that a person began must fit it too.
        async let _ = BatteryWatch(context, cluster: cluster, control: turn.control) {
            await timeline.say("  ! \($0)")
        }.run()
        let code: Result<ExitCodes, any Error>
        do {
            code = .success(
                try await take(waiting.dropFirst(), turns + [turn], journal, controls, body))
        } catch { code = .failure(error) }
        if turn.control.isAbandoned {
            await OpenSessions.ofThisProcess.logOut(within: OpenSessions.hurriedLimit)
        } else {
            await around.close()
        }
        _ = consume lock
        return try code.get()
    }
}

/// One cluster's part of a run that a person started, with its lock held.
struct HandTurn: Sendable {
    let context: SiteContext
    let cluster: ClusterSite
    let timeline: Timeline
    fileprivate let around: Surroundings
    fileprivate let controls: RunControls
    /// What this turn does first; after an abort there is another.
    let operation: Operation
    fileprivate let control: RunControl
    private let estimates: Estimates

    fileprivate init(
        context: SiteContext, cluster: ClusterSite, timeline: Timeline, around: Surroundings,
        estimates: Estimates, controls: RunControls
    ) {
        self.context = context
        self.cluster = cluster
        self.timeline = timeline
        self.around = around
        self.estimates = estimates
        self.controls = controls
        control = RunControl()
        controls.add(control)
        operation = Operation(
            in: around, machines: context.machines(of: cluster), estimates: estimates,
            control: control, makeID: { context.makeID() })
    }

    /// How a way down ended: of an aborted one, how the way back did.
    struct End: Sendable {
        var result: RunResult
        var isAborted: Bool

        /// What was wanted was not done when it was aborted, however well all came back.
        var code: ExitCodes {
            isAborted && result == .finished ? .failed : ExitCodes(result)
        }
    }

    /// Carries out a way down, and the way back at once when a person aborts it.
    func goDown(_ body: (Operation) async throws -> RunResult) async throws -> End {
        let book = AbortBook(directory: context.lockDirectory, cluster: cluster.name)
        // Who takes the cluster down by hand wants it down.
        do { try book.clearMark() } catch { await timeline.say("\(error)") }
        let watch = AbortWatch(
            book: book, cluster: cluster.name, journal: around.journal, time: context.time,
            tell: { [timeline] in await timeline.say($0) })
        let ended = try await watch.during(control) { try await body(operation) }
        guard ended.isAborted else { return End(result: ended.result, isAborted: false) }
        let back = HandTurn(
            context: context, cluster: cluster, timeline: timeline, around: around,
            estimates: estimates, controls: controls
        ).operation
        let result = await back.restore(
            try await back.prepareRestore(), because: RunCause(.hand, "the shutdown was aborted"))
        // Without an outage there is nothing that the daemon is to leave alone.
        if await context.missingMains(for: cluster).isEmpty { try book.clearMark() }
        return End(result: result, isAborted: true)
    }

    /// What a person does next, after a run of this kind that ended so.
    func tellNext(after kind: PlanKind, _ end: End) async {
        let isBack = kind == .restore || end.isAborted
        let restore = "vpower restore --cluster \(cluster.name)"
        let next: String
        switch end.result {
        case .finished where end.isAborted: next = "aborted: cluster \(cluster.name) is back"
        case .finished where !isBack: next = "\(restore) brings it back"
        case .finishedWithGaps:
            next = "some steps gave up: vpower history last" + (isBack ? ", then \(restore)" : "")
        case .interrupted: next = "vpower resume --cluster \(cluster.name) goes on"
        case .finished, .reversed: return
        }
        await timeline.say(next)
    }
}

extension Surroundings {
    /// Ends every session.
    func close() async {
        await cluster.close()
        for host in hosts.values { await host.close() }
        for machine in machines.values { await machine.close() }
    }
}

/// The runs that a signal stops: those that go on in this process.
final class RunControls: Sendable {
    private struct State {
        var controls: [RunControl] = []
        var signals = 0
    }

    private let state = Mutex(State())

    /// One more; stopped at once when the others were.
    func add(_ control: RunControl) {
        let signals = state.withLock { state in
            state.controls.append(control)
            return state.signals
        }
        if signals > 0 { control.ask(.stop) }
        if signals > 1 { control.abandon() }
    }

    /// Takes a signal: the first lets every run finish and record its present step, the second
    /// stops waiting for that, the third ends the process at once.
    func takeSignal() {
        let (count, controls) = state.withLock { state in
            state.signals += 1
            return (state.signals, state.controls)
        }
        switch count {
        case 1:
            for control in controls { control.ask(.stop) }
            Terminal.error(
                "vpower: stopping after the present step; again to stop at once\n"
                    + "Try: vpower resume, which goes on, or vpower restore")
        case 2:
            for control in controls { control.abandon() }
            Terminal.error("vpower: not waiting for the present step any more")
        default:
            Task {
                await OpenSessions.ofThisProcess.logOut(within: OpenSessions.hurriedLimit)
                exit(ExitCodes.interrupted.rawValue)
            }
        }
    }
}

/// Hands SIGTERM and SIGINT to the runs of this process. `vpower resume` continues after each.
final class StopSignals {
    private var sources: [any DispatchSourceSignal] = []

    init(_ controls: RunControls) {
        for number in [SIGTERM, SIGINT] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { controls.takeSignal() }
            source.resume()
            sources.append(source)
        }
    }
}
