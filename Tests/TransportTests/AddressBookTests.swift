import Testing
import Transport

/// Names whose resolver is gone, or says something else than before.
@Suite(.serialized) struct AddressBookTests {
    private static let limit = Duration.seconds(15)

    @Test func `a name that does not resolve is reached at the address that is known`()
        async throws
    {
        try await SSHServer.with { server in
            var target = server.target()
            target.host = "esx1.invalid"
            let lost = SSHSession(target)
            await #expect(throws: SSHError.self) {
                _ = try await lost.run("true", limit: Self.limit)
            }
            target.addresses = AddressBook(["esx1.invalid": ["127.0.0.1"]])
            let session = SSHSession(target)
            let output = try await session.run("echo here", limit: Self.limit)
            #expect(output.text == "here\n")
            await session.close()
            #expect(
                await Reachability.answers(
                    host: "esx1.invalid", port: target.port, within: .seconds(3),
                    addresses: target.addresses))
        }
    }

    @Test func `an address where nobody is any more falls back to asking DNS`() async throws {
        try await SSHServer.with { server in
            var target = server.target()
            // Nobody listens at this one; the name is in every /etc/hosts.
            target.host = "localhost"
            target.addresses = AddressBook(["localhost": ["127.0.0.9"]])
            let session = SSHSession(target)
            let output = try await session.run("echo here", limit: Self.limit)
            #expect(output.text == "here\n")
            await session.close()
        }
    }

    @Test func `names are learnt, and what DNS does not say any more stays known`() async {
        let book = AddressBook(["vc.invalid": ["10.0.0.5"]])
        let unresolved = await book.lookUp(
            ["localhost", "vc.invalid", "127.0.0.1", "::1", "none.invalid"], within: Self.limit)
        #expect(unresolved == ["none.invalid", "vc.invalid"])
        #expect(book["localhost"].contains("127.0.0.1"))
        #expect(book["vc.invalid"] == ["10.0.0.5"])
        #expect(book["127.0.0.1"] == [])
        book.recall(["vc.invalid": ["10.0.0.6"], "old.invalid": ["10.0.0.7"]])
        #expect(
            book.known(of: ["vc.invalid", "old.invalid", "none.invalid"])
                == ["vc.invalid": ["10.0.0.5"], "old.invalid": ["10.0.0.7"]])
    }

    @Test func `a thousand names take no longer together than the limit`() async {
        let clock = ContinuousClock()
        let began = clock.now
        let names = (0..<1000).map { "host\($0).invalid" }
        let unresolved = await AddressBook().lookUp(names, within: .seconds(1))
        #expect(unresolved.count == 1000)
        #expect(clock.now - began < .seconds(5))
    }
}
