import Dispatch
import Glibc
import Synchronization

/// Names to addresses to a connected, non-blocking socket.
enum SSHDial {
    struct Address: Sendable {
        var storage: sockaddr_storage
        var length: socklen_t
        var family: Int32

        /// The address without the port; empty where it cannot be written.
        var text: String {
            var storage = storage
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let code = withUnsafePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    getnameinfo(
                        $0, length, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
                }
            }
            guard code == 0 else { return "" }
            return String(
                decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    /// Whether a text is an address and no name.
    static func isAddress(_ text: String) -> Bool { literal(text, port: 0) != nil }

    private static func literal(_ text: String, port: Int) -> [Address]? {
        // What is no address is a name.
        try? lookUp(host: text, port: port, flags: AI_NUMERICHOST).get()
    }

    /// A connected TCP socket. What the name is known to resolve to has half of the time; then DNS
    /// is asked: it may know better.
    static func connect(
        host: String, port: Int, known: [String] = [], until deadline: SSHDeadline
    ) throws(SSHError) -> Int32 {
        let known = known.flatMap { literal($0, port: port) ?? [] }
        if known.isEmpty {
            return try connect(
                to: addresses(host: host, port: port, until: deadline), until: deadline)
        }
        let problem: SSHError
        do throws(SSHError) {
            return try connect(to: known, until: deadline.share(deadline.left / 2))
        } catch {
            if error.reason == .cancelled { throw error }
            problem = error
        }
        let texts = Set(known.map(\.text))
        var others: [Address] = []
        do throws(SSHError) {
            others = try addresses(host: host, port: port, until: deadline)
                .filter { !texts.contains($0.text) }
        } catch {
            if error.reason == .cancelled { throw error }
        }
        if others.isEmpty { throw problem }
        return try connect(to: others, until: deadline)
    }

    /// A connected TCP socket. Each address gets an equal share of the time that is left.
    private static func connect(to addresses: [Address], until deadline: SSHDeadline)
        throws(SSHError) -> Int32
    {
        var last = deadline.error(.unreachable, "the name has no address")
        for (index, address) in addresses.enumerated() {
            let share = deadline.share(deadline.left / (addresses.count - index))
            do {
                return try connect(to: address, until: share)
            } catch {
                if error.reason == .cancelled { throw error }
                last = error
                // Silence to a TCP connect is a host that is not there, not a slow command.
                if error.reason == .timedOut { last.reason = .unreachable }
            }
        }
        throw last
    }

    private static func connect(to address: Address, until deadline: SSHDeadline)
        throws(SSHError) -> Int32
    {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let socket = Glibc.socket(
            address.family, type | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_TCP))
        guard socket >= 0 else { throw deadline.error(.unreachable, reason(errno)) }
        do throws(SSHError) {
            var storage = address.storage
            let code = withUnsafePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(socket, $0, address.length)
                }
            }
            if code != 0 {
                guard errno == EINPROGRESS else {
                    throw deadline.error(.unreachable, reason(errno))
                }
                try waitUntilConnected(socket, until: deadline)
            }
        } catch {
            close(socket)
            throw error
        }
        var on: Int32 = 1
        // Commands are small and answered at once: waiting to fill a packet only costs time.
        setsockopt(
            socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        noticeSilence(on: socket)
        return socket
    }

    /// A host that loses its power says nothing: its connection breaks after half a minute of
    /// silence in place of holding a long command, or a queue of them, until each one's limit.
    private static func noticeSilence(on socket: Int32) {
        func set(_ level: Int32, _ option: Int32, _ value: Int32) {
            var value = value
            setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
        set(SOL_SOCKET, SO_KEEPALIVE, 1)
        set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, silentSeconds / 3)
        set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, silentSeconds / 6)
        set(Int32(IPPROTO_TCP), TCP_KEEPCNT, 4)
        set(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, silentSeconds * 1000)
    }

    /// How long a connection may be silent, acknowledgements included, before it counts as broken.
    private static let silentSeconds: Int32 = 30

    private static func waitUntilConnected(_ socket: Int32, until deadline: SSHDeadline)
        throws(SSHError)
    {
        while true {
            try deadline.waitSlice(socket, for: POLLOUT)
            var descriptor = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            guard poll(&descriptor, 1, 0) == 1 else { continue }
            var code: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size)
            guard code == 0 else { throw deadline.error(.unreachable, reason(code)) }
            return
        }
    }

    /// getaddrinfo has no limit of its own and DNS may be one of the guests that are off, so it
    /// runs elsewhere and is left behind when the time is over.
    static func addresses(host: String, port: Int, until deadline: SSHDeadline)
        throws(SSHError) -> [Address]
    {
        if let literal = literal(host, port: port) { return literal }
        let found = Lookup()
        let done = DispatchSemaphore(value: 0)
        DispatchQueue(label: "vpower.resolve").async {
            found.result.withLock { $0 = lookUp(host: host, port: port, flags: 0) }
            done.signal()
        }
        let slice = DispatchTimeInterval.milliseconds(Int(SSHDeadline.sliceMilliseconds))
        while done.wait(timeout: .now() + slice) == .timedOut { try deadline.check() }
        switch found.result.withLock({ $0 }) {
        case .success(let addresses)?: return addresses
        case .failure(let problem)?:
            throw deadline.error(.unreachable, "\(host) does not resolve: \(problem.text)")
        case nil: throw deadline.error(.unreachable, "\(host) does not resolve")
        }
    }

    private final class Lookup: Sendable {
        let result = Mutex<Result<[Address], LookupProblem>?>(nil)
    }

    private struct LookupProblem: Error { var text: String }

    private static func lookUp(host: String, port: Int, flags: Int32)
        -> Result<[Address], LookupProblem>
    {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else {
            return .failure(LookupProblem(text: String(cString: gai_strerror(code))))
        }
        defer { freeaddrinfo(list) }
        var addresses: [Address] = []
        var next = list
        while let info = next?.pointee {
            var address = Address(
                storage: sockaddr_storage(), length: info.ai_addrlen, family: info.ai_family)
            if let source = info.ai_addr, info.ai_addrlen <= MemoryLayout<sockaddr_storage>.size {
                memcpy(&address.storage, source, Int(info.ai_addrlen))
                addresses.append(address)
            }
            next = info.ai_next
        }
        return .success(addresses)
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
