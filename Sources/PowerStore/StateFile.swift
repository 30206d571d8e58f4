import FoundationEssentials
import Glibc
import PowerModel
import PowerRun

/// A small file in the state directory that other processes read: written in whole or not at all.
enum StateFile {
    /// More than anything that is written here.
    private static let limitBytes = 16 * 1024

    /// Writes a value; when this returns it is on disk, and whoever reads sees all of it.
    static func write(_ value: some Encodable, to path: String) throws(JournalError) {
        let bytes: [UInt8]
        do { bytes = Array(try JSONEncoder().encode(value)) } catch {
            throw JournalError(path: path, reason: .other, detail: "\(error)")
        }
        let directory = StateDirectory.parent(of: path)
        try StateDirectory.create(directory)
        let draft = "\(path).\(getpid())"
        try put(bytes, draft)
        guard rename(draft, path) == 0 else {
            let failure = StateDirectory.error(path)
            unlink(draft)
            throw failure
        }
        try StateDirectory.sync(directory)
    }

    /// Writes a new file for this user alone; when this returns its bytes are on disk.
    static func put(_ bytes: [UInt8], _ path: String) throws(JournalError) {
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW
        let descriptor = open(path, flags, 0o600)
        guard descriptor >= 0 else { throw StateDirectory.error(path) }
        defer { close(descriptor) }
        guard StateDirectory.write(bytes, to: descriptor), fsync(descriptor) == 0 else {
            let failure = StateDirectory.error(path)
            unlink(path)
            throw failure
        }
    }

    /// Reads a value; nil when there is no such file.
    static func read<Value: Decodable>(
        _ path: String, as type: Value.Type = Value.self
    ) throws(JournalError) -> Value? {
        do {
            let contents = try BoundedFile.read(path, limit: limitBytes)
            return try JSONDecoder().decode(Value.self, from: Data(contents.bytes))
        } catch FileFault.missing {
            return nil
        } catch let fault as FileFault {
            throw JournalError(path: path, reason: .other, detail: fault.words)
        } catch {
            throw JournalError(
                path: path, reason: .damaged, detail: "it cannot be understood; remove it")
        }
    }

    /// Removes a file; success also when there was none.
    static func remove(_ path: String) throws(JournalError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw StateDirectory.error(path) }
        guard access(StateDirectory.parent(of: path), F_OK) == 0 else { return }
        try StateDirectory.sync(StateDirectory.parent(of: path))
    }

    /// File names have at most 255 bytes; this leaves room for the ending.
    private static let nameLimitBytes = 200

    /// The name of a cluster's file: everything but letters, digits, `-` and `_` as `%41`. What is
    /// too long ends in a hash of the whole.
    static func name(for cluster: ClusterName, _ ending: String) -> String {
        "\(name(cluster.rawValue)).\(ending)"
    }

    /// The same of any text, without an ending.
    static func name(_ text: String) -> String {
        var name = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                name.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                name += byte < 16 ? "%0" : "%"
                name += String(byte, radix: 16, uppercase: true)
            }
        }
        if name.utf8.count > nameLimitBytes {
            // FNV-1a: two clusters that share a hash only wait for each other, and each file but
            // the lock says whose it is.
            let hash = text.utf8.reduce(14_695_981_039_346_656_037 as UInt64) {
                ($0 ^ UInt64($1)) &* 1_099_511_628_211
            }
            name = "\(name.prefix(nameLimitBytes))~\(String(hash, radix: 16))"
        }
        return name
    }
}
