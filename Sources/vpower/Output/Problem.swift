import ArgumentParser
import FoundationEssentials
import PowerModel
import PowerRun

/// A failure as a person is told of it: what, why, what to do next, and the exit code.
struct Problem: Error, CustomStringConvertible {
    /// What failed, on one line.
    var summary: String
    /// More of it, line by line.
    var detail: [String] = []
    /// What to do next.
    var tryThis: String?
    /// What the command exits with.
    var code: ExitCodes

    /// In one line, for where it is one of several things told.
    var description: String { summary }

    /// As it is told on stderr, within 80 columns.
    var lines: [String] {
        "vpower: \(summary)".wrapped() + detail.flatMap { "  \($0)".wrapped() }
            + (tryThis.map { "Try: \($0)".wrapped() } ?? [])
    }

    /// Tells it on stderr; what it exits with.
    func tell() -> ExitCodes {
        lines.forEach(Terminal.error)
        return code
    }
}

/// The exit codes of every command (README, "Exit codes").
enum ExitCodes: Int32 {
    case done = 0
    case failed = 1
    case gaps = 3
    case usage = 64
    case siteInvalid = 65
    case unreachable = 69
    case interrupted = 75
    case refused = 77
}

extension ExitCodes {
    /// The exit code a run's end stands for.
    init(_ result: RunResult) {
        switch result {
        case .finished, .reversed: self = .done
        case .finishedWithGaps: self = .gaps
        case .interrupted: self = .interrupted
        }
    }
}

extension Problem {
    /// Runs a command's body and turns what it throws into a message on stderr and an exit code.
    static func report(_ body: () async throws -> ExitCodes) async throws {
        let code: ExitCodes
        do { code = try await body() } catch let problem as Problem {
            code = problem.tell()
        } catch let error as OperationError {
            code = Problem(error).tell()
        } catch let error as HostError {
            code = Problem(error).tell()
        } catch let error as ClusterError {
            code = Problem(error).tell()
        } catch {
            code = Problem(summary: "\(error)", code: .failed).tell()
        }
        throw ExitCode(code.rawValue)
    }

    init(_ error: OperationError) {
        switch error {
        case .plan(let plan):
            self.init(summary: plan.summary, tryThis: plan.tryThis, code: .failed)
        case .cluster(let cluster): self.init(cluster)
        case .journal(let journal):
            // A lock is no journal: who holds it is all there is to say.
            self.init(
                summary: journal.reason == .locked ? journal.detail : "\(journal)",
                tryThis: Self.next(after: journal),
                code: journal.reason == .locked ? .refused : .failed)
        case .nothingToRestore(let name):
            self.init(
                summary: "cluster \(name) has no open outage: there is nothing to restore",
                tryThis: "vpower status", code: .failed)
        case .snapshotLost:
            self.init(
                summary: "\(error)",
                tryThis: "start what is off by hand, put HA and DRS back, then "
                    + "Runbooks/journal-damaged.md",
                code: .failed)
        case .nothingToResume(let name):
            self.init(
                summary: "cluster \(name) has no interrupted run: there is nothing to resume",
                tryThis: "vpower status", code: .failed)
        }
    }

    private static func next(after error: JournalError) -> String {
        switch error.reason {
        case .full: "free some space on that disk; nothing was begun"
        case .damaged:
            "Runbooks/journal-damaged.md: the daemon sets it aside; nothing was begun"
        case .newerVersion: "install the vpower that wrote it; nothing was begun"
        case .locked: "vpower status; wait for it, or stop that process"
        case .other: "check the disk, or name another state directory with --state"
        }
    }

    init(_ error: ClusterError) {
        let (code, next): (ExitCodes, String) =
            switch error.reason {
            case .unreachable, .starting, .timedOut:
                (.unreachable, "is vCenter on, and does this machine reach it?")
            case .certificateRefused:
                (.refused, "vpower trust, and compare before you pin it")
            case .loginRefused: (.refused, "check `user` and `password` of the vCenter")
            case .notPermitted: (.refused, "give the user the privilege named above")
            default: (.failed, "vpower check")
            }
        self.init(summary: "\(error)", tryThis: next, code: code)
    }

    init(_ error: HostError) {
        let (code, next): (ExitCodes, String) =
            switch error.reason {
            case .unreachable, .timedOut:
                (.unreachable, "is SSH on at the host, and does this machine reach it?")
            case .wayUnusable: (.refused, "mend what is said above, then vpower check")
            case .hostKeyRefused: (.refused, "vpower trust, and compare before you pin it")
            case .loginRefused:
                (.refused, "check the key or password; vpower does not try again by itself")
            default: (.failed, "vpower check")
            }
        self.init(summary: "\(error)", tryThis: next, code: code)
    }
}
