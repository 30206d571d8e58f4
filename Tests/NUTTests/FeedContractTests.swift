import NUT
import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

/// The servers the contract holds for.
enum ServerKind: String, CaseIterable, Sendable { case upsd, lab }

/// The lab's UPS behind LabNUTServer: variables in memory.
final class MemoryUPS: LabUPSBackend {
    private let variables = Mutex(RealNUT.variables)
    private let carriedOut = Mutex<[String]>([])

    var commands: [String] { carriedOut.withLock { $0 } }
    func set(_ name: String, _ value: String) { variables.withLock { $0[name] = value } }

    func upsVariables(_ ups: String) async -> [String: String]? {
        ups == "dummy" ? variables.withLock { $0 } : nil
    }

    func instantCommand(_ ups: String, _ command: String) async -> Bool {
        carriedOut.withLock { $0.append(command) }
        return command == "shutdown.return"
    }
}

/// A running server of either kind.
struct RunningServer: Sendable {
    var port: Int
    var set: @Sendable (String, String) async throws -> Void

    static let password = ##"a "b" #1"##

    static func run(_ kind: ServerKind, _ body: @Sendable (RunningServer) async throws -> Void)
        async throws
    {
        switch kind {
        case .upsd:
            try await RealNUT.run { nut in
                try await body(
                    RunningServer(port: nut.port) { try await nut.set($0, $1) })
            }
        case .lab:
            let ups = MemoryUPS()
            let server = LabNUTServer(
                backend: ups,
                upses: [
                    LabUPS(name: "dummy", text: "a lab's UPS", commands: ["load.off"]),
                    LabUPS(name: "quiet"),
                ],
                accounts: [
                    LabNUTAccount(user: "vpower", password: password, mayCommand: true),
                    LabNUTAccount(user: "watcher", password: "watchpass"),
                    LabNUTAccount(user: "admin", password: "adminpass", mayLogIn: false),
                ])
            let port = try await server.start()
            do {
                try await body(RunningServer(port: port) { ups.set($0, $1) })
                await server.stop()
            } catch {
                await server.stop()
                throw error
            }
        }
    }

    /// What NUMLOGINS says, asked by other means than the client under test.
    func logins() async throws -> String {
        try await RawClient.talk(to: port) { try await $0("GET NUMLOGINS dummy") }
    }
}

/// A feed at a port of this machine.
func makeFeed(
    _ port: Int, ups: String = "dummy", user: String? = "vpower",
    password: String? = RunningServer.password, tls: FeedTLS = .off, command: String? = nil,
    host: String = "127.0.0.1", limits: UPSDLimits = UPSDLimits()
) -> UPSDFeed {
    UPSDFeed(
        feed: Feed(
            name: FeedName("a"), server: Endpoint(host: host, port: port), ups: ups, user: user,
            tls: tls, output: command.map { OutputPolicy(command: $0) }),
        password: password.map { Secret($0) }, limits: limits)
}

/// The reason something failed for, or nil when it did not.
func reason(_ body: () async throws(FeedError) -> Void) async -> FeedError.Reason? {
    do throws(FeedError) {
        try await body()
        return nil
    } catch {
        return error.reason
    }
}

@Suite(.serialized, .timeLimit(.minutes(3))) struct FeedContractTests {
    @Test(arguments: ServerKind.allCases)
    func `status, runtime, charge and load are read, and their changes`(kind: ServerKind)
        async throws
    {
        try await RunningServer.run(kind) { server in
            let feed = makeFeed(server.port)
            #expect(
                await feed.read()
                    == FeedReading(
                        status: UPSStatus("OL CHRG"), runtime: .seconds(3900), chargePercent: 88,
                        loadPercent: 12))
            try await server.set("ups.status", "OB DISCHRG")
            try await server.set("battery.runtime", "0120")
            let onBattery = await feed.read()
            #expect(onBattery.status?.onBattery == true)
            #expect(onBattery.runtime == .seconds(120))
            try await server.set("ups.status", "OB LB")
            #expect(await feed.read().status == UPSStatus("OB LB"))
            #expect(feed.traffic.calls == 12)
            await feed.close()
        }
    }

    @Test(arguments: ServerKind.allCases)
    func `a UPS without its driver, and one that is not there, are readings with a problem`(
        kind: ServerKind
    ) async throws {
        try await RunningServer.run(kind) { server in
            let quiet = await makeFeed(server.port, ups: "quiet").read()
            #expect(quiet.status == nil)
            #expect(quiet.problem?.contains("DRIVER-NOT-CONNECTED") == true)
            let nobody = await makeFeed(server.port, ups: "nope").read()
            #expect(nobody.status == nil)
            #expect(nobody.problem?.contains("UNKNOWN-UPS") == true)
        }
    }

    @Test(arguments: ServerKind.allCases)
    func `a held login is counted and goes away on release`(kind: ServerKind) async throws {
        try await RunningServer.run(kind) { server in
            #expect(try await server.logins() == "NUMLOGINS dummy 0\n")
            let feed = makeFeed(server.port)
            try await feed.holdLogin()
            try await feed.holdLogin()
            #expect(await feed.isLoginHeld)
            #expect(try await server.logins() == "NUMLOGINS dummy 1\n")
            await feed.releaseLogin()
            #expect(await feed.isLoginHeld == false)
            try await eventually("logged out", within: .seconds(3)) {
                try await server.logins() == "NUMLOGINS dummy 0\n"
            }
            // A UPS that cannot be read can still be logged in to.
            let quiet = makeFeed(server.port, ups: "quiet")
            try await quiet.holdLogin()
            await quiet.close()
        }
    }

    @Test(arguments: ServerKind.allCases)
    func `a wrong password, an absent one and missing rights are refused logins`(kind: ServerKind)
        async throws
    {
        try await RunningServer.run(kind) { server in
            let wrong = makeFeed(server.port, password: "wrong", command: "load.off")
            #expect(await reason(wrong.holdLogin) == .loginRefused)
            #expect(await reason(wrong.cutOutput) == .loginRefused)
            #expect(await reason(makeFeed(server.port, user: nil).holdLogin) == .loginRefused)
            #expect(await reason(makeFeed(server.port, password: nil).holdLogin) == .loginRefused)
            let admin = makeFeed(server.port, user: "admin", password: "adminpass")
            #expect(await reason(admin.holdLogin) == .loginRefused)
            let logins = try await server.logins()
            #expect(logins == "NUMLOGINS dummy 0\n")
            #expect(await reason(makeFeed(server.port, ups: "nope").holdLogin) == .unknownUPS)
            #expect(await wrong.read().status != nil)
        }
    }

    @Test(arguments: ServerKind.allCases)
    func `a refused output command is typed`(kind: ServerKind) async throws {
        try await RunningServer.run(kind) { server in
            // The UPS does not have it.
            let absent = makeFeed(server.port, command: "shutdown.return")
            #expect(await reason(absent.cutOutput) == .refused)
            // It has it, and fails at it: dummy-ups says so only through tracking.
            let failing = makeFeed(server.port, command: "load.off")
            #expect(await reason(failing.cutOutput) == .refused)
            let unentitled = makeFeed(
                server.port, user: "watcher", password: "watchpass", command: "load.off")
            #expect(await reason(unentitled.cutOutput) == .loginRefused)
            #expect(await reason(makeFeed(server.port).cutOutput) == .refused)
            let quiet = makeFeed(server.port, ups: "quiet", command: "load.off")
            #expect(await reason(quiet.cutOutput) == .stale)
        }
    }

    @Test(arguments: ServerKind.allCases)
    func `required TLS that is not offered ends before anything is said`(kind: ServerKind)
        async throws
    {
        try await RunningServer.run(kind) { server in
            let bundle = "/etc/ssl/certs/ca-certificates.crt"
            let feed = makeFeed(server.port, tls: .require(caBundle: bundle))
            #expect(await feed.read().problem?.contains("no TLS") == true)
            #expect(await reason(feed.holdLogin) == .tlsRefused)
            // STARTTLS, twice; nothing else.
            #expect(feed.traffic.calls == 2)
        }
    }

    @Test(arguments: ServerKind.allCases)
    func `check finds version, logins, commands and the login`(kind: ServerKind) async throws {
        try await RunningServer.run(kind) { server in
            let found = await makeFeed(server.port, command: "shutdown.return").check()
            #expect(found.serverVersion == LabNUTServer.version)
            #expect(found.protocolVersion == "1.3")
            #expect(!found.isEncrypted)
            #expect(found.reading.status == UPSStatus("OL CHRG"))
            #expect(found.logins == 0)
            #expect(found.commands == ["load.off"])
            #expect(found.outputCommandOffered == false)
            #expect(found.loginAccepted == true)
            #expect(found.problems == [])
            let wrong = await makeFeed(server.port, password: "wrong").check()
            #expect(wrong.loginAccepted == false)
            #expect(wrong.problems.map(\.reason) == [.loginRefused])
            let quiet = await makeFeed(server.port, ups: "quiet").check()
            #expect(quiet.problems.map(\.reason) == [.stale])
            #expect(quiet.reading.problem != nil)
        }
    }

    /// Where LabNUTServer answers for upsd, it does so byte for byte.
    @Test func `the lab's upsd answers as the real one`() async throws {
        let real = try await RealNUT.run { try await Conversations.answers(of: $0.port) }
        try await RunningServer.run(.lab) { server in
            let lab = try await Conversations.answers(of: server.port)
            #expect(lab == real)
        }
    }
}

/// What is said to both servers; each a connection of its own.
enum Conversations {
    static func answers(of port: Int) async throws -> [[String]] {
        var answers: [[String]] = []
        for lines in all {
            answers.append(
                try await RawClient.talk(to: port) { say in
                    var answers: [String] = []
                    for line in lines { answers.append("\(line) -> \(try await say(line))") }
                    return answers
                })
        }
        return answers
    }

    static let all = [
        [
            "VER", "VER x", "NETVER", "NETVER x", "PROTVER", "LIST UPS", "LIST UPS x", "GET",
            "GET VAR", "GET VAR dummy", "GET VAR nope", "GET VAR nope ups.status",
            "GET VAR dummy nope", "GET VAR dummy ups.status", "get var DUMMY UPS.STATUS",
            #"GET VAR "dummy" "ups.status""#, "GET VAR dummy ups.status extra",
            "GET VAR quiet ups.status", "GET VAR nope server.version", "GET NUMLOGINS",
            "GET NUMLOGINS dummy", "GET NUMLOGINS nope", "GET NUMLOGINS quiet", "GET FOO",
            "GET FOO dummy", "GET UPSDESC", "GET UPSDESC dummy", "GET UPSDESC quiet",
            "GET UPSDESC nope", "LIST", "LIST FOO", "LIST FOO dummy", "LIST VAR", "LIST VAR nope",
            "LIST VAR quiet", "LIST CMD dummy", "LIST CMD nope", "LIST CMD quiet", "LOGIN",
            "LOGIN dummy", "INSTCMD", "INSTCMD dummy load.off", "USERNAME", "USERNAME a b",
            "PASSWORD", "", "   ", "FOO bar", "STARTTLS", "STARTTLS x", "USERNAME a=b",
            #"USERNAME """#, ##"USERNAME "a\#b""##, "INSTCMD dummy", "PASSWORD x", "LOGIN dummy",
            "LOGIN", "LOGIN nope", "INSTCMD", "INSTCMD dummy", "INSTCMD nope load.off",
            "INSTCMD quiet load.off", "INSTCMD dummy nope", "INSTCMD dummy load.off", "LOGOUT x",
            "LOGOUT",
        ],
        [
            "USERNAME watcher", "PASSWORD watchpass", "USERNAME watcher", "PASSWORD watchpass",
            "LOGIN dummy", "LOGIN dummy", "LOGIN quiet", "LOGIN nope", "GET NUMLOGINS dummy",
            "INSTCMD dummy load.off", "LOGOUT",
        ],
        [
            "USERNAME vpower", ##"PASSWORD "a \"b\" \#1""##, "INSTCMD dummy nope", "LOGIN quiet",
            "logout",
        ],
        ["USERNAME admin # a comment", "PASSWORD adminpass", "LOGIN dummy", "LOGOUT"],
    ]
}
