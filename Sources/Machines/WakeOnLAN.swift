import Glibc

/// Wake-on-LAN: the magic packet, sent once as a UDP broadcast.
public enum WakeOnLAN {
    /// The discard port, the usual one for magic packets.
    public static let port = 9
    /// Every machine on the local network.
    public static let everyone = "255.255.255.255"

    /// Why no packet was sent.
    public struct Failure: Error, Hashable, Sendable {
        /// The cause, in words.
        public var detail: String
    }

    /// The magic packet for a hardware address, `aa:bb:cc:dd:ee:ff` (or with `-`): six bytes of
    /// 0xff and sixteen times the address. nil when it is no such address.
    public static func packet(for address: String) -> [UInt8]? {
        let parts = address.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "-" }
        // `UInt8(_:radix:)` would take a sign for a digit's place.
        let bytes = parts.compactMap { part in
            part.utf8.count == 2 && part.allSatisfy(\.isHexDigit) ? UInt8(part, radix: 16) : nil
        }
        guard parts.count == 6, bytes.count == 6 else { return nil }
        return [UInt8](repeating: 0xff, count: 6) + (0..<16).flatMap { _ in bytes }
    }

    /// Sends the magic packet. That it was sent is all that can be known here.
    ///
    /// - Parameters:
    ///   - address: The hardware address.
    ///   - broadcast: An IPv4 address to send to: a broadcast address, or a subnet's.
    ///   - port: The UDP port.
    public static func send(
        to address: String, broadcast: String = everyone, port: Int = port
    ) throws(Failure) {
        guard let packet = packet(for: address) else {
            throw Failure(detail: "\(address) is no hardware address like aa:bb:cc:dd:ee:ff")
        }
        guard let port = UInt16(exactly: port) else { throw Failure(detail: "\(port) is no port") }
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        guard inet_pton(AF_INET, broadcast, &target.sin_addr) == 1 else {
            throw Failure(detail: "\(broadcast) is no IPv4 address")
        }
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = socket(AF_INET, type, 0)
        guard socket >= 0 else { throw Failure(detail: String(cString: strerror(errno))) }
        defer { close(socket) }
        var on: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_BROADCAST, &on, socklen_t(MemoryLayout<Int32>.size))
        let sent = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    socket, packet, packet.count, 0, $0,
                    socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard sent == packet.count else { throw Failure(detail: String(cString: strerror(errno))) }
    }
}
