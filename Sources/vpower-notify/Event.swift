import Glibc

/// One event, in the form in which it goes to the daemon.
///
/// The form is described once, at `UPSEvent` in PowerService, which reads it. The tests of both
/// programs hold them together; they share no code, so that this one stays tiny.
struct Event {
    /// Where the daemon listens (`Templates/systemd/vpower.socket`).
    static let socketPath = "/run/vpower/notify.sock"
    /// What a value may take when it is escaped, in bytes. Together with the head of less than
    /// 200 bytes the longest event is under 4 KiB, the size of one page and of one spooled file.
    static let typeLimit = 128
    /// MONITOR words are `ups@host:port`: 512 bytes are more than upsmon's own 512-byte words.
    static let upsLimit = 512
    /// upsmon builds messages in 1023 bytes; only a message of escapes alone is cut.
    static let messageLimit = 3072

    var boot: [UInt8]
    var atMilliseconds: Int64
    var upMilliseconds: Int64
    var type: [UInt8]
    var ups: [UInt8]
    var message: [UInt8]

    /// The event that upsmon describes in the environment and the arguments.
    static func fromSurroundings() -> Event {
        let count = Int(CommandLine.argc)
        // The bytes as they are: a message need not be UTF-8.
        let last = count > 1 ? CommandLine.unsafeArgv[count - 1] : nil
        return Event(
            boot: bootIdentity(),
            atMilliseconds: milliseconds(of: CLOCK_REALTIME),
            upMilliseconds: milliseconds(of: CLOCK_BOOTTIME),
            type: bytes(getenv("NOTIFYTYPE")), ups: bytes(getenv("UPSNAME")), message: bytes(last))
    }

    /// The event as lines.
    func encoded() -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(512)
        out += Array("vpower-event 1\nboot=".utf8)
        Self.append(boot, to: &out, limit: Self.typeLimit)
        out += Array("\nat=\(atMilliseconds)\nup=\(upMilliseconds)\ntype=".utf8)
        Self.append(type, to: &out, limit: Self.typeLimit)
        out += Array("\nups=".utf8)
        Self.append(ups, to: &out, limit: Self.upsLimit)
        out += Array("\nmessage=".utf8)
        Self.append(message, to: &out, limit: Self.messageLimit)
        out.append(0x0A)
        return out
    }

    /// Appends a value in which everything but printable ASCII is `\xHH`, cut before the escape
    /// that would pass the limit.
    private static func append(_ value: [UInt8], to out: inout [UInt8], limit: Int) {
        let digits = Array("0123456789abcdef".utf8)
        var used = 0
        for byte in value {
            let plain = (0x20...0x7E).contains(byte) && byte != 0x5C
            used += plain ? 1 : 4
            if used > limit { return }
            if plain {
                out.append(byte)
            } else {
                out += [0x5C, 0x78, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }

    private static func bytes(_ text: UnsafeMutablePointer<CChar>?) -> [UInt8] {
        guard let text else { return [] }
        // No more than could be used: what is beyond the limit is cut anyway.
        let count = min(strlen(text), messageLimit)
        return (0..<count).map { UInt8(bitPattern: text[$0]) }
    }

    private static func milliseconds(of clock: clockid_t) -> Int64 {
        var now = timespec()
        clock_gettime(clock, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// The kernel's name for this boot; empty when /proc is not there, which makes the event
    /// history for the daemon.
    private static func bootIdentity() -> [UInt8] {
        let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        // A UUID and a line end.
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(file, &buffer, buffer.count)
        return buffer.prefix(max(count, 0)).prefix { $0 != 0x0A }.map { $0 }
    }
}
