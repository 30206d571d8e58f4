import FoundationEssentials
import NUT
import PowerModel
import PowerRun
import Testing

@Suite(.serialized, .timeLimit(.minutes(3))) struct RealUPSDTests {
    @Test func `a driver that is killed is a reading with a problem, and its return is seen`()
        async throws
    {
        try await RealNUT.run { nut in
            let feed = makeFeed(nut.port)
            #expect(await feed.read().status != nil)
            await nut.killDriver()
            // upsd may say `WAIT` for a moment: neither on line nor on battery.
            try await eventually("upsd has seen it", within: .seconds(5)) {
                let gone = await feed.read()
                return gone.status == nil
                    && gone.problem?.contains("DRIVER-NOT-CONNECTED") == true
            }
            try await nut.startDriver()
            try await eventually("the driver is seen again", within: .seconds(10)) {
                await feed.read().status?.onLine == true
            }
        }
    }

    @Test func `a driver that is frozen is a reading with a problem`() async throws {
        try await RealNUT.run(maxAgeSeconds: 2) { nut in
            let feed = makeFeed(nut.port)
            #expect(await feed.read().status != nil)
            await nut.freezeDriver()
            try await eventually("its data is stale", within: .seconds(10)) {
                await feed.read().problem?.contains("DATA-STALE") == true
            }
            await nut.thawDriver()
            try await eventually("its data is fresh again", within: .seconds(10)) {
                await feed.read().status?.onLine == true
            }
        }
    }

    @Test func `upsd stopped is a problem, upsd back is read, and the login is renewed`()
        async throws
    {
        try await RealNUT.run { nut in
            let limits = UPSDLimits(keepAlive: .milliseconds(200))
            let feed = makeFeed(nut.port, limits: limits)
            let server = RunningServer(port: nut.port) { _, _ in }
            try await feed.holdLogin()
            #expect(await feed.read().status != nil)
            await nut.stopServer()
            let silent = await feed.read()
            #expect(silent.status == nil)
            #expect(silent.problem?.contains("127.0.0.1:\(nut.port)") == true)
            #expect(await reason(makeFeed(nut.port).holdLogin) == .unreachable)
            // 2.8.0's drivers do not survive a new upsd (facts/nut.md 4.4).
            await nut.stopDriver()
            try await nut.startDriver()
            try await nut.startServer()
            #expect(await feed.read().status?.onLine == true)
            try await eventually("the login is renewed", within: .seconds(10)) {
                try await server.logins() == "NUMLOGINS dummy 1\n"
            }
            #expect(await feed.isLoginHeld)
            await feed.close()
            try await eventually("logged out", within: .seconds(3)) {
                try await server.logins() == "NUMLOGINS dummy 0\n"
            }
        }
    }

    @Test func `a feed that is forgotten takes its login with it`() async throws {
        try await RealNUT.run { nut in
            let server = RunningServer(port: nut.port) { _, _ in }
            do {
                let feed = makeFeed(nut.port)
                try await feed.holdLogin()
                #expect(try await server.logins() == "NUMLOGINS dummy 1\n")
            }
            try await eventually("logged out", within: .seconds(3)) {
                try await server.logins() == "NUMLOGINS dummy 0\n"
            }
        }
    }

    @Test func `a reply that upsd cuts leaves the connection in step`() async throws {
        let text = String(repeating: "d", count: 600)
        try await RealNUT.run(text: text) { nut in
            let raw = try await RawClient.talk(to: nut.port) { say in
                try await say("LIST UPS")
            }
            var splitter = UPSDLineSplitter()
            let lines = splitter.take(Array(raw.utf8)).map { UPSDLine($0) }
            #expect(lines.map(\.isOpen) == [false, true, false, false])
            #expect(lines[1].words.prefix(2) == ["UPS", "dummy"])
            #expect(lines[2].words == ["UPS", "quiet", "Description unavailable"])
        }
    }

    @Test func `many readers share one connection and all read`() async throws {
        try await RealNUT.run { nut in
            let feed = makeFeed(nut.port)
            let good = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 { group.addTask { await feed.read().status?.onLine == true } }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(good == 20)
            #expect(feed.traffic.calls == 80)
            let raw = try await RawClient.talk(to: nut.port) { try await $0("VER") }
            #expect(raw.hasPrefix("Network UPS Tools upsd"))
        }
    }
}

@Suite(.serialized, .timeLimit(.minutes(3))) struct TLSTests {
    @Test func `required TLS reads, logs in and commands inside TLS`() async throws {
        try await RealNUT.run(certificate: .localhost) { nut in
            let bundle = nut.directory.appending(path: "ca.pem").path
            for host in ["127.0.0.1", "localhost"] {
                let feed = makeFeed(nut.port, tls: .require(caBundle: bundle), host: host)
                #expect(await feed.read().status == UPSStatus("OL CHRG"))
                try await feed.holdLogin()
                let found = await feed.check()
                #expect(found.isEncrypted)
                #expect(found.loginAccepted == true)
                #expect(found.problems == [])
                await feed.close()
            }
        }
    }

    @Test func `an unknown authority is refused, and no password is sent`() async throws {
        try await RealNUT.run(certificate: .localhost) { nut in
            let feed = makeFeed(
                nut.port, tls: .require(caBundle: "/etc/ssl/certs/ca-certificates.crt"))
            #expect(await reason(feed.holdLogin) == .tlsRefused)
            // STARTTLS and, held back by the handshake, VER.
            #expect(feed.traffic.calls == 2)
            #expect(await feed.read().problem?.contains("TLS failed") == true)
            // upsd serves others at once.
            let next = await makeFeed(nut.port).read()
            #expect(next.status != nil)
        }
    }

    @Test func `a certificate for another name is refused`() async throws {
        try await RealNUT.run(certificate: .otherName) { nut in
            let bundle = nut.directory.appending(path: "ca.pem").path
            for host in ["127.0.0.1", "localhost"] {
                let feed = makeFeed(nut.port, tls: .require(caBundle: bundle), host: host)
                #expect(await reason(feed.holdLogin) == .tlsRefused)
            }
        }
    }

    @Test func `a bundle that cannot be read ends before anything is sent`() async throws {
        try await ScriptedServer.run { _ in
            "OK\n"
        } _: { server, port in
            for bundle in ["/nonexistent/ca.pem", "/etc/passwd"] {
                let feed = makeFeed(port, tls: .require(caBundle: bundle))
                #expect(await reason(feed.holdLogin) == .tlsRefused)
                #expect(await feed.read().problem?.contains(bundle) == true)
            }
            #expect(server.connections == 0)
        }
    }
}
