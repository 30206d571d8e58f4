import FoundationEssentials
import PowerLab
import Templates
import Testing

/// Hosts in miniature for the boot script: BusyBox ash and the applets that ESXi has, vim-cmd and
/// esxcli as small programs over files, and a clock that only goes on when somebody sleeps.
///
/// The script is the rendered one. What is other than on a host: where its files are, and that the
/// watchdogs of its calls sleep for real. The whole of it runs on the simulated host of PowerLab.
struct BootBench: Sendable {
    let directory: String
    private let busybox: String

    /// What vpower's own programs stand in for, or what acts on the machine.
    private static let notLinked = [
        "halt", "init", "logger", "poweroff", "reboot", "sleep", "date",
    ]

    static let applets: [String] = {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Snapshots/busybox-list-5.5.txt")
        let text = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").dropFirst().joined(separator: " ")
            .split(separator: " ").map(String.init)
    }()

    static func with(_ body: (BootBench) async throws -> Void) async throws {
        let bench = BootBench(
            directory: "/tmp/vpower-boot-test-\(UInt64.random(in: .min ... .max))",
            busybox: try LabProcess.find("busybox"))
        try bench.build()
        let result: Result<Void, any Error>
        do { result = .success(try await body(bench)) } catch { result = .failure(error) }
        try FileManager.default.removeItem(atPath: bench.directory)
        try result.get()
    }

    private func build() throws {
        let files = FileManager.default
        for folder in ["bin", "real"] {
            try files.createDirectory(
                atPath: "\(directory)/\(folder)", withIntermediateDirectories: true)
        }
        try files.createSymbolicLink(
            atPath: directory + "/real/sleep", withDestinationPath: busybox)
        for applet in Self.applets where !Self.notLinked.contains(applet) {
            try files.createSymbolicLink(
                atPath: "\(directory)/bin/\(applet)", withDestinationPath: busybox)
        }
        for (name, text) in BootPrograms.all {
            let path = "\(directory)/bin/\(name)"
            try Data("#!\(directory)/bin/sh\n\(text)".utf8).write(to: URL(filePath: path))
            try files.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
    }

    /// A host in a directory of its own.
    func host(_ name: String, _ values: BootScriptValues) throws -> BootHost {
        let block = try BootScript.block(values)
        return try BootHost(
            "\(directory)/\(name)", bin: directory + "/bin",
            local: BootScript.install(block: block, into: Samples.stock))
    }

    /// Boots hosts, one after the other in each of some shells, until every script has ended.
    func boot(_ hosts: [BootHost], shells: Int = 2) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in 0..<min(shells, hosts.count) {
                let mine = stride(from: first, to: hosts.count, by: shells).map { hosts[$0] }
                group.addTask { try await bootInOrder(mine) }
            }
            try await group.waitForAll()
        }
    }

    private func bootInOrder(_ hosts: [BootHost]) async throws {
        for host in hosts { try host.prepareToBoot() }
        let list = hosts.map { $0.directory + "\n" }.joined()
        let ran = try await LabProcess.run(
            busybox, ["ash", "-c", "while read -r CASE; do export CASE; ash $CASE/run.sh; done"],
            environment: ["PATH": directory + "/bin"], input: list, within: .seconds(900))
        #expect(ran.status == 0 && ran.output == "" && ran.errors == "", "\(ran)")
    }
}

/// One host of a bench: its files are what there is to it.
struct BootHost: Sendable {
    /// When every host's clock begins.
    static let begin = 1_790_000_500

    let directory: String
    private let bin: String

    init(_ directory: String, bin: String, local: String) throws {
        self.directory = directory
        self.bin = bin
        try FileManager.default.createDirectory(
            atPath: directory + "/tmp", withIntermediateDirectories: true)
        try write("local.sh", local)
        for (name, value) in [
            ("clock", "\(Self.begin)"), ("hostd", "0"), ("store", "0"), ("rescanned", "0"),
            ("vcsa-up", "0"), ("maintenance", "false"),
        ] { try write(name, value + "\n") }
        for name in ["events", "probes", "guests"] { try write(name, "") }
    }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: "\(directory)/\(name)"))
    }

    func read(_ name: String) -> String? {
        try? String(contentsOf: URL(filePath: "\(directory)/\(name)"), encoding: .utf8)
    }

    /// Registers a guest. Kinds: plain; question: it waits with one once it is started; invalid:
    /// until hostd looks at its file again.
    func add(_ id: Int, _ guest: BootScriptGuest, isOn: Bool = false, kind: String = "plain") throws
    {
        let list = read("guests") ?? ""
        try write("guests", list + "\(id)\n")
        // Quoted for the programs, who source it.
        try write(
            "guest.\(id)",
            "vmx=\(Self.quoted(guest.vmxPath))\nname=\(Self.quoted(guest.name))\nkind=\(kind)\n")
        try write("power.\(id)", isOn ? "on\n" : "off\n")
    }

    static func quoted(_ text: String) -> String {
        "'" + text.replacing("'", with: #"'\''"#) + "'"
    }

    func isOn(_ id: Int) -> Bool { read("power.\(id)") == "on\n" }
    var events: [String] { (read("events") ?? "").split(separator: "\n").map(String.init) }
    var seconds: Int {
        (Int(read("clock")?.dropLast() ?? "") ?? 0) - Self.begin
    }
    var log: String { read("tmp/vpower-boot.log") ?? "" }
    var isArmed: Bool { BootScript.installed(in: read("local.sh") ?? "")?.isArmed == true }

    func report() throws -> BootScriptReport {
        try BootScriptReport.parse(read("tmp/vpower-boot.state") ?? "")
    }

    /// Power is lost: guests are off, memory is empty, hostd has to look at every file again.
    func cutPower() throws {
        for id in (read("guests") ?? "").split(separator: "\n") {
            try write("power.\(id)", "off\n")
            try? FileManager.default.removeItem(atPath: "\(directory)/reloaded.\(id)")
        }
        try FileManager.default.removeItem(atPath: directory + "/tmp")
        try FileManager.default.createDirectory(
            atPath: directory + "/tmp", withIntermediateDirectories: true)
        try write("events", "")
    }

    /// local.sh as this host's shell runs it, waiting for what it leaves behind.
    func prepareToBoot() throws {
        var text = read("local.sh") ?? ""
        for (what, with) in [
            ("PATH=/bin:/sbin:/usr/bin:/usr/sbin\n", "PATH=\(bin)\n"),
            ("vpower_file=\(BootScript.localShPath)\n", "vpower_file=\(directory)/local.sh\n"),
            ("vpower_base=/tmp/vpower-boot\n", "vpower_base=\(directory)/tmp/vpower-boot\n"),
            ("/sbin/auto-backup.sh /bin/auto-backup.sh;", "\(bin)/auto-backup.sh;"),
            ("sleep \"$vpower_seconds\" &", "\(bin)/../real/sleep \"$vpower_seconds\" &"),
            ("\nexit 0\n", "\nwait\n"),
        ] { text = text.replacing(what, with: with) }
        try write("run.sh", BootPrograms.clock + text)
    }
}

/// The programs of such a host. Each knows its host by `$CASE`.
enum BootPrograms {
    /// In the script's own shell, as they are called most.
    static let clock = #"""
        sleep() {
            read -r lab_now <"$CASE/clock"
            echo $((lab_now + $1)) >"$CASE/clock"
            [ ! -e "$CASE/at-sleep.sh" ] || . "$CASE/at-sleep.sh"
        }
        date() {
            read -r lab_now <"$CASE/clock"
            case $1 in
                +%s) echo "$lab_now" ;;
                *) echo "$lab_now" ;;
            esac
        }
        logger() { :; }

        """#

    static let all = [
        "vim-cmd": vimCmd, "esxcli": esxcli, "nc": nc, "auto-backup.sh": autoBackup,
    ]

    private static let autoBackup = #"""
        cat "$CASE/local.sh" >"$CASE/saved"
        echo saved >>"$CASE/events"

        """#

    private static let nc = #"""
        read -r now <"$CASE/clock"
        read -r up <"$CASE/vcsa-up"
        echo "$*" >>"$CASE/probes"
        [ "$now" -ge "$up" ]

        """#

    private static let head = #"""
        read -r now <"$CASE/clock"
        read -r hostd <"$CASE/hostd"
        read -r late <"$CASE/store"
        read -r seen <"$CASE/rescanned"

        """#

    private static let esxcli =
        head + #"""
            if [ "$now" -lt "$hostd" ]; then
                echo 'Connect to localhost failed: Connection failure'
                exit 1
            fi
            case "$*" in
                'storage filesystem list')
                    echo 'Mount Point  Volume Name  UUID  Mounted  Type  Size  Free'
                    echo '-----------  -----------  ----  -------  ----  ----  ----'
                    echo '/vmfs/volumes/u1  local one  u1     true  VMFS-6  9  5'
                    [ "$seen" -lt "$late" ] || echo '/vmfs/volumes/u2  ds1  u2  true  VMFS-6  9  5'
                    ;;
                'storage core adapter rescan --all')
                    echo "$now" >"$CASE/rescanned"
                    echo rescan >>"$CASE/events"
                    ;;
                *) exit 1 ;;
            esac

            """#

    private static let vimCmd =
        head + #"""
            if [ "$now" -lt "$hostd" ]; then
                echo 'Failed to login: Connection reset by peer' >&2
                exit 1
            fi
            # ID: its name, file, kind and power; fails where its file cannot be read.
            guest() {
                [ -e "$CASE/guest.$1" ] || return 1
                . "$CASE/guest.$1"
                read -r power <"$CASE/power.$1"
                case $vmx in
                    '[ds1] '*) [ "$seen" -ge "$late" ] || return 2 ;;
                esac
                [ "$kind" != invalid ] || [ -e "$CASE/reloaded.$1" ] || return 2
            }
            case $1 in
                hostsvc/runtimeinfo)
                    read -r mode <"$CASE/maintenance"
                    printf '(vim.host.RuntimeInfo) {\n   inMaintenanceMode = %s, \n}\n' "$mode"
                    ;;
                hostsvc/maintenance_mode_exit)
                    echo false >"$CASE/maintenance"
                    echo left >>"$CASE/events"
                    ;;
                hostsvc/datastore/listsummary)
                    [ ! -e "$CASE/unreachable" ] || [ "$seen" -ge "$late" ] || printf \
                        '   name = "local one", \n   accessible = false, \n'
                    ;;
                vmsvc/getallvms)
                    echo 'Vmid   Name   File   Guest OS   Version   Annotation'
                    while read -r id; do
                        guest "$id"
                        case $? in
                            0) printf '%s      %s   %s   ubuntu64Guest   vmx-19   \n' \
                                "$id" "$name" "$vmx" ;;
                            2) echo "Skipping invalid VM '$id'" >&2 ;;
                        esac
                    done <"$CASE/guests"
                    ;;
                vmsvc/reload)
                    guest "$2" && exit 0
                    case $vmx in
                        '[ds1] '*) [ "$seen" -ge "$late" ] || exit 1 ;;
                    esac
                    : >"$CASE/reloaded.$2"
                    echo "reload $2" >>"$CASE/events"
                    ;;
                vmsvc/get.summary)
                    guest "$2" || exit 1
                    printf 'Listsummary:\n\n      vmPathName = "%s", \n' "$vmx"
                    ;;
                vmsvc/power.getstate)
                    guest "$2" || exit 1
                    printf 'Retrieved runtime info\nPowered %s\n' "$power"
                    ;;
                vmsvc/message)
                    guest "$2" || exit 1
                    if [ "$kind" = question ]; then
                        printf 'Virtual machine message 0:\nmsg.uuid.altered:Moved or copied?\n'
                    else
                        echo 'No message.'
                    fi
                    ;;
                vmsvc/power.on)
                    guest "$2" || exit 1
                    read -r mode <"$CASE/maintenance"
                    echo "try $2" >>"$CASE/events"
                    echo 'Powering on VM:'
                    if [ "$kind" = question ]; then
                        # It would block until it is killed at its limit.
                        echo $((now + 20)) >"$CASE/clock"
                        kill -9 $$
                    fi
                    if [ "$mode" = true ] || [ "$power" = on ] || [ "$kind" = broken ]; then
                        echo 'Power on failed'
                        exit 1
                    fi
                    echo on >"$CASE/power.$2"
                    echo "on $2" >>"$CASE/events"
                    ;;
                *) exit 1 ;;
            esac

            """#
}
