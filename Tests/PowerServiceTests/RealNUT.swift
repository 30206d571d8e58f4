import Foundation
import PowerLab
import PowerModel

/// A real upsd with dummy-ups, and a real upsmon whose NOTIFYCMD is the built `vpower-notify`: all
/// on loopback, in a scratch directory, nothing of the machine's own NUT (facts/nut-lab).
///
/// As root the daemons become `nut`, as they do in an installation.
final class RealNUT {
    let scratch: Scratch
    let port: Int
    private var processes: [Spawned] = []

    private static let isRoot = getuid() == 0
    private static let drivers = "/lib/nut"

    /// Starts driver and upsd, and waits until upsd gives this status.
    init(status: String) async throws {
        scratch = try Scratch()
        port = try LabPort.free()
        for tool in ["upsd", "upsmon", "dummy-ups"] {
            let path = "\(Self.drivers)/\(tool)"
            guard FileManager.default.isExecutableFile(atPath: path) else {
                throw MissingTool(name: path)
            }
        }
        try writeConfiguration(status: status)
        try hand(over: scratch.path, mode: 0o770)
        try hand(over: scratch.spool, mode: 0o770)
        try start("\(Self.drivers)/dummy-ups", ["-F", "-a", "dummy"])
        try start("\(Self.drivers)/upsd", ["-F"])
        let answers = try await eventually {
            try await run("upsc", [self.name, "ups.status"]).output.contains(status)
        }
        guard answers else { throw MissingAnswer(status: status) }
    }

    deinit { stop() }

    /// The UPS as NUT's tools name it.
    var name: String { "dummy@127.0.0.1:\(port)" }

    /// The group of upsmon's user.
    var group: String? { Self.isRoot ? "nut" : nil }

    /// What SHUTDOWNCMD wrote: one line each time it ran.
    var shutdowns: Int {
        FileManager.default.contents(atPath: scratch.path + "/shutdown.log")?
            .split(separator: 0x0A).count ?? 0
    }

    /// Changes `ups.status`.
    func set(_ status: String) async throws {
        let result = try await run(
            "upsrw", ["-s", "ups.status=\(status)", "-u", "admin", "-p", "adminpass", name])
        guard result.status == 0 else { throw MissingAnswer(status: result.output) }
    }

    /// Starts upsmon, primary on the UPS.
    func startMonitor() throws {
        let upsmon = ["\(Self.drivers)/upsmon", "-F", "-f", scratch.path + "/upsmon.conf"]
        guard Self.isRoot else { return try start(upsmon[0], Array(upsmon.dropFirst())) }
        // upsmon 2.8.0 has one fixed pid file; a mount of its own keeps the machine's out of it.
        let script = """
            mkdir -p /run/nut && mount -t tmpfs none /run/nut && chown root:nut /run/nut
            exec "$@"
            """
        try start("/usr/bin/unshare", ["-m", "sh", "-c", script, "sh"] + upsmon)
    }

    /// Stops everything that was started here, by its id.
    func stop() {
        processes.reversed().forEach { $0.stop() }
        processes = []
    }

    private func start(_ path: String, _ arguments: [String]) throws {
        let environment = [
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NUT_CONFPATH": scratch.path,
            "NUT_STATEPATH": scratch.path, "NUT_ALTPIDPATH": scratch.path,
            "NUT_PIDPATH": scratch.path, "NUT_QUIET_INIT_SSL": "true",
            // upsmon hands its own environment on.
            "VPOWER_NOTIFY_SOCKET": scratch.socket, "VPOWER_SPOOL": scratch.spool,
        ]
        processes.append(
            try Spawned(
                path, arguments, environment: environment,
                output: "\(scratch.path)/\(processes.count).log"))
    }

    private func writeConfiguration(status: String) throws {
        // Beside the configuration, where upsmon's user can reach it.
        let notify = scratch.path + "/vpower-notify"
        try FileManager.default.copyItem(
            atPath: buildDirectory + "/vpower-notify", toPath: notify)
        try hand(over: notify, mode: 0o755)
        let script = "#!/bin/sh\necho shutdown >>\(scratch.path)/shutdown.log\n"
        let flags = ["ONLINE", "ONBATT", "LOWBATT", "FSD", "COMMOK", "COMMBAD", "SHUTDOWN"]
            .map { "NOTIFYFLAG \($0) EXEC\n" }.joined()
        let files = [
            "ups.conf": "maxretry = 1\n[dummy]\n driver = dummy-ups\n port = dummy.dev\n"
                + " mode = dummy-once\n",
            "dummy.dev": "ups.status: \(status)\nbattery.charge: 88\nbattery.runtime: 3900\n",
            "upsd.conf": "LISTEN 127.0.0.1 \(port)\nMAXAGE 15\n",
            "upsd.users": "[admin]\n password = adminpass\n actions = SET\n actions = FSD\n"
                + "[primary]\n password = primarypass\n upsmon primary\n",
            "upsmon.conf": """
            MONITOR \(name) 1 primary primarypass primary
            MINSUPPLIES 1
            POLLFREQ 1
            POLLFREQALERT 1
            HOSTSYNC 1
            DEADTIME 9
            FINALDELAY 1
            POWERDOWNFLAG \(scratch.path)/killpower
            SHUTDOWNCMD \(scratch.path)/shutdown.sh
            NOTIFYCMD \(notify)
            \(flags)
            """,
            "shutdown.sh": script,
        ]
        for (name, text) in files {
            try text.write(toFile: "\(scratch.path)/\(name)", atomically: true, encoding: .utf8)
            try hand(over: "\(scratch.path)/\(name)", mode: name.hasSuffix(".sh") ? 0o755 : 0o640)
        }
    }

    /// Gives a file to NUT's group, where there is one to give it to.
    private func hand(over path: String, mode: mode_t) throws {
        if Self.isRoot {
            guard let group = getgrnam("nut") else { throw MissingTool(name: "nut-server") }
            guard chown(path, 0, group.pointee.gr_gid) == 0 else { throw POSIXError(.EPERM) }
        }
        guard chmod(path, mode) == 0 else { throw POSIXError(.EPERM) }
    }
}

struct MissingAnswer: Error, CustomStringConvertible {
    var status: String
    var description: String { "upsd does not say \(status)" }
}
