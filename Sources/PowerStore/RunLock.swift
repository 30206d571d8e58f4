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
        let path = "\(directory)/\(StateFile.name(for: cluster, "lock"))"
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
}
