import PowerModel
package import PowerRun

/// A refusal: `ERR <TOKEN> [extra]` (facts/nut.md 1.3).
package struct UPSDRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// What vpower tells apart.
    package enum Kind: Hashable, Sendable {
        /// The user, the password or the user's rights.
        case accessDenied
        /// No such UPS at this upsd.
        case unknownUPS
        /// The driver does not run, or its data is old.
        case noData
        /// The UPS does not have this variable.
        case unknownVariable
        /// The UPS does not have this command.
        case unknownCommandOfUPS
        /// The server has no TLS, or none set up.
        case noTLS
        /// The server does not know this request.
        case unknownRequest
        /// Anything else.
        case other
    }

    /// The token, as sent: `ACCESS-DENIED`.
    package let token: String

    /// A refusal with this token.
    package init(token: String) { self.token = token }

    /// What vpower tells apart.
    package var kind: Kind {
        switch token {
        case "ACCESS-DENIED", "INVALID-PASSWORD", "INVALID-USERNAME", "USERNAME-REQUIRED",
            "PASSWORD-REQUIRED":
            .accessDenied
        case "UNKNOWN-UPS": .unknownUPS
        case "DRIVER-NOT-CONNECTED", "DATA-STALE": .noData
        case "VAR-NOT-SUPPORTED": .unknownVariable
        case "CMD-NOT-SUPPORTED": .unknownCommandOfUPS
        case "FEATURE-NOT-SUPPORTED", "FEATURE-NOT-CONFIGURED": .noTLS
        case "UNKNOWN-COMMAND": .unknownRequest
        default: .other
        }
    }

    /// The reason the engine knows it by.
    package var reason: FeedError.Reason {
        switch kind {
        case .accessDenied: .loginRefused
        case .unknownUPS: .unknownUPS
        case .noData: .stale
        case .unknownVariable, .unknownCommandOfUPS, .noTLS, .unknownRequest, .other: .refused
        }
    }

    /// The token, and what to do about it.
    package var description: String {
        let advice =
            switch token {
            case "ACCESS-DENIED":
                "look at the user's password and rights (upsmon, instcmds) in upsd.users"
            case "UNKNOWN-UPS": "this upsd has no UPS of that name: see `upsc -l`"
            case "DRIVER-NOT-CONNECTED": "its driver does not run: see `upsdrvctl start`"
            case "DATA-STALE": "its driver runs, but hears nothing from the UPS: see its cable"
            case "VAR-NOT-SUPPORTED": "the UPS does not have this variable"
            case "CMD-NOT-SUPPORTED": "the UPS does not have this command: see `upscmd -l`"
            case "FEATURE-NOT-CONFIGURED": "upsd has no certificate set up"
            case "FEATURE-NOT-SUPPORTED": "upsd was built without it"
            default: ""
            }
        return advice.isEmpty ? "upsd says \(token)" : "upsd says \(token): \(advice)"
    }
}

/// What upsd answered, as far as vpower needs it.
package enum UPSDReply: Hashable, Sendable {
    /// `OK`, with the words that follow it. Other servers differ in what follows.
    case ok([String])
    /// `VAR ups name "value"`.
    case variable(ups: String, name: String, value: String)
    /// `NUMLOGINS ups n`.
    case logins(ups: String, count: Int)
    /// `CMD ups name`.
    case command(ups: String, name: String)
    /// `BEGIN LIST ...` and `END LIST ...`.
    case frame(begins: Bool)
    /// `ERR ...`.
    case refusal(UPSDRefusal)
    /// Anything else: a version, a tracking state, or something not of this protocol.
    case text([String])

    /// Types one line. There is no line it refuses.
    package init(_ line: UPSDLine) {
        let words = line.words
        switch words.first {
        case "ERR":
            self = .refusal(UPSDRefusal(token: Self.token(in: words)))
        case "VAR" where words.count >= 4:
            self = .variable(ups: words[1], name: words[2], value: words[3])
        case "NUMLOGINS" where words.count >= 3:
            guard let count = Int(words[2]), count >= 0 else {
                self = .text(words)
                return
            }
            self = .logins(ups: words[1], count: count)
        case "CMD" where words.count >= 3:
            self = .command(ups: words[1], name: words[2])
        case "BEGIN": self = .frame(begins: true)
        case "END": self = .frame(begins: false)
        case let first? where first.hasPrefix("OK"):
            self = .ok(Array(words.dropFirst()))
        default:
            self = .text(words)
        }
    }

    /// The token at the front of the second word: newer servers add text behind it.
    private static func token(in words: [String]) -> String {
        guard words.count > 1 else { return "(nothing)" }
        let token = words[1].prefix { ("A"..."Z").contains($0) || $0 == "-" || $0.isNumber }
        return token.isEmpty ? "(unknown)" : String(token)
    }

    /// What it was, for a message about an answer that does not fit; bounded and printable.
    package var summary: String {
        switch self {
        case .ok: "OK"
        case .variable(_, let name, _): "the value of \(name)"
        case .logins: "a number of logins"
        case .command: "a command"
        case .frame(let begins): begins ? "the begin of a list" : "the end of a list"
        case .refusal(let refusal): "ERR \(refusal.token)"
        case .text(let words):
            words.isEmpty ? "an empty line" : "\"\(words.joined(separator: " ").prefix(60))\""
        }
    }
}

/// Numbers as drivers write them: `+19.8`, `024`, `-` (facts/nut.md 1.5).
package enum UPSDNumber {
    /// Digits with an optional sign and fraction, blanks around them; nil for anything else
    /// (so never an infinity, a hexadecimal number or a power of ten).
    package static func parse(_ text: String) -> Double? {
        var rest = text[...]
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        var digits = rest
        if let sign = digits.first, sign == "+" || sign == "-" { digits.removeFirst() }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        let isNumber = { (part: Substring) in part.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        guard (1...2).contains(parts.count), parts.allSatisfy(isNumber),
            parts.contains(where: { !$0.isEmpty }), digits.utf8.count <= digitsMax
        else { return nil }
        return Double(String(rest))
    }

    /// A runtime in seconds; nil when it is none, negative, or more than `runtimeMax`.
    package static func runtime(_ text: String) -> Duration? {
        guard let seconds = parse(text), seconds >= 0, seconds <= runtimeMax.inSeconds else {
            return nil
        }
        return .seconds(Int64(seconds))
    }

    /// A percentage, rounded down; nil when it is none or negative. Never above `limit`.
    package static func percent(_ text: String, limit: Int) -> Int? {
        guard let number = parse(text), number >= 0 else { return nil }
        return Int(min(number, Double(limit)))
    }

    /// More digits than any driver writes.
    package static let digitsMax = 18
    /// More than any battery lasts: what is above is a driver's nonsense (100 days).
    package static let runtimeMax: Duration = .seconds(100 * 24 * 3600)
    /// What a charge can be.
    package static let chargeMaxPercent = 100
    /// What a load can be said to be; overload goes above 100.
    package static let loadMaxPercent = 999
}
