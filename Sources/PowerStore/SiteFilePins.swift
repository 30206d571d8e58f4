public import PowerModel

/// What a host or vCenter is known by: its SSH host key, or its certificate.
public enum Fingerprint: Hashable, Sendable, CustomStringConvertible {
    /// `SHA256:` and 43 characters, as OpenSSH prints it.
    case hostKey(String)
    /// 64 hexadecimal digits in lower case.
    case certificate(String)

    /// Reads one as `vpower trust`, `ssh-keygen -l` or openssl prints it; nil for anything else.
    public init?(_ text: String) {
        do throws(ValueFault) {
            self = .hostKey(try SiteValue.hostKey.read(text))
        } catch {
            let digits = text.hasPrefix("SHA256:") ? String(text.dropFirst("SHA256:".count)) : text
            do throws(ValueFault) {
                self = .certificate(try SiteValue.certificateHash.read(digits))
            } catch { return nil }
        }
    }

    /// As the site file has it.
    public var description: String {
        switch self {
        case .hostKey(let text), .certificate(let text): text
        }
    }
}

/// Whose fingerprint a pin is.
public enum PinPlace: Hashable, Sendable {
    /// A host's SSH daemon: `hostKeys`.
    case host(HostName)
    /// A host's own API: its certificate.
    case api(HostName)
    /// A host's management controller: its certificate.
    case bmc(HostName)
    /// A cluster's vCenter: its certificate.
    case vcenter(ClusterName)

    /// In an operator's words.
    fileprivate var words: String {
        switch self {
        case .host(let name): "`hostKeys` of host \(quoted(name.rawValue))"
        case .api(let name): "the certificate of `api` of host \(quoted(name.rawValue))"
        case .bmc(let name): "the certificate of `bmc` of host \(quoted(name.rawValue))"
        case .vcenter(let name): "the certificate of `vcenter` of \(quoted(name.rawValue))"
        }
    }
}

/// Writes pins into a site file, and leaves every other byte of it as it is.
///
/// A pin takes the place of those that were there: a host has one key at a time. What is written in
/// a form that cannot be changed with certainty is left to a person; and what was changed is read
/// again, and must be the same site but for the pins.
public enum SiteFilePins {
    /// Writes pins into the file at this path, all or none. The file keeps its owner and mode.
    public static func write(
        _ pins: [PinPlace: Fingerprint], to path: String
    ) throws(SiteFileError) {
        func problem(_ words: String) -> SiteFileError {
            SiteFileError(path: path, problems: [SiteProblem(message: words)])
        }
        let old: FileContents
        do { old = try BoundedFile.read(path, limit: SiteFile.limitBytes) } catch {
            throw problem("it \(error.words)")
        }
        let new = try placed(pins, in: old.bytes, path: path)
        do { try FileReplacement.replace(path, with: new) } catch {
            throw problem("cannot be changed: \(error.words)")
        }
    }

    /// The file's bytes with these pins; `path` is for messages only.
    static func placed(
        _ pins: [PinPlace: Fingerprint], in bytes: [UInt8], path: String
    ) throws(SiteFileError) -> [UInt8] {
        var wanted = try SiteFile.parse(bytes: bytes, path: path)
        var text = bytes
        // In any order: each one looks for its place anew.
        for (place, pin) in pins {
            do throws(YAMLFault) {
                text = try PinnedText(text).pinning(pin, at: place)
            } catch {
                throw SiteFileError(path: path, problems: error.problems)
            }
            wanted.pin(pin, at: place)
        }
        guard try SiteFile.parse(bytes: text, path: path) == wanted else {
            throw SiteFileError(
                path: path,
                problems: [
                    SiteProblem(
                        message: "the pins cannot be written with certainty; nothing was changed")
                ])
        }
        return text
    }
}

extension Site {
    fileprivate mutating func pin(_ pin: Fingerprint, at place: PinPlace) {
        for cluster in clusters.indices {
            if place == .vcenter(clusters[cluster].name) {
                clusters[cluster].vcenter.trust = .pinned(sha256: "\(pin)")
            }
            for host in clusters[cluster].hosts.indices {
                let name = clusters[cluster].hosts[host].name
                if place == .host(name) { clusters[cluster].hosts[host].hostKeys = ["\(pin)"] }
                if place == .api(name) {
                    clusters[cluster].hosts[host].api?.trust = .pinned(sha256: "\(pin)")
                }
                if place == .bmc(name) {
                    clusters[cluster].hosts[host].bmc?.trust = .pinned(sha256: "\(pin)")
                }
            }
        }
    }
}

/// A site file's bytes, and where in them its values are.
private struct PinnedText {
    private let bytes: [UInt8]
    private let root: YAMLNode
    /// Where each line begins, and where it ends without its line end.
    private var lines: [Range<Int>] = []

    init(_ bytes: [UInt8]) throws(YAMLFault) {
        self.bytes = bytes
        root = try YAMLText.read(bytes).root
        // A byte order mark belongs to no line.
        var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        for line in bytes[start...].split(separator: 10, omittingEmptySubsequences: false) {
            let end = start + line.count
            lines.append(start..<(line.last == 13 ? end - 1 : end))
            start = end + 1
        }
    }

    func pinning(_ pin: Fingerprint, at place: PinPlace) throws(YAMLFault) -> [UInt8] {
        guard let node = node(of: place), let range = range(of: node) else {
            throw YAMLFault(
                node(of: place)?.position ?? root.position,
                "\(place.words) is written in a way that vpower does not change by itself: write "
                    + "\(pin) there")
        }
        return bytes[..<range.lowerBound] + Array("\(pin)".utf8) + bytes[range.upperBound...]
    }

    private func node(of place: PinPlace) -> YAMLNode? {
        for cluster in root["clusters"]?.items ?? [] {
            if case .vcenter(let name) = place, cluster["name"]?.text == name.rawValue {
                return cluster["vcenter"]?["certificate"]?["sha256"]
            }
            for host in cluster["hosts"]?.items ?? [] {
                switch place {
                case .host(let name) where host["name"]?.text == name.rawValue:
                    return host["hostKeys"]
                case .api(let name) where host["name"]?.text == name.rawValue:
                    return host["api"]?["certificate"]?["sha256"]
                case .bmc(let name) where host["name"]?.text == name.rawValue:
                    return host["bmc"]?["certificate"]?["sha256"]
                default: break
                }
            }
        }
        return nil
    }

    /// The bytes that the new value replaces: of a single value, or of the values of a list.
    private func range(of node: YAMLNode) -> Range<Int>? {
        switch node.content {
        case .text: return token(at: node.position)
        case .map: return nil
        case .list(let items):
            guard let first = items.first.flatMap({ token(at: $0.position) }),
                let last = items.last.flatMap({ token(at: $0.position) })
            else { return nil }
            if items.count == 1 { return first }
            // `[a, b]` on one line: what is between the first and the last goes with them.
            let isOneLine = items.allSatisfy { $0.position.line == node.position.line }
            let isFlow = offset(node.position).map { bytes[$0] == UInt8(ascii: "[") } ?? false
            guard isOneLine, isFlow, quote(before: first) == quote(after: last) else { return nil }
            return first.lowerBound..<last.upperBound
        }
    }

    private func quote(before range: Range<Int>) -> UInt8? {
        let byte = range.lowerBound > 0 ? bytes[range.lowerBound - 1] : 0
        return Self.quotes.contains(byte) ? byte : nil
    }

    private func quote(after range: Range<Int>) -> UInt8? {
        let byte = range.upperBound < bytes.count ? bytes[range.upperBound] : 0
        return Self.quotes.contains(byte) ? byte : nil
    }

    private static let quotes = Array("\"'".utf8)

    /// A value on one line, without its quotes: only letters, digits and `:+/` are in one.
    private func token(at position: Position) -> Range<Int>? {
        guard var start = offset(position) else { return nil }
        let line = lines[position.line - 1]
        if Self.quotes.contains(bytes[start]) { start += 1 }
        let value = bytes[start..<max(start, line.upperBound)].prefix { byte in
            Self.isLetterOrDigit(byte) || ":+/".utf8.contains(byte)
        }
        return value.isEmpty ? nil : value.indices
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    /// Where a position is among the bytes; columns count scalars.
    private func offset(_ position: Position) -> Int? {
        guard lines.indices.contains(position.line - 1), position.column > 0 else { return nil }
        let line = lines[position.line - 1]
        var column = 1
        for index in line {
            // What is not the continuation of a scalar begins one.
            guard bytes[index] & 0xC0 != 0x80 else { continue }
            if column == position.column { return index }
            column += 1
        }
        return nil
    }
}

extension YAMLNode {
    fileprivate subscript(key: String) -> YAMLNode? {
        guard case .map(let pairs) = content else { return nil }
        return pairs.first { $0.key.text == key }?.value
    }

    fileprivate var items: [YAMLNode] {
        guard case .list(let items) = content else { return [] }
        return items
    }

    fileprivate var text: String? {
        guard case .text(let text) = content else { return nil }
        return text
    }
}
