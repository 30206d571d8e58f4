import NIOCore
import NIOPosix

/// What stands behind the lab's upsd: the simulated site's UPSes.
public protocol LabUPSBackend: Sendable {
    /// All variables of a UPS now; nil while its driver does not run.
    func upsVariables(_ ups: String) async -> [String: String]?
    /// Carries out an instant command the UPS lists; false when the UPS fails at it.
    func instantCommand(_ ups: String, _ command: String) async -> Bool
}

/// A UPS the lab's upsd knows.
public struct LabUPS: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Its `desc`; nil is what upsd says where none is configured.
    public var text: String?
    /// The instant commands it lists.
    public var commands: [String]

    /// A UPS.
    public init(name: String, text: String? = nil, commands: [String] = ["shutdown.return"]) {
        self.name = name
        self.text = text
        self.commands = commands
    }
}

/// A section of the lab's upsd.users.
public struct LabNUTAccount: Hashable, Sendable {
    /// The user.
    public var user: String
    /// The password. The lab's own, never a real one.
    public var password: String
    /// `upsmon primary` or `secondary`: LOGIN is allowed.
    public var mayLogIn: Bool
    /// `instcmds = ALL`: INSTCMD is allowed.
    public var mayCommand: Bool

    /// An account.
    public init(user: String, password: String, mayLogIn: Bool = true, mayCommand: Bool = false) {
        self.user = user
        self.password = password
        self.mayLogIn = mayLogIn
        self.mayCommand = mayCommand
    }
}

/// What went over the wire to the lab's upsd so far.
public struct LabNUTTraffic: Hashable, Sendable {
    /// Lines received.
    public var calls: UInt64 = 0
    /// Bytes received.
    public var bytesIn: UInt64 = 0
    /// Bytes sent.
    public var bytesOut: UInt64 = 0
}

/// A small upsd on 127.0.0.1 that answers word for word as NUT 2.8.0's (facts/nut.md 1.3), as far
/// as a client like vpower asks: reading, LOGIN, INSTCMD. Without TLS, SET, FSD and tracking.
public actor LabNUTServer {
    /// What `VER` says.
    public static let version = "Network UPS Tools upsd 2.8.0 - http://www.networkupstools.org/"
    /// What `NETVER` says.
    public static let protocolVersion = "1.3"

    private let backend: any LabUPSBackend
    private let upses: [LabUPS]
    private let accounts: [LabNUTAccount]
    private var logins: [String: Int] = [:]
    private var serving: Task<Void, Never>?

    /// What went over the wire so far.
    public private(set) var traffic = LabNUTTraffic()

    /// A server, not started yet.
    public init(backend: any LabUPSBackend, upses: [LabUPS], accounts: [LabNUTAccount]) {
        self.backend = backend
        self.upses = upses
        self.accounts = accounts
    }

    /// How many connections are logged in for a UPS.
    public func loginCount(of ups: String) -> Int { logins[ups, default: 0] }

    /// Listens on 127.0.0.1 on a free port, and returns that port. Once per server.
    public func start() async throws -> Int {
        precondition(serving == nil, "the lab's upsd was started twice")
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        guard let port = listener.channel.localAddress?.port else {
            try await listener.channel.close()
            throw ChannelError.unknownLocalAddress
        }
        serving = Task { await serve(listener) }
        return port
    }

    /// Stops listening, closes every connection, and returns when that is done.
    public func stop() async {
        guard let task = serving else { return }
        serving = nil
        task.cancel()
        await task.value
    }

    private func serve(
        _ listener: NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never>
    ) async {
        do {
            try await listener.executeThenClose { clients in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await client in clients {
                        group.addTask { await self.serve(client: client) }
                    }
                }
            }
        } catch {
            // The listener ends with `stop()`, or with the process.
        }
    }

    private func serve(client: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async {
        var session = LabNUTSession()
        do {
            try await client.executeThenClose { inbound, outbound in
                for try await buffer in inbound {
                    traffic.bytesIn += UInt64(buffer.readableBytes)
                    for words in session.reader.take(buffer.readableBytesView) {
                        traffic.calls += 1
                        let reply = await answer(words, &session)
                        traffic.bytesOut += UInt64(reply.utf8.count)
                        try await outbound.write(ByteBuffer(string: reply))
                        if session.isOver { return }
                    }
                }
            }
        } catch {
            // A client that went away mid-word is a client that went away.
        }
        if let ups = session.loggedIn { logins[ups, default: 0] -= 1 }
    }
}

/// What upsd keeps of one connection.
private struct LabNUTSession {
    var reader = LabNUTLineReader()
    var user: String?
    var password: String?
    var loggedIn: String?
    var isOver = false
}

// MARK: - Answers

extension LabNUTServer {
    private func answer(_ words: [String], _ session: inout LabNUTSession) async -> String {
        let arguments = Array(words.dropFirst())
        switch words.first?.uppercased() {
        case "VER": return arguments.isEmpty ? Self.version + "\n" : Self.invalid
        case "NETVER", "PROTVER":
            return arguments.isEmpty ? Self.protocolVersion + "\n" : Self.invalid
        case "GET": return await get(arguments)
        case "LIST": return await list(arguments)
        case "USERNAME":
            guard arguments.count == 1 else { return Self.invalid }
            if session.user != nil { return "ERR ALREADY-SET-USERNAME\n" }
            session.user = arguments[0]
            return "OK\n"
        case "PASSWORD":
            guard arguments.count == 1 else { return Self.invalid }
            if session.password != nil { return "ERR ALREADY-SET-PASSWORD\n" }
            session.password = arguments[0]
            return "OK\n"
        case "LOGIN": return logIn(arguments, &session)
        case "INSTCMD": return await command(arguments, session)
        case "LOGOUT":
            guard arguments.isEmpty else { return Self.invalid }
            session.isOver = true
            return "OK Goodbye\n"
        case "STARTTLS": return "ERR FEATURE-NOT-CONFIGURED\n"
        default: return "ERR UNKNOWN-COMMAND\n"
        }
    }

    private static let invalid = "ERR INVALID-ARGUMENT\n"
    private static let unknownUPS = "ERR UNKNOWN-UPS\n"
    private static let notConnected = "ERR DRIVER-NOT-CONNECTED\n"

    private func get(_ arguments: [String]) async -> String {
        guard arguments.count >= 2 else { return Self.invalid }
        let name = arguments[1]
        switch arguments[0].uppercased() {
        case "VAR":
            guard arguments.count >= 3 else { return Self.invalid }
            return await variable(arguments[2], of: name)
        case "NUMLOGINS":
            guard let ups = ups(name) else { return Self.unknownUPS }
            guard await backend.upsVariables(ups.name) != nil else { return Self.notConnected }
            return "NUMLOGINS \(name) \(loginCount(of: ups.name))\n"
        case "UPSDESC":
            guard let ups = ups(name) else { return Self.unknownUPS }
            // Not the words of LIST UPS.
            return "UPSDESC \(name) \(Self.quoted(ups.text ?? "Unavailable"))\n"
        default: return Self.invalid
        }
    }

    private func variable(_ variable: String, of name: String) async -> String {
        // upsd answers this one for any name.
        if variable.lowercased() == "server.version" {
            return "VAR \(name) \(variable) \"2.8.0\"\n"
        }
        guard let ups = ups(name) else { return Self.unknownUPS }
        guard let all = await backend.upsVariables(ups.name) else { return Self.notConnected }
        guard let value = all[variable.lowercased()] else { return "ERR VAR-NOT-SUPPORTED\n" }
        return "VAR \(name) \(variable) \(Self.quoted(value))\n"
    }

    private func list(_ arguments: [String]) async -> String {
        switch arguments.first?.uppercased() {
        case "UPS":
            let lines = upses.map { "UPS \($0.name) \(Self.quoted($0.text ?? Self.noText))\n" }
            return Self.framed("UPS", lines)
        case "VAR":
            guard arguments.count >= 2 else { return Self.invalid }
            let name = arguments[1]
            guard let ups = ups(name) else { return Self.unknownUPS }
            guard let all = await backend.upsVariables(ups.name) else { return Self.notConnected }
            let lines = all.sorted { $0.key < $1.key }
                .map { "VAR \(name) \($0.key) \(Self.quoted($0.value))\n" }
            return Self.framed("VAR \(name)", lines)
        case "CMD":
            guard arguments.count >= 2 else { return Self.invalid }
            let name = arguments[1]
            guard let ups = ups(name) else { return Self.unknownUPS }
            guard await backend.upsVariables(ups.name) != nil else { return Self.notConnected }
            return Self.framed(
                "CMD \(name)", ups.commands.sorted().map { "CMD \(name) \($0)\n" })
        default: return Self.invalid
        }
    }

    private func logIn(_ arguments: [String], _ session: inout LabNUTSession) -> String {
        if let missing = Self.missing(session) { return missing }
        guard arguments.count == 1 else { return Self.invalid }
        guard session.loggedIn == nil else { return "ERR ALREADY-LOGGED-IN\n" }
        guard let ups = ups(arguments[0]) else { return Self.unknownUPS }
        guard account(of: session)?.mayLogIn == true else { return "ERR ACCESS-DENIED\n" }
        session.loggedIn = ups.name
        logins[ups.name, default: 0] += 1
        return "OK\n"
    }

    private func command(_ arguments: [String], _ session: LabNUTSession) async -> String {
        if let missing = Self.missing(session) { return missing }
        guard arguments.count >= 2 else { return Self.invalid }
        guard let ups = ups(arguments[0]) else { return Self.unknownUPS }
        guard await backend.upsVariables(ups.name) != nil else { return Self.notConnected }
        let asked = arguments[1].lowercased()
        guard let command = ups.commands.first(where: { $0.lowercased() == asked }) else {
            return "ERR CMD-NOT-SUPPORTED\n"
        }
        guard account(of: session)?.mayCommand == true else { return "ERR ACCESS-DENIED\n" }
        return await backend.instantCommand(ups.name, command) ? "OK\n" : "ERR INSTCMD-FAILED\n"
    }

    private static func missing(_ session: LabNUTSession) -> String? {
        if session.user == nil { return "ERR USERNAME-REQUIRED\n" }
        if session.password == nil { return "ERR PASSWORD-REQUIRED\n" }
        return nil
    }

    private func account(of session: LabNUTSession) -> LabNUTAccount? {
        accounts.first { $0.user == session.user && $0.password == session.password }
    }

    private func ups(_ name: String) -> LabUPS? {
        upses.first { $0.name.lowercased() == name.lowercased() }
    }

    private static let noText = "Description unavailable"

    private static func framed(_ what: String, _ lines: [String]) -> String {
        "BEGIN LIST \(what)\n" + lines.joined() + "END LIST \(what)\n"
    }

    private static func quoted(_ value: String) -> String {
        var result = "\""
        for scalar in value.unicodeScalars {
            if scalar == "\"" || scalar == "\\" || scalar == "#" { result.append("\\") }
            result.unicodeScalars.append(scalar)
        }
        return result + "\""
    }
}

/// upsd's own reading of what it is sent (parseconf), its silences included: an open quote runs on
/// over line ends, and `#` inside quotes drops the rest of what came with it.
struct LabNUTLineReader {
    static let wordsMax = 32
    static let wordBytesMax = 512

    private var words: [String] = []
    private var word: [UInt8] = []
    private var isInWord = false
    private var isQuoted = false
    private var isEscaped = false
    private var isComment = false

    mutating func take(_ bytes: some Sequence<UInt8>) -> [[String]] {
        var lines: [[String]] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n"), !isQuoted {
                endWord()
                lines.append(words)
                self = LabNUTLineReader()
            } else if !take(byte) {
                self = LabNUTLineReader()
                break
            }
        }
        return lines
    }

    /// False for what parseconf calls an error.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard (0x20...0x7e).contains(byte), !isComment else { return true }
        if isEscaped {
            isEscaped = false
            append(byte)
            return true
        }
        switch byte {
        case UInt8(ascii: "\\"): isEscaped = true
        case UInt8(ascii: "\""):
            isInWord = true
            isQuoted.toggle()
            if !isQuoted { endWord() }
        case UInt8(ascii: "#"):
            if isQuoted { return false }
            isComment = true
        case UInt8(ascii: " ") where !isQuoted: endWord()
        case UInt8(ascii: "=") where !isQuoted:
            endWord()
            append(byte)
            endWord()
        default: append(byte)
        }
        return true
    }

    private mutating func append(_ byte: UInt8) {
        isInWord = true
        if word.count < Self.wordBytesMax { word.append(byte) }
    }

    private mutating func endWord() {
        guard isInWord else { return }
        if words.count < Self.wordsMax { words.append(String(decoding: word, as: UTF8.self)) }
        word.removeAll(keepingCapacity: true)
        isInWord = false
    }
}
