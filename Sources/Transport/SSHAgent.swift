import CLibSSH2
import FoundationEssentials
import Glibc

/// An SSH agent on this machine: it has private keys and signs with them.
///
/// libssh2's own client of it waits without a limit, and an agent may ask a person before it
/// signs; so this one speaks the protocol (draft-ietf-sshm-ssh-agent, sections 3 and 4) itself.
final class SSHAgent {
    /// A key the agent has.
    struct Identity {
        /// The public key as the server wants it.
        var blob: [UInt8]
        /// What its owner calls it.
        var comment: String

        /// As `ssh-add -l` prints it.
        var fingerprint: String { SSHFingerprint.text(SHA256.bytes(blob)) }
        var algorithm: String {
            var reader = SSHReader(blob)
            return reader.text() ?? ""
        }
    }

    /// An agent that does not answer by then asks somebody who is not there.
    static let limit: Duration = .seconds(10)
    /// The most that an agent may say at once; OpenSSH's own limit.
    private static let messageLimitBytes = 256 * 1024

    private enum Message {
        static let requestIdentities: UInt8 = 11
        static let identities: UInt8 = 12
        static let requestSignature: UInt8 = 13
        static let signature: UInt8 = 14
    }

    private let socket: Int32
    private let deadline: SSHDeadline
    /// What went wrong in a signature; libssh2 has a number only.
    private(set) var problem: SSHError?

    /// Connects to the agent's socket.
    init(path: String, until deadline: SSHDeadline) throws(SSHError) {
        var own = deadline.share(min(Self.limit, deadline.left))
        own.attempting = "use the SSH agent at \(path)"
        self.deadline = own
        guard let address = Self.address(path) else {
            throw own.error(.keyUnusable, "the socket's path is empty or too long")
        }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        socket = Glibc.socket(AF_UNIX, type | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard socket >= 0 else { throw own.error(.keyUnusable, "there is no socket left") }
        let code = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else {
            let why = String(cString: strerror(errno))
            close(socket)
            throw own.error(.keyUnusable, "\(why); does it run, and may this user use it?")
        }
    }

    deinit { close(socket) }

    private static func address(_ path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, !bytes.contains(0),
            bytes.count < MemoryLayout.size(ofValue: address.sun_path)
        else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    /// The key with this fingerprint; without one the agent must have one key alone, since each
    /// that a server refuses may count as a failed login.
    func identity(_ fingerprint: String?) throws(SSHError) -> Identity {
        let all = try identities()
        if let fingerprint {
            if let found = all.first(where: { $0.fingerprint == fingerprint }) { return found }
        } else if let only = all.first, all.count == 1 {
            return only
        }
        let has = all.map { "\($0.algorithm) \($0.fingerprint)" }.joined(separator: ", ")
        throw deadline.error(
            .keyUnusable,
            all.isEmpty
                ? "it has no key; add one (`ssh-add`)"
                : fingerprint.map { "it does not have the key \($0), but \(has)" }
                    ?? "it has several keys, and no more than one is tried: name one of \(has)")
    }

    private func identities() throws(SSHError) -> [Identity] {
        var reply = try ask([Message.requestIdentities], expecting: Message.identities)
        guard let count = reply.number() else { throw unreadable }
        var all: [Identity] = []
        for _ in 0..<count {
            guard let blob = reply.bytes(), let comment = reply.text() else { throw unreadable }
            all.append(Identity(blob: blob, comment: comment))
        }
        return all
    }

    /// The signature's own bytes, without the name of its algorithm; nil leaves `problem`.
    func sign(_ data: [UInt8], with blob: [UInt8]) -> [UInt8]? {
        do throws(SSHError) {
            let request = [Message.requestSignature] + blob.sized + data.sized + UInt32(0).bytes
            var reply = try ask(request, expecting: Message.signature)
            guard var signature = reply.bytes().map(SSHReader.init), signature.bytes() != nil,
                let bytes = signature.bytes()
            else { throw unreadable }
            return bytes
        } catch {
            problem = error
            return nil
        }
    }

    private var unreadable: SSHError { deadline.error(.keyUnusable, "its answer makes no sense") }

    private func ask(_ message: [UInt8], expecting type: UInt8) throws(SSHError) -> SSHReader {
        try send(message.sized)
        var size = SSHReader(try receive(4))
        guard let count = size.number(), count > 0, count <= Self.messageLimitBytes else {
            throw unreadable
        }
        let reply = try receive(count)
        guard reply.first == type else {
            throw deadline.error(.keyUnusable, "it refuses (message \(reply.first ?? 0))")
        }
        return SSHReader(Array(reply.dropFirst()))
    }

    private func send(_ bytes: [UInt8]) throws(SSHError) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 { sent += count }
            if count < 0 { try wait(for: POLLOUT) }
        }
    }

    private func receive(_ count: Int) throws(SSHError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: count)
        while bytes.count < count {
            let got = recv(socket, &buffer, count - bytes.count, 0)
            if got == 0 { throw deadline.error(.keyUnusable, "it hung up") }
            if got > 0 { bytes += buffer[..<got] } else { try wait(for: POLLIN) }
        }
        return bytes
    }

    private func wait(for events: Int32) throws(SSHError) {
        guard errno == EAGAIN || errno == EINTR else {
            throw deadline.error(.keyUnusable, String(cString: strerror(errno)))
        }
        try deadline.waitSlice(socket, for: events)
    }
}

/// The fingerprint of a key.
enum SSHFingerprint {
    /// `SHA256:` and the base64 that `ssh-keygen -l` prints.
    static func text(_ sum: [UInt8]) -> String {
        var text = Data(sum).base64EncodedString()
        while text.last == "=" { text.removeLast() }
        return "SHA256:" + text
    }
}

/// Reads what SSH messages are made of (RFC 4251 section 5).
struct SSHReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    /// A uint32.
    mutating func number() -> Int? {
        guard rest.count >= 4 else { return nil }
        defer { rest = rest.dropFirst(4) }
        return rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }

    /// A string of bytes.
    mutating func bytes() -> [UInt8]? {
        guard let count = number(), rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    /// A string of text.
    mutating func text() -> String? { bytes().map { String(decoding: $0, as: UTF8.self) } }
}

extension [UInt8] {
    /// As a string of bytes in an SSH message.
    fileprivate var sized: [UInt8] { UInt32(count).bytes + self }
}

extension UInt32 {
    fileprivate var bytes: [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: self >> (24 - 8 * $0)) }
    }
}
