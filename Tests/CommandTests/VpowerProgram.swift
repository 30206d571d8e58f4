import FoundationEssentials
import Glibc
import Testing

/// The built `vpower`, run as a person runs it.
enum VpowerProgram {
    /// The build directory, where the test bundle and the programs are.
    static let folder: String = {
        let bundle = CommandLine.arguments[0]
        return bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
    }()
    static let path = folder + "/vpower"
    /// The longest one command may take here.
    static let limit: Duration = .seconds(120)

    /// How one run ended.
    struct Outcome {
        var command: String
        var code: Int32
        var out: String
        var errors: String
        var took: Duration

        var lines: [String] { out.asLines }

        /// Everything it printed, for messages of tests.
        var all: String { "\(command): exit \(code)\n\(out)\(errors)" }
    }

    /// Runs `vpower` with these arguments to its end. Nothing to read, no terminal.
    static func run(
        _ arguments: [String], _ environment: [String: String] = [:],
        within limit: Duration = limit
    ) async throws -> Outcome {
        try await run(path, arguments, environment, within: limit)
    }

    /// Runs any program to its end.
    static func run(
        _ program: String, _ arguments: [String], _ environment: [String: String] = [:],
        input: String? = nil, within limit: Duration = limit
    ) async throws -> Outcome {
        try await ShortDirectory.with { directory in
            var descriptor: Int32?
            if let input {
                try input.write(to: "\(directory)/in")
                descriptor = open("\(directory)/in", O_RDONLY | O_CLOEXEC)
            }
            defer { if let descriptor { close(descriptor) } }
            let clock = ContinuousClock()
            let began = clock.now
            let child = try Child(
                program, arguments, environment: surroundings(environment),
                output: "\(directory)/out", errors: "\(directory)/err", input: descriptor)
            let status = try await child.status(within: limit)
            let took = clock.now - began
            try await child.stop()
            let outcome = Outcome(
                command: ([program.lastPart] + arguments).joined(separator: " "),
                code: status.map(exitCode) ?? -1, out: try contents(of: "\(directory)/out"),
                errors: try contents(of: "\(directory)/err"), took: took)
            try #require(status != nil, "no end within \(limit): \(outcome.all)")
            return outcome
        }
    }

    /// Exactly what a command gets: nothing of the machine's own VPOWER_ variables.
    static func surroundings(_ more: [String: String]) -> [String: String] {
        [
            "PATH": "\(folder):/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent",
            "LANG": "C.UTF-8",
        ]
        .merging(more) { _, new in new }
    }

    /// The exit code in a wait status; 128 and more for a signal, as shells say it.
    static func exitCode(_ status: Int32) -> Int32 {
        status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }
}

/// A directory under /tmp with a short name (Unix sockets have short paths), removed at the end.
enum ShortDirectory {
    static func make() throws -> String {
        var template = Array("/tmp/vpcXXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw SetupError(description: "cannot make a directory under /tmp")
        }
        return String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
    }

    static func with<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let directory = try make()
        defer { remove(directory) }
        return try await body(directory)
    }

    static func remove(_ directory: String) {
        do { try FileManager.default.removeItem(atPath: directory) } catch {
            Issue.record("\(directory) cannot be removed: \(error)")
        }
    }
}

/// The text of a file.
func contents(of path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
}

extension String {
    /// Writes this text to a file that only its owner may read, unless other rights are given.
    func write(to path: String, rights: Int = 0o600) throws {
        try Data(utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: rights], ofItemAtPath: path)
    }

    /// What is behind the last slash.
    var lastPart: String { split(separator: "/").last.map(String.init) ?? self }

    /// Its lines, without the empty one that the last line's end would make.
    var asLines: [String] {
        var lines = split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    /// Its lines that a terminal of 80 columns would break.
    var tooWide: [String] { asLines.filter { $0.count > 80 } }
}

/// Decodes text that is exactly one JSON value of this type.
func decoded<Value: Decodable>(_ text: String, as type: Value.Type = Value.self) throws -> Value {
    try JSONDecoder().decode(type, from: Data(text.utf8))
}
