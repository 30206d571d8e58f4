import PowerModel

/// What is wrong with a value: goes on from its name, e.g. `is 70000`.
struct ValueFault: Error {
    var words: String

    init(_ words: String) { self.words = words }

    /// The value as it was given is wrong. Not for secrets.
    static func given(_ text: String) -> ValueFault { ValueFault("is \(quoted(text))") }
}

/// How a value is read from its text.
struct SiteValue<T: Sendable>: Sendable {
    /// What would be right, with an example.
    var expected: String
    var read: @Sendable (String) throws(ValueFault) -> T
}

extension SiteValue where T == String {
    /// A name for people and vCenter: one line, no blanks around it, at most 255 characters.
    static func name(_ expected: String) -> SiteValue {
        SiteValue(expected: expected) { (text) throws(ValueFault) in
            guard text.unicodeScalars.count <= 255 else {
                throw ValueFault("is longer than 255 characters")
            }
            guard !text.unicodeScalars.contains(where: isControl) else {
                throw ValueFault("holds a control character: \(quoted(text))")
            }
            guard text.first != " ", text.last != " " else {
                throw ValueFault("begins or ends with a blank: \(quoted(text))")
            }
            return text
        }
    }

    /// An absolute path.
    static let path = SiteValue(expected: "an absolute path, e.g. /etc/vpower/key") {
        (text) throws(ValueFault) in
        guard isPath(text) else { throw .given(text) }
        return text
    }

    /// An argument of a command; no shell reads it.
    static let argument = SiteValue(expected: "an argument of the command") {
        (text) throws(ValueFault) in
        guard !text.unicodeScalars.contains("\0") else { throw .given(text) }
        return text
    }

    /// A command line for the far side's shell: anything on one line.
    static let command = SiteValue(expected: "a command on one line, e.g. /sbin/poweroff") {
        (text) throws(ValueFault) in
        guard !text.unicodeScalars.contains(where: isControl) else {
            throw ValueFault("holds a control character: \(quoted(text))")
        }
        guard text.contains(where: { $0 != " " }) else { throw .given(text) }
        return text
    }

    /// A text file: a host cannot be given another (it has no base64).
    static let fileContent = SiteValue(
        expected: "a text, e.g. after `content: |` on lines of their own; no binary file"
    ) { (text) throws(ValueFault) in
        guard text.unicodeScalars.allSatisfy({ $0 == "\n" || $0 == "\t" || !isControl($0) })
        else { throw ValueFault("holds control characters") }
        return text
    }

    /// A word of letters, digits, `.`, `_` and `-`, as NUT has them.
    static func word(_ expected: String) -> SiteValue {
        SiteValue(expected: expected) { (text) throws(ValueFault) in
            guard text.utf8.allSatisfy({ isWord($0) }), text.utf8.count <= 128 else {
                throw .given(text)
            }
            return text
        }
    }

    /// A name or address of the network, without a port.
    static let address = SiteValue(
        expected: "a name or IP address without a port, e.g. esx1.example.org"
    ) { (text) throws(ValueFault) in
        guard isAddress(text) else { throw .given(text) }
        return text
    }

    /// An HTTP proxy, without a user: secrets are never in the site file.
    static let proxy = SiteValue(
        expected: "http://, a name or IP address, and a port, e.g. http://proxy.example.org:3128"
    ) { (text) throws(ValueFault) in
        let lead = "http://"
        guard text.hasPrefix(lead) else { throw .given(text) }
        let parts = text.dropFirst(lead.count).split(
            separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, isAddress(String(parts[0])), let port = Int(parts[1]),
            (1...65535).contains(port), String(port) == parts[1]
        else { throw .given(text) }
        return text
    }

    /// A hardware address; given back in lower case with colons.
    static let hardwareAddress = SiteValue(
        expected: "a hardware address of one machine, e.g. 0c:c4:7a:12:34:56"
    ) { (text) throws(ValueFault) in
        let parts = text.replacing("-", with: ":").split(
            separator: ":", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { $0.utf8.count == 2 ? UInt8($0, radix: 16) : nil }
        guard parts.count == 6, bytes.count == 6, bytes[0] & 1 == 0,
            bytes.contains(where: { $0 != 0 })
        else { throw .given(text) }
        return parts.joined(separator: ":").lowercased()
    }

    /// A certificate's SHA-256; colons and capitals are as openssl prints them.
    static let certificateHash = SiteValue(
        expected: "64 hexadecimal digits (`openssl x509 -noout -fingerprint -sha256` prints them)"
    ) { (text) throws(ValueFault) in
        let digits = text.utf8.filter { $0 != UInt8(ascii: ":") }
        guard digits.count == 64, digits.allSatisfy(isHexadecimal) else { throw .given(text) }
        return String(decoding: digits, as: UTF8.self).lowercased()
    }

    /// A host key's fingerprint.
    static let hostKey = SiteValue(
        expected: "SHA256: and 43 characters, as `vpower trust` and `ssh-keygen -l` print them"
    ) { (text) throws(ValueFault) in
        // 32 bytes: the last of 43 characters carries four bits, so its two low bits are nought.
        guard text.hasPrefix("SHA256:"), text.utf8.count == 50,
            text.utf8.dropFirst(7).allSatisfy(isBase64),
            let last = text.last, "AEIMQUYcgkosw048".contains(last)
        else { throw .given(text) }
        return text
    }
}

extension SiteValue where T == Int {
    /// A whole number in these bounds, in decimal digits.
    static func number(_ bounds: ClosedRange<Int>, _ what: String) -> SiteValue {
        let expected = "\(what), \(bounds.lowerBound) to \(bounds.upperBound)"
        return SiteValue(expected: expected) { (text) throws(ValueFault) in
            guard let number = decimal(text), bounds.contains(number) else { throw .given(text) }
            return number
        }
    }

    /// A TCP port.
    static var port: SiteValue { number(1...65535, "a TCP port") }

    /// Percent, with or without the sign.
    static let percent = SiteValue(expected: "percent of the charge, 1 to 100, e.g. 30%") {
        (text) throws(ValueFault) in
        let digits = text.last == "%" ? String(text.dropLast()) : text
        guard let number = decimal(digits), (1...100).contains(number) else { throw .given(text) }
        return number
    }
}

extension SiteValue where T == Bool {
    /// `true` or `false`, and none of YAML's other spellings.
    static let yesOrNo = SiteValue(expected: "true or false") { (text) throws(ValueFault) in
        switch text {
        case "true": return true
        case "false": return false
        default: throw .given(text)
        }
    }
}

extension SiteValue where T: CaseIterable & RawRepresentable, T.RawValue == String {
    /// One of the words of a type.
    static var oneWord: SiteValue {
        let words = T.allCases.map(\.rawValue)
        return SiteValue(expected: words.joined(separator: " or ")) { (text) throws(ValueFault) in
            guard let known = T(rawValue: text) else {
                throw ValueFault("is \(quoted(text))\(suggestion(for: text, among: words))")
            }
            return known
        }
    }
}

extension SiteValue where T == HostRoute {
    /// What a host is asked over first.
    static let route = SiteValue(
        expected: HostRoute.allCases.map(\.rawValue).joined(separator: " or ")
    ) { (text) throws(ValueFault) in
        guard let known = HostRoute(rawValue: text) else {
            let close = suggestion(for: text, among: HostRoute.allCases.map(\.rawValue))
            throw ValueFault("is \(quoted(text))\(close)")
        }
        return known
    }
}

extension SiteValue where T == GuestPattern {
    /// A guest's name or a pattern with `*`. Guests may be named anything a person can type.
    static let pattern = SiteValue(expected: "a guest's name or a pattern, e.g. \"*-db\"") {
        (text) throws(ValueFault) in
        guard text.unicodeScalars.count <= 255 else {
            throw ValueFault("is longer than 255 characters")
        }
        guard !text.unicodeScalars.contains("\0") else { throw .given(text) }
        return GuestPattern(text)
    }
}

extension SiteValue where T == GuestPattern {
    /// A folder or resource pool, with its place below the top one.
    static let place = SiteValue(
        expected: "a folder or resource pool below the top one, e.g. Prod/Web"
    ) { (text) throws(ValueFault) in
        guard text.first != "/", text.last != "/" else { throw .given(text) }
        return try pattern.read(text)
    }

    /// A vSphere tag, with the category it is of.
    static let tag = SiteValue(expected: "a category and a tag, e.g. Backup/nightly") {
        (text) throws(ValueFault) in
        guard text.contains("/") else { throw .given(text) }
        return try pattern.read(text)
    }

    /// A custom attribute's value.
    static let attribute = SiteValue(expected: "a value or a pattern, e.g. \"team-*\"") {
        (text) throws(ValueFault) in
        try pattern.read(text)
    }
}

extension SiteValue where T == Duration {
    /// No wait of a site file is longer.
    static var longest: Duration { .seconds(366 * 24 * 3600) }

    /// A duration of at least this much: `90s`, `5m`, `2h`, `7d`, `1m30s`.
    static func duration(atLeast shortest: Duration = .seconds(1)) -> SiteValue {
        let least = shortest > .zero ? " of at least \(shown(shortest))" : ""
        return SiteValue(
            expected: "a duration\(least) with its units d, h, m, s, e.g. 90s, 5m, 1m30s"
        ) { (text) throws(ValueFault) in
            if decimal(text) != nil { throw ValueFault("is \(quoted(text)), which has no unit") }
            guard let duration = parsed(text), duration <= longest, duration >= shortest else {
                throw .given(text)
            }
            return duration
        }
    }

    /// The duration of a text; each unit at most once, the larger first.
    private static func parsed(_ text: String) -> Duration? {
        var units: [(letter: UInt8, seconds: Int)] = [
            (UInt8(ascii: "d"), 86400), (UInt8(ascii: "h"), 3600), (UInt8(ascii: "m"), 60),
            (UInt8(ascii: "s"), 1),
        ]
        var total = 0
        var digits = 0
        var number = 0
        for byte in text.utf8 {
            if isDigit(byte) {
                digits += 1
                // Nine digits are a year in any unit, and their product fits.
                guard digits <= 9 else { return nil }
                number = number * 10 + Int(byte - UInt8(ascii: "0"))
            } else {
                guard digits > 0, let index = units.firstIndex(where: { $0.letter == byte })
                else { return nil }
                total += number * units[index].seconds
                units.removeSubrange(...index)
                (digits, number) = (0, 0)
            }
        }
        return digits == 0 ? .seconds(total) : nil
    }
}

/// A duration as a site file spells it, e.g. `1m30s`; fractions of a second are left out.
func shown(_ duration: Duration) -> String {
    var rest = duration.components.seconds
    var text = ""
    for (unit, seconds) in [("d", Int64(86400)), ("h", 3600), ("m", 60), ("s", 1)]
    where rest >= seconds {
        text += "\(rest / seconds)\(unit)"
        rest %= seconds
    }
    return text.isEmpty ? "0s" : text
}

extension SiteValue where T == Endpoint {
    /// `host:port`, an IPv6 address in brackets; the port may be left out if there is a usual one.
    static func endpoint(defaultPort: Int?) -> SiteValue {
        let expected =
            defaultPort.map { "a name or address, and a port unless it is \($0)" }
            ?? "a name or address and a port"
        let example = "e.g. name.example.org:\(defaultPort ?? 443)"
        return SiteValue(expected: "\(expected), \(example); IPv6 as [::1]:\(defaultPort ?? 443)") {
            (text) throws(ValueFault) in
            guard let (host, portText) = split(text), isAddress(host) else { throw .given(text) }
            guard let port = portText.map(decimal) ?? defaultPort, (1...65535).contains(port)
            else { throw .given(text) }
            return Endpoint(host: host, port: port)
        }
    }

    private static func split(_ text: String) -> (host: String, port: String?)? {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let host = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            guard host.contains(":"), rest.isEmpty || rest.hasPrefix(":") else { return nil }
            return (host, rest.isEmpty ? nil : String(rest.dropFirst()))
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        // More than one colon without brackets: nobody can tell where the port begins.
        guard parts.count <= 2 else { return nil }
        return (String(parts[0]), parts.count == 2 ? String(parts[1]) : nil)
    }
}

extension SiteValue where T == SecretReference {
    /// A reference to a secret. What was given is never repeated: it may be the secret itself.
    static let secret = SiteValue(
        expected: "where the secret is kept: file:/path, env:NAME or credential:NAME"
    ) { (text) throws(ValueFault) in
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let rest = parts.count == 2 ? String(parts[1]) : ""
        switch parts[0] {
        case "file" where isPath(rest): return .file(path: rest)
        case "env" where isVariable(rest): return .environment(name: rest)
        case "credential" where isCredential(rest): return .credential(name: rest)
        default:
            throw ValueFault("is not a reference (a site file holds no secret itself)")
        }
    }
}

// MARK: - Characters

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028
        || scalar.value == 0x2029
}

private func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

private func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
}

private func isHexadecimal(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
}

private func isBase64(_ byte: UInt8) -> Bool {
    isDigit(byte) || isLetter(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "/")
}

private func isWord(_ byte: UInt8) -> Bool {
    isDigit(byte) || isLetter(byte) || "._-".utf8.contains(byte)
}

private func isVariable(_ text: String) -> Bool {
    text.utf8.allSatisfy { isDigit($0) || isLetter($0) || $0 == UInt8(ascii: "_") }
        && text.utf8.first.map { !isDigit($0) } == true
}

func isCredential(_ text: String) -> Bool {
    text.utf8.allSatisfy(isWord) && !text.isEmpty && text != "." && text != ".."
}

private func isPath(_ text: String) -> Bool {
    text.hasPrefix("/") && text.utf8.count <= 4095
        && !text.unicodeScalars.contains(where: isControl)
}

/// A name or an address: nothing that a command line could take for an option, nothing to quote.
func isAddress(_ text: String) -> Bool {
    let isV6 = text.contains(":")
    guard (1...253).contains(text.utf8.count), text.first != "-", text.first != "." else {
        return false
    }
    return text.utf8.allSatisfy { byte in
        isV6
            ? isHexadecimal(byte) || ":.".utf8.contains(byte)
            : isWord(byte)
    }
}

/// Digits and nothing else, at most ten of them: `012` is twelve, `+1`, `1_000`, `0x10` are not.
private func decimal(_ text: String) -> Int? {
    guard !text.isEmpty, text.utf8.count <= 10, text.utf8.allSatisfy(isDigit) else { return nil }
    return Int(text)
}
