import Glibc
public import PowerModel
public import PowerRun

/// Held by the one process that carries out plans for a cluster. The kernel lets go of it when
/// the process ends, however it ends.
public struct RunLock: ~Copyable {
    /// The lock's file. It stays when the lock is released: removing it would race.
    public let path: String
    private let descriptor: Int32

    /// Takes the lock of a cluster in this directory (in /run: a state disk that fails must not
    /// stop a run), or throws at once: `.locked` when another process has it, with what it is and
    /// since when.
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
        guard isTaken(descriptor) else {
            let failure =
                errno == EWOULDBLOCK
                ? JournalError(
                    path: path, reason: .locked,
                    detail: holderWords(Holder(descriptor), cluster))
                : StateDirectory.error(path)
            close(descriptor)
            throw failure
        }
        // Only for the message of whoever comes second: a lock without it is a lock all the same.
        let text = Array("\(getpid())\n\(ownCommand)\n".utf8)
        if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, text, text.count, 0) }
        return descriptor
    }

    /// Who only looks whether the lock is held has it for less than this: `whoHolds`.
    private static let lookMicroseconds: UInt32 = 20_000
    private static let looksWaitedOut = 5

    private static func isTaken(_ descriptor: Int32) -> Bool {
        for _ in 0..<looksWaitedOut {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
            guard errno == EWOULDBLOCK else { return false }
            usleep(lookMicroseconds)
        }
        return flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    /// Says who carries out a plan for the cluster now; nil when nobody does. Makes no file, and is
    /// in nobody's way.
    public static func whoHolds(
        directory: String, cluster: ClusterName
    ) throws(JournalError) -> String? {
        let path = "\(directory)/\(StateFile.name(for: cluster, "lock"))"
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw StateDirectory.error(path)
        }
        defer { close(descriptor) }
        if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return nil }
        guard errno == EWOULDBLOCK else { throw StateDirectory.error(path) }
        return holderWords(Holder(descriptor), cluster)
    }

    /// The program's name and its first argument: `vpower shutdown`.
    private static var ownCommand: String {
        CommandLine.arguments.prefix(2).enumerated().map { place, word in
            place == 0 ? String(word.split(separator: "/").last ?? "") : word.onOneLine
        }.joined(separator: " ")
    }

    /// What the holder wrote, and since when: the moment at which it did.
    private struct Holder {
        var process: Int
        var command: String
        var since: Int

        init?(_ descriptor: Int32) {
            var buffer = [UInt8](repeating: 0, count: 512)
            let count = pread(descriptor, &buffer, buffer.count, 0)
            var status = stat()
            guard count > 0, fstat(descriptor, &status) == 0 else { return nil }
            let lines = String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
            guard let first = lines.first, let process = Int(first) else { return nil }
            self.process = process
            command = lines.dropFirst().first.map { String($0).onOneLine } ?? "a program"
            since = status.st_mtim.tv_sec
        }

        var words: String {
            var seconds = since
            var parts = tm()
            guard gmtime_r(&seconds, &parts) != nil else { return "\(command), process \(process)" }
            var text = [CChar](repeating: 0, count: 32)
            let length = strftime(&text, text.count, "%Y-%m-%d %H:%M:%S UTC", &parts)
            let bytes = text.prefix(length).map { UInt8(bitPattern: $0) }
            let moment = String(decoding: bytes, as: UTF8.self)
            return "\(command), process \(process), since \(moment),"
        }
    }

    private static func holderWords(_ holder: Holder?, _ cluster: ClusterName) -> String {
        "\(holder?.words ?? "another process") is carrying out a plan for cluster"
            + " \(cluster.rawValue.onOneLine)"
    }
}
