import Glibc
import PowerModel
import PowerRun
import Subprocess
import Synchronization
import SystemPackage

/// Runs a site's own commands: no shell, nothing inherited but a plain PATH and what the hook is
/// told of the run, killed with all of its children at its limit.
enum HookProcess {
    /// How long a hook has after TERM before it is killed.
    private static let stopLimit: Duration = .seconds(5)
    private static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    static func run(_ hook: Hook, _ context: HookContext) async -> HookEnd {
        guard let program = hook.command.first else { return .failed("the command is empty") }
        let children = ProcessGroup()
        let configuration = configuration(program, hook.command.dropFirst(), context)
        let end = await withTaskGroup(of: HookEnd?.self) { group in
            group.addTask { await run(configuration, children) }
            group.addTask {
                do { try await Task.sleep(for: hook.limit) } catch { return nil }
                return .timedOut
            }
            defer { group.cancelAll() }
            for await case let end? in group { return end }
            return .failed("it was stopped")
        }
        // A hook that ends by itself may leave something running; one that was ended may not.
        if case .exited = end { return end }
        children.kill()
        return end
    }

    private static func configuration(
        _ program: String, _ arguments: ArraySlice<String>, _ context: HookContext
    ) -> Configuration {
        var options = PlatformOptions()
        // A group of its own, so that what it started can be ended with it.
        options.processGroupID = 0
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: stopLimit)
        ]
        return Configuration(
            executable: .path(FilePath(program)), arguments: .init(Array(arguments)),
            environment: .custom([
                "PATH": path, "VPOWER_CLUSTER": "\(context.cluster)",
                "VPOWER_TIER": "\(context.tier)", "VPOWER_MOMENT": context.moment.rawValue,
                "VPOWER_RUN": "\(context.run)",
            ]), workingDirectory: "/", platformOptions: options)
    }

    private static func run(
        _ configuration: Configuration, _ children: ProcessGroup
    ) async -> HookEnd? {
        do {
            let result = try await Subprocess.run(
                configuration, input: .none, output: .discarded, error: .discarded
            ) { execution in children.begin(execution.processIdentifier.value) }
            return switch result.terminationStatus {
            case .exited(let status): .exited(status)
            case .signaled(let signal): .failed("it was ended by signal \(signal)")
            }
        } catch {
            // Whoever called it off says why.
            return Task.isCancelled ? nil : .failed("\(error)")
        }
    }
}

/// A hook and what it started: they have its process identifier as their group's.
private final class ProcessGroup: Sendable {
    private let leader = Mutex<pid_t?>(nil)

    func begin(_ pid: pid_t) { leader.withLock { $0 = pid } }

    /// Ends what outlived its leader: a child that ignores TERM does.
    func kill() {
        guard let pid = leader.withLock({ $0 }) else { return }
        _ = Glibc.kill(-pid, SIGKILL)
    }
}
