import CLibSSH2
import Glibc

extension SSHConnection {
    /// One packet must hold the whole request (libssh2's limit is 35000 bytes).
    static let commandLimitBytes = 30_000

    /// Runs one command in a channel of its own and returns when the server has closed it.
    ///
    /// `started` is set when the command is about to be sent: until then nothing has happened at
    /// the server, and the caller may try again.
    mutating func execute(
        _ command: String, input: [UInt8], outputLimitBytes: Int, until deadline: SSHDeadline,
        started: inout Bool
    ) throws(SSHError) -> SSHOutput {
        var channel = try openChannel(until: deadline)
        started = true
        let handle = channel.handle
        let code = try retry(until: deadline) { _ in vp_channel_exec(handle, command) }
        guard code == 0 else {
            throw deadline.error(.broken, "the command was not accepted: \(lastError)")
        }
        var transfer = SSHTransfer(input: input, limitBytes: outputLimitBytes)
        try transfer.run(channel.handle, on: self, until: deadline)
        _ = try retry(until: deadline) { _ in libssh2_channel_wait_closed(handle) }
        return channel.output(transfer.stdout, transfer.stderr)
    }

    private func openChannel(until deadline: SSHDeadline) throws(SSHError) -> SSHChannel {
        while true {
            try deadline.check()
            if let handle = vp_channel_open_session(session) {
                return SSHChannel(handle: handle, socket: socket)
            }
            guard libssh2_session_last_errno(session) == LIBSSH2_ERROR_EAGAIN else {
                throw deadline.error(.broken, "no channel: \(lastError)")
            }
            try deadline.waitSlice(socket, for: directions)
        }
    }
}

/// A channel. It lives inside `execute` only, and so never longer than its session.
struct SSHChannel: ~Copyable {
    /// Freeing sends one small packet; a peer that does not take it must not hold us.
    static let freeTries = 20

    let handle: OpaquePointer
    let socket: Int32

    deinit {
        for _ in 0..<Self.freeTries {
            if libssh2_channel_free(handle) != LIBSSH2_ERROR_EAGAIN { return }
            var descriptor = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            _ = poll(&descriptor, 1, 10)
        }
    }

    /// The status with what was read.
    mutating func output(_ stdout: [UInt8], _ stderr: [UInt8]) -> SSHOutput {
        var name: UnsafeMutablePointer<CChar>?
        _ = libssh2_channel_get_exit_signal(handle, &name, nil, nil, nil, nil, nil)
        defer { free(name) }
        return SSHOutput(
            status: libssh2_channel_get_exit_status(handle),
            signal: name.map { String(cString: $0) }, stdout: stdout, stderr: stderr)
    }
}

/// Moves standard input out and both outputs in, as the socket allows.
struct SSHTransfer {
    private enum Turn { case write, readOut, readError, sendEnd }

    private let input: [UInt8]
    private let limitBytes: Int
    private var written = 0
    private var ended = false
    /// A call that left half a packet behind must be repeated before any other: libssh2 answers
    /// every other one with BAD_USE.
    private var unfinished: Turn?
    private(set) var stdout: [UInt8] = []
    private(set) var stderr: [UInt8] = []
    private var buffer = [CChar](repeating: 0, count: 32_768)

    init(input: [UInt8], limitBytes: Int) {
        self.input = input
        self.limitBytes = limitBytes
    }

    mutating func run(
        _ channel: OpaquePointer, on connection: borrowing SSHConnection,
        until deadline: SSHDeadline
    ) throws(SSHError) {
        while true {
            try deadline.check()
            var moved = false
            let turns: [Turn] = unfinished.map { [$0] } ?? [.write, .sendEnd, .readOut, .readError]
            unfinished = nil
            for turn in turns where unfinished == nil {
                let code = take(turn, channel)
                if code > 0 { moved = true }
                guard code == LIBSSH2_ERROR_EAGAIN || code >= 0 else {
                    throw deadline.error(.broken, "the connection broke: \(connection.lastError)")
                }
                if code == LIBSSH2_ERROR_EAGAIN,
                    libssh2_session_block_directions(connection.session)
                        & LIBSSH2_SESSION_BLOCK_OUTBOUND != 0
                {
                    unfinished = turn
                }
            }
            guard stdout.count + stderr.count <= limitBytes else {
                throw deadline.error(
                    .outputTooLarge, "the command printed more than \(limitBytes) bytes")
            }
            if moved { continue }
            if unfinished == nil, libssh2_channel_eof(channel) == 1 { return }
            try deadline.waitSlice(connection.socket, for: connection.directions)
        }
    }

    /// Does one thing; above 0 when bytes moved.
    private mutating func take(_ turn: Turn, _ channel: OpaquePointer) -> Int {
        switch turn {
        case .write: return write(channel)
        case .sendEnd: return sendEnd(channel)
        case .readOut: return read(channel, vp_channel_read, into: \.stdout)
        case .readError: return read(channel, vp_channel_read_stderr, into: \.stderr)
        }
    }

    private mutating func write(_ channel: OpaquePointer) -> Int {
        guard written < input.count else { return 0 }
        let code = input[written...].withUnsafeBytes { bytes in
            vp_channel_write(
                channel, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        if code > 0 { written += code }
        // A command may end without reading all of its input: what it said still counts.
        if code == Int(LIBSSH2_ERROR_CHANNEL_CLOSED) || code == Int(LIBSSH2_ERROR_CHANNEL_EOF_SENT)
        {
            written = input.count
            ended = true
            return 0
        }
        return code
    }

    private mutating func sendEnd(_ channel: OpaquePointer) -> Int {
        guard written == input.count, !ended else { return 0 }
        let code = libssh2_channel_send_eof(channel)
        if code != LIBSSH2_ERROR_EAGAIN { ended = true }
        return Int(code == LIBSSH2_ERROR_EAGAIN ? code : 0)
    }

    private mutating func read(
        _ channel: OpaquePointer,
        _ call: (OpaquePointer, UnsafeMutablePointer<CChar>, Int) -> Int,
        into output: WritableKeyPath<SSHTransfer, [UInt8]>
    ) -> Int {
        let count = buffer.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress.map { call(channel, $0, bytes.count) } ?? 0
        }
        if count > 0 {
            self[keyPath: output].append(
                contentsOf: buffer[..<count].lazy.map(UInt8.init(bitPattern:)))
        }
        return count
    }
}
