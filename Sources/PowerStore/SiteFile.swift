public import PowerModel

/// Reads the site file (`/etc/vpower/site.yaml`).
///
/// Strict: an unknown key, a wrong type, a missing or doubled key, a name that nothing has are
/// errors, and all of them are reported at once. Values are read from their text by the type that
/// is expected, never by YAML's own guess: `on`, `012` and `1:30` are what was typed.
public struct SiteFile {
    /// Longer files are refused: a site of thousands of hosts stays far below it.
    public static let limitBytes = 1 << 20

    /// Reads the site from the file at this path. The file must be regular, at most
    /// ``limitBytes`` long and not writable for everybody.
    public static func load(path: String) throws(SiteFileError) -> Site {
        let contents: FileContents
        do {
            contents = try BoundedFile.read(path, limit: limitBytes)
        } catch {
            throw SiteFileError(path: path, problems: [SiteProblem(message: words(for: error))])
        }
        guard contents.mode & 0o002 == 0 else {
            let message = "everybody may write to it; run `chmod o-w` on it and look it through"
            throw SiteFileError(path: path, problems: [SiteProblem(message: message)])
        }
        return try parse(bytes: contents.bytes, path: path)
    }

    /// Reads the site from a text; `path` is for messages only.
    public static func parse(_ text: String, path: String) throws(SiteFileError) -> Site {
        try parse(bytes: Array(text.utf8), path: path)
    }

    /// Reads the site from bytes; `path` is for messages only. Any bytes give a site or an error.
    public static func parse(bytes: [UInt8], path: String) throws(SiteFileError) -> Site {
        let tree: YAMLTree
        do {
            tree = try YAMLText.read(bytes)
        } catch {
            throw SiteFileError(path: path, problems: error.problems)
        }
        let reader = SiteReader()
        reader.report(tree.problems)
        let site = reader.site(tree.root)
        guard let site, reader.problems.isEmpty else {
            throw SiteFileError(path: path, problems: reader.sortedProblems)
        }
        return site
    }

    private static func words(for fault: FileFault) -> String {
        switch fault {
        case .missing:
            "no such file; `vpower init --example` prints one to start from"
        case .notAFile: "not a regular file"
        case .tooLong(let limit): "longer than \(limit) bytes; a site file is not"
        case .system(let words): "cannot be read: \(words)"
        }
    }
}

/// One mistake in a site file.
public struct SiteProblem: Hashable, Sendable, Comparable {
    /// The line, from 1; 0 when the file as a whole is meant.
    public var line: Int
    /// The column in Unicode scalars, from 1; 0 when the file as a whole is meant.
    public var column: Int
    /// What is wrong and what would be right. Never contains a secret.
    public var message: String

    /// A problem at a place; without one, of the whole file.
    public init(line: Int = 0, column: Int = 0, message: String) {
        self.line = line
        self.column = column
        self.message = message
    }

    /// Whether one problem comes before the other in the file.
    public static func < (left: SiteProblem, right: SiteProblem) -> Bool {
        (left.line, left.column, left.message) < (right.line, right.column, right.message)
    }
}

/// Everything that is wrong with a site file, in the order of the file.
public struct SiteFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file.
    public var path: String
    /// What is wrong; never empty.
    public var problems: [SiteProblem]

    /// An error of these problems.
    public init(path: String, problems: [SiteProblem]) {
        self.path = path
        self.problems = problems
    }

    /// One line for each problem: `file:line:column: message`.
    public var lines: [String] {
        problems.map { problem in
            problem.line == 0
                ? "\(path): \(problem.message)"
                : "\(path):\(problem.line):\(problem.column): \(problem.message)"
        }
    }

    /// The lines, one below the other.
    public var description: String { lines.joined(separator: "\n") }
}
