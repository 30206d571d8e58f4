import NUT
import PowerModel
import PowerRun
import Testing

/// What no real upsd does on request: silence, nonsense, answers out of step.
@Suite(.timeLimit(.minutes(3))) struct BadServerTests {
    static let short = UPSDLimits(
        connect: .milliseconds(500), handshake: .milliseconds(300), reply: .milliseconds(200),
        read: .milliseconds(500), session: .milliseconds(500), tracking: .milliseconds(300),
        trackingPoll: .milliseconds(20))

    /// What the machine may add to a limit while others build on it.
    static let slack: Duration = .seconds(2)

    @Test func `a server that says nothing costs no more than the limit`() async throws {
        try await ScriptedServer.run { _ in
            nil
        } _: { _, port in
            let clock = ContinuousClock()
            let feed = makeFeed(port, command: "load.off")
            let took = await clock.measure {
                let reading = await feed.read()
                #expect(reading.status == nil)
                #expect(reading.problem?.contains("does not answer in time") == true)
            }
            #expect(took >= feed.limits.reply)
            #expect(took < feed.limits.read + Self.slack)
            let quick = makeFeed(port, command: "load.off", limits: Self.short)
            #expect(await reason(quick.holdLogin) == .timedOut)
            #expect(await reason(quick.cutOutput) == .timedOut)
            #expect(await quick.check().problems.first?.reason == .timedOut)
        }
    }

    @Test func `a handshake that stalls ends at its limit`() async throws {
        try await ScriptedServer.run {
            $0 == "STARTTLS" ? "OK STARTTLS\n" : nil
        } _: {
            server, port in
            let feed = makeFeed(
                port, tls: .require(caBundle: "/etc/ssl/certs/ca-certificates.crt"),
                limits: Self.short)
            let took = await ContinuousClock().measure {
                #expect(await reason(feed.holdLogin) == .timedOut)
            }
            #expect(took < Self.short.handshake + Self.slack)
            #expect(server.heard.first == "STARTTLS")
            #expect(!server.heard.contains { $0.contains("USERNAME") })
        }
    }

    @Test(arguments: ["VAR dummy ups.status \"OL\"\n", "VAR dummy ups."])
    func `clear text behind OK STARTTLS ends the connection`(text: String) async throws {
        let reply = "OK STARTTLS\n" + text
        try await ScriptedServer.run { _ in
            reply
        } _: { server, port in
            let feed = makeFeed(
                port, tls: .require(caBundle: "/etc/ssl/certs/ca-certificates.crt"),
                limits: Self.short)
            #expect(await feed.read().status == nil)
            #expect(server.heard == ["STARTTLS"])
        }
    }

    @Test(arguments: [
        "VAR dummy ups.load \"OL\"\n", "OK\n", "NUMLOGINS dummy 1\n", "\n", "HTTP/1.1 400 Bad\r\n",
        "END LIST VAR dummy\n", "VAR dummy ups.status\n", "\u{1}\u{2}\n",
    ])
    func `an answer that does not fit is a problem, and the next read starts afresh`(
        answer: String
    ) async throws {
        try await ScriptedServer.run { _ in
            answer
        } _: { server, port in
            let feed = makeFeed(port, limits: Self.short)
            for _ in 1...2 {
                let reading = await feed.read()
                #expect(reading.status == nil)
                #expect(reading.problem != nil)
            }
            #expect(server.connections == 2)
        }
    }

    @Test func `a status without tokens is a problem, unknown tokens are kept`() async throws {
        try await ScriptedServer.run { _ in
            "VAR dummy ups.status \"\"\n"
        } _: { _, port in
            #expect(await makeFeed(port).read().problem?.contains("empty") == true)
        }
        try await ScriptedServer.run {
            $0.contains("ups.status")
                ? "VAR dummy ups.status \"FSD ALARM OB LB FSD NEW\"\n" : "ERR VAR-NOT-SUPPORTED\n"
        } _: { _, port in
            let reading = await makeFeed(port).read()
            #expect(reading == FeedReading(status: UPSStatus("FSD ALARM OB LB NEW")))
        }
    }

    @Test func `a value whose closing quote is missing is read`() async throws {
        try await ScriptedServer.run { _ in
            "VAR dummy ups.status \"OB LB\n"
        } _: { _, port in
            #expect(await makeFeed(port).read().status == UPSStatus("OB LB"))
        }
    }

    @Test func `a connection that was dropped while idle is opened again without a problem`()
        async throws
    {
        try await ScriptedServer.run { _ in
            "VAR dummy ups.status \"OL\"\n"
        } _: { server, port in
            let feed = makeFeed(port, limits: Self.short)
            #expect(await feed.read().status != nil)
            await server.hangUp()
            #expect(await feed.read().status != nil)
        }
    }

    @Test func `the output command is sent once, and its result is awaited`() async throws {
        func run(_ tracking: @escaping @Sendable (Int) -> String) async throws
            -> (FeedError.Reason?, [String])
        {
            let asked = Counter()
            return try await ScriptedServer.run {
                if $0.hasPrefix("INSTCMD") { return "OK TRACKING AB-12\n" }
                if $0.hasPrefix("GET TRACKING") { return tracking(asked.next()) + "\n" }
                return "OK\n"
            } _: { server, port in
                let feed = makeFeed(port, command: "shutdown.return", limits: Self.short)
                let result = await reason(feed.cutOutput)
                return (result, server.heard.filter { $0.hasPrefix("INSTCMD") })
            }
        }
        let sent = [#"INSTCMD "dummy" "shutdown.return""#]
        let done = try await run { $0 < 3 ? "PENDING" : "SUCCESS" }
        #expect(done == (nil, sent))
        let failed = try await run { _ in "ERR FAILED" }
        #expect(failed == (.refused, sent))
        let late = try await run { _ in "PENDING" }
        #expect(late == (.timedOut, sent))
    }

    @Test func `a server without tracking is taken at its OK`() async throws {
        try await ScriptedServer.run {
            $0.hasPrefix("SET TRACKING") ? "ERR UNKNOWN-COMMAND\n" : "OK\n"
        } _: { server, port in
            let feed = makeFeed(port, command: "shutdown.return", limits: Self.short)
            #expect(await reason(feed.cutOutput) == nil)
            #expect(server.heard.last == "LOGOUT")
        }
    }

    @Test func `a password that upsd would mangle is not sent, and not shown`() async throws {
        try await ScriptedServer.run { _ in
            "OK\n"
        } _: { server, port in
            let feed = makeFeed(port, password: "秘密のことば")
            do throws(FeedError) {
                try await feed.holdLogin()
                Issue.record("it logged in")
            } catch {
                #expect(error.reason == .refused)
                #expect(error.description.contains("the password"))
                #expect(!error.description.contains("秘"))
            }
            #expect(server.heard == [])
        }
    }

    @Test func `no text of a site file becomes a second line`() async throws {
        try await ScriptedServer.run { _ in
            "OK\n"
        } _: { server, port in
            let feed = makeFeed(port, ups: "dummy\nLOGOUT")
            #expect(await feed.read().problem?.contains("printable ASCII") == true)
            #expect(await reason(feed.holdLogin) == .refused)
            #expect(server.heard == [])
        }
    }

    @Test func `a login that is refused on renewal is not tried for ever`() async throws {
        let logins = Counter()
        try await ScriptedServer.run {
            guard $0.hasPrefix("LOGIN") else { return "OK\n" }
            return logins.next() == 1 ? "OK\n" : "ERR ACCESS-DENIED\n"
        } _: { server, port in
            let limits = UPSDLimits(keepAlive: .milliseconds(30))
            let feed = makeFeed(port, limits: limits)
            try await feed.holdLogin()
            await server.hangUp()
            try await eventually("the renewal is refused", within: .seconds(5)) {
                logins.count == 2
            }
            try await Task.sleep(for: .milliseconds(300))
            #expect(logins.count == 2)
            #expect(await feed.isLoginHeld == false)
            await feed.close()
        }
    }
}
