/// Where an HTTPS server listens.
public struct HTTPSEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// A DNS name or an IP address, without brackets: also the name its certificate must carry.
    public var host: String
    /// The TCP port, 1 to 65535.
    public var port: Int

    /// An endpoint.
    public init(host: String, port: Int = 443) {
        self.host = host
        self.port = port
    }

    /// `host:port`, an IPv6 address in brackets.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// How a server's certificate is verified. There is no "not at all".
public enum HTTPSTrust: Hashable, Sendable {
    /// By the machine's own certificate authorities, name and dates included.
    case system
    /// By the authorities in this PEM file and no others, name and dates included.
    case bundle(path: String)
    /// By the SHA-256 of the certificate itself (DER), 64 hexadecimal digits in lower case. Its
    /// name and dates are ignored: clocks are wrong after a power cut.
    case pinned(sha256: String)
}

/// Limits and habits of a client.
public struct HTTPSOptions: Hashable, Sendable {
    /// Until TCP and TLS are up. A machine on the same network that lives answers in less.
    public static let connectLimitDefault: Duration = .seconds(10)
    /// Until a transfer that moves no byte in either direction is given up.
    public static let stallLimitDefault: Duration = .seconds(30)
    /// The inventory of 10 000 guests is some 15 MB (facts/vsphere.md, section 5).
    public static let bodyLimitDefaultBytes = 64 * 1024 * 1024

    /// Until TCP and TLS are up; 1 ms or more.
    public var connectLimit: Duration
    /// Until a transfer without any byte is given up; whole seconds, rounded up.
    public var stallLimit: Duration
    /// The largest body that is accepted.
    public var bodyLimitBytes: Int
    /// Addresses to use in place of the resolver's: DNS may be down. Empty asks the resolver.
    public var addresses: [String]
    /// What the client calls itself.
    public var userAgent: String

    /// Options; the defaults suit a vCenter on the same network.
    public init(
        connectLimit: Duration = HTTPSOptions.connectLimitDefault,
        stallLimit: Duration = HTTPSOptions.stallLimitDefault,
        bodyLimitBytes: Int = HTTPSOptions.bodyLimitDefaultBytes, addresses: [String] = [],
        userAgent: String = "vpower"
    ) {
        self.connectLimit = connectLimit
        self.stallLimit = stallLimit
        self.bodyLimitBytes = bodyLimitBytes
        self.addresses = addresses
        self.userAgent = userAgent
    }
}

/// One request.
public struct HTTPSRequest: Sendable {
    /// One header line.
    public struct Header: Hashable, Sendable {
        /// Its name.
        public var name: String
        /// Its value: no line breaks, or the request is refused before it is sent.
        public var value: String

        /// A header line.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// `GET`, `POST`, ...
    public var method: String
    /// The path and query, beginning with `/`; sent as it is.
    public var path: String
    /// Headers beside those that libcurl sends by itself.
    public var headers: [Header]
    /// The body; nil for none.
    public var body: [UInt8]?
    /// Until the whole answer is here, connecting included.
    public var timeout: Duration
    /// Until no byte moved for this long; nil for the client's own limit. A request whose answer
    /// is meant to take its time (a long poll) needs one that is longer than that.
    public var stallLimit: Duration?
    /// Where cookies are kept and taken from; nil keeps none.
    public var cookies: HTTPSCookieJar?

    /// A request.
    public init(
        method: String = "GET", path: String, headers: [Header] = [], body: [UInt8]? = nil,
        timeout: Duration, stallLimit: Duration? = nil, cookies: HTTPSCookieJar? = nil
    ) {
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.stallLimit = stallLimit
        self.cookies = cookies
    }
}

/// A complete answer: status line, headers and the whole body.
public struct HTTPSResponse: Sendable {
    /// The status, e.g. 200.
    public var status: Int
    /// The header lines, in order.
    public var headers: [HTTPSRequest.Header]
    /// The body, complete.
    public var body: [UInt8]

    /// An answer as it came.
    public init(status: Int, headers: [HTTPSRequest.Header], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The value of the first header of this name, in any case.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// Why there is no answer.
public struct HTTPSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// No connection: the name does not resolve, nobody listens, nobody answers.
        case unreachable
        /// The certificate is not the one that is trusted: no byte of the request was sent.
        case certificateRefused
        /// A limit passed after the connection was there.
        case timedOut
        /// The answer is larger than allowed.
        case tooLarge
        /// The connection broke, the answer is not HTTP, or the call was cancelled.
        case broken
    }

    /// The server, `host:port`.
    public var endpoint: String
    /// What kind of failure it is.
    public var reason: Reason
    /// libcurl's words, or ours.
    public var detail: String

    /// An error.
    public init(endpoint: String, reason: Reason, detail: String) {
        self.endpoint = endpoint
        self.reason = reason
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "https://\(endpoint): \(detail)" }
}

/// What a client has moved so far.
public struct HTTPSCounters: Hashable, Sendable {
    /// Requests that were started.
    public var calls = 0
    /// Bytes of request headers and bodies that were sent.
    public var bytesOut = 0
    /// Bytes of answers' headers and bodies that came.
    public var bytesIn = 0

    /// Nothing yet.
    public init() {}
}
