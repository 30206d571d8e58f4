import FoundationEssentials
public import PowerModel
public import PowerRun
public import Transport

/// The limits of waits on one host. Each is the longest that one call may take.
public struct ESXiLimits: Hashable, Sendable {
    /// A short command, with connecting and logging in. hostd answers in a second or two; a host
    /// whose storage is failing takes many times that.
    public var command: Duration = .seconds(45)
    /// Listing all guests with their power: `vim-cmd` takes some 0.3 s a guest.
    public var list: Duration = .seconds(180)
    /// Until a guest that was told to is on or off. A pending question blocks for ever.
    public var power: Duration = .seconds(60)
    /// Until a guest that was told to is suspended: 64 GiB at 100 MB/s take eleven minutes.
    public var suspend: Duration = .seconds(900)
    /// `auto-backup.sh`: seconds, minutes with a worn boot device.
    public var save: Duration = .seconds(120)
    /// Until a port that does not answer counts as silent.
    public var silence: Duration = .seconds(3)

    /// The defaults.
    public init() {}
}

/// One ESXi host over SSH: `vim-cmd`, `esxcli` and the boot script.
///
/// One session, one command at a time (facts/esxi.md 1.5: hostd takes few logins at once). Guests
/// are known by their configuration file; the id of the moment is looked up for every act and
/// confirmed by asking the host for that id's file. A refused login is final.
public final class ESXiHost: HostControl {
    /// The host.
    public let host: HostName

    /// The port of the host's own web service: beside SSH the one that is open as long as it runs.
    public static let webPort = 443

    let session: SSHSession
    let limits: ESXiLimits
    /// How guests' questions are answered, as the site file says.
    let answers: [QuestionAnswer]
    /// Keeps what people have in a host's local.sh, before a boot script is put into it.
    let keep: @Sendable (HostName, String) -> Void
    private let sshPolicy: SSHPolicy
    private let address: String
    private let ports: [Int]
    private let addresses: AddressBook?

    /// A host; nothing is sent yet.
    ///
    /// - Parameters:
    ///   - site: The host as the site file describes it.
    ///   - secret: What its login needs: a password, or a key's passphrase.
    ///   - limits: How long anything may take.
    ///   - otherPorts: Ports besides SSH that must be silent for the host to be so.
    ///   - answers: How questions of guests are answered; one that none fits is left to people.
    ///   - addresses: What names resolved to earlier, for when DNS is down; nil asks.
    ///   - keep: Is given what people have in the host's local.sh before anything is put into it.
    /// - Throws: `loginRefused` when a secret is asked for and none is given.
    public init(
        site: HostSite, secret: Secret?, limits: ESXiLimits = ESXiLimits(),
        otherPorts: [Int] = [ESXiHost.webPort], answers: [QuestionAnswer] = [],
        addresses: AddressBook? = nil,
        keep: @escaping @Sendable (HostName, String) -> Void = { _, _ in }
    ) throws(HostError) {
        host = site.name
        self.keep = keep
        self.answers = answers
        self.limits = limits
        self.addresses = addresses
        sshPolicy = site.sshPolicy
        address = site.ssh.host
        ports = [site.ssh.port] + otherPorts
        let login: SSHTarget.Login
        switch (site.login, secret.map { SSHPassword($0.value) }) {
        case (.agent(let socket, let key), _): login = .agent(socket: socket, fingerprint: key)
        case (.key(let path, nil), _): login = .key(path: path)
        case (.key(let path, _?), let passphrase?):
            login = .key(path: path, passphrase: passphrase)
        case (.password, let password?): login = .password(password)
        case (.password(let reference), nil), (.key(_, let reference?), nil):
            throw HostError(
                host: site.name, attempting: "log in as \(site.user)", reason: .loginRefused,
                detail: "no secret was given; the site file names \(reference)")
        }
        session = SSHSession(
            SSHTarget(
                host: site.ssh.host, port: site.ssh.port, user: site.user, login: login,
                hostKeys: site.hostKeys, addresses: addresses))
    }

    /// What the session has moved so far.
    public var traffic: SSHTraffic { session.traffic }

    /// Whether nobody answers on SSH nor on the other ports. Silence alone does not prove "off".
    public func isSilent() async -> Bool {
        let (address, limit, addresses) = (address, limits.silence, addresses)
        return await withTaskGroup(of: Bool.self) { group in
            for port in ports {
                group.addTask {
                    await Reachability.answers(
                        host: address, port: port, within: limit, addresses: addresses)
                }
            }
            for await answers in group where answers {
                group.cancelAll()
                return false
            }
            // A wait that was called off proves nothing.
            return !Task.isCancelled
        }
    }

    /// Ends the session. A later call makes a new one.
    public func close() async { await session.close() }
}

extension ESXiHost {
    /// Runs one script and gives its sections; all of them, or an error.
    func run(
        _ script: String, _ nonce: Sections.Nonce, attempting: String, input: [UInt8] = [],
        limit: Duration
    ) async throws(HostError) -> Sections {
        let script = "\(script)\n\(nonce.begin("end"))\n"
        let output = try await raw(script, attempting: attempting, input: input, limit: limit)
        let sections = Sections(output.stdout, errors: output.errorText, nonce)
        guard sections.isComplete else {
            let said = Self.shortened(output.errorText + output.text)
            let reason: HostError.Reason = VimText.saysNotReady(said) ? .notReady : .badAnswer
            throw error(reason, attempting, "the answer ended too early: \(said)")
        }
        return sections
    }

    /// Runs one script and gives what it left.
    func raw(_ script: String, attempting: String, input: [UInt8] = [], limit: Duration)
        async throws(HostError) -> SSHOutput
    {
        do throws(SSHError) {
            return try await session.run(script, input: input, limit: limit)
        } catch {
            let reason = Self.reason(error.reason)
            let more = error.reason == .loginRefused ? Self.lockOut : ""
            let first = reason == .unreachable ? stoppedSSH : ""
            throw self.error(reason, attempting, first + error.detail + more)
        }
    }

    /// What it mostly is where SSH runs for a run only.
    private var stoppedSSH: String {
        sshPolicy == .run
            ? "SSH is stopped on \(host) (TSM-SSH), or nobody reaches it: " : ""
    }

    /// A host does not tell a locked account from a wrong password (facts/esxi.md section 5).
    private static let lockOut =
        ". ESXi locks an account for 15 minutes after five refused logins, over SSH and its API "
        + "together, and refuses the right one too until then"

    func error(_ reason: HostError.Reason, _ attempting: String, _ detail: String) -> HostError {
        HostError(host: host, attempting: attempting, reason: reason, detail: detail)
    }

    /// What a host said, on one line and short enough for a message.
    static func shortened(_ text: String) -> String {
        let line = VimText.lines(of: text).joined(separator: " / ")
        return line.isEmpty ? "it said nothing" : String(line.prefix(saidLengthMax))
    }

    /// A fault with its dump fits.
    static let saidLengthMax = 400

    private static func reason(_ reason: SSHError.Reason) -> HostError.Reason {
        switch reason {
        case .unreachable, .broken: .unreachable
        case .hostKeyUnknown, .hostKeyChanged: .hostKeyRefused
        case .noCommonAlgorithm, .keyUnusable: .wayUnusable
        case .loginRefused: .loginRefused
        case .commandRefused, .outputTooLarge: .badAnswer
        case .timedOut, .cancelled: .timedOut
        }
    }
}
