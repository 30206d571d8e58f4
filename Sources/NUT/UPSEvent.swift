/// One event of upsmon or upssched, as its NOTIFYCMD is told (facts/nut.md section 2).
///
/// An event is a hint to read `ups.status`, never a state: upsmon sends them out of order.
public struct UPSEvent: Hashable, Sendable {
    /// `ONBATT`, `LOWBATT`...; types of newer releases come through as they are. Empty when
    /// upsmon gave none.
    public var notifyType: String
    /// The UPS as upsmon names it (`ups@host:port`); empty for events of no single UPS.
    public var ups: String
    /// upsmon's sentence, for people.
    public var message: String

    /// Longer fields are cut: an event fits one datagram.
    public static let fieldBytesMax = 1000

    /// An event.
    public init(notifyType: String, ups: String, message: String) {
        self.notifyType = notifyType
        self.ups = ups
        self.message = message
    }

    /// The event a NOTIFYCMD was started for: the message is the last argument, type and UPS are
    /// in the environment.
    public init(arguments: [String], environment: [String: String]) {
        self.init(
            notifyType: environment["NOTIFYTYPE"] ?? "", ups: environment["UPSNAME"] ?? "",
            message: arguments.last ?? "")
    }

    /// One line without its newline: type, UPS and message between tabs; `\t`, `\n`, `\r` and `\\`
    /// stand for what they stand for in C.
    public var line: String {
        [notifyType, ups, message].map(Self.encoded).joined(separator: "\t")
    }

    /// Reads such a line; nil when it does not have three fields, is too long, or holds an escape
    /// that is none.
    public init?(line: String) {
        // Each field may be all escapes: twice its size.
        guard line.utf8.count <= 3 * 2 * Self.fieldBytesMax + 2 else { return nil }
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        guard fields.count == 3, let type = Self.decoded(fields[0]),
            let ups = Self.decoded(fields[1]), let message = Self.decoded(fields[2])
        else { return nil }
        self.init(notifyType: type, ups: ups, message: message)
    }

    private static func encoded(_ field: String) -> String {
        var result = String.UnicodeScalarView()
        var room = fieldBytesMax
        for scalar in field.unicodeScalars {
            room -= UTF8.width(scalar)
            if room < 0 { break }
            switch scalar {
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
            default: result.append(scalar)
            }
        }
        return String(result)
    }

    private static func decoded(_ field: Substring) -> String? {
        var result = String.UnicodeScalarView()
        var isEscaped = false
        for scalar in field.unicodeScalars {
            if isEscaped {
                isEscaped = false
                switch scalar {
                case "t": result.append("\t")
                case "n": result.append("\n")
                case "r": result.append("\r")
                case "\\": result.append("\\")
                default: return nil
                }
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "\n" || scalar == "\r" {
                return nil
            } else {
                result.append(scalar)
            }
        }
        return isEscaped ? nil : String(result)
    }
}
