import CLibCurl

/// SHA-256, from the OpenSSL that libcurl brings along.
public enum SHA256 {
    /// The sum of these bytes as `sha256sum` prints it: 64 hexadecimal digits in lower case.
    ///
    /// See SHA256(3ssl).
    public static func hexadecimal(_ data: [UInt8]) -> String {
        bytes(data).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    /// The sum of these bytes, 32 of them.
    static func bytes(_ data: [UInt8]) -> [UInt8] {
        CryptoLibrary.prepare()
        var sum = [UInt8](repeating: 0, count: 32)
        data.withUnsafeBufferPointer { data in
            _ = vp_sha256(data.baseAddress, data.count, &sum)
        }
        return sum
    }
}
