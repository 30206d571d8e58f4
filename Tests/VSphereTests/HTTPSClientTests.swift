import Foundation
import Testing
import Transport

/// Against a real TLS server of another implementation (Python's) on 127.0.0.1.
@Suite(.serialized) struct HTTPSClientTests {
    private func client(
        _ server: LocalServer, _ trust: HTTPSTrust, host: String = "127.0.0.1",
        options: HTTPSOptions = HTTPSOptions()
    ) -> HTTPSClient {
        HTTPSClient(
            endpoint: HTTPSEndpoint(host: host, port: server.port), trust: trust, options: options)
    }

    private func failure(
        _ client: HTTPSClient, _ path: String, timeout: Duration = .seconds(10),
        stallLimit: Duration? = nil
    ) async -> HTTPSError.Reason? {
        do {
            _ = try await client.send(
                HTTPSRequest(
                    method: "POST", path: path, body: Array("secret".utf8), timeout: timeout,
                    stallLimit: stallLimit))
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `the pinned certificate is accepted and the body comes back whole`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(server, .pinned(sha256: certificate.sha256))
        let body = (0..<200_000).map { UInt8($0 % 251) }
        let response = try await client.send(
            HTTPSRequest(method: "POST", path: "/ok", body: body, timeout: .seconds(10)))
        #expect(response.status == 200)
        #expect(response.body == body)
        #expect(client.counters.calls == 1)
        #expect(client.counters.bytesOut > body.count)
        #expect(client.counters.bytesIn > body.count)
    }

    @Test func `a pinned certificate may be expired and have another name`() async throws {
        let certificate = try Certificate(expired: true)
        let server = try LocalServer.https(certificate)
        let options = HTTPSOptions(addresses: AddressBook(["other.test": ["127.0.0.1"]]))
        let pinned = client(
            server, .pinned(sha256: certificate.sha256), host: "other.test", options: options)
        #expect(await failure(pinned, "/ok") == nil)
        let bundled = client(server, .bundle(path: certificate.pem))
        #expect(await failure(bundled, "/ok") == .certificateRefused)
    }

    @Test func `a bundle's certificate that is out of date is refused, and the clock is named`()
        async throws
    {
        let certificate = try Certificate(expired: true)
        let server = try LocalServer.https(certificate)
        do {
            _ = try await client(server, .bundle(path: certificate.pem)).send(
                HTTPSRequest(path: "/ok", timeout: .seconds(10)))
            Issue.record("it was accepted")
        } catch {
            #expect(error.reason == .certificateRefused)
            #expect(error.detail.contains("this machine's clock is wrong"), "\(error.detail)")
        }
    }

    @Test func `an address where nobody is any more falls back to asking DNS`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        // Nobody listens at this one; the name is in every /etc/hosts.
        let book = AddressBook(["localhost": ["127.0.0.9"], "vc.invalid": ["127.0.0.9"]])
        let options = HTTPSOptions(addresses: book)
        let pinned = HTTPSTrust.pinned(sha256: certificate.sha256)
        let moved = client(server, pinned, host: "localhost", options: options)
        #expect(await failure(moved, "/ok") == nil)
        #expect(book["localhost"].contains("127.0.0.1"))
        let lost = client(server, pinned, host: "vc.invalid", options: options)
        #expect(await failure(lost, "/ok") == .unreachable)
        #expect(book["vc.invalid"] == ["127.0.0.9"])
    }

    @Test func `another certificate is refused and the server sees no request byte`() async throws {
        let certificate = try Certificate()
        let other = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(server, .pinned(sha256: other.sha256))
        do {
            _ = try await client.send(
                HTTPSRequest(
                    method: "POST", path: "/ok", body: Array("secret".utf8), timeout: .seconds(10)))
            Issue.record("it was accepted")
        } catch {
            #expect(error.reason == .certificateRefused)
            #expect(error.detail.contains(certificate.sha256))
        }
        #expect(try await server.says { $0.contains("closed") })
        #expect(server.said == ["{\"closed\": 0}"])
    }

    @Test func `a pin that is no SHA-256 in lower case is refused before connecting`() async throws
    {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        for pin in ["", "ab", certificate.sha256.uppercased(), certificate.sha256 + "0"] {
            #expect(
                await failure(client(server, .pinned(sha256: pin)), "/ok") == .certificateRefused)
        }
        #expect(server.said.isEmpty)
    }

    @Test func `the system's authorities refuse a self-signed certificate`() async throws {
        let server = try LocalServer.https(try Certificate())
        #expect(await failure(client(server, .system), "/ok") == .certificateRefused)
        #expect(try await server.says { $0.contains("closed") })
        #expect(server.said == ["{\"closed\": 0}"])
    }

    @Test func `a bundle accepts its own authorities only, and only the right name`() async throws {
        let certificate = try Certificate()
        let other = try Certificate()
        let server = try LocalServer.https(certificate)
        #expect(await failure(client(server, .bundle(path: certificate.pem)), "/ok") == nil)
        #expect(
            await failure(client(server, .bundle(path: other.pem)), "/ok") == .certificateRefused)
        #expect(
            await failure(client(server, .bundle(path: "/nonexistent")), "/ok")
                == .certificateRefused)
        let options = HTTPSOptions(addresses: AddressBook(["other.test": ["127.0.0.1"]]))
        let misnamed = client(
            server, .bundle(path: certificate.pem), host: "other.test", options: options)
        #expect(await failure(misnamed, "/ok") == .certificateRefused)
    }

    @Test func `a server that was stopped is unreachable`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(server, .pinned(sha256: certificate.sha256))
        #expect(await failure(client, "/ok") == nil)
        server.stop()
        #expect(await failure(client, "/ok") == .unreachable)
    }

    @Test func `a server that stalls is timed out, by the request's limit or the stall's`()
        async throws
    {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(server, .pinned(sha256: certificate.sha256))
        let started = ContinuousClock.now
        #expect(await failure(client, "/stall", timeout: .milliseconds(500)) == .timedOut)
        #expect(
            await failure(client, "/stall", timeout: .seconds(30), stallLimit: .seconds(1))
                == .timedOut)
        #expect(await failure(client, "/trickle", timeout: .seconds(1)) == .timedOut)
        // libcurl looks at the average of some seconds before it calls a transfer stalled.
        #expect(ContinuousClock.now - started < .seconds(25))
    }

    @Test func `an answer that is too large is refused, announced or not`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(
            server, .pinned(sha256: certificate.sha256),
            options: HTTPSOptions(bodyLimitBytes: 1_000_000))
        #expect(await failure(client, "/large") == .tooLarge)
        #expect(await failure(client, "/endless") == .tooLarge)
    }

    @Test func `an answer that is cut off is broken, never half an answer`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(server, .pinned(sha256: certificate.sha256))
        #expect(await failure(client, "/cut") == .broken)
    }

    @Test func `a redirect is an answer like any other`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let response = try await client(server, .pinned(sha256: certificate.sha256)).send(
            HTTPSRequest(path: "/redirect", timeout: .seconds(10)))
        #expect(response.status == 302)
        #expect(response.header("location") == "/ok")
    }

    @Test func `a cookie is echoed byte for byte, and not from a new jar`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(server, .pinned(sha256: certificate.sha256))
        func cookie(_ jar: HTTPSCookieJar?) async throws -> String {
            let response = try await client.send(
                HTTPSRequest(path: "/cookie", timeout: .seconds(10), cookies: jar))
            return String(decoding: response.body, as: UTF8.self)
        }
        let jar = HTTPSCookieJar()
        #expect(try await cookie(jar) == "none")
        #expect(try await cookie(jar) == "vmware_soap_session=\"52 a-b/c=\"")
        #expect(try await cookie(HTTPSCookieJar()) == "none")
        #expect(try await cookie(nil) == "none")
    }

    @Test func `a long poll does not hold up a request beside it, and ends when cancelled`()
        async throws
    {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(server, .pinned(sha256: certificate.sha256))
        let started = ContinuousClock.now
        let polls = (0..<8).map { _ in
            Task { await failure(client, "/stall", timeout: .seconds(30)) }
        }
        for _ in 0..<5 { #expect(await failure(client, "/ok") == nil) }
        for poll in polls { poll.cancel() }
        for poll in polls { #expect(await poll.value == .broken) }
        #expect(ContinuousClock.now - started < .seconds(20))
    }

    @Test func `a task that was cancelled before sends nothing`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(server, .pinned(sha256: certificate.sha256))
        #expect(await failure(client, "/ok") == nil)
        let started = ContinuousClock.now
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await failure(client, "/stall", timeout: .seconds(30))
        }
        #expect(await task.value == .broken)
        #expect(ContinuousClock.now - started < .seconds(20))
        #expect(client.counters.calls == 1)
    }

    @Test func `no more requests than allowed are under way, and a wait in line costs no limit`()
        async throws
    {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(
            server, .pinned(sha256: certificate.sha256), options: HTTPSOptions(requestsAtOnce: 1))
        #expect(await failure(client, "/ok") == nil)
        let began = ContinuousClock.now
        async let first = failure(client, "/stall", timeout: .milliseconds(1500))
        try await Task.sleep(for: .milliseconds(200))
        let cancelled = Task { await failure(client, "/ok", timeout: .milliseconds(500)) }
        async let third = failure(client, "/ok", timeout: .milliseconds(1000))
        try await Task.sleep(for: .milliseconds(200))
        cancelled.cancel()
        #expect(await cancelled.value == .broken)
        #expect(ContinuousClock.now - began < .milliseconds(1400))
        #expect(await first == .timedOut)
        #expect(await third == nil)
        #expect(ContinuousClock.now - began >= .milliseconds(1500))
        #expect(client.counters.calls == 3)
    }

    @Test func `connections are used again`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(server, .pinned(sha256: certificate.sha256))
        for _ in 0..<10 { #expect(await failure(client, "/ok") == nil) }
        #expect(client.counters.connections == 1)
    }

    @Test func `HTTP/2 is spoken where it is offered, all calls over one connection`() async throws
    {
        let certificate = try Certificate()
        let folder = try Scratch()
        try folder.write("ok", "fine")
        let script = """
            import socket,subprocess,sys,time
            s=socket.create_server(("127.0.0.1",0)); p=s.getsockname()[1]; s.close()
            c=subprocess.Popen(["nghttpd","-a","127.0.0.1","-d",sys.argv[3],str(p),sys.argv[2],
              sys.argv[1]],stdout=subprocess.DEVNULL)
            while c.poll() is None:
                try: socket.create_connection(("127.0.0.1",p)).close(); break
                except OSError: time.sleep(0.05)
            print('{"port":%d}'%p,flush=True); sys.stdin.read(); c.terminate(); c.wait()
            """
        let server = try LocalServer(
            "python3", ["-c", script, certificate.pem, certificate.key, folder.url.path])
        let client = client(server, .pinned(sha256: certificate.sha256))
        let bodies = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await client.send(HTTPSRequest(path: "/ok", timeout: .seconds(20))).body
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(bodies == Array(repeating: Array("fine".utf8), count: 50))
        #expect(client.counters.connections == 1)
        server.endInput()
    }

    @Test func `a proxy is used where it is asked for, and the environment's never`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        // Knows CONNECT, and says whom it was asked for.
        let script = """
            import socket,threading
            l=socket.create_server(("127.0.0.1",0)); print('{"port":%d}'%l.getsockname()[1],flush=True)
            def pump(a,b):
                try:
                    while (d:=a.recv(65536)): b.sendall(d)
                except OSError: pass
                finally: b.close()
            def serve(c):
                h=b""
                while b"\\r\\n\\r\\n" not in h: h+=c.recv(4096)
                where=h.split(b" ")[1].decode(); print('{"asked":"%s"}'%where,flush=True)
                o=socket.create_connection(tuple(where.rsplit(":",1)))
                c.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
                threading.Thread(target=pump,args=(o,c),daemon=True).start(); pump(c,o)
            def accept():
                while True: threading.Thread(target=serve,args=(l.accept()[0],),daemon=True).start()
            threading.Thread(target=accept,daemon=True).start()
            import sys; sys.stdin.read()
            """
        let proxy = try LocalServer("python3", ["-c", script])
        let through = "http://127.0.0.1:\(proxy.port)"
        let trust = HTTPSTrust.pinned(sha256: certificate.sha256)
        let asked = client(server, trust, options: HTTPSOptions(proxy: through))
        #expect(await failure(asked, "/ok") == nil)
        #expect(try await proxy.says { $0.contains("127.0.0.1:\(server.port)") })
        setenv("https_proxy", through, 1)
        defer { unsetenv("https_proxy") }
        let before = proxy.said.count
        #expect(await failure(client(server, trust), "/ok") == nil)
        #expect(proxy.said.count == before)
        proxy.endInput()
    }

    @Test func `headers cannot smuggle lines and paths cannot leave the server`() async throws {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let client = client(server, .pinned(sha256: certificate.sha256))
        await #expect(throws: HTTPSError.self) {
            _ = try await client.send(
                HTTPSRequest(
                    path: "/ok", headers: [.init("X", "a\r\nY: b")], timeout: .seconds(10)))
        }
        for path in ["", "ok", "@example.org/", "/a b", "/a\r\nb"] {
            #expect(await failure(client, path) == .broken)
        }
        #expect(server.said.isEmpty)
    }

    @Test func `the presented certificate can be looked at without sending anything`() async throws
    {
        let certificate = try Certificate()
        let server = try LocalServer.https(certificate)
        let seen = try await HTTPSClient.presentedSHA256(
            of: HTTPSEndpoint(host: "127.0.0.1", port: server.port), timeout: .seconds(10))
        #expect(seen == certificate.sha256)
        #expect(try await server.says { $0.contains("closed") })
        #expect(server.said == ["{\"closed\": 0}"])
    }

    @Test func `an old TLS is refused`() async throws {
        let certificate = try Certificate()
        // Level 0 lets this openssl speak TLS 1.1 at all.
        let script = """
            import socket,subprocess,sys
            s=socket.create_server(("127.0.0.1",0)); p=s.getsockname()[1]; s.close()
            c=subprocess.Popen(["openssl","s_server","-quiet","-accept",f"127.0.0.1:{p}","-cert",
              sys.argv[1],"-key",sys.argv[2],"-tls1_1","-cipher","ALL:@SECLEVEL=0","-www"])
            import time
            while True:
                try: socket.create_connection(("127.0.0.1",p)).close(); break
                except OSError: time.sleep(0.05)
            print('{"port":%d}'%p,flush=True); sys.stdin.read(); c.terminate(); c.wait()
            """
        let server = try LocalServer(
            "python3", ["-c", script, certificate.pem, certificate.key])
        #expect(
            await failure(client(server, .pinned(sha256: certificate.sha256)), "/") == .broken)
        server.endInput()
    }
}
