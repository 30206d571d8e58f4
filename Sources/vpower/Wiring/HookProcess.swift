import PowerModel
import PowerRun
import Subprocess
import SystemPackage

/// Runs a site's own commands: no shell, nothing inherited but a plain PATH, killed with all of
/// its children at its limit.
enum HookProcess {
    /// How long a hook has after TERM before it is killed.
    private static let stopLimit: Duration = .seconds(5)
    private static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    static func run(_ hook: Hook) async -> HookEnd {
        guard let program = hook.command.first else { return .failed("the command is empty") }
        var options = PlatformOptions()
        // A group of its own, so that what it started dies with it.
        options.processGroupID = 0
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: stopLimit)]
        let setUp = options
        return await withTaskGroup(of: HookEnd?.self) { group in
            group.addTask {
                do {
                    let result = try await Subprocess.run(
                        .path(FilePath(program)), arguments: .init(Array(hook.command.dropFirst())),
                        environment: .custom(["PATH": path]), platformOptions: setUp,
                        input: .none, output: .discarded, error: .discarded)
                    return switch result.terminationStatus {
                    case .exited(let status): .exited(status)
                    case .signaled(let signal): .failed("it was ended by signal \(signal)")
                    }
                } catch is CancellationError { return nil } catch {
                    return .failed("\(error)")
                }
            }
            group.addTask {
                do { try await Task.sleep(for: hook.limit) } catch { return nil }
                return .timedOut
            }
            defer { group.cancelAll() }
            for await case let end? in group { return end }
            return .failed("it was stopped")
        }
    }
}
