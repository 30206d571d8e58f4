import Glibc
public import PowerModel

/// Fetches secrets from where the site file says they are kept.
public struct SecretStore: Sendable {
    /// No secret is longer: a longer file is the wrong file.
    public static let limitBytes = 64 * 1024

    private let environment: [String: String]
    private let user: UInt32

    /// Looks variables up in `environment`; files must belong to root or to `user`, the numeric
    /// identity that vpower runs as.
    public init(environment: [String: String], user: UInt32) {
        self.environment = environment
        self.user = user
    }

    /// The same for the user this process runs as.
    public init(environment: [String: String]) {
        self.init(environment: environment, user: geteuid())
    }

    /// The secret that a reference stands for. Errors never contain it.
    public func secret(_ reference: SecretReference) throws(SecretError) -> Secret {
        switch reference {
        case .file(let path):
            return try secret(inFile: path, for: reference)
        case .environment(let name):
            guard let value = environment[name] else {
                throw SecretError(
                    reference: reference, reason: .missing,
                    detail: "the variable is not set for this process")
            }
            return try checked(value, for: reference)
        case .credential(let name):
            return try secret(inCredential: name, for: reference)
        }
    }

    private func secret(
        inCredential name: String, for reference: SecretReference
    ) throws(SecretError) -> Secret {
        guard isCredential(name) else {
            throw SecretError(
                reference: reference, reason: .refused,
                detail: "a credential's name has only letters, digits, `.`, `_` and `-`")
        }
        guard let directory = environment["CREDENTIALS_DIRECTORY"], directory.hasPrefix("/") else {
            throw SecretError(
                reference: reference, reason: .missing,
                detail: "systemd gave this process no credentials; add"
                    + " `LoadCredential=\(name):/path` to the unit")
        }
        return try secret(inFile: "\(directory)/\(name)", for: reference)
    }

    private func secret(
        inFile path: String, for reference: SecretReference
    ) throws(SecretError) -> Secret {
        try checkParent(of: path, for: reference)
        let contents: FileContents
        do {
            contents = try BoundedFile.read(path, limit: Self.limitBytes)
        } catch {
            throw SecretError(reference: reference, fault: error)
        }
        guard contents.owner == 0 || contents.owner == user else {
            throw SecretError(
                reference: reference, reason: .refused,
                detail: "it belongs to user \(contents.owner), not to root or to vpower's own"
                    + " (\(user)); run `chown root \(path)`")
        }
        // A group may read it, so that a daemon without root's rights can; nobody else anything.
        guard contents.mode & 0o027 == 0 else {
            throw SecretError(
                reference: reference, reason: .refused,
                detail: "others may read or write it (mode \(String(contents.mode, radix: 8)));"
                    + " run `chmod 600 \(path)`")
        }
        let line = contents.bytes.prefix { $0 != UInt8(ascii: "\n") }
        let bytes = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SecretError(
                reference: reference, reason: .refused, detail: "its first line is not UTF-8")
        }
        return try checked(text, for: reference)
    }

    /// Whoever may write to the directory may put another file there.
    private func checkParent(
        of path: String, for reference: SecretReference
    ) throws(SecretError) {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let parent = path[..<slash].isEmpty ? "/" : String(path[..<slash])
        var status = stat()
        guard stat(parent, &status) == 0 else {
            throw SecretError(
                reference: reference, reason: errno == ENOENT ? .missing : .unreadable,
                detail: "\(parent): \(systemMessage(errno))")
        }
        guard status.st_mode & 0o002 == 0 || status.st_mode & S_ISVTX != 0 else {
            throw SecretError(
                reference: reference, reason: .refused,
                detail: "everybody may write to \(parent); run `chmod o-w \(parent)`")
        }
    }

    private func checked(
        _ value: String, for reference: SecretReference
    ) throws(SecretError) -> Secret {
        guard !value.isEmpty else {
            throw SecretError(reference: reference, reason: .empty, detail: "it is empty")
        }
        // C takes a NUL for the end, so that half a password would be sent.
        guard !value.utf8.contains(0) else {
            throw SecretError(reference: reference, reason: .refused, detail: "it holds a NUL")
        }
        return Secret(value)
    }
}

/// Why a secret could not be fetched. Never contains the secret.
public struct SecretError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// There is no such file, variable or credential.
        case missing
        /// It is there and has nothing in it.
        case empty
        /// It is kept so that others can read or change it, or it is no secret at all.
        case refused
        /// The system does not let vpower read it.
        case unreadable
    }

    /// What was asked for.
    public var reference: SecretReference
    /// What kind of failure it is.
    public var reason: Reason
    /// What is wrong and what to do.
    public var detail: String

    /// An error.
    public init(reference: SecretReference, reason: Reason, detail: String) {
        self.reference = reference
        self.reason = reason
        self.detail = detail
    }

    /// One line for people.
    public var description: String { "secret \(reference): \(detail)" }

    init(reference: SecretReference, fault: FileFault) {
        self.reference = reference
        switch fault {
        case .missing: (reason, detail) = (.missing, "no such file")
        case .notAFile: (reason, detail) = (.refused, "it is not a regular file")
        case .tooLong(let limit): (reason, detail) = (.refused, "longer than \(limit) bytes")
        case .system(let words): (reason, detail) = (.unreadable, words)
        }
    }
}
