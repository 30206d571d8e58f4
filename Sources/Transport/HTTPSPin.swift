internal import CLibCurl

/// A certificate's SHA-256 in the form that the verification in C compares with.
///
/// Lives as long as the engine: a connection may outlive the transfer that made it.
final class HTTPSPin {
    /// Hexadecimal digits of a SHA-256.
    static let digits = 64

    let pointer: UnsafeMutablePointer<vp_pin>

    /// nil unless the text is 64 hexadecimal digits in lower case.
    init?(sha256: String) {
        guard let bytes = Self.bytes(of: sha256) else { return nil }
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: vp_pin())
        withUnsafeMutableBytes(of: &pointer.pointee.wanted) { $0.copyBytes(from: bytes) }
    }

    deinit { pointer.deallocate() }

    /// What the server presented last.
    var presented: String? {
        guard pointer.pointee.was_presented != 0 else { return nil }
        return withUnsafeBytes(of: pointer.pointee.presented) { bytes in
            bytes.map { byte in
                let text = String(byte, radix: 16)
                return text.count == 1 ? "0" + text : text
            }.joined()
        }
    }

    private static func bytes(of text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count == Self.digits else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
