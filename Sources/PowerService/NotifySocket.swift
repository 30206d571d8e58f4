import Dispatch
import Glibc
public import ServiceLifecycle
import Synchronization

/// The datagram socket on which `vpower-notify` hands events over.
///
/// Bound when it is made, so that no event is refused from then on. It reads with `recv` on a
/// dispatch source and not on a NIO channel: NIO (2.101) closes a datagram channel when a datagram
/// comes from a socket without a name, which is what every sender here has, and a pipe channel
/// when one is empty.
public final class NotifySocket: Service {
    /// Where it is, unless VPOWER_NOTIFY_SOCKET says otherwise.
    public static let pathDefault = "/run/vpower/notify.sock"
    /// The name of the descriptor in `Templates/systemd/vpower.socket`.
    public static let descriptorName = "notify"
    /// The members of the socket's group may send; nobody else.
    static let mode: mode_t = 0o660
    /// How many datagrams are read before others on the queue get their turn.
    static let batchLimit = 64

    private let descriptor: Int32
    /// The path to remove at the end; nil when systemd owns it.
    private let ownPath: String?
    private let inbox: EventInbox
    private let started = Mutex(false)

    /// Binds a socket at this path, replacing one that nobody listens on.
    ///
    /// - Parameter group: the group that may send, by name (`nut`); nil leaves it as it is.
    /// - Throws: ``NotifySocketError`` when somebody listens there, when the path is something
    ///   else than a socket, or when it cannot be bound.
    public init(
        path: String, group: String? = nil, inbox: EventInbox
    ) throws(NotifySocketError) {
        descriptor = try Self.bind(path: path, group: group)
        ownPath = path
        self.inbox = inbox
    }

    /// Takes a socket over that is bound already, and owns its descriptor from then on.
    ///
    /// - Throws: ``NotifySocketError`` when it is not a Unix datagram socket.
    public init(inherited: Int32, inbox: EventInbox) throws(NotifySocketError) {
        try Self.prepare(inherited: inherited)
        descriptor = inherited
        ownPath = nil
        self.inbox = inbox
    }

    deinit {
        // A socket that never ran has no dispatch source that closes it.
        if !started.withLock({ $0 }) { close(descriptor) }
    }

    /// Receives until a graceful shutdown or cancellation; then the socket is closed, and removed
    /// if it was bound here. To be called once.
    public func run() async throws {
        let first = started.withLock { started in
            defer { started = true }
            return !started
        }
        precondition(first, "a NotifySocket runs once")
        let source = DispatchSource.makeReadSource(
            fileDescriptor: descriptor, queue: DispatchQueue(label: "vpower.notify"))
        source.setEventHandler { [descriptor, inbox] in
            Self.receive(from: descriptor, into: inbox)
        }
        // Closed only when the source has let go of it.
        source.setCancelHandler { [descriptor] in close(descriptor) }
        source.activate()
        defer {
            source.cancel()
            if let ownPath { unlink(ownPath) }
        }
        do {
            try await gracefulShutdown()
        } catch is CancellationError {
            // The other way to be told to stop.
        }
    }

    private static func receive(from descriptor: Int32, into inbox: EventInbox) {
        // One byte more than an event may have: a longer datagram is cut there and refused.
        var buffer = [UInt8](repeating: 0, count: UPSEvent.encodedLimit + 1)
        for _ in 0..<batchLimit {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            // EAGAIN: nothing more for now. Anything else shows again at the next wake-up.
            guard count >= 0 else { return }
            inbox.put(
                EventNotice(decoding: Array(buffer.prefix(count)), at: SystemTime.bootMoment()))
        }
    }
}

extension NotifySocket {
    /// The descriptor that systemd hands over for the notify socket, if it does (sd_listen_fds(3)):
    /// the one named ``descriptorName``, or the only one.
    ///
    /// - Parameters:
    ///   - environment: the process's environment.
    ///   - process: the process's id; LISTEN_PID must be it.
    public static func inheritedDescriptor(
        environment: [String: String], process: Int32
    ) -> Int32? {
        guard environment["LISTEN_PID"] == String(process),
            let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }),
            (1...inheritedLimit).contains(count)
        else { return nil }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(
            separator: ":", omittingEmptySubsequences: false)
        if let place = names.firstIndex(where: { $0 == descriptorName }), place < count {
            return firstInherited + Int32(place)
        }
        return count == 1 ? firstInherited : nil
    }

    /// SD_LISTEN_FDS_START.
    private static let firstInherited: Int32 = 3
    /// More sockets than any unit of ours has.
    private static let inheritedLimit: Int32 = 16

    private static func prepare(inherited: Int32) throws(NotifySocketError) {
        let path = "descriptor \(inherited)"
        guard option(SO_DOMAIN, of: inherited) == AF_UNIX,
            option(SO_TYPE, of: inherited) == Int32(SOCK_DGRAM.rawValue)
        else {
            throw NotifySocketError(
                path: path, reason: .wrongKind, detail: "it is not a Unix datagram socket")
        }
        // Programs that the daemon starts must not hold it open.
        guard fcntl(inherited, F_SETFD, FD_CLOEXEC) == 0 else { throw .system(path) }
    }

    private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
    }

    private static func bind(path: String, group: String?) throws(NotifySocketError) -> Int32 {
        guard let address = UnixAddress(path: path) else {
            throw NotifySocketError(
                path: path, reason: .wrongKind, detail: "the path is empty or over 107 bytes")
        }
        try removeStale(address)
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .system(path) }
        do throws(NotifySocketError) {
            // Until `chmod` nobody but the owner can send: the mode is 0777 less the umask.
            guard address.with({ Glibc.bind(descriptor, $0, $1) }) == 0 else {
                throw .system(path)
            }
            if let group { try give(path, to: group) }
            guard chmod(path, mode) == 0 else { throw .system(path) }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func removeStale(_ address: UnixAddress) throws(NotifySocketError) {
        let path = address.path
        var about = stat()
        guard lstat(path, &about) == 0 else { return }
        guard about.st_mode & S_IFMT == S_IFSOCK else {
            throw NotifySocketError(
                path: path, reason: .wrongKind, detail: "something else than a socket is there")
        }
        let probe = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { throw .system(path) }
        defer { close(probe) }
        guard address.with({ connect(probe, $0, $1) }) != 0 else {
            throw NotifySocketError(
                path: path, reason: .inUse, detail: "another vpower watch listens there")
        }
        guard errno == ECONNREFUSED, unlink(path) == 0 else { throw .system(path) }
    }

    private static func give(_ path: String, to name: String) throws(NotifySocketError) {
        // `getgrnam` uses one buffer of the process; this is asked once, before there are tasks.
        guard let group = getgrnam(name) else {
            throw NotifySocketError(
                path: path, reason: .noSuchGroup, detail: "there is no group \(name)")
        }
        guard chown(path, uid_t.max, group.pointee.gr_gid) == 0 else { throw .system(path) }
    }
}

/// Why the notify socket could not be had.
public struct NotifySocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// Another daemon listens there.
        case inUse
        /// What is there, or was inherited, is not a Unix datagram socket.
        case wrongKind
        /// The group that may send does not exist.
        case noSuchGroup
        /// Anything else: permission, a missing directory.
        case system
    }

    /// The socket's path, or the descriptor.
    public var path: String
    /// What kind of failure it is.
    public var reason: Reason
    /// The system's own words.
    public var detail: String

    /// An error.
    public init(path: String, reason: Reason, detail: String) {
        self.path = path
        self.reason = reason
        self.detail = detail
    }

    static func system(_ path: String) -> NotifySocketError {
        NotifySocketError(path: path, reason: .system, detail: String(cString: strerror(errno)))
    }

    /// One line for people.
    public var description: String { "notify socket \(path): \(detail)" }
}
