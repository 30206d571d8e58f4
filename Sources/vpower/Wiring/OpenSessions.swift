import Dispatch
import Glibc
import Synchronization
import VSphere

/// The logins of this process at vCenters, ended on every path out of it: vCenter has a limited
/// number of sessions, and one that is left behind lives on for half an hour or more.
final class OpenSessions: Sendable {
    /// Those of this process: what a signal ends is all of it.
    static let ofThisProcess = OpenSessions()

    private let clusters = Mutex<[VCenterCluster]>([])

    /// One more that may log in.
    func add(_ cluster: VCenterCluster) {
        clusters.withLock { clusters in
            clusters.removeAll(where: \.isClosed)
            clusters.append(cluster)
        }
    }

    /// Logs out everywhere, for no longer than this: the process is about to end. Those that take
    /// longer are not waited for again.
    func logOut(within limit: Duration = logoutLimit) async {
        let open = clusters.withLock { $0.filter { !$0.isClosed } }
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        // Beside what waits for them: a login that is under way cannot be called off.
        let logouts = Task {
            await withTaskGroup { group in
                for cluster in open { group.addTask { await cluster.retire() } }
            }
            end.finish()
        }
        let timer = Task {
            // Called off, the logouts are over.
            do { try await Task.sleep(for: limit) } catch { return }
            end.finish()
        }
        for await _ in ends {}
        logouts.cancel()
        timer.cancel()
        clusters.withLock { clusters in
            clusters.removeAll { one in open.contains { $0 === one } }
        }
    }

    /// A vCenter that is alive ends a session at once.
    static let logoutLimit: Duration = .seconds(3)
    /// Who has asked for an end a second time waits no longer.
    static let hurriedLimit: Duration = .seconds(1)
}

/// Ends a command that only reads at SIGTERM or SIGINT, logged out and SSH stopped where it was
/// started for the command, with the exit code that a shell
/// gives to a program which a signal has ended.
final class LogoutAtSignal {
    private var sources: [any DispatchSourceSignal] = []

    init() {
        for number in [SIGTERM, SIGINT] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                // A second one ends it where it stands.
                signal(number, SIG_DFL)
                Task {
                    await Self.closeSSH(isOver: true)
                    await OpenSessions.ofThisProcess.logOut()
                    // Not raised again: Swift's threads block some of them.
                    exit(128 + number)
                }
            }
            source.resume()
            sources.append(source)
        }
    }

    private static func closeSSH(isOver: Bool = false) async {
        for problem in await OpenedSSH.ofThisProcess.closeAll(isOver: isOver) {
            Terminal.error("vpower: \(problem)")
        }
    }

    /// Runs a body that may log in, and ends its sessions whatever ends it.
    static func during<Value>(_ body: () async throws -> Value) async throws -> Value {
        let signals = LogoutAtSignal()
        let result: Result<Value, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        await closeSSH()
        await OpenSessions.ofThisProcess.logOut()
        withExtendedLifetime(signals) {}
        return try result.get()
    }
}
