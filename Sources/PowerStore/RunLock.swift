import Glibc
public import PowerModel
public import PowerRun

/// Held by the one process that carries out plans for a cluster. The kernel lets go of it when
/// the process ends, however it ends.
public struct RunLock: ~Copyable {
    /// The lock's file. It stays when the lock is released: removing it would race.
    public let path: String
    private let descriptor: Int32

    /// Takes the lock of a cluster in the state directory, or throws at once: `.locked` when
    /// another process has it, naming that process.
    public init(directory: String, cluster: ClusterName) throws(JournalError) {
        let path = "\(directory)/\(Self.fileName(for: cluster))"
        try StateDirectory.create(directory)
        descriptor = try Self.take(path, cluster)
        self.path = path
    }

    deinit { close(descriptor) }

    private static func take(_ path: String, _ cluster: ClusterName) throws(JournalError) -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw StateDirectory.error(path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let failure =
                errno == EWOULDBLOCK
                ? JournalError(
                    path: path, reason: .locked,
                    detail: holderWords(holder(descriptor), cluster))
                : StateDirectory.error(path)
            close(descriptor)
            throw failure
        }
        // Only for the message of whoever comes second: a lock without it is a lock all the same.
        let text = Array("\(getpid())\n".utf8)
        if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, text, text.count, 0) }
        return descriptor
    }

    private static func holder(_ descriptor: Int32) -> Int? {
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return nil }
        let digits = buffer[..<count].prefix { $0 != UInt8(ascii: "\n") }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    private static func holderWords(_ holder: Int?, _ cluster: ClusterName) -> String {
        let who = holder.map { "process \($0)" } ?? "another process"
        return "\(who) is carrying out a plan for cluster \(cluster.rawValue.onOneLine);"
            + " see `vpower status`, wait for it or stop that process"
    }

    /// File names have at most 255 bytes; this leaves room for the ending.
    private static let fileNameLimitBytes = 200

    /// The cluster's name as a file's: everything but letters, digits, `-` and `_` as `%41`. What
    /// is too long ends in a hash of the whole.
    static func fileName(for cluster: ClusterName) -> String {
        var name = ""
        for byte in cluster.rawValue.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                name.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                name += byte < 16 ? "%0" : "%"
                name += String(byte, radix: 16, uppercase: true)
            }
        }
        if name.utf8.count > fileNameLimitBytes {
            // FNV-1a: two clusters that share a hash only wait for each other.
            let hash = cluster.rawValue.utf8.reduce(14_695_981_039_346_656_037 as UInt64) {
                ($0 ^ UInt64($1)) &* 1_099_511_628_211
            }
            name = "\(name.prefix(fileNameLimitBytes))~\(String(hash, radix: 16))"
        }
        return "\(name).lock"
    }
}
