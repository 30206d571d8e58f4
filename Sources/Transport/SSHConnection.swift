import CLibSSH2
import Glibc

/// One libssh2 session on one socket. Unique ownership is the thread rule: whoever holds it is the
/// only one who can call into it.
struct SSHConnection: ~Copyable {
    /// ECDSA first: it is what ESXi 8 shows (facts/esxi.md section 5). The order decides which key
    /// is compared, so `probe` and a login must use the same one.
    static let hostKeyOrder =
        "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,ssh-ed25519,ssh-rsa"

    /// Freeing what is half sent is tried this often, then the connection is cut.
    static let freeTries = 50

    let session: OpaquePointer
    let socket: Int32
    /// Whether a password has left this machine.
    var passwordWasSent = false

    /// libssh2 wants one initialisation for the process. It is never undone: libcurl links the
    /// same library (STYLE-ANCHORS 2.5.8).
    private static let initialised: Int32 = {
        CryptoLibrary.prepare()
        return libssh2_init(0)
    }()

    /// The library's version, e.g. `1.10.0`.
    static var libraryVersion: String {
        libssh2_version(0).map { String(cString: $0) } ?? "unknown"
    }

    /// libssh2 signs and verifies RSA with SHA-2 from 1.11.0 on.
    static var knowsRSAWithSHA2: Bool { libssh2_version(0x010b00) != nil }

    private init(session: OpaquePointer, socket: Int32) {
        self.session = session
        self.socket = socket
    }

    deinit {
        _ = vp_session_disconnect(session, "done")
        // First no more bytes, then free, then close: the descriptor's number must not be reused
        // while libssh2 could still write to it.
        shutdown(socket, Int32(SHUT_RDWR))
        for _ in 0..<Self.freeTries where libssh2_session_free(session) != LIBSSH2_ERROR_EAGAIN {
            break
        }
        close(socket)
    }

    /// Connects and exchanges keys. The server's identity is known afterwards, ours is not.
    static func open(
        host: String, port: Int, known: [String] = [], until deadline: SSHDeadline
    ) throws(SSHError) -> SSHConnection {
        var deadline = deadline
        deadline.attempting = "connect"
        guard initialised == 0 else { throw deadline.error(.broken, "libssh2 does not initialise") }
        let socket = try SSHDial.connect(host: host, port: port, known: known, until: deadline)
        guard let session = vp_session_init() else {
            close(socket)
            throw deadline.error(.broken, "libssh2 has no memory for a session")
        }
        var connection = SSHConnection(session: session, socket: socket)
        try connection.exchangeKeys(until: deadline)
        return connection
    }

    private mutating func exchangeKeys(until deadline: SSHDeadline) throws(SSHError) {
        libssh2_session_set_blocking(session, 0)
        guard libssh2_session_method_pref(session, LIBSSH2_METHOD_HOSTKEY, Self.hostKeyOrder) == 0
        else { throw deadline.error(.broken, "libssh2 knows none of our host key algorithms") }
        let code = try retry(until: deadline) { libssh2_session_handshake($0, socket) }
        switch code {
        case 0: return
        case LIBSSH2_ERROR_KEX_FAILURE, LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE,
            LIBSSH2_ERROR_METHOD_NONE:
            throw deadline.error(.noCommonAlgorithm, noCommonAlgorithmText)
        default:
            throw deadline.error(.broken, "no SSH handshake: \(lastError)")
        }
    }

    private var noCommonAlgorithmText: String {
        let cause = "client and server have no algorithm in common (\(lastError))"
        if Self.knowsRSAWithSHA2 { return cause }
        return cause + ": libssh2 \(Self.libraryVersion) has no rsa-sha2-256/512, so a server that "
            + "shows only an RSA host key cannot be spoken to. Give the server an ECDSA host key, "
            + "or use libssh2 1.11 or newer"
    }

    /// The key the server has proved to own.
    func hostKey(_ deadline: SSHDeadline) throws(SSHError) -> SSHHostKey {
        guard let hash = libssh2_hostkey_hash(session, LIBSSH2_HOSTKEY_HASH_SHA256) else {
            throw deadline.error(.broken, "the server showed no host key")
        }
        let sum = UnsafeBufferPointer(start: hash, count: 32).map { UInt8(bitPattern: $0) }
        let algorithm = libssh2_session_methods(session, LIBSSH2_METHOD_HOSTKEY)
        return SSHHostKey(
            fingerprint: SSHFingerprint.text(sum),
            algorithm: algorithm.map { String(cString: $0) } ?? "")
    }

    /// Refuses a server that is not one of those trusted. To be called before any login.
    func requireHostKey(in trusted: [String], _ deadline: SSHDeadline) throws(SSHError) {
        let shown = try hostKey(deadline)
        if trusted.contains(shown.fingerprint) { return }
        let key = "the server shows \(shown.algorithm) \(shown.fingerprint)"
        if trusted.isEmpty {
            throw deadline.error(
                .hostKeyUnknown,
                "no host key is trusted yet; \(key). Compare it at the server's "
                    + "console, then pin it (`vpower trust`)")
        }
        throw deadline.error(
            .hostKeyChanged,
            "\(key), trusted is \(trusted.joined(separator: ", ")). Nothing was "
                + "sent. If the server was reinstalled, compare the key at its console and pin it "
                + "(`vpower trust`)")
    }

    /// Whether the peer has hung up while nobody was looking.
    var peerHasClosed: Bool {
        var byte: UInt8 = 0
        let count = recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
    }

    /// libssh2's own words for what just went wrong.
    var lastError: String {
        var text: UnsafeMutablePointer<CChar>?
        let code = libssh2_session_last_error(session, &text, nil, 0)
        return "\(text.map { String(cString: $0) } ?? "no reason given"), libssh2 error \(code)"
    }

    /// Repeats a call that answers EAGAIN, waiting for the socket in between.
    func retry(until deadline: SSHDeadline, _ call: (OpaquePointer) -> Int32)
        throws(SSHError) -> Int32
    {
        while true {
            try deadline.check()
            let code = call(session)
            if code != LIBSSH2_ERROR_EAGAIN { return code }
            try deadline.waitSlice(socket, for: directions)
        }
    }

    /// What libssh2 waits for: reading at least, writing when half a packet is on its way.
    var directions: Int32 {
        let outbound = libssh2_session_block_directions(session) & LIBSSH2_SESSION_BLOCK_OUTBOUND
        return outbound == 0 ? POLLIN : POLLIN | POLLOUT
    }
}
