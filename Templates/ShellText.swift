import Mustache

/// How any text is written into a POSIX shell script.
enum ShellText {
    /// The variable that holds one line feed. A template that uses the SHELL content type sets it
    /// first: a command substitution cannot produce a trailing line feed.
    static let lineFeedVariable = "vpower_lf"

    /// The name by which templates ask for this content type.
    static let contentTypeName = "SHELL"

    /// One shell word that expands to exactly `text`, on one line.
    ///
    /// Everything is in single quotes, where sh knows no special character but the quote itself.
    /// Control and format characters (line ends, escapes, bidirectional overrides) stand as
    /// octal for printf, so that no value can look like a line of the script. NUL does not exist
    /// in a shell word: `TemplateValue` refuses it before, here it is left out.
    static func quoted(_ text: String) -> String {
        var word = "'"
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\0": continue
            case "'": word += #"'\''"#
            case "\n": word += "'\"$\(lineFeedVariable)\"'"
            default:
                if mustBeEncoded(scalar) {
                    word += "'\"$(printf '\(octal(scalar))')\"'"
                } else {
                    word.unicodeScalars.append(scalar)
                }
            }
        }
        return word + "'"
    }

    /// A visible form on one line: what `quoted` encodes, and the backslash, as `\ooo` per byte.
    /// `decoded` gives back the text.
    static func visible(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars {
            if mustBeEncoded(scalar) || scalar == "\\" {
                line += octal(scalar)
            } else {
                line.unicodeScalars.append(scalar)
            }
        }
        return line
    }

    /// The text of a visible form; nil when it is none.
    static func decoded(_ line: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(line.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(3)
            guard digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(3)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func mustBeEncoded(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
            true
        default: false
        }
    }

    private static func octal(_ scalar: Unicode.Scalar) -> String {
        String(scalar).utf8.map { byte in
            let digits = String(byte, radix: 8)
            return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
        }.joined()
    }
}

/// The content type `SHELL` of swift-mustache: every value becomes one quoted word.
struct ShellContentType: MustacheContentType {
    func escapeText(_ text: String) -> String { ShellText.quoted(text) }
}
