/// A command's limit in ESXi's shell, whose `timeout` changed its syntax between releases.
public enum ShellLimit {
    /// Defines `vpower_limited SECONDS COMMAND...`: runs the command, kills it with signal 9 at the
    /// limit, and ends with its status. It leaves no process behind, but for children of a command
    /// that was killed.
    public static let function = String(decoding: PackageResources.limited_sh, as: UTF8.self)

    /// The line that stands for it in a template, after its indentation.
    private static let tag = "{{> limited}}"

    /// A template's text with the function where it is asked for, indented alike.
    static func included(in text: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.map { line in
            let indent = line.prefix { $0 == " " }
            guard line.dropFirst(indent.count) == tag else { return String(line) }
            return function.split(separator: "\n").map { indent + $0 }.joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
