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
