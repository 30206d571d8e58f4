/// The one way in which a value gets into a command for a host's shell.
enum ShellWord {
    /// One word of a POSIX shell that expands to exactly `text`: in single quotes sh knows no
    /// special character but the quote itself. A NUL cannot stand in a command at all; the
    /// transport refuses the command.
    static func quoted(_ text: String) -> String {
        var word = "'"
        for scalar in text.unicodeScalars {
            if scalar == "'" {
                word += #"'\''"#
            } else {
                word.unicodeScalars.append(scalar)
            }
        }
        return word + "'"
    }
}
