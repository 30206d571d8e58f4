import Foundation

/// The files of this repository, read once.
struct Repository: Sendable {
    /// A tool could not be started.
    struct MissingTool: Error, CustomStringConvertible {
        var tool: String
        var description: String { "\(tool) is missing: run `make setup`" }
    }

    /// One file of text.
    struct File: Sendable {
        /// Below the root.
        var path: String
        var text: String

        var name: Substring {
            path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]
        }
        /// The first folder, or nothing.
        var top: Substring { path.contains("/") ? path.prefix { $0 != "/" } : "" }
        /// The target a Swift file belongs to.
        var target: String? {
            if top == "Templates" { return "Templates" }
            let parts = path.split(separator: "/")
            return top == "Sources" && parts.count > 2 ? String(parts[1]) : nil
        }
        var isShell: Bool {
            let first = text.prefix { $0 != "\n" }
            return first.hasPrefix("#!") && first.hasSuffix("sh")
        }
    }

    /// Where it is.
    let root: URL
    /// Paths git keeps; nil when this is not a clone, or git cannot say.
    let tracked: [String]?
    /// All text files that are, or would be, under version control.
    let files: [File]
    /// The Swift files among them.
    let swift: [(file: File, text: SwiftText)]

    /// The one this test was built from.
    static let this = Result { try Repository() }

    private init() throws {
        root = URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        tracked = Self.gitFiles(root, ["--cached"])
        let listed = Self.gitFiles(root, ["--cached", "--others", "--exclude-standard"])
        let paths = try listed ?? Self.walk(root)
        var files: [File] = []
        for path in Set(paths).sorted() {
            // Deleted, but not yet for git; a link; or not text.
            guard let data = FileManager.default.contents(atPath: root.appending(path: path).path),
                !data.contains(0), let text = String(data: data, encoding: .utf8)
            else { continue }
            files.append(File(path: path, text: text))
        }
        self.files = files
        swift = files.filter { $0.path.hasSuffix(".swift") }
            .map { ($0, SwiftText(path: $0.path, text: $0.text)) }
    }

    /// Swift files in these top folders.
    func swift(in folders: Substring...) -> [SwiftText] {
        swift.filter { folders.contains($0.file.top) }.map(\.text)
    }

    private static func gitFiles(_ root: URL, _ options: [String]) -> [String]? {
        guard
            let answer = try? run(  // no git is an answer: the caller walks the folders itself
                "git", ["-C", root.path, "ls-files", "-z"] + options),
            answer.status == 0, !answer.output.isEmpty
        else { return nil }
        return answer.output.split(separator: "\0").map(String.init)
    }

    /// All files, without what is built or fetched.
    private static func walk(_ root: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.path).flatMap { name in
            if name.hasPrefix(".build") || name == ".git" || name == "Package.resolved" {
                return [String]()
            }
            let below = FileManager.default.enumerator(atPath: root.appending(path: name).path)
            return [name]
                + (below.map { $0.compactMap { $0 as? String } } ?? [])
                .map { name + "/" + $0 }
        }
    }

    /// Runs a tool to its end; both of its outputs in one text.
    static func run(
        _ tool: String, _ arguments: [String], input: String? = nil
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [tool] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        let source = Pipe()
        process.standardInput = input == nil ? FileHandle.nullDevice : source
        try process.run()
        if let input {
            // Small enough for a pipe's buffer or read at once by the tool: nothing to wait for.
            try source.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try source.fileHandleForWriting.close()
        }
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        // What env answers for a program that it cannot find.
        if process.terminationStatus == 127 { throw MissingTool(tool: tool) }
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
