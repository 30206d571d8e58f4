import PowerLab
import PowerModel
import PowerRun
import Synchronization
import Testing

/// One host over two ways of which either may fail.
struct HostByTwoWaysTests {
    /// How a way fails now, and what it was asked.
    private final class Way: Sendable {
        private let state = Mutex<(fails: HostError.Reason?, calls: [BentHost.Call])>((nil, []))

        func fail(_ reason: HostError.Reason?) { state.withLock { $0.fails = reason } }
        var calls: [BentHost.Call] { state.withLock { $0.calls } }

        func host(_ inner: MemoryHost) -> BentHost {
            BentHost(inner: inner) { call in
                self.state.withLock { state in
                    state.calls.append(call)
                    return state.fails
                }
            }
        }
    }

    private struct Pair {
        let host: HostByTwoWays
        let ssh = Way()
        let soap = Way()
        let world = LabWorld(.standard(), time: VirtualTime())

        init(preferred: HostRoute = .soap) {
            let inner = MemoryHost(HostName("esx1.lab"), in: world)
            host = HostByTwoWays(
                preferred: preferred, ssh: ssh.host(inner), soap: soap.host(inner))
        }
    }

    private func reason(
        _ body: () async throws(HostError) -> Void
    ) async -> HostError.Reason? {
        do throws(HostError) {
            try await body()
            return nil
        } catch { return error.reason }
    }

    @Test(arguments: HostRoute.allCases)
    func `the way that the site file prefers is asked, and the other is left alone`(
        preferred: HostRoute
    ) async throws {
        let pair = Pair(preferred: preferred)
        #expect(pair.host.host == HostName("esx1.lab"))
        #expect(try await pair.host.guests().count == 5)
        #expect(pair.soap.calls == (preferred == .soap ? [.guests] : []))
        #expect(pair.ssh.calls == (preferred == .ssh ? [.guests] : []))
    }

    @Test(
        arguments: [
            .unreachable, .timedOut, .notReady, .badAnswer, .hostKeyRefused, .wayUnusable,
        ] as [HostError.Reason], HostRoute.allCases)
    func `what one way cannot do the other does, and is asked first from then on`(
        why: HostError.Reason, preferred: HostRoute
    ) async throws {
        let pair = Pair(preferred: preferred)
        let (first, second) =
            preferred == .soap ? (pair.soap, pair.ssh) : (pair.ssh, pair.soap)
        first.fail(why)
        #expect(try await pair.host.guests().count == 5)
        #expect(try await !pair.host.inMaintenance())
        #expect(first.calls == [.guests])
        #expect(second.calls == [.guests, .lookAtMaintenance])
        // And back, when that one fails and the first has recovered.
        first.fail(nil)
        second.fail(.unreachable)
        #expect(try await pair.host.guests().count == 5)
        second.fail(nil)
        #expect(try await pair.host.guests().count == 5)
        #expect(first.calls == [.guests, .guests, .guests])
    }

    @Test func `after a session has ended the preferred way is asked first again`() async throws {
        let pair = Pair()
        pair.soap.fail(.unreachable)
        _ = try await pair.host.guests()
        pair.soap.fail(nil)
        await pair.host.close()
        _ = try await pair.host.guests()
        #expect(pair.soap.calls.count == 2)
        #expect(pair.ssh.calls.count == 1)
    }

    @Test(arguments: [.refused, .notFound, .toolsUnavailable] as [HostError.Reason])
    func `what a host says of itself or a guest is not asked the other way`(
        why: HostError.Reason
    ) async {
        let pair = Pair()
        pair.soap.fail(why)
        let guest = BootGuest(name: "app-web01", vmxPath: "[datastore 1] x/x.vmx")
        #expect(
            await reason { () async throws(HostError) in try await pair.host.powerOn(guest) }
                == why)
        #expect(
            await reason { () async throws(HostError) in try await pair.host.register(guest) }
                == why)
        #expect(
            await reason { () async throws(HostError) in
                try await pair.host.setMaintenance(true, within: .seconds(1))
            } == why)
        #expect(pair.ssh.calls == [])
    }

    @Test(arguments: HostRoute.allCases)
    func `a refused login ends every attempt over both ways`(refusing: HostRoute) async {
        let pair = Pair(preferred: refusing)
        let (way, other) =
            refusing == .soap ? (pair.soap, pair.ssh) : (pair.ssh, pair.soap)
        way.fail(.loginRefused)
        for _ in 1...3 {
            #expect(
                await reason { () async throws(HostError) in _ = try await pair.host.guests() }
                    == .loginRefused)
            #expect(
                await reason { () async throws(HostError) in
                    try await pair.host.shutDownHost(reason: "t")
                } == .loginRefused)
            #expect(
                await reason { () async throws(HostError) in try await pair.host.disarm() }
                    == .loginRefused)
        }
        #expect(way.calls == [.guests])
        #expect(other.calls == [])
        // Looking needs no login.
        #expect(await !pair.host.isSilent())
        await pair.host.close()
        #expect(
            await reason { () async throws(HostError) in _ = try await pair.host.inMaintenance() }
                == .loginRefused)
        #expect(way.calls == [.guests, .silence])
    }

    @Test func `a login that is refused where the first way had failed is final as well`() async {
        let pair = Pair()
        pair.soap.fail(.unreachable)
        pair.ssh.fail(.loginRefused)
        for _ in 1...2 {
            #expect(
                await reason { () async throws(HostError) in _ = try await pair.host.guests() }
                    == .loginRefused)
        }
        #expect(pair.soap.calls == [.guests])
        #expect(pair.ssh.calls == [.guests])
    }

    @Test func `the boot script has SSH only`() async throws {
        let pair = Pair()
        pair.soap.fail(.unreachable)
        #expect(try await pair.host.bootReport(of: RunID("r")) == .none)
        try await pair.host.disarm()
        pair.soap.fail(nil)
        pair.ssh.fail(.unreachable)
        #expect(
            await reason { () async throws(HostError) in try await pair.host.disarm() }
                == .unreachable)
        #expect(pair.soap.calls == [])
    }

    /// first way, second way, what is told
    private static let pairs: [(HostError.Reason, HostError.Reason, HostError.Reason)] = [
        (.unreachable, .unreachable, .unreachable),
        (.notReady, .unreachable, .notReady),
        (.unreachable, .notReady, .unreachable),
        (.unreachable, .refused, .refused),
        (.timedOut, .notFound, .notFound),
        // Final only where both are: a certificate can be pinned anew, the other way may come back.
        (.hostKeyRefused, .unreachable, .unreachable),
        (.unreachable, .hostKeyRefused, .unreachable),
        (.hostKeyRefused, .wayUnusable, .wayUnusable),
    ]

    @Test(arguments: pairs)
    func `where both ways fail the error names both`(
        first: HostError.Reason, second: HostError.Reason, told: HostError.Reason
    ) async {
        let pair = Pair()
        pair.soap.fail(first)
        pair.ssh.fail(second)
        do throws(HostError) {
            _ = try await pair.host.guests()
            Issue.record("it succeeded")
        } catch {
            #expect(error.reason == told)
            #expect(error.detail == "over SOAP: bent: \(first); over SSH: bent: \(second)")
        }
    }

    @Test func `a host is silent when it is silent both ways`() async {
        let pair = Pair()
        pair.soap.fail(.unreachable)
        #expect(await !pair.host.isSilent())
        pair.ssh.fail(.unreachable)
        #expect(await pair.host.isSilent())
    }

    @Test func `hostd that is not there keeps no host from being shut down`() async throws {
        let pair = Pair()
        pair.soap.fail(.notReady)
        try await pair.host.shutDownHost(reason: "t")
        #expect(pair.ssh.calls == [.shutDownHost])
    }
}
