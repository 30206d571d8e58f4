internal import CLibCurl

/// Requests to one HTTPS server, several at once, none of them blocking a thread of Swift's.
///
/// All transfers run on one thread of the client's own (libcurl's multi interface), so that a long
/// poll does not hold up a request beside it. No more of them are under way at once than the
/// options say; the others wait. Connections are used again; HTTP/2 is spoken where the server
/// offers it. Redirects are not followed, proxies of the environment are not used, TLS is 1.2 or
/// newer.
/// See <https://curl.se/libcurl/c/libcurl-multi.html>.
public final class HTTPSClient: Sendable {
    /// The server.
    public let endpoint: HTTPSEndpoint
    private let engine: HTTPSEngine
    private let addresses: AddressBook?

    /// How long DNS may take to say where a server is that is not where it was.
    private static let lookUpLimit: Duration = .seconds(3)

    /// A client; connects when the first request is sent.
    public init(
        endpoint: HTTPSEndpoint, trust: HTTPSTrust, options: HTTPSOptions = HTTPSOptions()
    ) {
        self.endpoint = endpoint
        addresses = options.addresses
        engine = HTTPSEngine(endpoint: endpoint, trust: trust, options: options)
    }

    deinit { engine.stop() }

    /// Requests and bytes so far.
    public var counters: HTTPSCounters { engine.counters }

    /// Sends a request and gives the whole answer, whatever its status. Where nobody is at the
    /// addresses that are known, DNS is asked for others.
    ///
    /// - Throws: `HTTPSError`, when there is no complete answer. Cancelling the task ends the
    ///   transfer at once and throws `broken`.
    public func send(_ request: HTTPSRequest) async throws(HTTPSError) -> HTTPSResponse {
        do { return try await transfer(request) } catch {
            guard error.reason == .unreachable, let addresses, !addresses[endpoint.host].isEmpty,
                await addresses.renew(endpoint.host, within: Self.lookUpLimit)
            else { throw error }
            return try await transfer(request)
        }
    }

    private func transfer(_ request: HTTPSRequest) async throws(HTTPSError) -> HTTPSResponse {
        let ticket = engine.newTicket()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                engine.submit(request, ticket: ticket) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            engine.cancel(ticket)
        }
        return try result.get()
    }

    /// The SHA-256 of the certificate that a server presents, 64 hexadecimal digits, for a person
    /// to compare and pin. The handshake is given up right there: nothing is sent.
    ///
    /// - Throws: `HTTPSError`, when there is no server or it presents no certificate.
    public static func presentedSHA256(
        of endpoint: HTTPSEndpoint, timeout: Duration
    ) async throws(HTTPSError) -> String {
        let nobody = String(repeating: "0", count: HTTPSPin.digits)
        let client = HTTPSClient(endpoint: endpoint, trust: .pinned(sha256: nobody))
        do {
            _ = try await client.send(HTTPSRequest(path: "/", timeout: timeout))
        } catch {
            guard error.reason == .certificateRefused, let seen = client.engine.presentedSHA256
            else { throw error }
            return seen
        }
        throw HTTPSError(
            endpoint: endpoint.description, reason: .certificateRefused,
            detail: "the certificate's SHA-256 is all zeros")
    }
}

/// Cookies of one session. A new session takes a new jar: nothing of the old one is sent again.
///
/// A jar belongs to one client; its cookies are echoed byte for byte, quotes included.
public final class HTTPSCookieJar: Sendable {
    /// Touched by the client's own thread only, while a transfer holds the jar.
    nonisolated(unsafe) let share: UnsafeMutableRawPointer?

    /// An empty jar.
    public init() {
        HTTPSEngine.initializeLibrary()
        share = curl_share_init()
        if let share { _ = vp_curl_share_cookies(share) }
    }

    deinit {
        if let share { _ = curl_share_cleanup(share) }
    }
}
