/// Where a secret is kept. The site file holds references only, never values.
public enum SecretReference: Hashable, Sendable, CustomStringConvertible {
    /// The first line of a file that only its owner (and group) may read.
    case file(path: String)
    /// A variable of the environment.
    case environment(name: String)
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY`.
    case credential(name: String)

    /// The reference as the site file spells it; never the secret.
    public var description: String {
        switch self {
        case .file(let path): "file:\(path)"
        case .environment(let name): "env:\(name)"
        case .credential(let name): "credential:\(name)"
        }
    }
}

/// A secret in memory. It prints as dots everywhere, and cannot be encoded.
public struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The secret itself: only for the call that hands it to the far side.
    public let value: String

    /// Keeps a secret.
    public init(_ value: String) { self.value = value }

    /// Dots.
    public var description: String { "•••" }
    /// Dots.
    public var debugDescription: String { "•••" }
    /// Nothing to look into.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
