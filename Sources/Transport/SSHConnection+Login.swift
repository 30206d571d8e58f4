import CLibSSH2
import Glibc

extension SSHConnection {
    /// Logs in once. `loginRefused` means that the server has said no to what was offered.
    mutating func logIn(_ target: SSHTarget, until deadline: SSHDeadline) throws(SSHError) {
        var deadline = deadline
        deadline.attempting = "log in as \(target.user)"
        guard !target.user.isEmpty, !target.user.utf8.contains(0) else {
            throw deadline.error(.keyUnusable, "the user's name is empty or holds a NUL")
        }
        switch target.login {
        case .key(let path, let passphrase):
            try logIn(target.user, keyFile: path, passphrase?.text, until: deadline)
        case .agent(let socket, let fingerprint):
            try logIn(target.user, agent: socket, fingerprint, until: deadline)
        case .password(let password):
            try logIn(target.user, password: password.text, until: deadline)
        }
    }

    private func logIn(
        _ user: String, keyFile path: String, _ passphrase: String?, until deadline: SSHDeadline
    ) throws(SSHError) {
        guard !path.isEmpty, access(path, R_OK) == 0 else {
            let why = String(cString: strerror(errno))
            throw deadline.error(.keyUnusable, "the private key \(path) cannot be read: \(why)")
        }
        let code = try retry(until: deadline) {
            vp_userauth_key_file($0, user, path, passphrase ?? "")
        }
        switch code {
        case 0: return
        case LIBSSH2_ERROR_AUTHENTICATION_FAILED, LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
            throw deadline.error(.loginRefused, "the server refused the key \(path)\(rsaHint)")
        case LIBSSH2_ERROR_FILE, LIBSSH2_ERROR_KEYFILE_AUTH_FAILED, LIBSSH2_ERROR_METHOD_NONE,
            LIBSSH2_ERROR_METHOD_NOT_SUPPORTED:
            throw deadline.error(
                .keyUnusable,
                "the private key \(path) cannot be used (\(lastError)): it must be an ECDSA key, "
                    + "as `vpower keys generate` makes it, and its passphrase, if it has one, the "
                    + "one that the site file names")
        default: throw deadline.error(.broken, "the login broke off: \(lastError)")
        }
    }

    private var rsaHint: String {
        Self.knowsRSAWithSHA2
            ? ""
            : ". If it is an RSA key: libssh2 \(Self.libraryVersion) cannot sign with rsa-sha2, "
                + "which ESXi 7 and newer want; use an ECDSA key (`vpower keys generate`)"
    }

    /// One key, once.
    private func logIn(
        _ user: String, agent path: String, _ fingerprint: String?, until deadline: SSHDeadline
    ) throws(SSHError) {
        let agent = try SSHAgent(path: path, until: deadline)
        let identity = try agent.identity(fingerprint)
        let signing = SSHSigning(agent, identity.blob)
        var box: UnsafeMutableRawPointer? = Unmanaged.passUnretained(signing).toOpaque()
        defer { withExtendedLifetime(signing) {} }
        let code = try retry(until: deadline) {
            libssh2_userauth_publickey(
                $0, user, identity.blob, identity.blob.count,
                { _, signature, count, data, length, box in
                    guard let box = box?.pointee, let data else { return -1 }
                    return Unmanaged<SSHSigning>.fromOpaque(box).takeUnretainedValue()
                        .sign(UnsafeBufferPointer(start: data, count: length), signature, count)
                }, &box)
        }
        if code == 0 { return }
        if let problem = agent.problem { throw problem }
        switch code {
        case LIBSSH2_ERROR_AUTHENTICATION_FAILED, LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
            throw deadline.error(
                .loginRefused,
                "the server refused the agent's key \(identity.algorithm) \(identity.fingerprint)"
                    + (identity.algorithm == "ssh-rsa" ? rsaHint : ""))
        default: throw deadline.error(.broken, "the login broke off: \(lastError)")
        }
    }

    /// keyboard-interactive first, since it is all that ESXi 8 offers; the "password" method only
    /// where that did not ask for the password, so that it is sent once at most.
    private mutating func logIn(_ user: String, password: String, until deadline: SSHDeadline)
        throws(SSHError)
    {
        guard !password.utf8.contains(0) else {
            throw deadline.error(.keyUnusable, "the password holds a NUL")
        }
        let offered = try offeredMethods(user, until: deadline)
        if libssh2_userauth_authenticated(session) != 0 { return }
        var code = LIBSSH2_ERROR_METHOD_NOT_SUPPORTED
        let answer = SSHKeyboardAnswer(password: password, socket: socket)
        if offered.contains("keyboard-interactive") {
            defer { passwordWasSent = answer.asked > 0 && !answer.oddQuestion }
            code = try keyboardInteractive(user, answer, until: deadline)
        }
        if code != 0, offered.contains("password"), answer.asked == 0 {
            passwordWasSent = true
            code = try retry(until: deadline) { vp_userauth_password($0, user, password) }
        }
        switch code {
        case 0: return
        case _ where answer.oddQuestion:
            throw deadline.error(
                .loginRefused,
                "the server asks for more than one password; vpower answers one "
                    + "hidden prompt only. Use a key, or a user without a second factor")
        case LIBSSH2_ERROR_METHOD_NOT_SUPPORTED:
            let methods = offered.joined(separator: ", ")
            throw deadline.error(.loginRefused, "the server takes no password, but \(methods)")
        case LIBSSH2_ERROR_PASSWORD_EXPIRED:
            throw deadline.error(.loginRefused, "the password has expired")
        case LIBSSH2_ERROR_AUTHENTICATION_FAILED, LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
            throw deadline.error(.loginRefused, "the server refused the password")
        default: throw deadline.error(.broken, "the login broke off: \(lastError)")
        }
    }

    /// What the server offers this user ("none" is asked for, which no server counts as a try).
    private func offeredMethods(_ user: String, until deadline: SSHDeadline)
        throws(SSHError) -> [String]
    {
        while true {
            try deadline.check()
            if let list = vp_userauth_list(session, user) {
                return String(cString: list).split(separator: ",").map(String.init)
            }
            if libssh2_userauth_authenticated(session) != 0 { return [] }
            guard libssh2_session_last_errno(session) == LIBSSH2_ERROR_EAGAIN else {
                throw deadline.error(.broken, "the login broke off: \(lastError)")
            }
            try deadline.waitSlice(socket, for: directions)
        }
    }

    private func keyboardInteractive(
        _ user: String, _ answer: SSHKeyboardAnswer, until deadline: SSHDeadline
    ) throws(SSHError) -> Int32 {
        guard let abstract = libssh2_session_abstract(session) else {
            throw deadline.error(.broken, "libssh2 lost its session")
        }
        abstract.pointee = Unmanaged.passUnretained(answer).toOpaque()
        defer {
            abstract.pointee = nil
            withExtendedLifetime(answer) {}
        }
        return try retry(until: deadline) {
            vp_userauth_keyboard_interactive($0, user) {
                _, _, _, _, count, prompts, responses, box in
                guard let box = box?.pointee else { return }
                Unmanaged<SSHKeyboardAnswer>.fromOpaque(box).takeUnretainedValue()
                    .reply(to: UnsafeBufferPointer(start: prompts, count: Int(count)), responses)
            }
        }
    }
}

/// Lets an agent sign what libssh2 wants to be signed.
private final class SSHSigning {
    private let agent: SSHAgent
    private let blob: [UInt8]

    init(_ agent: SSHAgent, _ blob: [UInt8]) {
        self.agent = agent
        self.blob = blob
    }

    /// 0 with a signature, which libssh2 frees; else -1.
    func sign(
        _ data: UnsafeBufferPointer<UInt8>,
        _ signature: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?,
        _ count: UnsafeMutablePointer<Int>?
    ) -> Int32 {
        guard let bytes = agent.sign(Array(data), with: blob), let signature, let count,
            let copy = malloc(bytes.count)
        else { return -1 }
        memcpy(copy, bytes, bytes.count)
        signature.pointee = copy.assumingMemoryBound(to: UInt8.self)
        count.pointee = bytes.count
        return 0
    }
}

/// Answers one hidden prompt with the password, once.
final class SSHKeyboardAnswer {
    private let password: String
    private let socket: Int32
    /// How many prompts the server has shown.
    private(set) var asked = 0
    /// Whether it asked for something else than one password.
    private(set) var oddQuestion = false

    init(password: String, socket: Int32) {
        self.password = password
        self.socket = socket
    }

    /// Fills the responses; libssh2 frees them. Anything but the one hidden prompt ends the
    /// connection before libssh2 can send an answer: a second try could lock the account.
    func reply(
        to prompts: UnsafeBufferPointer<LIBSSH2_USERAUTH_KBDINT_PROMPT>,
        _ responses: UnsafeMutablePointer<LIBSSH2_USERAUTH_KBDINT_RESPONSE>?
    ) {
        if prompts.isEmpty { return }
        asked += prompts.count
        guard asked == 1, prompts[0].echo == 0, let responses,
            let copy = password.withCString({ strdup($0) })
        else {
            oddQuestion = true
            shutdown(socket, Int32(SHUT_RDWR))
            return
        }
        responses[0].text = copy
        responses[0].length = UInt32(password.utf8.count)
    }
}
