import ArgumentParser
import FoundationEssentials
import PowerModel
import PowerRun
import PowerService

/// `vpower drill`: the main job against the lab.
struct DrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill", abstract: "Run the whole job against a simulated site.",
        discussion: """
            The mains fail, the cluster goes down in order, the UPS cuts its output, the
            mains return, everything comes back. Judged by the simulated site's own log.
            On the wire (a NUT server, a vCenter over TLS, hosts on sshd and busybox) where
            sshd, bwrap and busybox are there, else in memory. Touches nothing real.

            EXAMPLE
              vpower drill
              vpower drill --format json
              vpower drill --over memory --leave-ha-on    (ends with a violation, exit 1)

            EXIT CODES
              0 restored, nothing violated   1 not restored, or something violated
              64 wrong use
            """)

    enum Over: String, ExpressibleByArgument, CaseIterable {
        case auto, wire, memory
    }

    @Option(help: "auto, wire or memory.")
    var over: Over = .auto

    @Flag(help: "Leave HA on, to see how a drill reports a violation.")
    var leaveHaOn = false

    @Option(help: "text or json.")
    var format: OutputFormat = .text

    func run() async throws {
        try await Problem.report {
            let report = try await carryOut()
            switch format {
            case .json: try Terminal.json(report)
            case .text: DrillText(report: report).lines.forEach(Terminal.out)
            }
            return report.result == "restored" && report.violations.isEmpty ? .done : .failed
        }
    }

    private func carryOut() async throws -> DrillReport {
        let print: @Sendable (String) -> Void = { Terminal.error($0) }
        if over != .memory {
            let missing = await DrillWire.missing()
            if missing.isEmpty {
                print("drill over the wire, on 127.0.0.1")
                return try await DrillWire.carryOut(leavesHAOn: leaveHaOn, print: print)
            }
            if over == .wire {
                throw Problem(
                    summary: "a drill on the wire needs \(missing.joined(separator: ", "))",
                    tryThis: "make drill, which installs them; or --over memory", code: .failed)
            }
            print("drill in memory: the wire needs \(missing.joined(separator: ", "))")
        } else {
            print("drill in memory")
        }
        return try DrillMemory.carryOut(leavesHAOn: leaveHaOn, print: print)
    }
}

/// A drill's summary as a person reads it, within 80 columns.
struct DrillText {
    let report: DrillReport

    var lines: [String] {
        var lines = [
            "",
            "result    \(RunResult.words(of: report.result)), over \(report.over), in "
                + "\(Duration.milliseconds(Int64(report.seconds * 1000)).tenths) s",
            "guests    \(report.guestsCleanlyShutDown) shut down cleanly, "
                + "\(report.guestsForcedOff) forced off, \(report.guestsRestored) restored",
            "", "phase                    seconds",
        ]
        for phase in report.phases {
            let seconds = Duration.milliseconds(Int64(phase.seconds * 1000)).tenths
            lines.append("  \(phase.name.padded(22)) \(seconds.leftPadded(7))")
        }
        lines += ["", "adapter                    calls       bytes"]
        for adapter in report.adapters {
            lines.append(
                "  \(adapter.adapter.padded(22)) \(String(adapter.calls).leftPadded(7)) "
                    + String(adapter.bytes).leftPadded(11))
        }
        lines.append("")
        if report.violations.isEmpty {
            lines.append("violations: none")
        } else {
            lines.append("violations: \(report.violations.count)")
            lines += report.violations.flatMap { "  \($0)".wrapped() }
        }
        return lines
    }
}
