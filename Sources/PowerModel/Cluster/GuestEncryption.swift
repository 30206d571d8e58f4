/// That a guest is encrypted, and what opens it again after its host has booted: with an external
/// key provider (a KMS) that takes vCenter and the KMS, so neither can be such a guest.
public struct GuestEncryption: Hashable, Codable, Sendable {
    /// What kind of provider has its keys.
    public enum Provider: String, Hashable, Codable, Sendable {
        /// vCenter's Native Key Provider: hosts have what they need.
        case native
        /// A KMS, or a trust authority.
        case external
        /// vCenter does not say.
        case unknown
    }

    /// The key provider's name; nil where vCenter does not say.
    public var keyProvider: String?
    /// What kind of provider that is.
    public var provider: Provider
    /// Whether it has a virtual TPM.
    public var hasTPM: Bool
    /// Whether its host lacks its key now.
    public var isLocked: Bool

    /// An encryption.
    public init(
        keyProvider: String?, provider: Provider = .unknown, hasTPM: Bool = false,
        isLocked: Bool = false
    ) {
        self.keyProvider = keyProvider
        self.provider = provider
        self.hasTPM = hasTPM
        self.isLocked = isLocked
    }

    /// What it is, in an operator's words: `has a virtual TPM, with keys of the provider kms1`.
    public var summary: String {
        let what = hasTPM ? "has a virtual TPM" : "is encrypted"
        let provider = keyProvider.map { "the key provider \($0.onOneLine)" } ?? "a key provider"
        return "\(what), with a key of \(provider)\(isLocked ? " that its host lacks now" : "")"
    }
}
