import FoundationEssentials
import Glibc

/// The file tree that a simulated host's shell sees, and the fence around it.
///
/// The tree holds links to BusyBox for the applets that ESXi has, scripts in place of its own
/// commands, and an /etc. BusyBox and the libraries it needs are bound read-only from the
/// machine. Debian's `busybox` is needed: `busybox-static` runs applets that have no link.
struct LabRootfs: Sendable {
    /// ESXi's applets (recorded on 5.5; facts/esxi.md section 4), without those that make no
    /// sense in a fence. There is no tr, nc, ps, flock, base64, bc, pgrep and no bash.
    static let applets = [
        "[", "[[", "ash", "awk", "basename", "cat", "chmod", "cksum", "clear", "cp", "cut", "date",
        "dd", "diff", "dirname", "du", "echo", "egrep", "env", "expr", "false", "fgrep", "find",
        "grep", "gunzip", "gzip", "head", "hexdump", "hostname", "kill", "ln", "ls", "md5sum",
        "mkdir", "mkfifo", "mktemp", "more", "mv", "od", "printf", "readlink", "rm", "rmdir",
        "sed", "seq", "setsid", "sh", "sha1sum", "sha256sum", "sha512sum", "sleep", "sort",
        "stat", "sum", "sync", "tail", "tar", "tee", "test", "time", "timeout", "touch", "true",
        "uname", "uniq", "usleep", "wc", "which", "xargs", "zcat",
    ]

    /// Commands that are handed to the lab.
    static let labCommands = [
        "vim-cmd", "esxcli", "poweroff", "reboot", "halt", "lab-backup-saved", "secureBoot.py",
        "vmware-fdm", "esxcfg-advcfg", "python",
    ]

    /// Where such a command is, but for those in /bin.
    private static let placesOfCommands = [
        "secureBoot.py": "usr/lib/vmware/secureboot/bin", "vmware-fdm": "etc/init.d",
    ]

    /// The files under /etc that survive a reboot if auto-backup.sh has saved them.
    static let trackedFiles = ["rc.local.d/local.sh", "ssh/keys-root/authorized_keys"]

    /// Where the lab and the scripts meet, inside.
    static let meetingPlace = "/var/run/lab"

    /// The host's directory; holds everything of it.
    let directory: String
    /// The host's name inside.
    let hostName: String

    /// The tree as it is while the host runs: made anew at every boot.
    var root: String { directory + "/root" }
    /// What survives.
    var bootbank: String { directory + "/bootbank" }
    /// Where requests and replies lie.
    var meeting: String { directory + "/meeting" }
    /// The program that enters the fence: sshd's ForceCommand, and how local.sh is started.
    var enterPath: String { directory + "/enter" }

    /// Makes the tree as at a boot: nothing but what the boot bank has saved survives.
    func build(authorizedKeys: String) throws {
        let files = FileManager.default
        for stale in [root, meeting] where files.fileExists(atPath: stale) {
            try files.removeItem(atPath: stale)
        }
        for path in [
            "bin", "sbin", "tmp", "var/log", "var/run/lab", "var/spool/cron/crontabs", "dev",
            "usr/lib/vmware/busybox/bin", "usr/lib/vmware/secureboot/bin", "usr/bin", "usr/sbin",
            "etc/rc.local.d", "etc/init.d", "etc/ssh/keys-root", "vmfs/volumes", "bootbank",
            "scratch",
        ] {
            try files.createDirectory(
                atPath: "\(root)/\(path)", withIntermediateDirectories: true)
        }
        try files.createDirectory(
            atPath: "\(bootbank)/state/etc", withIntermediateDirectories: true)
        try files.createDirectory(atPath: meeting, withIntermediateDirectories: true)
        guard mkfifo("\(meeting)/request", 0o600) == 0 else {
            throw LabProcessError(program: "mkfifo", detail: String(cString: strerror(errno)))
        }
        for applet in Self.applets {
            try files.createSymbolicLink(
                atPath: "\(root)/bin/\(applet)",
                withDestinationPath: "/usr/lib/vmware/busybox/bin/busybox")
        }
        try buildCommands()
        try buildEtc(authorizedKeys: authorizedKeys)
    }

    private func buildCommands() throws {
        let files = FileManager.default
        try write(LabRootfsScripts.request, to: "usr/lib/vmware/lab-request", mode: 0o755)
        for command in Self.labCommands {
            let place = Self.placesOfCommands[command] ?? "bin"
            try files.createSymbolicLink(
                atPath: "\(root)/\(place)/\(command)",
                withDestinationPath: "/usr/lib/vmware/lab-request")
        }
        try write(LabRootfsScripts.autoBackup, to: "sbin/auto-backup.sh", mode: 0o755)
        try files.createSymbolicLink(
            atPath: "\(root)/sbin/backup.sh", withDestinationPath: "/sbin/auto-backup.sh")
        try files.createSymbolicLink(
            atPath: "\(root)/bin/backup.sh", withDestinationPath: "/sbin/auto-backup.sh")
        try write(LabRootfsScripts.crontab, to: "var/spool/cron/crontabs/root", mode: 0o600)
        try write(LabRootfsScripts.logger, to: "bin/logger", mode: 0o755)
        try write(LabRootfsScripts.nohup, to: "bin/nohup", mode: 0o755)
    }

    private func buildEtc(authorizedKeys: String) throws {
        try write("root:x:0:0:Administrator:/:/bin/sh\n", to: "etc/passwd", mode: 0o644)
        try write("root:x:0:root\n", to: "etc/group", mode: 0o644)
        let shipped = [
            "rc.local.d/local.sh": LabRootfsScripts.stockLocalSh,
            "ssh/keys-root/authorized_keys": authorizedKeys,
        ]
        for path in Self.trackedFiles {
            let saved = "\(bootbank)/state/etc/\(path)"
            let text = Self.regularFile(saved).flatMap { String(validating: $0, as: UTF8.self) }
            let mode = path.hasSuffix(".sh") ? 0o755 : 0o600
            try write(text ?? shipped[path] ?? "", to: "etc/\(path)", mode: mode)
        }
    }

    /// Writes a file of the tree, which is fresh: nothing in it leads elsewhere yet.
    private func write(_ text: String, to path: String, mode: Int) throws {
        let full = "\(root)/\(path)"
        try Data(text.utf8).write(to: URL(filePath: full))
        guard chmod(full, mode_t(mode)) == 0 else {
            throw LabProcessError(program: "chmod", detail: String(cString: strerror(errno)))
        }
    }

    /// The most that is read of a file which the inside has written.
    static let readLimit = 4 << 20

    /// The bytes of a regular file that the inside has written: never what a link leads to.
    static func regularFile(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        // Pipes and sockets cannot be sought, directories cannot be read: what remains is a file.
        let size = lseek(file, 0, SEEK_END)
        guard size >= 0, size <= readLimit, lseek(file, 0, SEEK_SET) == 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                read(file, buffer.baseAddress.map { $0 + count }, buffer.count - count)
            }
            guard got > 0 else { break }
            count += got
        }
        return Array(bytes[..<count])
    }

    // MARK: - The fence

    /// Writes the program that enters the fence.
    ///
    /// It is run as sshd's ForceCommand (the command is in SSH_ORIGINAL_COMMAND), or with the
    /// command as its arguments. Everything in it is written once, from outside of the fence.
    func writeEnter(bubblewrap: String, busybox: String, libraries: [String]) throws {
        var words = [
            bubblewrap, "--unshare-user", "--uid", "0", "--gid", "0", "--unshare-net",
            "--unshare-ipc", "--unshare-uts", "--hostname", hostName, "--cap-drop", "ALL",
            "--bind", root, "/", "--ro-bind", busybox, "/usr/lib/vmware/busybox/bin/busybox",
        ]
        for library in libraries { words += ["--ro-bind", library, library] }
        words += [
            "--bind", bootbank, "/bootbank", "--bind", meeting, Self.meetingPlace,
            "--dev", "/dev", "--chdir", "/",
            "--clearenv", "--setenv", "PATH", "/bin:/sbin", "--setenv", "HOME", "/",
            "--setenv", "USER", "root", "--setenv", "LOGNAME", "root", "--setenv", "SHELL",
            "/bin/sh",
        ]
        let fence = words.map(Self.quoted).joined(separator: " ")
        let script = """
            #!/bin/sh
            if [ "$#" -gt 0 ]; then
                exec \(fence) "$@"
            elif [ -n "${SSH_ORIGINAL_COMMAND+x}" ]; then
                exec \(fence) /bin/sh -c "$SSH_ORIGINAL_COMMAND"
            fi
            exec \(fence) /bin/sh

            """
        try Data(script.utf8).write(to: URL(filePath: enterPath))
        guard chmod(enterPath, 0o755) == 0 else {
            throw LabProcessError(program: "chmod", detail: String(cString: strerror(errno)))
        }
    }

    /// One word of sh.
    static func quoted(_ text: String) -> String {
        "'"
            + text.split(separator: "'", omittingEmptySubsequences: false).joined(
                separator: #"'\''"#)
            + "'"
    }

    /// The libraries a program needs, as the machine's own loader finds them.
    static func libraries(of program: String) async throws(LabProcessError) -> [String] {
        let list = try await LabProcess.run(LabProcess.find("ldd"), [program])
        let paths = list.output.split(separator: "\n").compactMap { line in
            line.split { $0 == " " || $0 == "\t" }.first { $0.hasPrefix("/") }.map(String.init)
        }
        guard list.status == 0, !paths.isEmpty else {
            throw LabProcessError(
                program: program,
                detail: "is not linked to libraries: install Debian's busybox with make setup, "
                    + "not busybox-static, which runs applets that ESXi does not have")
        }
        return paths
    }
}

/// The scripts in a simulated host.
enum LabRootfsScripts {
    /// local.sh as ESXi 7.0 and 8.0 ship it (facts/esxi-samples/localsh-header-7.0-8.0.txt).
    static let stockLocalSh = """
        #!/bin/sh ++group=host/vim/vmvisor/boot

        # local configuration options

        # Note: modify at your own risk!  If you do/use anything in this
        # script that is not part of a stable API (relying on files to be in
        # specific places, specific tools, specific output, etc) there is a
        # possibility you will end up with a broken system after patching or
        # upgrading.  Changes are not supported unless under direction of
        # VMware support.

        # Note: This script will not be run when UEFI secure boot is enabled.

        exit 0

        """

    /// root's crontab as 6.7 ships it (facts/esxi-samples/crontab-root-6.7.txt). Nothing runs it.
    static let crontab = """
        #min hour day mon dow command
        1    1    *   *   *   /sbin/tmpwatch.py
        1    *    *   *   *   /sbin/auto-backup.sh
        0    *    *   *   *   /usr/lib/vmware/vmksummary/log-heartbeat.py
        */5  *    *   *   *   /bin/hostd-probe.sh ++group=host/vim/vmvisor/hostd-probe/stats/sh
        00   1    *   *   *   localcli storage core device purge

        """

    /// Hands its name and arguments to the lab, byte for byte (NUL cannot be in them), and prints
    /// the reply. A lab that is gone ends it: 5 s for the request, 15 min for the reply.
    static let request = #"""
        #!/bin/sh
        umask 077
        place=/var/run/lab
        request=$(mktemp "$place/r.XXXXXX") || exit 75
        printf '%s\0' "${0##*/}" "$@" >"$request"
        if ! timeout 5 sh -c 'echo "$1" >"$2/request"' sh "${request##*/}" "$place"; then
            rm -f "$request"
            echo "the lab does not answer" >&2
            exit 75
        fi
        turn=0
        while [ ! -e "$request.status" ]; do
            turn=$((turn + 1))
            if [ "$turn" -lt 25 ]; then
                usleep 10000
            elif [ "$turn" -lt 9000 ]; then
                usleep 100000
            else
                echo "the lab does not answer" >&2
                exit 75
            fi
        done
        cat "$request.out"
        cat "$request.err" >&2
        read -r status <"$request.status"
        rm -f "$request" "$request.out" "$request.err" "$request.status"
        exit "$status"

        """#

    /// Saves the tracked files. Differences first, the live file on the `-` side (facts 2.1).
    static let autoBackup = #"""
        #!/bin/sh
        live=/etc
        saved=/bootbank/state/etc
        copy=/tmp/auto-backup.$$
        mkdir -p "$copy" && cp -R "$saved" "$copy/" || exit 1
        for path in \#(LabRootfs.trackedFiles.joined(separator: " ")); do
            [ -f "$live/$path" ] || continue
            # Like ESXi's: the names as labels, whatever the saved copy is called.
            if [ -f "$saved/$path" ]; then
                cmp_out=$(diff -u -L "$live/$path" -L "$copy/$live/$path" \
                    "$live/$path" "$copy/etc/$path")
                [ -z "$cmp_out" ] || printf '%s\n' "$cmp_out"
            else
                echo "diff: can't stat '$copy/$live/$path': No such file or directory"
            fi
            mkdir -p "$saved/${path%/*}"
            cp "$live/$path" "$saved/$path.new" && mv "$saved/$path.new" "$saved/$path" || exit 1
        done
        rm -rf "$copy"
        echo "Saving current state in /bootbank"
        echo "Clock updated."
        date -u '+Time: %H:%M:%S   Date: %m/%d/%Y   UTC'
        lab-backup-saved

        """#

    /// logger -t TAG TEXT.
    static let logger = #"""
        #!/bin/sh
        tag=root
        if [ "$1" = -t ]; then
            tag=$2
            shift 2
        fi
        printf '%s %s: %s\n' "$(date -u '+%Y-%m-%dT%H:%M:%SZ')" "$tag" "$*" >>/var/log/syslog.log

        """#

    /// Debian's BusyBox has no nohup.
    static let nohup = """
        #!/bin/sh
        trap '' HUP
        exec "$@"

        """
}
