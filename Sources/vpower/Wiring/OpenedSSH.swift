import PowerModel
import PowerRun
import Synchronization
import Transport
import VSphere

/// SSH on hosts that this process has started for a command: stopped again on every path out of it.
/// A run of a plan has steps for that, and records.
final class OpenedSSH: Sendable {
    /// That of this process: what a signal ends is all of it.
    static let ofThisProcess = OpenedSSH()

    /// How a host was found.
    enum Found: Equatable {
        /// It ran: it is left alone.
        case ran
        /// It did not, and was started.
        case started
    }

    fileprivate struct Opened: Sendable {
        let host: HostSite
        let cluster: ClusterSite
        let context: SiteContext
    }

    private struct State {
        var opened: [HostName: Opened] = [:]
        /// How many are just being opened.
        var underWay = 0
        /// Whether the process is about to end.
        var isOver = false
    }

    private let state = Mutex(State())

    /// How long SSH may take to be seen to run or not, and its port to answer.
    fileprivate static let limit: Duration = .seconds(30)
    fileprivate static let look: Duration = .milliseconds(200)

    /// Starts SSH on a host where it does not run, and waits until its port answers.
    func open(
        _ host: HostSite, of cluster: ClusterSite, _ context: SiteContext
    ) async throws -> Found {
        let one = Opened(host: host, cluster: cluster, context: context)
        let isOver = state.withLock { state in
            state.underWay += 1
            return state.isOver
        }
        defer { state.withLock { $0.underWay -= 1 } }
        if isOver { throw CancellationError() }
        return try await one.atDoor { door throws(HostError) in
            if try await door.service().runs { return .ran }
            // Before it is started: a signal in between has it stopped too.
            self.state.withLock { $0.opened[host.name] = one }
            try await door.set(runs: true)
            try await one.see(runs: true, at: door)
            return .started
        }
    }

    /// Stops what was started, side by side; says of which hosts it could not, and why.
    /// - Parameter isOver: nothing is started any more: the process is about to end.
    func closeAll(isOver: Bool = false) async -> [String] {
        if isOver { state.withLock { $0.isOver = true } }
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: Self.limit)
        while state.withLock({ $0.underWay > 0 }), clock.now < deadline {
            do { try await clock.sleep(for: Self.look) } catch { break }
        }
        let all = state.withLock { state in
            defer { state.opened = [:] }
            return state.opened.values.sorted { $0.host.name < $1.host.name }
        }
        return await withTaskGroup(of: String?.self) { group in
            for one in all {
                group.addTask {
                    do { return try await Self.close(one) } catch {
                        return "SSH still runs on \(one.host.name): \(error)"
                    }
                }
            }
            return await group.reduce(into: [String]()) { $0 += $1.map { [$0] } ?? [] }.sorted()
        }
    }

    /// A run that began meanwhile has found SSH running, and needs it.
    private static func close(_ one: Opened) async throws -> String? {
        let journal = try await one.context.state.openToRead()
        let ledger = Ledger(try await journal.openOutage(of: one.cluster.name))
        if ledger.outage != nil, !ledger.isClosed {
            return "SSH is left running on \(one.host.name): an outage is open. Stop it when "
                + "`vpower restore` is done"
        }
        try await one.atDoor { door throws(HostError) in
            try await door.set(runs: false)
            try await one.see(runs: false, at: door)
        }
        return nil
    }
}

extension OpenedSSH.Opened {
    /// Does something in sessions of its own: those of the command may be over.
    func atDoor<Value: Sendable>(
        _ body: (SSHDoor) async throws(HostError) -> Value
    ) async throws -> Value {
        let vcenter = try context.makeCluster(cluster)
        let adapters = try context.makeHost(host, of: cluster)
        let result: Result<Value, HostError>
        do throws(HostError) {
            result = .success(try await body(SSHDoor(of: adapters.control, in: vcenter)))
        } catch { result = .failure(error) }
        await adapters.control.close()
        await vcenter.close()
        return try result.get()
    }

    /// Waits until the host says so, and its port.
    func see(runs: Bool, at door: SSHDoor) async throws(HostError) {
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: OpenedSSH.limit)
        var service = try await door.service()
        while clock.now < deadline {
            if service.runs == runs {
                let answers = await Reachability.answers(
                    host: host.ssh.host, port: host.ssh.port, within: OpenedSSH.limit / 10,
                    addresses: context.addresses)
                if answers == runs { return }
            }
            do { try await clock.sleep(for: OpenedSSH.look) } catch { break }
            service = try await door.service()
        }
        throw HostError(
            host: host.name, attempting: "\(runs ? "start" : "stop") SSH", reason: .timedOut,
            detail: service.runs == runs
                ? "the host says that it \(runs ? "runs" : "is stopped"), and its port says other"
                : "it \(runs ? "does not run" : "still runs")")
    }
}
