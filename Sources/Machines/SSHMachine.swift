public import PowerModel
public import PowerRun
public import Transport

/// A machine that is shut down by a command over SSH and woken by Wake-on-LAN.
public final class SSHMachine: MachineControl {
    /// Connecting, logging in and the command together.
    public static let commandLimitDefault: Duration = .seconds(60)
    /// Until a port that does not answer counts as silent.
    public static let silenceLimitDefault: Duration = .seconds(3)
    /// Packets are sent this often: UDP promises nothing, and one more does no harm.
    static let wakePackets = 3

    /// The machine.
    public var machine: MachineName { site.name }

    private let site: MachineSite
    private let session: SSHSession
    private let broadcast: String
    private let wakePort: Int
    private let commandLimit: Duration
    private let silenceLimit: Duration
    private let addresses: AddressBook?

    /// A machine; nothing is sent yet.
    ///
    /// - Parameters:
    ///   - site: The machine as the site file describes it.
    ///   - secret: What its login needs: a password, or a key's passphrase.
    ///   - broadcast: Where magic packets go.
    ///   - wakePort: The UDP port they go to.
    ///   - commandLimit: The longest that the shutdown command may take.
    ///   - silenceLimit: Until a port that does not answer counts as silent.
    ///   - addresses: What names resolved to earlier, for when DNS is down; nil asks.
    /// - Throws: `loginRefused` when a secret is asked for and none is given.
    public init(
        site: MachineSite, secret: Secret?, broadcast: String = WakeOnLAN.everyone,
        wakePort: Int = WakeOnLAN.port, commandLimit: Duration = SSHMachine.commandLimitDefault,
        silenceLimit: Duration = SSHMachine.silenceLimitDefault, addresses: AddressBook? = nil
    ) throws(MachineError) {
        self.site = site
        self.addresses = addresses
        self.broadcast = broadcast
        self.wakePort = wakePort
        self.commandLimit = commandLimit
        self.silenceLimit = silenceLimit
        let login: SSHTarget.Login
        switch (site.login, secret.map { SSHPassword($0.value) }) {
        case (.agent(let socket, let key), _): login = .agent(socket: socket, fingerprint: key)
        case (.key(let path, nil), _): login = .key(path: path)
        case (.key(let path, _?), let passphrase?):
            login = .key(path: path, passphrase: passphrase)
        case (.password, let password?): login = .password(password)
        case (.password(let reference), nil), (.key(_, let reference?), nil):
            throw MachineError(
                machine: site.name, attempting: "log in as \(site.user)", reason: .loginRefused,
                detail: "no secret was given; the site file names \(reference)")
        }
        session = SSHSession(
            SSHTarget(
                host: site.ssh.host, port: site.ssh.port, user: site.user, login: login,
                hostKeys: site.hostKeys, addresses: addresses))
    }

    /// What the session has moved so far.
    public var traffic: SSHTraffic { session.traffic }

    /// Runs its shutdown command, as the site file has it. A connection that breaks after the
    /// command was sent is success: that is what a machine does that obeys at once. One that obeys
    /// later has no reason to.
    ///
    /// - Throws: `refused` when the command ended with a status other than 0.
    public func shutDown() async throws(MachineError) {
        try await run(
            site.shutdownCommand, to: "shut the machine down", mayBreak: site.delay == nil)
    }

    /// Whether the site file gives a command for it.
    public var canBeCalledOff: Bool { site.cancelCommand != nil }

    /// Runs the command that calls its shutdown off, as the site file has it.
    ///
    /// - Throws: `refused` when the command ended with a status other than 0.
    public func callOff() async throws(MachineError) {
        let attempting = "call its shutdown off"
        guard let command = site.cancelCommand else {
            throw MachineError(
                machine: machine, attempting: attempting, reason: .noCancelCommand,
                detail: "the site file gives no cancelCommand")
        }
        try await run(command, to: attempting, mayBreak: false)
    }

    /// - Parameter mayBreak: whether the machine may be gone before it has answered.
    private func run(
        _ command: String, to attempting: String, mayBreak: Bool
    ) async throws(MachineError) {
        let output: SSHOutput
        do throws(SSHError) {
            output = try await session.run(command, limit: commandLimit)
        } catch {
            if mayBreak, error.reason == .broken, error.commandWasSent { return }
            throw MachineError(
                machine: machine, attempting: attempting, reason: Self.reason(error.reason),
                detail: error.detail)
        }
        // A signal ends the command's shell when the machine already stops its processes.
        if output.status == 0 || (mayBreak && output.signal != nil) { return }
        let said = (output.errorText + output.text).prefix(Self.saidLengthMax)
        throw MachineError(
            machine: machine, attempting: attempting, reason: .refused,
            detail: "the command ended with status \(output.status): \(said)")
    }

    /// Whether nobody answers on its SSH port.
    public func isSilent() async -> Bool {
        let answers = await Reachability.answers(
            host: site.ssh.host, port: site.ssh.port, within: silenceLimit, addresses: addresses)
        // A wait that was called off proves nothing.
        return !answers && !Task.isCancelled
    }

    /// Sends Wake-on-LAN packets. Whether it woke shows in `isSilent()`.
    public func wake() async throws(MachineError) {
        guard let address = site.wakeAddress else {
            throw MachineError(
                machine: machine, attempting: "wake the machine", reason: .noWakeAddress,
                detail: "the site file gives no wakeAddress")
        }
        do throws(WakeOnLAN.Failure) {
            for _ in 0..<Self.wakePackets {
                try WakeOnLAN.send(to: address, broadcast: broadcast, port: wakePort)
            }
        } catch {
            throw MachineError(
                machine: machine, attempting: "wake the machine", reason: .unreachable,
                detail: error.detail)
        }
    }

    /// Ends the session. A later call makes a new one.
    public func close() async { await session.close() }

    /// What a command said, short enough for a message.
    private static let saidLengthMax = 400

    private static func reason(_ reason: SSHError.Reason) -> MachineError.Reason {
        switch reason {
        case .unreachable, .broken: .unreachable
        case .hostKeyUnknown, .hostKeyChanged: .hostKeyRefused
        case .keyUnusable, .loginRefused: .loginRefused
        case .noCommonAlgorithm, .commandRefused, .outputTooLarge: .refused
        case .timedOut, .cancelled: .timedOut
        }
    }
}
