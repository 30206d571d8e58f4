import Dispatch
import Glibc
import Synchronization

/// TCP ports of 127.0.0.1.
public enum LabPort {
    /// Not among those the kernel gives to connections, which are many when tests run side by side:
    /// what is free now stays free until somebody listens, and after a reboot.
    private static let range: Range<UInt16> = 12_000..<32_000
    private static let triesMax = 200

    /// A port that nobody listens on.
    /// - Throws: when none was found.
    public static func free() throws(LabProcessError) -> Int {
        for _ in 0..<triesMax {
            let port = UInt16.random(in: range)
            if with(port, { bind($0, $1, $2) == 0 }) { return Int(port) }
        }
        throw LabProcessError(
            program: "127.0.0.1",
            detail: "no free port between \(range.lowerBound) and \(range.upperBound)")
    }

    /// Whether somebody listens.
    public static func isOpen(_ port: UInt16) -> Bool {
        with(port) { connect($0, $1, $2) == 0 }
    }

    private static func with(
        _ port: UInt16, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Bool
    ) -> Bool {
        let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard handle >= 0 else { return false }
        defer { close(handle) }
        return withAddress(of: port) { body(handle, $0, $1) }
    }

    fileprivate static func withAddress<R>(
        of port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
    ) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// A port that takes connections (the kernel does) and says nothing, or some bytes and then nothing
/// more.
public final class LabMutePort: Sendable {
    /// The port.
    public let port: Int
    private let socket: Int32
    private let accepted = Mutex<[Int32]>([])

    /// Listens until it is released.
    /// - Parameters:
    ///   - text: What the first who connects is told.
    ///   - thenHangingUp: Whether that connection is closed then.
    /// - Throws: when there is no port to be had.
    public init(saying text: String? = nil, thenHangingUp: Bool = false) throws(LabProcessError) {
        let port = try LabPort.free()
        self.port = port
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let isListening = LabPort.withAddress(of: UInt16(port)) { [socket] in
            bind(socket, $0, $1) == 0 && listen(socket, 16) == 0
        }
        guard isListening else {
            throw LabProcessError(program: "127.0.0.1", detail: "nobody can listen on \(port)")
        }
        guard let text else { return }
        DispatchQueue(label: "vpower.lab.port").async { [self] in
            answer(text, thenHangingUp: thenHangingUp)
        }
    }

    private func answer(_ text: String, thenHangingUp: Bool) {
        let peer = accept(socket, nil, nil)
        guard peer >= 0 else { return }
        accepted.withLock { $0.append(peer) }
        _ = send(peer, text, text.utf8.count, Int32(MSG_NOSIGNAL))
        if thenHangingUp { shutdown(peer, Int32(SHUT_RDWR)) }
    }

    deinit {
        shutdown(socket, Int32(SHUT_RDWR))
        close(socket)
        accepted.withLock { $0.forEach { _ = close($0) } }
    }
}
