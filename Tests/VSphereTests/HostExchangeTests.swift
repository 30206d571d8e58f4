import PowerModel
import PowerRun
import Testing

@testable import VSphere

/// What a host's own endpoint may answer that no simulated one does, played from recorded replies.
@Suite(.serialized) struct HostExchangeTests {
    /// A host in front of a server that plays these replies.
    private struct Exchange {
        let played: ExchangeTests.Exchange
        let host: HostOverSOAP

        init(_ replies: [String: String]) throws {
            let own = [
                "RetrieveServiceContent.1": Recorded.content.replacing(
                    "VirtualCenter", with: "HostAgent"),
                "RetrievePropertiesEx.1": Recorded.page([Recorded.host("ha-host", "esx1")]),
                "RetrievePropertiesEx.2": Self.guests, "ShutdownGuest.1": Self.taken,
            ]
            played = try ExchangeTests.Exchange(own.merging(replies) { $1 })
            var limits = HostSOAPLimits()
            limits.call = .seconds(2)
            limits.power = .seconds(4)
            host = HostOverSOAP(
                HostName("esx1"),
                site: HostAPISite(
                    endpoint: Endpoint(host: "127.0.0.1", port: played.server.port), user: "root",
                    password: .file(path: "/secret"),
                    trust: .pinned(sha256: played.certificate.sha256)),
                password: Secret("p"), limits: limits)
        }

        static let guests = Recorded.page([Recorded.vm("7", "web", host: "ha-host")])
        static let taken = Recorded.returning("ShutdownGuest", "")
        static let web = BootGuest(name: "web", vmxPath: "[ds1] 7/7.vmx")
    }

    private func failure(_ body: () async throws(HostError) -> Void) async -> HostError? {
        do throws(HostError) {
            try await body()
            return nil
        } catch { return error }
    }

    @Test(arguments: ["stall", "drip", "flood"], ["RetrievePropertiesEx", "ShutdownGuest"])
    func `a host that never answers, answers by the byte or sends 10 GB costs one bounded wait`(
        how: String, method: String
    ) async throws {
        let exchange = try Exchange(
            method == "ShutdownGuest"
                ? ["ShutdownGuest.1": how, "ShutdownGuest.2": Exchange.taken]
                : ["RetrievePropertiesEx.3": how, "RetrievePropertiesEx.4": Exchange.guests])
        #expect(try await exchange.host.guests().map(\.name) == ["web"])
        let began = ContinuousClock.now
        let problem = await failure { () async throws(HostError) in
            if method == "ShutdownGuest" {
                try await exchange.host.shutDown(Exchange.web)
            } else {
                _ = try await exchange.host.guests()
            }
        }
        #expect(ContinuousClock.now - began < .seconds(4))
        #expect([.timedOut, .badAnswer].contains(problem?.reason), "\(problem?.description ?? "")")
        // And the next call is answered.
        try await exchange.host.shutDown(Exchange.web)
        #expect(try await exchange.host.guests().map(\.name) == ["web"])
    }

    @Test func `trap 4.3: what only vCenter may change on a host is refused with the host's words`()
        async throws
    {
        let type = "HostAccessRestrictedToManagementServer"
        let exchange = try Exchange([
            "ShutdownGuest.1": Recorded.fault(
                type, "<managementServer>10.0.0.1</managementServer>",
                words: "Access to resource settings is restricted to the server 10.0.0.1"),
            "ShutdownGuest.2": Exchange.taken,
        ])
        let problem = await failure { () async throws(HostError) in
            try await exchange.host.shutDown(Exchange.web)
        }
        // Of this one call: it is no refused login, which would end all others.
        #expect(problem?.reason == .refused)
        #expect(problem?.detail.contains(type) == true, "\(String(describing: problem))")
        #expect(problem?.detail.contains("10.0.0.1") == true)
        try await exchange.host.shutDown(Exchange.web)
    }
}
