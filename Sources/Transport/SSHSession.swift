import Synchronization

/// The one SSH connection to one server.
///
/// It connects when it is first used and again when the connection was lost; it runs one command
/// at a time, each within its limit, on a thread of its own. A login that the server refuses is
/// final for its lifetime, since a server locks accounts after a few (facts/esxi.md section 5).
public actor SSHSession {
    /// A listing of a host with hundreds of guests is some 100 KB.
    public static let outputLimitBytesDefault = 4 * 1024 * 1024

    /// Passwords that were sent and neither granted nor refused, because the connection broke.
    /// They may have counted as failures at the server, so only a few are made.
    static let unansweredLoginsMax = 2
    /// ESXi forgets failures after this time (`Security.AccountUnlockTime`).
    static let unansweredLoginsKept: Duration = .seconds(900)

    /// Whom it talks to.
    public nonisolated let target: SSHTarget

    private nonisolated let thread: SSHThread
    private nonisolated let meter = Meter()
    private var connection: SSHConnection?
    private var refusal: SSHError?
    private var unansweredLogins: [ContinuousClock.Instant] = []

    /// libssh2 blocks, so the actor runs on a thread of its own.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        thread.asUnownedSerialExecutor()
    }

    /// What it has moved so far.
    public nonisolated var traffic: SSHTraffic { meter.traffic.withLock { $0 } }

    /// A session; nothing is sent yet.
    public init(_ target: SSHTarget) {
        self.target = target
        thread = SSHThread(name: "vpower.ssh.\(target.peer)")
    }

    /// Runs a command with the server's shell and returns what it left, whatever its status.
    ///
    /// - Parameters:
    ///   - command: Given to the shell as it is; quoting is the caller's. At most 30000 bytes.
    ///   - input: The command's standard input.
    ///   - limit: The longest that connecting, logging in and the command may take together,
    ///     from this call on. A command of another caller that is under way counts, too.
    ///   - outputLimitBytes: The most that both outputs may hold together.
    /// - Throws: Any reason of `SSHError`. After an error in the middle the connection is dropped;
    ///   the command may still be running at the server. Cancellation is `cancelled`.
    public nonisolated func run(
        _ command: String, input: [UInt8] = [], limit: Duration,
        outputLimitBytes: Int = SSHSession.outputLimitBytesDefault
    ) async throws(SSHError) -> SSHOutput {
        let deadline = SSHDeadline(peer: target.peer, attempting: "run a command", limit: limit)
        guard !command.utf8.contains(0) else {
            throw deadline.error(.commandRefused, "the command holds a NUL; nothing was sent")
        }
        guard command.utf8.count <= SSHConnection.commandLimitBytes else {
            let most = SSHConnection.commandLimitBytes
            throw deadline.error(
                .commandRefused, "the command is longer than \(most) bytes; nothing was sent")
        }
        return try await perform(
            command, input: input, outputLimitBytes: outputLimitBytes, until: deadline)
    }

    /// Ends the connection, if there is one. A later `run` makes a new one.
    public func close() { connection = nil }

    /// Shows a server's host key. Nothing but the key exchange takes place.
    public static func probe(host: String, port: Int, limit: Duration)
        async throws(SSHError) -> SSHHostKey
    {
        let nobody = SSHTarget(
            host: host, port: port, user: "", login: .password(SSHPassword("")), hostKeys: [])
        return try await SSHSession(nobody).readHostKey(limit: limit)
    }

    private func readHostKey(limit: Duration) throws(SSHError) -> SSHHostKey {
        let deadline = SSHDeadline(
            peer: target.peer, attempting: "read the host key", limit: limit)
        let connection = try SSHConnection.open(
            host: target.host, port: target.port, known: target.knownAddresses, until: deadline)
        return try connection.hostKey(deadline)
    }

    private func perform(
        _ command: String, input: [UInt8], outputLimitBytes: Int, until deadline: SSHDeadline
    ) throws(SSHError) -> SSHOutput {
        try deadline.check()
        let isFresh = try connect(until: deadline)
        var started = false
        do throws(SSHError) {
            return try execute(command, input, outputLimitBytes, deadline, &started)
        } catch  where !isFresh && !started && error.reason == .broken {
            // The idle connection had died and the command was not sent: once more, on a new one.
            connection = nil
            _ = try connect(until: deadline)
            return try execute(command, input, outputLimitBytes, deadline, &started)
        }
    }

    private func execute(
        _ command: String, _ input: [UInt8], _ outputLimitBytes: Int, _ deadline: SSHDeadline,
        _ started: inout Bool
    ) throws(SSHError) -> SSHOutput {
        do throws(SSHError) {
            guard
                let output = try connection?.execute(
                    command, input: input, outputLimitBytes: outputLimitBytes, until: deadline,
                    started: &started)
            else { throw deadline.error(.broken, "there is no connection") }
            meter.count(command, input, output)
            return output
        } catch {
            // The channel is in an unknown state; whatever it still says must not be taken for
            // the next command's answer.
            connection = nil
            var error = error
            error.commandWasSent = started
            throw error
        }
    }

    /// Connects and logs in unless that is so already; whether it had to.
    private func connect(until deadline: SSHDeadline) throws(SSHError) -> Bool {
        if connection?.peerHasClosed == true { connection = nil }
        if connection != nil { return false }
        if let refusal { throw refusal }
        unansweredLogins.removeAll { ContinuousClock.now - $0 > Self.unansweredLoginsKept }
        guard unansweredLogins.count < Self.unansweredLoginsMax else {
            throw deadline.error(
                .loginRefused,
                "the connection broke \(unansweredLogins.count) times after the password was sent; "
                    + "no more logins are made for a while, since these may count as failed")
        }
        var opened = try SSHConnection.open(
            host: target.host, port: target.port, known: target.knownAddresses, until: deadline)
        try opened.requireHostKey(in: target.hostKeys, deadline)
        do throws(SSHError) {
            try opened.logIn(target, until: deadline)
        } catch {
            switch error.reason {
            case .loginRefused: refusal = error
            case .keyUnusable: break
            default: if opened.passwordWasSent { unansweredLogins.append(.now) }
            }
            throw error
        }
        unansweredLogins = []
        connection = consume opened
        return true
    }

    private final class Meter: Sendable {
        let traffic = Mutex(SSHTraffic())

        func count(_ command: String, _ input: [UInt8], _ output: SSHOutput) {
            traffic.withLock {
                $0.commands += 1
                $0.bytesOut += command.utf8.count + input.count
                $0.bytesIn += output.stdout.count + output.stderr.count
            }
        }
    }
}
