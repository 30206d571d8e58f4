/// This repository's files.
enum Repository {
    /// The folder with Package.swift, found from this file's own place.
    static let root: String = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        .dropLast(3).joined(separator: "/")

    static func path(_ name: String) -> String { "\(root)/\(name)" }
}
