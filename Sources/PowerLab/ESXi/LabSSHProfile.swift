/// What the sshd of a release accepts (facts/esxi.md section 5).
///
/// Only 8.0.2 was recorded whole. 7.0 and 9.0 have the same ciphers by the vendor's guides, and are
/// taken to be like it in the rest; of 6.7 it is known that RSA keys may sign with SHA-1, and of
/// configurations as old that they take the password by the method of that name.
public enum LabSSHProfile: String, CaseIterable, Hashable, Sendable {
    case v67 = "6.7"
    case v70 = "7.0"
    case v802 = "8.0.2"
    case v90 = "9.0"

    /// Directives of sshd_config, in their order.
    var directives: [(key: String, value: String)] {
        let isOld = self == .v67
        let signing = Self.signing + (isOld ? ",ssh-rsa" : "")
        return [
            ("HostKeyAlgorithms", signing), ("PubkeyAcceptedAlgorithms", signing),
            ("PubkeyAuthentication", "yes"),
            ("PasswordAuthentication", isOld ? "yes" : "no"),
            ("KbdInteractiveAuthentication", isOld ? "no" : "yes"),
        ] + Self.common
    }

    private static let signing =
        "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-256,rsa-sha2-512"

    private static let common = [
        (
            "KexAlgorithms",
            "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
                + "diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,"
                + "diffie-hellman-group18-sha512,diffie-hellman-group14-sha256"
        ),
        (
            "Ciphers",
            "aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr"
        ),
        ("MACs", "hmac-sha2-256,hmac-sha2-512"), ("UsePAM", "yes"), ("PermitRootLogin", "yes"),
        ("PermitEmptyPasswords", "no"), ("HostbasedAuthentication", "no"), ("IgnoreRhosts", "yes"),
        ("AllowTcpForwarding", "no"), ("AllowStreamLocalForwarding", "no"),
        ("X11Forwarding", "no"), ("PermitTunnel", "no"), ("GatewayPorts", "no"),
        ("PermitUserEnvironment", "no"), ("Compression", "no"), ("LogLevel", "INFO"),
        ("TCPKeepAlive", "yes"), ("MaxStartups", "10:30:100"), ("ClientAliveInterval", "200"),
        ("ClientAliveCountMax", "3"), ("RekeyLimit", "1G 1H"),
    ]

    /// Recorded directives that the lab's sshd cannot have: files of a host, what VMware added to
    /// OpenSSH, and what asks for an owner that the lab's files do not have.
    static let leftOut: Set<String> = [
        "authorizedkeysfile", "banner", "fipsmode", "hostkey", "printmotd", "strictmodes",
        "subsystem", "syslogfacility",
    ]
}

extension LabRelease {
    /// How the sshd of its hosts is set up.
    public var sshProfile: LabSSHProfile {
        switch self {
        case .v67: .v67
        case .v70u3: .v70
        case .v80u1, .v80u2, .v80u3: .v802
        case .v90: .v90
        }
    }
}

extension LabHostOptions {
    /// A host of this release.
    public init(_ release: LabRelease) {
        self.init(
            failureText: release.hasJSON && release != .v80u1 ? .sameLine : .bare,
            version: release.product.version, build: "Releasebuild-\(release.product.build)",
            sshProfile: release.sshProfile)
        esxcliHasJSON = release != .v67
        hasEncryptionSettings = release != .v67
    }
}
