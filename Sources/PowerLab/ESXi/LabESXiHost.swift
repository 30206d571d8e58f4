import Dispatch
import FoundationEssentials
import Glibc

/// One simulated ESXi host on real parts: OpenSSH's sshd with the algorithms of a release, and
/// BusyBox ash in a fence of bubblewrap with the commands of facts/esxi.md.
///
/// All processes of a host live in one pid namespace: cutting its power ends the lot. The login
/// is `root` with `userKeyPath`, or with the account's password, whoever runs the lab; the machine's
/// own accounts, its settings of PAM and its /etc are neither read nor touched.
public actor LabESXiHost {
    /// The host's name.
    public nonisolated let name: String
    /// Where everything of it lies; removing it removes the host.
    public nonisolated let directory: String
    /// The name to log in with.
    public nonisolated let user = "root"
    /// The address to log in at.
    public nonisolated let address = "127.0.0.1"
    /// The port of its sshd: the same after every boot; 0 before `prepare()`.
    public private(set) var port: UInt16 = 0
    /// The fingerprint of its ECDSA host key, as ssh-keygen prints it: `SHA256:...`.
    public private(set) var hostKeyFingerprint = ""
    /// The fingerprint of its RSA host key.
    public private(set) var rsaHostKeyFingerprint = ""
    /// Whether it is on.
    public private(set) var isOn = false
    /// Why the last orderly power-off could not save the host's files; nil when it could.
    public private(set) var backupFailure: LabProcessError?

    /// How long sshd has after a boot until it answers: it needs a few milliseconds.
    public static let bootLimit = Duration.seconds(20)
    /// How long an orderly power-off may take to save the host's files.
    public static let backupLimit = Duration.seconds(20)
    /// Between the answer to `poweroff` and the end of all processes: the session's end must
    /// still reach the client.
    public static let powerOffDelay = Duration.milliseconds(300)
    /// The block that vpower keeps in local.sh begins with this line.
    public static let bootScriptMarker = "# >>> vpower boot script"
    /// A line of a block that acts at the next boot.
    public static let armedLine = "        vpower_is_armed='1'"

    let rootfs: LabRootfs
    private let backend: any LabHostBackend
    let options: LabHostOptions
    private let account: LabHostAccount?
    private var logins: LabLoginWatch?
    private let commands: LabESXiCommands
    private var isPrepared = false
    private var machine: LabProcess?
    private var meeting: LabHostMeeting?
    /// Takes what its SSH service is to do; open as long as the machine runs.
    private var steering: Int32?
    private var tasks: [String: Task<Void, Never>] = [:]

    /// A host that is off.
    ///
    /// - Parameters:
    ///   - name: its name, as the backend knows it.
    ///   - directory: an absolute path; made if it is not there, kept between boots.
    ///   - backend: the site behind it.
    ///   - options: what kind of host it is.
    ///   - account: what refused logins lock, here and over the host's own SOAP endpoint.
    public init(
        name: String, directory: String, backend: any LabHostBackend,
        options: LabHostOptions = LabHostOptions(), account: LabHostAccount? = nil
    ) {
        self.account = account
        self.name = name
        self.directory = directory
        self.backend = backend
        self.options = options
        rootfs = LabRootfs(directory: directory, hostName: name)
        commands = LabESXiCommands(host: name, backend: backend, options: options)
    }

    /// The private key (ECDSA P-256, PEM, no passphrase) that may log in.
    public nonisolated var userKeyPath: String { directory + "/ssh/user_ecdsa" }

    /// Its files as seen from outside, e.g. `/etc/rc.local.d/local.sh`; nil when there is none.
    /// Never follows a link that was laid inside.
    public nonisolated func fileContents(_ path: String) -> String? {
        LabRootfs.regularFile(rootfs.root + path).map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: - Power

    /// Makes keys and the configuration, once; the host stays off.
    public func prepare() async throws(LabProcessError) {
        guard !isPrepared else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: directory + "/ssh", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            let busybox = try LabProcess.find("busybox")
            try rootfs.writeEnter(
                bubblewrap: LabProcess.find("bwrap"), busybox: busybox,
                libraries: await LabRootfs.libraries(of: busybox))
            try await makeKeys()
            if port == 0 { port = UInt16(try LabPort.free()) }
            try writeConfiguration()
        } catch let error as LabProcessError {
            throw error
        } catch {
            throw LabProcessError(program: name, detail: "\(error)")
        }
        isPrepared = true
    }

    /// Boots: what auto-backup.sh has not saved is gone. Returns when sshd answers, where it runs,
    /// and local.sh has been started; nothing happens when the host is on.
    ///
    /// - Parameter ssh: whether its SSH service starts with it.
    public func start(ssh: Bool = true) async throws(LabProcessError) {
        try await prepare()
        await endOfPowerOff()
        guard machine == nil else {
            if isOn { return }
            throw LabProcessError(program: name, detail: "its power-off does not end")
        }
        do {
            let keys = [try publicKey()] + options.authorizedKeys
            try rootfs.build(authorizedKeys: keys.joined(separator: "\n") + "\n")
        } catch {
            throw LabProcessError(program: name, detail: "\(error)")
        }
        meeting = try LabHostMeeting(directory: rootfs.meeting) { [weak self] request in
            Task { await self?.take(request) }
        }
        try openSteering()
        let machine = try LabProcess(LabProcess.find("bwrap"), try machineArguments(ssh: ssh))
        self.machine = machine
        isOn = true
        do {
            if ssh { try await waitForSSH(machine) }
        } catch {
            await powerOff(orderly: false)
            throw error
        }
        logins = account.map {
            LabLoginWatch(
                $0, log: directory + "/sshd.log",
                keys: rootfs.root + "/etc/ssh/keys-\(user)/authorized_keys")
        }
    }

    /// Starts or stops its SSH service; returns when its port says so. Nothing happens on a host
    /// that is off.
    public func setSSH(runs: Bool) async throws(LabProcessError) {
        guard let machine, isOn, let steering else { return }
        let verb = Array((runs ? "start\n" : "stop\n").utf8)
        guard write(steering, verb, verb.count) == verb.count else {
            throw LabProcessError(program: name, detail: String(cString: strerror(errno)))
        }
        if runs { return try await waitForSSH(machine) }
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: Self.bootLimit)
        while clock.now < deadline {
            if !LabPort.isOpen(port) { return }
            await Self.pause()
        }
        throw LabProcessError(program: "sshd of \(name)", detail: "does not stop")
    }

    /// A pipe that is open at both ends: nothing that is written is lost, and no reader is missed.
    private func openSteering() throws(LabProcessError) {
        let path = directory + "/steer"
        unlink(path)
        guard mkfifo(path, 0o600) == 0 else {
            throw LabProcessError(program: "mkfifo", detail: String(cString: strerror(errno)))
        }
        closeSteering()
        let opened = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard opened >= 0 else {
            throw LabProcessError(program: path, detail: String(cString: strerror(errno)))
        }
        steering = opened
    }

    private func closeSteering() {
        if let steering { close(steering) }
        steering = nil
    }

    /// Waits for a power-off that is under way, at most as long as one may take.
    private func endOfPowerOff() async {
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: Self.backupLimit + LabProcess.stopLimit * 3)
        while machine != nil, !isOn, clock.now < deadline {
            await Self.pause()
        }
    }

    /// 20 ms, also for a caller that was cancelled: a loop with a cut-short wait would spin.
    private static func pause() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(20)) {
                continuation.resume()
            }
        }
    }

    /// Ends the host and every process in it. Returns when they are gone, also when another call
    /// is at it.
    ///
    /// - Parameter orderly: as by a shutdown, which saves the host's files; false is a power cut.
    public func powerOff(orderly: Bool) async {
        guard let machine, isOn else { return await endOfPowerOff() }
        isOn = false
        if orderly {
            backupFailure = await saveFiles()
        }
        // The namespace's first process: when it is killed the kernel kills all others, and
        // bubblewrap outside ends after them.
        if let first = Self.namespaceInit(machine.output) { _ = kill(first, SIGKILL) }
        if await machine.exit(within: LabProcess.stopLimit) == nil { await machine.stop() }
        self.machine = nil
        closeSteering()
        logins?.stop()
        logins = nil
        meeting?.stop()
        meeting = nil
        for task in tasks.values { task.cancel() }
        tasks = [:]
    }

    /// As ESXi's shutdown.sh does; nil when it went well.
    private func saveFiles() async -> LabProcessError? {
        do {
            let saved = try await LabProcess.run(
                rootfs.enterPath, ["/sbin/backup.sh", "1"], within: Self.backupLimit)
            return saved.status == 0
                ? nil
                : LabProcessError(
                    program: "\(name): backup.sh",
                    detail: "status \(saved.status): \(saved.output)\(saved.errors)")
        } catch {
            return error
        }
    }

    // MARK: - Commands

    private func take(_ request: LabHostMeeting.Request) {
        guard let meeting else { return }
        tasks[request.id] = Task {
            await serve(request, meeting)
            tasks[request.id] = nil
        }
    }

    private func serve(_ request: LabHostMeeting.Request, _ meeting: LabHostMeeting) async {
        let words = request.words
        if words[0] == "lab-backup-saved" {
            let saved = LabRootfs.regularFile(
                rootfs.bootbank + "/state/etc/rc.local.d/local.sh")
            let text = String(decoding: saved ?? [], as: UTF8.self)
            let lines = text.split(separator: "\n")
            let hasScript = lines.contains(Self.bootScriptMarker[...])
            await backend.bootScriptSaved(
                name, !hasScript ? .none : lines.contains(Self.armedLine[...]) ? .armed : .unarmed)
            meeting.answer(request, LabHostMeeting.Reply())
            return
        }
        if words[0] == Self.passwordCheck {
            let isRight =
                words.count >= 3 && account?.accepts(user: words[1], password: words[2]) == true
            meeting.answer(request, LabHostMeeting.Reply(status: isRight ? 0 : 1))
            return
        }
        if ["poweroff", "halt", "reboot"].contains(words[0]) {
            meeting.answer(request, LabHostMeeting.Reply())
            await endByCommand()
        } else if words.starts(with: ["esxcli", "system", "shutdown", "poweroff"]) {
            if let refusal = await commands.refusalOfShutdown(Array(words.dropFirst(4))) {
                meeting.answer(request, refusal)
            } else {
                meeting.answer(request, LabHostMeeting.Reply())
                await endByCommand()
            }
        } else {
            meeting.answer(request, await commands.run(words))
        }
    }

    /// The site hears of it first; then the files are saved and the processes end. A reboot is a
    /// power-off here: the site decides when a host comes back.
    private func endByCommand() async {
        // A lab that is being stopped does not wait for the session's end.
        try? await Task.sleep(for: Self.powerOffDelay)
        await backend.powerOffHost(name)
        await powerOff(orderly: true)
    }

    // MARK: - Parts

    private func publicKey() throws -> String {
        let line = try String(contentsOf: URL(filePath: userKeyPath + ".pub"), encoding: .utf8)
        return String(line.prefix { $0 != "\n" })
    }

    private func makeKeys() async throws(LabProcessError) {
        let keygen = try LabProcess.find("ssh-keygen")
        let keys = [
            ("host_ecdsa", ["-t", "ecdsa", "-b", "256"]),
            ("host_rsa", ["-t", "rsa", "-b", "3072"]),
            ("user_ecdsa", ["-t", "ecdsa", "-b", "256", "-m", "PEM"]),
        ]
        var prints: [String: String] = [:]
        for (file, kind) in keys {
            let path = "\(directory)/ssh/\(file)"
            if access(path, F_OK) != 0 {
                let made = try await LabProcess.run(
                    keygen, ["-q"] + kind + ["-N", "", "-C", name, "-f", path])
                guard made.status == 0 else {
                    throw LabProcessError(program: keygen, detail: made.errors)
                }
            }
            let shown = try await LabProcess.run(keygen, ["-l", "-E", "sha256", "-f", path])
            let words = shown.output.split(separator: " ")
            guard shown.status == 0, words.count > 1 else {
                throw LabProcessError(program: keygen, detail: shown.errors)
            }
            prints[file] = String(words[1])
        }
        hostKeyFingerprint = prints["host_ecdsa"] ?? ""
        rsaHostKeyFingerprint = prints["host_rsa"] ?? ""
    }

    private func waitForSSH(_ machine: LabProcess) async throws(LabProcessError) {
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: Self.bootLimit)
        while clock.now < deadline, machine.isRunning {
            if LabPort.isOpen(port) { return }
            await Self.pause()
        }
        let log = LabRootfs.regularFile(directory + "/sshd.log") ?? []
        throw LabProcessError(
            program: "sshd of \(name)",
            detail: "does not answer: \(String(decoding: log, as: UTF8.self)) \(machine.errors)")
    }

    /// The machine around sshd and the fences: the real one read-only, with accounts of the
    /// lab's own, in a pid namespace. sshd needs a name for its user and a /run/sshd; both are
    /// there only inside.
    private func machineArguments(ssh: Bool) throws(LabProcessError) -> [String] {
        var arguments = [
            "--ro-bind", "/", "/", "--dev", "/dev", "--unshare-pid", "--proc", "/proc",
            "--tmpfs", "/run", "--dir", "/run/sshd", "--bind", directory, directory,
        ]
        for (file, place) in [
            ("passwd", "passwd"), ("nsswitch.conf", "nsswitch.conf"), ("pam", "pam.d/sshd"),
        ] {
            arguments += ["--ro-bind", "\(directory)/\(file)", "/etc/\(place)"]
        }
        if getuid() == 0 {
            arguments += ["--ro-bind", "\(directory)/shadow", "/etc/shadow"]
        }
        return arguments + [
            "--die-with-parent", "--json-status-fd", "1", "--", "/bin/sh", "\(directory)/boot",
            directory, try LabProcess.find("sshd"), options.secureBoot ? "secure" : "plain",
            ssh ? "start" : "none",
        ]
    }

    /// The pid that bubblewrap names as `{ "child-pid": 42, ...}` on its status descriptor.
    private static func namespaceInit(_ status: String) -> pid_t? {
        guard let key = status.firstRange(of: "\"child-pid\":") else { return nil }
        let digits = status[key.upperBound...].drop { $0 == " " }.prefix { $0.isNumber }
        return pid_t(String(digits)).flatMap { $0 > 1 ? $0 : nil }
    }
}
