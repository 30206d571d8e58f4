import FoundationEssentials
import Glibc
import PowerModel
import PowerRun
import PowerStore

/// A directory that is gone when the test is over.
final class ScratchDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/vpower-store-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw ScratchError(number: errno) }
        path = String(cString: made)
    }

    deinit {
        // Two levels are all these tests make.
        for name in names(in: path) {
            for inner in names(in: "\(path)/\(name)") { unlink("\(path)/\(name)/\(inner)") }
            if unlink("\(path)/\(name)") != 0 { rmdir("\(path)/\(name)") }
        }
        rmdir(path)
    }

    func write(_ text: String, to name: String, mode: UInt32 = 0o600) throws -> String {
        try write(Array(text.utf8), to: name, mode: mode)
    }

    func write(_ bytes: [UInt8], to name: String, mode: UInt32 = 0o600) throws -> String {
        let file = "\(path)/\(name)"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else { throw ScratchError(number: errno) }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count,
            fchmod(descriptor, mode) == 0
        else { throw ScratchError(number: errno) }
        return file
    }
}

struct ScratchError: Error {
    var number: Int32
}

func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

func mode(of path: String) -> UInt32? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
}

/// A program that runs until it is killed, by its own process id.
final class Child {
    let pid: pid_t
    private var isReaped = false

    init(_ arguments: [String]) throws {
        var pid: pid_t = 0
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        let result = posix_spawnp(&pid, arguments[0], nil, nil, pointers, environ)
        guard result == 0 else { throw ScratchError(number: result) }
        self.pid = pid
    }

    /// What a program prints until it ends well.
    struct Output {
        let arguments: [String]

        init(_ arguments: String...) { self.arguments = arguments }

        func text() throws -> String {
            let scratch = try ScratchDirectory()
            let file = try scratch.write("", to: "out")
            // The shell only names the file; the words are its arguments.
            let child = try Child(["sh", "-c", "exec \"$@\" > \"$0\"", file] + arguments)
            let status = child.wait()
            guard status == 0 else { throw ScratchError(number: status) }
            return String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        }
    }

    func killNow() {
        if !isReaped { kill(pid, SIGKILL) }
        _ = wait()
    }

    /// Its wait status; 0 when it ended well.
    func wait() -> Int32 {
        guard !isReaped else { return 0 }
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        isReaped = true
        return status
    }
}

let noon = Timestamp(millisecondsSinceEpoch: 1_700_000_000_000)
let cluster: ClusterName = ClusterName("prod")
let outage = OutageID("outage-1")
let run = RunID("run-1")

/// What a person could type as a guest's name, and a machine could trip over.
let weirdNames = [
    "web01", "line\nbreak", "tab\there", "quote\"'back\\slash", "日本語", "$(reboot)'\"; `x` 日本語",
    "e\u{301}", "nul\u{0}inside", "'; DROP TABLE record; --", "\u{202E}evil", "🧨",
]

func snapshot(guests: [String] = weirdNames) -> ClusterSnapshot {
    let host = HostName("esx1")
    var inventory = Inventory(
        version: .max, hosts: [HostView(name: host, reference: "host-9")],
        guests: guests.enumerated().map { index, name in
            Guest(
                id: GuestID("guest-\(index)"), name: name, reference: "vm-\(index)",
                vmxPath: "[datastore1] \(name)/\(name).vmx", host: host, power: .on,
                tools: .running, nature: .ordinary)
        })
    inventory.found = FoundGuests(vcsa: .guest(GuestID("guest-0")), controller: .unclear("?"))
    return ClusterSnapshot(
        cluster: cluster, reference: "domain-c8", inventory: inventory,
        automation: Automation(
            ha: true, drsEnabled: true, drsLevel: .fullyAutomated, dpm: false, vcls: .unset),
        hasVSAN: true, apiVersion: VersionNumber([7, 0, 3, 0]),
        addresses: ["vc.example.org": ["10.0.0.5", "fe80::1"]])
}

let autostart = HostAutostart(
    defaults: HostAutostart.Defaults(enabled: true, startDelaySeconds: 120),
    guests: [
        HostAutostart.Entry(
            vmxPath: "[datastore1] line\nbreak.vmx", startOrder: 1, startDelaySeconds: -1,
            waitForHeartbeat: "yes", startAction: "powerOn", stopDelaySeconds: -1,
            stopAction: "guestShutdown")
    ])

func plan() -> Plan {
    let host = HostName("esx1")
    let guest = GuestID("guest-1")
    let boot = BootGuest(name: "line\nbreak", vmxPath: "[datastore1] a/a.vmx")
    let orders = BootOrders(
        host: host, run: run, armed: noon, expires: noon, leaveMaintenance: true,
        infrastructure: [boot],
        vcsa: boot, waitsForVCSA: true, tiers: [[boot], []], startGap: .milliseconds(1500),
        afterVCSA: .seconds(300))
    let actions: [Action] = [
        .freeze, .retreat, .arm(host, orders, nil),
        .arm(host, orders, BootChoice(.auto, secureBoot: true, startsByItself: nil)),
        .restoreAutostart(host, autostart),
        .stopGuest(guest, name: "$(reboot)'\"; `x` 日本語", .leave),
        .stopGuestOnHost(guest, name: "a", host), .stopHost(host, maintenance: true),
        .stopVSAN(.wizard, [host], vcsa: guest), .stopVSAN(.manual, [host], vcsa: nil),
        .startVSAN(.wizard, [host]), .stopMachine(MachineName("nas"), delay: nil),
        .stopMachine(MachineName("nas"), delay: .seconds(480)),
        .tellMachine(MachineName("nas"), delay: .seconds(480), goneWithin: .seconds(780)),
        .startMachine(MachineName("nas"), going: nil),
        .startMachine(
            MachineName("nas"),
            going: MachineDeparture(
                told: Timestamp(millisecondsSinceEpoch: 1), delay: .seconds(480),
                goneWithin: .seconds(780), isHandedOver: true)),
        .awaitHost(host, leaveMaintenance: false), .awaitBootScript(host, run),
        .startGuestOnHost(guest, name: "a", host, StartTerms(mayStopFor: .seconds(600))),
        .awaitVCenter,
        .thawVCLS(.retreat, mode: .absent),
        .thawDRS(.partiallyAutomated, overrides: true, dpm: true),
        .startGuest(guest, name: "a", host, StartTerms()),
        .thawHA(true), .disarm(host), .openSSH(host), .closeSSH(host, wasOpened: true),
    ]
    return Plan(
        kind: .cluster, cluster: cluster,
        phases: [
            Phase(
                name: .freeze, needs: [.arm], budget: .seconds(1) / 3,
                steps: actions.map { Step($0, limit: .seconds(7 * 24 * 3600)) })
        ])
}

/// At least one of every kind of event.
let everyEvent: [RunEvent] =
    [
        .outageOpened(cluster: cluster, reason: "on battery for 5m"),
        .snapshotTaken(snapshot()), .runStarted(plan(), RunCause(.outage, "low battery")),
        .phaseStarted(.guests(TierName("apps"))), .asked(StepID("stop/guest-1"), "ShutdownGuest"),
        .stepEnded(StepID("stop/guest-1"), .done(.asked)),
        .stepEnded(StepID("stop/guest-2"), .done(.already)),
        .stepEnded(StepID("stop/guest-3"), .done(.forced)),
        .stepEnded(StepID("stop/guest-4"), .gaveUp("no answer")),
        .stepEnded(StepID("stop/guest-5"), .left("policy")),
        .bootChosen(HostName("esx1"), BootChoice(.auto), before: nil),
        .bootChosen(
            HostName("esx1"), BootChoice(.localsh, startsByItself: true), before: autostart),
        .sshFound(HostName("esx1"), runs: false),
        .phaseEnded(.guests(TierName("apps"))), .pointOfNoReturn("a host was told to stop"),
        .runEnded(.finished), .runEnded(.finishedWithGaps), .runEnded(.reversed),
        .runEnded(.interrupted),
    ] + weirdNames.map { .noted($0) }
