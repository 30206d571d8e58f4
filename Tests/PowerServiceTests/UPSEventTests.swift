import PowerModel
import PowerService
import Testing

@Suite struct UPSEventTests {
    static let sample = UPSEvent(
        boot: "0b0d4ed4-0000-4000-8000-5ca1ab1e0001",
        at: Timestamp(millisecondsSinceEpoch: 1_795_244_863_956), up: .milliseconds(2_698_523),
        type: "ONBATT", ups: "dummy@127.0.0.1:34930", message: "UPS \"x\" \\ 停電\n$(reboot)")

    @Test func `the form is what the documentation says`() {
        let text = """
            vpower-event 1
            boot=0b0d4ed4-0000-4000-8000-5ca1ab1e0001
            at=1795244863956
            up=2698523
            type=ONBATT
            ups=dummy@127.0.0.1:34930
            message=UPS "x" \\x5c \\xe5\\x81\\x9c\\xe9\\x9b\\xbb\\x0a$(reboot)

            """
        #expect(String(decoding: Self.sample.encoded(), as: UTF8.self) == text)
    }

    @Test func `what is encoded is decoded`() throws {
        #expect(try UPSEvent(decoding: Self.sample.encoded()) == Self.sample)
    }

    @Test func `no prefix of an event is an event`() {
        let bytes = Self.sample.encoded()
        for count in 0..<bytes.count {
            #expect(throws: UPSEventError.self) {
                try UPSEvent(decoding: Array(bytes.prefix(count)))
            }
        }
    }

    @Test func `any byte changed is an event or a typed error`() throws {
        let bytes = Self.sample.encoded()
        for place in bytes.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = bytes
                changed[place] = byte
                do throws(UPSEventError) {
                    // What was read means the same when it is written again.
                    let read = try UPSEvent(decoding: changed)
                    let again = try? UPSEvent(decoding: read.encoded())
                    if again != read { Issue.record("byte \(place) as \(byte)") }
                } catch {
                    if error.description.isEmpty { Issue.record("no words for \(error)") }
                }
            }
        }
    }

    @Test(arguments: [
        ("", UPSEventError.cutShort),
        ("\n", .unknownForm),
        ("vpower-event 2\nboot=\nat=1\nup=1\ntype=\nups=\nmessage=\n", .unknownForm),
        ("vpower-event 1\nboot=\nat=1\nup=1\ntype=\nups=\n", .cutShort),
        ("vpower-event 1\nboot=\nat=1\nup=1\ntype=\nups=\nmessage=\nmore=\n", .cutShort),
        ("vpower-event 1\nboot=\nup=1\nat=1\ntype=\nups=\nmessage=\n", .missing(field: "at")),
        ("vpower-event 1\nboot=\nat=\nup=1\ntype=\nups=\nmessage=\n", .badValue(field: "at")),
        ("vpower-event 1\nboot=\nat=-1\nup=1\ntype=\nups=\nmessage=\n", .badValue(field: "at")),
        (
            "vpower-event 1\nboot=\nat=1\nup=9999999999999999\ntype=\nups=\nmessage=\n",
            .badValue(field: "up")
        ),
        ("vpower-event 1\nboot=\nat=1\nup=1\ntype=\\n\nups=\nmessage=\n", .badValue(field: "type")),
        ("vpower-event 1\nboot=\nat=1\nup=1\ntype=\nups=\\x4\nmessage=\n", .badValue(field: "ups")),
        (
            "vpower-event 1\nboot=\nat=1\nup=1\ntype=\nups=\nmessage=é\n",
            .badValue(field: "message")
        ),
    ])
    func `what is no event says why`(_ text: String, _ error: UPSEventError) {
        #expect(throws: error) { try UPSEvent(decoding: Array(text.utf8)) }
    }

    @Test func `more than the limit is refused unread`() {
        let bytes = [UInt8](repeating: 0x41, count: UPSEvent.encodedLimit + 1)
        #expect(throws: UPSEventError.tooLong(bytes: 4097)) { try UPSEvent(decoding: bytes) }
    }

    @Test func `an event is of now for sixty seconds of its own boot`() {
        let boot = Self.sample.boot
        func notice(_ up: Duration, boot: String) -> EventNotice {
            EventNotice(Self.sample, at: BootMoment(boot: boot, up: up))
        }
        let up = Self.sample.up
        let sample = Self.sample
        #expect(notice(up, boot: boot) == .live(sample))
        #expect(notice(up + .seconds(60), boot: boot) == .live(sample))
        #expect(notice(up + .seconds(61), boot: boot) == .history(sample, .old(.seconds(61))))
        #expect(notice(up - .seconds(1), boot: boot) == .history(sample, .ahead))
        #expect(notice(up, boot: "another") == .history(sample, .earlierBoot))
        var unnamed = sample
        unnamed.boot = ""
        let moment = BootMoment(boot: "", up: up)
        #expect(EventNotice(unnamed, at: moment) == .history(unnamed, .earlierBoot))
    }
}
