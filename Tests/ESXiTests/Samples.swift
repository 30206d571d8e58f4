import Foundation
import Testing

/// Recorded outputs of real hosts. The first line of each file names its source.
enum Sample {
    /// The names of all that are here, in order.
    static var names: [String] {
        get throws {
            let folder = try #require(
                Bundle.module.url(forResource: "Fixtures", withExtension: nil))
            return try FileManager.default.contentsOfDirectory(atPath: folder.path)
                .filter { $0.hasSuffix(".txt") }.map { String($0.dropLast(".txt".count)) }.sorted()
        }
    }

    static func text(_ name: String) throws -> String {
        let url = try #require(
            Bundle.module.url(forResource: name, withExtension: "txt", subdirectory: "Fixtures"))
        let text = try String(contentsOf: url, encoding: .utf8)
        let end = try #require(text.firstIndex(of: "\n"))
        try #require(text.hasPrefix("# source: "))
        return String(text[text.index(after: end)...])
    }
}

/// A small generator with a seed, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
