import CLibCurl

/// SHA-256, from the OpenSSL that libcurl brings along.
public enum SHA256 {
    /// The sum of these bytes as `sha256sum` prints it: 64 hexadecimal digits in lower case.
    ///
    /// See SHA256(3ssl).
    public static func hexadecimal(_ bytes: [UInt8]) -> String {
        var sum = [UInt8](repeating: 0, count: 32)
        bytes.withUnsafeBufferPointer { data in
            _ = vp_sha256(data.baseAddress, data.count, &sum)
        }
        return sum.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
