import Glibc
import PowerRun

/// The directory vpower keeps its state in.
enum StateDirectory {
    /// Creates it (and what is above it) for this user alone, and makes that durable.
    static func create(_ path: String) throws(JournalError) {
        if mkdir(path, 0o700) == 0 {
            try sync(parent(of: path))
            return
        }
        switch errno {
        case EEXIST:
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw JournalError(path: path, reason: .other, detail: "is not a directory")
            }
        case ENOENT where path.contains("/") && parent(of: path) != path:
            try create(parent(of: path))
            // Once more and no oftener: where nothing can be made (/proc) this stays ENOENT.
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw error(path) }
            try sync(parent(of: path))
        default: throw error(path)
        }
    }

    /// Makes new names in a directory durable.
    static func sync(_ path: String) throws(JournalError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error(path) }
        defer { close(descriptor) }
        // EINVAL: a file system without such a thing (some network and FUSE ones).
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw error(path) }
    }

    /// Creates a file for this user alone if there is none, before anybody else can.
    static func createFile(_ path: String) throws(JournalError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw error(path) }
        close(descriptor)
    }

    static func parent(of path: String) -> String {
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.last == "/" { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    /// Whether there is such a file; throws when that cannot be told, or what should be a directory
    /// above it is a file.
    static func exists(_ path: String) throws(JournalError) -> Bool {
        var status = stat()
        if stat(path, &status) == 0 { return true }
        guard errno == ENOENT else { throw error(path) }
        return false
    }

    /// The last system error, as a journal's.
    static func error(_ path: String) -> JournalError {
        JournalError(
            path: path, reason: isFull(errno) ? .full : .other, detail: systemMessage(errno))
    }

    /// Whether a system error says that there is no room: on the disk, in the quota, or within the
    /// largest size a file may have.
    static func isFull(_ number: Int32) -> Bool { [ENOSPC, EDQUOT, EFBIG].contains(number) }

    /// As much as a record may take.
    private static let probeBytes = 64 * 1024
    /// O_TMPFILE, which Swift does not get from the C header: a macro of two others.
    private static let temporaryFile: Int32 = 0o20_000_000 | O_DIRECTORY

    /// Why a file cannot grow, in the system's words; nil when it can, or that cannot be told. Asks
    /// with a file that has no name and is gone at once, written where the file's log ends.
    static func lackOfRoom(beside path: String) -> String? {
        let flags = temporaryFile | O_WRONLY | O_CLOEXEC
        let descriptor = open(parent(of: path), flags, 0o600)
        guard descriptor >= 0 else { return isFull(errno) ? systemMessage(errno) : nil }
        defer { close(descriptor) }
        var status = stat()
        let end = stat("\(path)-wal", &status) == 0 ? status.st_size : 0
        let bytes = [UInt8](repeating: 0, count: probeBytes)
        let fits = write(bytes, to: descriptor, at: end) && fsync(descriptor) == 0
        return fits || !isFull(errno) ? nil : systemMessage(errno)
    }

    /// Writes all of it; when this is false, `errno` says why not.
    static func write(_ bytes: [UInt8], to descriptor: Int32, at start: off_t = 0) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress, $0.count, start + off_t(written))
            }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }
}
