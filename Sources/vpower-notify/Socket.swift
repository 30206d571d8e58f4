import Glibc

/// The daemon's datagram socket, from the sender's side.
enum Socket {
    /// Sends one datagram without waiting.
    ///
    /// Returns false when nobody takes it, whatever the reason: no such socket, nobody behind it,
    /// a full queue, no permission, a path that is too long.
    static func send(_ bytes: [UInt8], to path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let text = Array(path.utf8)
        // One byte stays for the NUL.
        guard text.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: text) }

        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let sent = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                sendto(
                    descriptor, bytes, bytes.count,
                    Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL), generic,
                    socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return sent == bytes.count
    }
}
