/// Whom to talk SSH to, as whom, and which host keys are the right ones.
public struct SSHTarget: Sendable {
    /// How to log in.
    public enum Login: Sendable {
        /// With the private key in this file, in PEM or OpenSSH form, and its passphrase if it has
        /// one. ECDSA is what ESXi 8 accepts (facts/esxi.md section 5).
        case key(path: String, passphrase: SSHPassword? = nil)
        /// With a key of the SSH agent at this socket: the one with this fingerprint, or its only
        /// one. No second key is tried.
        case agent(socket: String, fingerprint: String?)
        /// With a password: keyboard-interactive, else the "password" method where it is offered.
        case password(SSHPassword)
    }

    /// A DNS name or an IP address, without brackets.
    public var host: String
    /// The TCP port.
    public var port: Int
    /// The user to log in as.
    public var user: String
    /// How to log in.
    public var login: Login
    /// Accepted host keys, each `SHA256:` and the base64 that `ssh-keygen -l` prints. Empty means
    /// that none is known yet, and so that nothing is ever sent.
    public var hostKeys: [String]
    /// What the host's name is known to resolve to; nil asks DNS each time.
    public var addresses: AddressBook?

    /// A target of these parts.
    public init(
        host: String, port: Int, user: String, login: Login, hostKeys: [String],
        addresses: AddressBook? = nil
    ) {
        self.addresses = addresses
        self.host = host
        self.port = port
        self.user = user
        self.login = login
        self.hostKeys = hostKeys
    }

    /// `host:port`, an IPv6 address in brackets.
    public var peer: String { SSHTarget.peer(host: host, port: port) }

    var knownAddresses: [String] { addresses?[host] ?? [] }

    static func peer(host: String, port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// A password or passphrase on its way into an SSH login. It prints as dots everywhere.
public struct SSHPassword: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    let text: String

    /// Keeps a password.
    public init(_ text: String) { self.text = text }

    /// Dots.
    public var description: String { "•••" }
    /// Dots.
    public var debugDescription: String { "•••" }
    /// Nothing to look into.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A server's host key, as it was shown in the key exchange.
public struct SSHHostKey: Hashable, Sendable {
    /// `SHA256:` and the base64 that `ssh-keygen -l` prints.
    public var fingerprint: String
    /// Its algorithm, e.g. `ecdsa-sha2-nistp256`.
    public var algorithm: String

    /// A host key.
    public init(fingerprint: String, algorithm: String) {
        self.fingerprint = fingerprint
        self.algorithm = algorithm
    }
}

/// What a command left behind.
public struct SSHOutput: Hashable, Sendable {
    /// Its exit status. 0 also when the server reported none, which libssh2 does not tell apart:
    /// who must know that a command came to its end lets it print a last word.
    public var status: Int32
    /// The signal that ended it, without `SIG`, if one did.
    public var signal: String?
    /// All it wrote to standard output.
    public var stdout: [UInt8]
    /// All it wrote to standard error.
    public var stderr: [UInt8]

    /// An output.
    public init(status: Int32, signal: String? = nil, stdout: [UInt8], stderr: [UInt8]) {
        self.status = status
        self.signal = signal
        self.stdout = stdout
        self.stderr = stderr
    }

    /// Standard output as text; bytes that are no UTF-8 become U+FFFD.
    public var text: String { String(decoding: stdout, as: UTF8.self) }
    /// Standard error as text; bytes that are no UTF-8 become U+FFFD.
    public var errorText: String { String(decoding: stderr, as: UTF8.self) }
}

/// What a session has moved so far.
public struct SSHTraffic: Hashable, Sendable {
    /// Commands that were given to the server.
    public var commands = 0
    /// Bytes of commands and of their standard input.
    public var bytesOut = 0
    /// Bytes of standard output and standard error.
    public var bytesIn = 0

    /// Nothing yet.
    public init() {}
}
