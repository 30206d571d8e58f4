import FoundationEssentials
import Glibc

/// How a simulated host lets people in.
extension LabESXiHost {
    /// The profile's directives; files, and what a host has no choice of: one command.
    func writeConfiguration() throws {
        let directives =
            options.sshProfile.directives + [
                ("ListenAddress", "\(address):\(port)"),
                ("HostKey", "\"\(directory)/ssh/host_ecdsa\""),
                ("HostKey", "\"\(directory)/ssh/host_rsa\""),
                ("AuthorizedKeysFile", "\"\(rootfs.root)/etc/ssh/keys-%u/authorized_keys\""),
                ("ForceCommand", LabRootfs.quoted(rootfs.enterPath)), ("StrictModes", "no"),
                ("AllowAgentForwarding", "no"), ("PermitUserRC", "no"), ("PrintMotd", "no"),
                ("PrintLastLog", "no"), ("PidFile", "none"),
            ]
        let config = directives.map { "\($0.0) \($0.1)\n" }.joined()
        try Data(config.utf8).write(to: URL(filePath: directory + "/sshd_config"))
        let passwd = """
            root:x:\(getuid()):\(getgid()):lab:\(directory):/bin/sh
            sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin
            nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin

            """
        try Data(passwd.utf8).write(to: URL(filePath: directory + "/passwd"))
        try Data("root:*:19000:0:99999:7:::\n".utf8)
            .write(to: URL(filePath: directory + "/shadow"))
        try Data("passwd: files\ngroup: files\nshadow: files\nhosts: files\n".utf8)
            .write(to: URL(filePath: directory + "/nsswitch.conf"))
        try writePasswordCheck()
        let boot = """
            #!/bin/sh
            # The simulated machine: sshd, then local.sh as at a boot. Ends when its namespace does.
            exec </dev/null >>"$1/boot.log" 2>&1
            place=$1 daemon=$2 sshd=
            # Sessions live on when the daemon stops, as on a real host.
            steer() {
                case $1 in
                start)
                    [ -n "$sshd" ] && return
                    "$daemon" -D -e -f "$place/sshd_config" 2>>"$place/sshd.log" &
                    sshd=$!
                    ;;
                stop)
                    [ -n "$sshd" ] || return
                    kill "$sshd"
                    wait "$sshd"
                    sshd=
                    ;;
                esac
            }
            : >"$place/sshd.log"
            steer "$4"
            # By sh and not by its first line: only ESXi's own sh knows `++group=`.
            [ "$3" = secure ] || "$place/enter" /bin/sh /etc/rc.local.d/local.sh &
            while :; do
                read -r verb <"$place/steer" || sleep 1
                steer "$verb"
            done

            """
        try Data(boot.utf8).write(to: URL(filePath: directory + "/boot"))
    }

    /// sshd asks PAM for the password's check, PAM a script, and that the lab.
    private func writePasswordCheck() throws {
        let check = directory + "/password-check"
        let script = """
            #!/bin/sh
            # PAM has the password on standard input. The lab answers in its meeting place.
            PATH=/usr/bin:/bin
            umask 077
            place=\(LabRootfs.quoted(rootfs.meeting))
            request=$(mktemp "$place/r.XXXXXX") || exit 1
            { printf '\(Self.passwordCheck)\\0%s\\0' "$PAM_USER"; cat; printf '\\0'; } >"$request"
            timeout 5 sh -c 'echo "$1" >"$2/request"' sh "${request##*/}" "$place" || exit 1
            turn=0
            while [ ! -e "$request.status" ]; do
                turn=$((turn + 1))
                [ "$turn" -lt 500 ] || exit 1
                sleep 0.02
            done
            read -r status <"$request.status"
            rm -f "$request" "$request.out" "$request.err" "$request.status"
            exit "$status"

            """
        try Data(script.utf8).write(to: URL(filePath: check))
        guard chmod(check, 0o755) == 0 else {
            throw LabProcessError(program: "chmod", detail: String(cString: strerror(errno)))
        }
        let word = check.replacing("]", with: "\\]")
        let stack = """
            auth required pam_exec.so quiet expose_authtok [\(word)]
            auth required pam_permit.so
            account required pam_permit.so
            session required pam_permit.so

            """
        try Data(stack.utf8).write(to: URL(filePath: directory + "/pam"))
    }

    /// What that script asks the lab for.
    static let passwordCheck = "lab-password"
}
