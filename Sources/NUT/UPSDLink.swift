import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import PowerModel
import PowerRun

/// Why a connection did not give what was asked of it; the feed puts its name to it.
struct UPSDFault: Error {
    var reason: FeedError.Reason
    var detail: String

    static func badAnswer(_ reply: UPSDReply, to asked: String) -> Self {
        Self(reason: .badAnswer, detail: "upsd answered \(asked) with \(reply.summary)")
    }

    static func refused(_ refusal: UPSDRefusal) -> Self {
        Self(reason: refusal.reason, detail: refusal.description)
    }

    /// A fault for whatever NIO threw.
    init(_ error: any Error, at endpoint: Endpoint) {
        if let fault = error as? UPSDFault {
            self = fault
            return
        }
        let isTimeout = Self.isTimeout(error)
        self.init(
            reason: isTimeout ? .timedOut : .unreachable,
            detail: "no connection to upsd at \(endpoint): "
                + (isTimeout ? "no answer in time" : Self.words(for: error)))
    }

    /// NIO's errors print as Swift values; a person needs the cause alone, in the system's words.
    private static func words(for error: any Error) -> String {
        switch error {
        case let error as IOError: return systemWords(error.errnoCode)
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return words(for: first.error) }
            return "its name cannot be resolved"
        case is ChannelError: return "the connection was closed"
        default: return "\(error)"
        }
    }

    private static func systemWords(_ number: CInt) -> String {
        switch number {
        case ECONNREFUSED: "nothing listens there; is upsd running?"
        case EHOSTUNREACH, ENETUNREACH: "there is no way to that address"
        case ECONNRESET, EPIPE: "upsd closed the connection"
        default: "system error \(number)"
        }
    }

    init(reason: FeedError.Reason, detail: String) {
        self.reason = reason
        self.detail = detail
    }

    private static func isTimeout(_ error: any Error) -> Bool {
        if case .connectTimeout? = error as? ChannelError { return true }
        if let error = error as? NIOConnectionError {
            return !error.connectionErrors.isEmpty
                && error.connectionErrors.allSatisfy { isTimeout($0.error) }
        }
        return false
    }
}

/// One connection to upsd: asks, and gives each answer in its turn.
///
/// The channel is closed when the last reference goes, on every fault, and when an answer is
/// late: a connection whose answers may be out of step is never used again.
final class UPSDLink: Sendable {
    private let channel: any Channel
    private let endpoint: Endpoint

    private init(channel: any Channel, endpoint: Endpoint) {
        self.channel = channel
        self.endpoint = endpoint
    }

    deinit { channel.close(promise: nil) }

    /// Whether neither side has closed it.
    var isOpen: Bool { channel.isActive }

    /// The address it leads to: works on when the name service is down.
    var address: SocketAddress? { channel.remoteAddress }

    /// Closes it without a word.
    func close() { channel.close(promise: nil) }

    /// Asks and waits for the whole answer, at most `limit` and never after `deadline`.
    func ask(
        _ request: UPSDRequest, within limit: Duration, until deadline: NIODeadline
    ) async throws(UPSDFault) -> [UPSDLine] {
        let due = min(deadline, .now() + TimeAmount(limit))
        let channel = self.channel
        let answer = channel.eventLoop.flatSubmit {
            do {
                let handler = try channel.pipeline.syncOperations.handler(
                    type: UPSDReplyHandler.self)
                return handler.ask(request, due: due)
            } catch {
                // The handler leaves with the channel.
                return channel.eventLoop.makeFailedFuture(UPSDReplyHandler.closed)
            }
        }
        do { return try await answer.get() } catch { throw UPSDFault(error, at: endpoint) }
    }

    /// As `ask`, for requests that are answered by one line.
    func reply(
        to request: UPSDRequest, within limit: Duration, until deadline: NIODeadline
    ) async throws(UPSDFault) -> UPSDReply {
        let lines = try await ask(request, within: limit, until: deadline)
        return UPSDReply(lines.first ?? UPSDLine(""))
    }
}

// MARK: - Opening

extension UPSDLink {
    /// Where and how to connect.
    struct Target {
        var endpoint: Endpoint
        /// Where it was reached before: tried first, so that no name has to be resolved.
        var lastAddress: SocketAddress?
        var tls: FeedTLS
        var limits: UPSDLimits
        var traffic: UPSDTrafficCounter
    }

    /// Connects, and does STARTTLS if the feed requires it. Never falls back to clear text.
    static func open(_ target: Target, until deadline: NIODeadline) async throws(UPSDFault)
        -> UPSDLink
    {
        // A bundle that cannot be read is found out before anything is sent.
        let context: NIOSSLContext? =
            switch target.tls {
            case .off: nil
            case .require(let caBundle): try tlsContext(caBundle: caBundle)
            }
        let link = try await connect(target, until: deadline)
        guard let context else { return link }
        do throws(UPSDFault) {
            try await link.startTLS(context, limits: target.limits, until: deadline)
        } catch {
            link.close()
            throw error
        }
        return link
    }

    private static func connect(_ target: Target, until deadline: NIODeadline)
        async throws(UPSDFault) -> UPSDLink
    {
        let endpoint = target.endpoint
        if let address = target.lastAddress, !isAddress(endpoint.host) {
            // Half of the time there is, so that the name can still be asked for.
            let limit = min(TimeAmount(target.limits.connect), deadline - .now())
            let half = TimeAmount.nanoseconds(limit.nanoseconds / 2)
            do {
                let channel = try await bootstrap(target, within: half).connect(to: address).get()
                return UPSDLink(channel: channel, endpoint: endpoint)
            } catch {
                // Not the last word: the server may have moved.
            }
        }
        let limit = min(TimeAmount(target.limits.connect), deadline - .now())
        do {
            let channel = try await bootstrap(target, within: limit)
                .connect(host: endpoint.host, port: endpoint.port).get()
            return UPSDLink(channel: channel, endpoint: endpoint)
        } catch {
            throw UPSDFault(error, at: endpoint)
        }
    }

    private static func bootstrap(_ target: Target, within limit: TimeAmount) -> ClientBootstrap {
        let traffic = target.traffic
        return ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(max(limit, .milliseconds(1)))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(UPSDReplyHandler(traffic))
                }
            }
    }

    private static func tlsContext(caBundle: String) throws(UPSDFault) -> NIOSSLContext {
        do {
            let roots = try NIOSSLCertificate.fromPEMFile(caBundle)
            guard !roots.isEmpty else {
                throw UPSDFault(
                    reason: .tlsRefused, detail: "there is no certificate in \(caBundle)")
            }
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .certificates(roots)
            configuration.certificateVerification = .fullVerification
            configuration.minimumTLSVersion = .tlsv12
            return try NIOSSLContext(configuration: configuration)
        } catch let fault as UPSDFault {
            throw fault
        } catch {
            throw UPSDFault(
                reason: .tlsRefused,
                detail: "the certificates in \(caBundle) cannot be used: \(error)")
        }
    }

    /// STARTTLS, the handshake, and one question inside it that proves both sides are through.
    private func startTLS(
        _ context: NIOSSLContext, limits: UPSDLimits, until deadline: NIODeadline
    ) async throws(UPSDFault) {
        let due = min(deadline, .now() + TimeAmount(limits.handshake))
        switch try await reply(to: .startTLS, within: limits.handshake, until: due) {
        case .ok: break
        case .refusal(let refusal):
            throw UPSDFault(reason: .tlsRefused, detail: "no TLS: \(refusal)")
        case let other:
            throw .badAnswer(other, to: "STARTTLS")
        }
        // An address cannot be sent as a name; NIOSSL then checks the certificate against the
        // address it is connected to.
        let name = Self.isAddress(endpoint.host) ? nil : endpoint.host
        let channel = self.channel
        do {
            try await channel.eventLoop.submit {
                let handler = try channel.pipeline.syncOperations.handler(
                    type: UPSDReplyHandler.self)
                try handler.enterTLS()
                try channel.pipeline.syncOperations.addHandler(
                    NIOSSLClientHandler(context: context, serverHostname: name), position: .first)
            }.get()
        } catch {
            var fault = UPSDFault(error, at: endpoint)
            fault.reason = .tlsRefused
            throw fault
        }
        _ = try await ask(.version, within: limits.handshake, until: due)
        try await endTLSEntry()
    }

    private func endTLSEntry() async throws(UPSDFault) {
        let channel = self.channel
        do {
            try await channel.eventLoop.submit {
                try channel.pipeline.syncOperations.handler(type: UPSDReplyHandler.self)
                    .leaveTLSEntry()
            }.get()
        } catch {
            throw UPSDFault(error, at: endpoint)
        }
    }

    private static func isAddress(_ host: String) -> Bool {
        do {
            _ = try SocketAddress(ipAddress: host, port: 0)
            return true
        } catch {
            return false
        }
    }
}
