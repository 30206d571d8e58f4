import CLibSSH2

/// OpenSSL, which libssh2 and libcurl share.
enum CryptoLibrary {
    /// Set up once for the process, before either of them is, and never taken down: not at exit
    /// either, when threads of sessions may be ending.
    private static let isReady = vp_crypto_init() == 1

    /// Sets it up, if nobody has; whether that came to anything. Where it did not, both libraries
    /// say so themselves.
    @discardableResult static func prepare() -> Bool { isReady }
}
