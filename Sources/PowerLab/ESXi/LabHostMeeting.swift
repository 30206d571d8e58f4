import Dispatch
import FoundationEssentials
import Glibc

/// The lab's end of the meeting place: takes requests out of the fence, puts replies in.
///
/// What lies there was written inside the fence. It is read as data only: no link is followed,
/// sizes are limited, and names may hold nothing but what mktemp makes.
final class LabHostMeeting: Sendable {
    /// A command as it was typed inside: its name and its arguments.
    struct Request: Sendable {
        let id: String
        let words: [String]
    }

    /// What the command prints and how it ends.
    struct Reply: Hashable, Sendable {
        var output = ""
        var errors = ""
        var status: Int32 = 0
    }

    private let directory: String
    private let file: Int32

    /// Starts to listen; `receive` is called on a thread of its own for every request.
    init(
        directory: String, receive: @escaping @Sendable (Request) -> Void
    ) throws(LabProcessError) {
        self.directory = directory
        // For reading and writing: so there is no end of file when the last writer goes, and
        // `stop` can write to it.
        file = open("\(directory)/request", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            throw LabProcessError(
                program: "\(directory)/request", detail: String(cString: strerror(errno)))
        }
        DispatchQueue(label: "vpower.lab.meeting").async { [self] in listen(receive) }
    }

    deinit { close(file) }

    /// Stops listening.
    func stop() { _ = write(file, "stop\n", 5) }

    private func listen(_ receive: @Sendable (Request) -> Void) {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            for byte in buffer[..<count] {
                guard byte == UInt8(ascii: "\n") else {
                    if line.count < 64 { line.append(byte) }
                    continue
                }
                let id = String(decoding: line, as: UTF8.self)
                line = []
                if id == "stop" { return }
                if let request = request(id) { receive(request) }
            }
        }
    }

    private func request(_ id: String) -> Request? {
        let isName = id.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || byte == UInt8(ascii: ".")
        }
        guard isName, id.hasPrefix("r."), let bytes = LabRootfs.regularFile("\(directory)/\(id)")
        else { return nil }
        let words = bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast()
            .map { String(decoding: $0, as: UTF8.self) }
        return words.isEmpty ? nil : Request(id: id, words: words)
    }

    /// Answers; the status comes last, since it is what the other side waits for. A request
    /// whose asker is gone is answered all the same, and removed with the tree.
    func answer(_ request: Request, _ reply: Reply) {
        put(reply.output, "\(request.id).out")
        put(reply.errors, "\(request.id).err")
        put("\(reply.status)\n", "\(request.id).status.new")
        _ = rename(
            "\(directory)/\(request.id).status.new", "\(directory)/\(request.id).status")
    }

    private func put(_ text: String, _ name: String) {
        let reply = open(
            "\(directory)/\(name)", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard reply >= 0 else { return }
        defer { close(reply) }
        let bytes = Array(text.utf8)
        var count = 0
        while count < bytes.count {
            let written = bytes.withUnsafeBytes { buffer in
                write(reply, buffer.baseAddress.map { $0 + count }, buffer.count - count)
            }
            guard written > 0 else { return }
            count += written
        }
    }
}
