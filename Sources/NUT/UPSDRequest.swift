/// One line to send to upsd, safe by construction: every word that is not ours is quoted.
package struct UPSDRequest: Hashable, Sendable, CustomStringConvertible {
    /// How the reply ends.
    package enum Shape: Hashable, Sendable {
        /// With its only line.
        case line
        /// With `END LIST ...`, or with an `ERR` in place of the list.
        case list
    }

    /// The line, without its newline.
    package let line: String
    /// How the reply ends.
    package let shape: Shape

    /// Its first word only: the rest may be a password.
    package var description: String { String(line.prefix { $0 != " " }) }

    private init(_ line: String, shape: Shape = .line) {
        self.line = line
        self.shape = shape
    }

    /// `VER`: also what keeps a connection from being dropped.
    package static let version = UPSDRequest("VER")
    /// `NETVER`.
    package static let protocolVersion = UPSDRequest("NETVER")
    /// `STARTTLS`.
    package static let startTLS = UPSDRequest("STARTTLS")
    /// `LOGOUT`.
    package static let logout = UPSDRequest("LOGOUT")
    /// `SET TRACKING ON`.
    package static let trackingOn = UPSDRequest("SET TRACKING ON")

    /// `GET VAR`.
    package static func variable(_ name: String, of ups: String) throws(UnsendableText) -> Self {
        Self("GET VAR \(try quoted(ups)) \(try quoted(name))")
    }

    /// `GET NUMLOGINS`.
    package static func logins(of ups: String) throws(UnsendableText) -> Self {
        Self("GET NUMLOGINS \(try quoted(ups))")
    }

    /// `LIST CMD`.
    package static func commands(of ups: String) throws(UnsendableText) -> Self {
        Self("LIST CMD \(try quoted(ups))", shape: .list)
    }

    /// `USERNAME`.
    package static func user(_ name: String) throws(UnsendableText) -> Self {
        Self("USERNAME \(try quoted(name))")
    }

    /// `PASSWORD`.
    package static func password(_ value: String) throws(UnsendableText) -> Self {
        Self("PASSWORD \(try quoted(value))")
    }

    /// `LOGIN`.
    package static func login(_ ups: String) throws(UnsendableText) -> Self {
        Self("LOGIN \(try quoted(ups))")
    }

    /// `INSTCMD`.
    package static func command(_ name: String, of ups: String) throws(UnsendableText) -> Self {
        Self("INSTCMD \(try quoted(ups)) \(try quoted(name))")
    }

    /// `GET TRACKING`.
    package static func tracking(_ identity: String) throws(UnsendableText) -> Self {
        Self("GET TRACKING \(try quoted(identity))")
    }

    /// A word in quotes, with `\` before `"`, `\` and `#` (an unescaped `#` is answered by nothing
    /// at all, facts/nut.md 1.2). What upsd would drop or cut in silence is refused here.
    package static func quoted(_ text: String) throws(UnsendableText) -> String {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= UPSDLine.wordBytesMax else { throw .tooLong(bytes: bytes.count) }
        var result = "\""
        for (offset, byte) in bytes.enumerated() {
            guard (0x20...0x7e).contains(byte) else { throw .notPrintableASCII(atByte: offset) }
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "#")
            {
                result.append("\\")
            }
            result.unicodeScalars.append(Unicode.Scalar(byte))
        }
        return result + "\""
    }
}

/// Why a text cannot be sent to upsd. Says where, never what: it may be a password.
package enum UnsendableText: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nothing in it.
    case empty
    /// More than upsd keeps of a word.
    case tooLong(bytes: Int)
    /// A byte that upsd throws away.
    case notPrintableASCII(atByte: Int)

    /// For people.
    package var description: String {
        switch self {
        case .empty: "it is empty"
        case .tooLong(let bytes):
            "it has \(bytes) bytes, and upsd keeps only \(UPSDLine.wordBytesMax)"
        case .notPrintableASCII(let offset):
            "its byte \(offset + 1) is not printable ASCII, which upsd would throw away"
        }
    }
}
