import Glibc

/// What a file's own mode and owner say, beside its bytes.
struct FileContents {
    var bytes: [UInt8]
    var owner: UInt32
    var mode: UInt32
}

/// Why a file could not be read.
enum FileFault: Error, Hashable {
    case missing
    case notAFile
    case tooLong(limit: Int)
    case system(String)
}

/// Reads small files whole, and never more than it was allowed to.
enum BoundedFile {
    /// Reads a regular file of at most `limit` bytes.
    static func read(_ path: String, limit: Int) throws(FileFault) -> FileContents {
        // O_NONBLOCK: opening a FIFO must not wait for a writer that never comes.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw errno == ENOENT ? .missing : .system(systemMessage(errno))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(systemMessage(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile }
        let bytes = try readAll(descriptor, limit: limit)
        return FileContents(
            bytes: bytes, owner: status.st_uid, mode: status.st_mode & 0o7777)
    }

    private static func readAll(_ descriptor: Int32, limit: Int) throws(FileFault) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw .system(systemMessage(errno))
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
            if bytes.count > limit { throw .tooLong(limit: limit) }
        }
    }
}

/// The system's own words for an error number.
func systemMessage(_ number: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    _ = strerror_r(number, &buffer, buffer.count)
    let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return bytes.isEmpty ? "error \(number)" : String(decoding: bytes, as: UTF8.self)
}

extension FileFault {
    /// As it goes on after the file's name.
    var words: String {
        switch self {
        case .missing: "is not there"
        case .notAFile: "is not a file"
        case .tooLong(let limit): "is longer than \(limit) bytes"
        case .system(let words): words
        }
    }
}
