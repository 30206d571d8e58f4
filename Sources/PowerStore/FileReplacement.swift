import Glibc
import PowerRun

/// Gives a file other bytes, all at once: whoever reads it sees the old ones or the new ones.
enum FileReplacement {
    /// Replaces a file's bytes. It keeps its owner, group and mode; a link to it stays one.
    static func replace(_ path: String, with bytes: [UInt8]) throws(FileFault) {
        guard let resolved = realpath(path, nil) else { throw .system(systemMessage(errno)) }
        defer { free(resolved) }
        let real = String(cString: resolved)
        var status = stat()
        guard stat(real, &status) == 0 else { throw .system(systemMessage(errno)) }
        let draft = "\(real).vpower-\(getpid())"
        do throws(FileFault) {
            try put(bytes, draft, like: status)
            guard rename(draft, real) == 0 else { throw .system(systemMessage(errno)) }
        } catch {
            unlink(draft)
            throw error
        }
        do { try StateDirectory.sync(StateDirectory.parent(of: real)) } catch {
            throw .system("it is changed, but may not be on disk: \(error.detail)")
        }
    }

    private static func put(_ bytes: [UInt8], _ path: String, like old: stat) throws(FileFault) {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        let descriptor = open(path, flags, 0o600)
        guard descriptor >= 0 else { throw .system(systemMessage(errno)) }
        defer { close(descriptor) }
        // The owner first: changing it takes bits of the mode away.
        guard StateDirectory.write(bytes, to: descriptor),
            fchown(descriptor, old.st_uid, old.st_gid) == 0,
            fchmod(descriptor, old.st_mode & 0o7777) == 0, fsync(descriptor) == 0
        else { throw .system(systemMessage(errno)) }
    }
}
