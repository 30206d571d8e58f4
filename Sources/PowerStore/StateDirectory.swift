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

    /// The last system error, as a journal's.
    static func error(_ path: String) -> JournalError {
        let full = errno == ENOSPC || errno == EDQUOT
        return JournalError(path: path, reason: full ? .full : .other, detail: systemMessage(errno))
    }
}
