import ArgumentParser
import Dispatch
import FoundationEssentials
import Glibc
import PowerLab
import PowerModel
import PowerService

/// `vpower lab`: the simulated site on the wire, to try commands against.
struct LabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab", abstract: "Run the simulated site on the wire, on 127.0.0.1.",
        usage: "vpower lab --directory <directory> [<options>]",
        discussion: """
            Writes DIRECTORY/site.yaml, prints its path, and takes commands on standard
            input, one a line, each answered by one line:
              mains off | mains on      the mains fail, or return
              output off                cuts the UPS's output, as a drained battery would
              wake HOST                 powers on a host that is off
              withhold PRIVILEGE...     takes these from vpower's user at vCenter, and
                                        gives back all others
              pages N                   vCenter answers with N objects at a time
              expire                    vCenter forgets every session
              lock | unlock             vpower's account at vCenter, as five refused
                                        logins do
              lockdown HOST MODE        sets a host's lockdown mode: disabled, normal or
                                        strict; vpower's user stays an exception user
              state                     what is on, as JSON
              sessions                  the live logins at vCenter, as JSON
              log                       everything that happened, as JSON
              quit

            EXAMPLE
              vpower lab --directory /tmp/lab
              VPOWER_SITE=/tmp/lab/site.yaml VPOWER_STATE=/tmp/lab/state vpower check

            EXIT CODES
              0 done   1 it cannot start   64 wrong use
            """)

    @Option(help: "Where the lab keeps its files; made if it is not there.")
    var directory: String

    @Option(
        help: "The cluster's name; its hosts' names end in it, so that a site file can have two.")
    var cluster = "Lab"

    @Option(
        help: ArgumentHelp(
            """
            The release of its vSphere, one of \(releases). What one has and another has not, as VI \
            JSON or vCLS, goes with it.
            """, valueName: "r"))
    var release = LabRelease.v80u3.rawValue

    @Flag(help: "The cluster's storage is vSAN.")
    var vsan = false

    @Option(
        help: ArgumentHelp(
            "How many seconds the UPS waits before it cuts its output, 1 to 600.", valueName: "s"))
    var outputDelay = 1

    @Flag(
        help: ArgumentHelp(
            "Every host has UEFI Secure Boot: none runs its local.sh, and autostart starts guests.")
    )
    var secureBoot = false

    @Flag(
        help: ArgumentHelp(
            """
            Every host has its SSH service stopped and says `ssh: run`: vpower starts it for a run.
            """))
    var sshStopped = false

    private static let releases = LabRelease.allCases.map(\.rawValue).joined(separator: ", ")

    func validate() throws {
        // It becomes part of host names and directories.
        guard cluster.wholeMatch(of: /[A-Za-z][A-Za-z0-9-]{0,30}/) != nil else {
            throw ValidationError(
                "--cluster: a letter, then letters, digits and hyphens, 31 at most")
        }
        guard LabRelease(rawValue: release) != nil else {
            throw ValidationError("--release: one of \(Self.releases)")
        }
        guard (1...600).contains(outputDelay) else {
            throw ValidationError("--output-delay: 1 to 600")
        }
    }

    func run() async throws {
        try await Problem.report {
            let missing = await DrillWire.missing()
            guard missing.isEmpty else {
                throw Problem(
                    summary: "the lab needs \(missing.joined(separator: ", "))",
                    tryThis: "make setup-drill, which installs them", code: .failed)
            }
            // Short: Unix sockets have short paths, and bubblewrap wants absolute ones.
            let path = URL(filePath: directory).standardizedFileURL.path
            var scenario = LabScenario.standard(named: ClusterName(cluster))
            scenario.hasVSAN = vsan
            scenario.pace.outputCuts = .seconds(outputDelay)
            for index in scenario.hosts.indices {
                scenario.hosts[index].secureBoot = secureBoot
                scenario.hosts[index].opensSSH = sshStopped
                scenario.hosts[index].sshRuns = !sshStopped
                scenario.hosts[index].sshStartsAtBoot = !sshStopped
            }
            let lab = LabWire(
                scenario, directory: path, time: SystemTime(),
                release: LabRelease(rawValue: release) ?? .v80u3)
            let site = try await lab.start()
            Terminal.out(site)
            await serve(lab)
            await lab.stop()
            return .done
        }
    }

    private func serve(_ lab: LabWire) async {
        let (lines, sink) = AsyncStream.makeStream(of: String.self)
        // A thread of its own: reading a terminal blocks.
        let reader = BlockingReader {
            while let line = readLine() { sink.yield(line) }
            sink.finish()
        }
        reader.start()
        for await line in lines {
            if line == "quit" { return }
            Terminal.out(await answer(line, lab))
        }
    }

    private struct State: Encodable {
        var mainsOn: Bool
        var hostsOn: [String]
        var sshOn: [String]
        var guestsOn: [String]
        var automation: Automation
        var vcenter: String
    }

    private func answer(_ line: String, _ lab: LabWire) async -> String {
        let world = lab.world
        switch line {
        case "mains off":
            world.failMains()
            return "ok"
        case "mains on":
            world.returnMains()
            return "ok"
        case "output off":
            world.cutOutput()
            return "ok"
        case "log": return oneLine(world.log)
        case "state": return oneLine(state(world))
        case "sessions":
            let vcenter = lab.vcenter
            return oneLine([
                "vim": await vcenter.sessionCount, "rest": await vcenter.restSessionCount,
            ])
        case _ where line.hasPrefix("wake "):
            let name = HostName(String(line.dropFirst("wake ".count)))
            guard world.scenario.hosts.contains(where: { $0.name == name }) else {
                return "no such host"
            }
            world.wakeHost(name)
            return "ok"
        default: return await steer(line.split(separator: " ").map(String.init), lab)
        }
    }

    /// What vCenter and the hosts' endpoints do otherwise than usual.
    private func steer(_ words: [String], _ lab: LabWire) async -> String {
        switch words.first {
        case "withhold": await lab.vcenter.withhold(Set(words.dropFirst()))
        case "expire" where words.count == 1: await lab.vcenter.endSessions()
        case "lock" where words.count == 1: lab.vcenter.account.setLocked(true)
        case "unlock" where words.count == 1: lab.vcenter.account.setLocked(false)
        case "pages" where words.count == 2:
            guard let objects = Int(words[1]), objects > 0 else { return "pages N: N is 1 or more" }
            await lab.vcenter.setPageSize(objects)
        case "lockdown" where words.count == 3:
            let modes = ["disabled", "normal", "strict"]
            guard modes.contains(words[2]) else { return "lockdown HOST disabled|normal|strict" }
            guard await lab.setLockdown(words[2], on: HostName(words[1])) else {
                return "no such host, or none with an endpoint of its own"
            }
        default:
            return "unknown command: mains off|mains on|output off|wake HOST|"
                + "withhold PRIVILEGE...|pages N|expire|lock|unlock|lockdown HOST MODE|"
                + "state|sessions|log|quit"
        }
        return "ok"
    }

    private func state(_ world: LabWorld) -> State {
        var hostsOn: [String] = []
        var sshOn: [String] = []
        var guestsOn: [String] = []
        for host in world.scenario.hosts {
            if world.runsSSH(host.name) { sshOn.append(host.name.rawValue) }
            if world.answers(host.name) { hostsOn.append(host.name.rawValue) }
            guestsOn += world.rows(on: host.name).filter { $0.power == .on }.map(\.name)
        }
        return State(
            mainsOn: world.upsVariables()["ups.status"]?.hasPrefix("OL") == true,
            hostsOn: hostsOn, sshOn: sshOn, guestsOn: guestsOn.sorted(),
            automation: world.currentAutomation(),
            vcenter: "\(world.vcenterState())")
    }

    private func oneLine(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return String(decoding: try encoder.encode(value), as: UTF8.self) } catch {
            return "cannot be shown: \(error)"
        }
    }
}

/// A thread for a call that blocks.
private struct BlockingReader {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() {
        let body = body
        DispatchQueue(label: "vpower.lab.input").async { body() }
    }
}
