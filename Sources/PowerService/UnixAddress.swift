import Glibc

/// The address of a Unix socket.
struct UnixAddress {
    /// The path, or `@name` for an abstract one.
    let path: String
    private let storage: sockaddr_un
    private let length: socklen_t

    /// The address with this path; nil when it does not fit in 107 bytes or is empty.
    init?(path: String) {
        var bytes = Array(path.utf8)
        let abstract = bytes.first == 0x40
        // An abstract name begins with a NUL and ends where its length says.
        if abstract { bytes[0] = 0 }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            return nil
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        self.path = path
        storage = address
        let head = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        length = socklen_t(head + bytes.count + (abstract ? 0 : 1))
    }

    /// Calls with the address as C wants it.
    func with<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
