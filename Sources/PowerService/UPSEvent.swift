public import PowerModel

/// One event of upsmon, as `vpower-notify` hands it over. A hint to look at the UPS, never more.
///
/// The form, version 1, at most ``encodedLimit`` bytes, every line ended by LF, in this order:
///
///     vpower-event 1
///     boot=<the kernel's boot id when it was sent; may be empty>
///     at=<wall clock, milliseconds since 1970-01-01T00:00:00Z>
///     up=<CLOCK_BOOTTIME, milliseconds since that boot>
///     type=<NOTIFYTYPE; may be empty>
///     ups=<UPSNAME; may be empty>
///     message=<upsmon's last argument; may be empty>
///
/// In values every byte but printable ASCII, and the backslash, is written `\xHH`. So no value can
/// hold a line end, and every prefix of an event is not an event. `vpower-notify` cuts long values.
public struct UPSEvent: Hashable, Sendable {
    /// The kernel's name for the boot in which it was sent.
    public var boot: String
    /// When it was sent, by the wall clock: for people.
    public var at: Timestamp
    /// When it was sent, in time since that boot: for its age.
    public var up: Duration
    /// NOTIFYTYPE, e.g. `ONBATT`; types that are not known are kept (facts/nut.md 2.1).
    public var type: String
    /// UPSNAME: upsmon's MONITOR word, e.g. `ups@localhost`. Empty for `SHUTDOWN` and others.
    public var ups: String
    /// The message for people. Bytes that are not UTF-8 are replaced.
    public var message: String

    /// The most an encoded event may take, in bytes.
    public static let encodedLimit = 4096

    /// An event.
    public init(
        boot: String, at: Timestamp, up: Duration, type: String, ups: String, message: String
    ) {
        self.boot = boot
        self.at = at
        self.up = up
        self.type = type
        self.ups = ups
        self.message = message
    }

    /// Reads an event from any bytes.
    ///
    /// - Throws: ``UPSEventError`` for anything but one whole event.
    public init(decoding bytes: [UInt8]) throws(UPSEventError) {
        guard bytes.count <= Self.encodedLimit else { throw .tooLong(bytes: bytes.count) }
        var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        guard lines.popLast()?.isEmpty == true, let head = lines.first else { throw .cutShort }
        guard head.elementsEqual(Self.head.utf8) else { throw .unknownForm }
        guard lines.count == 1 + Key.allCases.count else { throw .cutShort }
        boot = try Self.text(.boot, lines)
        at = Timestamp(millisecondsSinceEpoch: try Self.number(.at, lines))
        up = .milliseconds(try Self.number(.up, lines))
        type = try Self.text(.type, lines)
        ups = try Self.text(.ups, lines)
        message = try Self.text(.message, lines)
    }

    /// The event as bytes. Values that make it longer than ``encodedLimit`` are not cut here.
    public func encoded() -> [UInt8] {
        var out = Array(Self.head.utf8)
        let values: [(Key, String)] = [
            (.boot, boot), (.at, String(at.millisecondsSinceEpoch)),
            (.up, String(up.milliseconds)), (.type, type), (.ups, ups), (.message, message),
        ]
        for (key, value) in values {
            out += Array("\n\(key.rawValue)=".utf8)
            for byte in value.utf8 { Self.append(byte, to: &out) }
        }
        return out + [0x0A]
    }

    private static let head = "vpower-event 1"

    private enum Key: String, CaseIterable {
        case boot, at, up, type, ups, message
    }

    private static func append(_ byte: UInt8, to out: inout [UInt8]) {
        guard !(0x20...0x7E).contains(byte) || byte == 0x5C else { return out.append(byte) }
        let digits = Array("0123456789abcdef".utf8)
        out += [0x5C, 0x78, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    private static func value(
        _ key: Key, _ lines: [ArraySlice<UInt8>]
    ) throws(UPSEventError) -> ArraySlice<UInt8> {
        let place = Key.allCases.firstIndex(of: key).map { $0 + 1 } ?? 0
        let name = Array("\(key.rawValue)=".utf8)
        guard lines[place].starts(with: name) else { throw .missing(field: key.rawValue) }
        return lines[place].dropFirst(name.count)
    }

    private static func number(
        _ key: Key, _ lines: [ArraySlice<UInt8>]
    ) throws(UPSEventError) -> Int64 {
        let digits = try value(key, lines)
        // 15 digits of milliseconds are 31 000 years: no sum of two of them can overflow.
        guard (1...15).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) })
        else {
            throw .badValue(field: key.rawValue)
        }
        return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    private static func text(
        _ key: Key, _ lines: [ArraySlice<UInt8>]
    ) throws(UPSEventError) -> String {
        var rest = try value(key, lines)
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            guard (0x20...0x7E).contains(byte) else { throw .badValue(field: key.rawValue) }
            if byte != 0x5C {
                bytes.append(byte)
                continue
            }
            guard rest.popFirst() == 0x78, let high = rest.popFirst().flatMap(digit),
                let low = rest.popFirst().flatMap(digit)
            else { throw .badValue(field: key.rawValue) }
            bytes.append(high << 4 | low)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

/// Why bytes are not an event.
public enum UPSEventError: Error, Hashable, Sendable, CustomStringConvertible {
    /// More than ``UPSEvent/encodedLimit``.
    case tooLong(bytes: Int)
    /// Not whole: lines are missing, or there are too many.
    case cutShort
    /// Not an event, or one of a newer version.
    case unknownForm
    /// A field is not where it belongs.
    case missing(field: String)
    /// A field's value is not a number, or not escaped as it should be.
    case badValue(field: String)

    /// One line for people.
    public var description: String {
        switch self {
        case .tooLong(let bytes): "\(bytes) bytes are too long for an event"
        case .cutShort: "the event is not whole"
        case .unknownForm: "not an event of version 1: is vpower-notify of another release?"
        case .missing(let field): "the event's \(field) is missing"
        case .badValue(let field): "the event's \(field) cannot be read"
        }
    }
}
