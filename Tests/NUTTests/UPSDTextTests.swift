import NUT
import PowerRun
import Testing

@Suite struct UPSDTextTests {
    @Test(
        arguments: [
            (#"VAR dummy ups.status "OL CHRG""#, ["VAR", "dummy", "ups.status", "OL CHRG"]),
            (##"VAR d x "a \"b\" \\ \#c""##, ["VAR", "d", "x", ##"a "b" \ #c"##]),
            (#"VAR d x """#, ["VAR", "d", "x", ""]),
            ("PASSWORD a=b", ["PASSWORD", "a", "=", "b"]),
            ("USERNAME a#b", ["USERNAME", "a"]),
            ("  many   blanks ", ["many", "blanks"]),
            ("USERNAME テスト", ["USERNAME"]),
            ("", []),
        ] as [(String, [String])])
    func `words are taken apart as parseconf does`(line: String, words: [String]) {
        let parsed = UPSDLine(line)
        #expect(parsed.words == words)
        #expect(!parsed.isOpen)
    }

    @Test func `a missing closing quote keeps the value and is told`() {
        let line = UPSDLine(#"VAR d x "a long"#)
        #expect(line.words == ["VAR", "d", "x", "a long"])
        #expect(line.isOpen)
    }

    @Test func `more words and bytes than parseconf keeps are dropped`() {
        #expect(UPSDLine(String(repeating: "w ", count: 100)).words.count == 32)
        #expect(UPSDLine(String(repeating: "w", count: 2000)).words.map(\.utf8.count) == [512])
    }

    @Test func `what is quoted is read back unchanged`() throws {
        let texts = ["plain", "a b", #"a"b"#, #"a\b"#, "a#b", "a=b", "~!@$%^&*()"]
        for text in texts {
            let line = UPSDLine("PASSWORD " + (try UPSDRequest.quoted(text)))
            #expect(line.words == ["PASSWORD", text])
            #expect(!line.isOpen)
        }
    }

    @Test(arguments: [
        ("", UnsendableText.empty), ("a\nLOGOUT", .notPrintableASCII(atByte: 1)),
        ("パス", .notPrintableASCII(atByte: 0)), ("a\u{7f}", .notPrintableASCII(atByte: 1)),
        ("\0", .notPrintableASCII(atByte: 0)),
        (String(repeating: "x", count: 513), .tooLong(bytes: 513)),
    ])
    func `what upsd would drop or cut in silence is not sent`(text: String, why: UnsendableText) {
        #expect(throws: why) { try UPSDRequest.password(text) }
    }

    @Test func `a request never prints what follows its first word`() throws {
        let request = try UPSDRequest.password("hunter2")
        #expect("\(request)" == "PASSWORD")
        #expect(request.line == #"PASSWORD "hunter2""#)
    }

    @Test func `lines come out whole however the bytes arrive`() {
        let text = "VAR d x \"1\"\r\nERR DATA-STALE\n\nOK\nrest"
        for size in 1...text.utf8.count {
            var splitter = UPSDLineSplitter()
            var lines: [[UInt8]] = []
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty {
                lines += splitter.take(bytes.prefix(size))
                bytes = bytes.dropFirst(size)
            }
            let expected = ["VAR d x \"1\"", "ERR DATA-STALE", "", "OK"].map { Array($0.utf8) }
            #expect(lines == expected)
            #expect(splitter.pendingBytes == 4)
        }
    }

    @Test func `a reply cut at 512 bytes is a line of its own`() {
        var splitter = UPSDLineSplitter()
        let cut = "UPSDESC dummy \"" + String(repeating: "d", count: 512 - 15)
        #expect(splitter.take(Array((cut + "OK\n").utf8)).map(\.count) == [512, 2])
        // Other servers may end even such a line.
        #expect(splitter.take(Array((cut + "\nOK\n").utf8)).map(\.count) == [512, 2])
        #expect(UPSDLine(cut).isOpen)
    }

    @Test(arguments: [
        ("OK", UPSDReply.ok([])), ("OK Goodbye", .ok(["Goodbye"])),
        ("OK TRACKING 2DDC5036-F665", .ok(["TRACKING", "2DDC5036-F665"])),
        ("OK-whatever", .ok([])),
        (#"VAR u ups.status "OB LB""#, .variable(ups: "u", name: "ups.status", value: "OB LB")),
        ("NUMLOGINS u 2", .logins(ups: "u", count: 2)),
        ("NUMLOGINS u -2", .text(["NUMLOGINS", "u", "-2"])),
        ("CMD u load.off", .command(ups: "u", name: "load.off")),
        ("BEGIN LIST CMD u", .frame(begins: true)), ("END LIST CMD u", .frame(begins: false)),
        ("ERR ACCESS-DENIED", .refusal(UPSDRefusal(token: "ACCESS-DENIED"))),
        (#"ERR ACCESS-DENIED "SSL trust""#, .refusal(UPSDRefusal(token: "ACCESS-DENIED"))),
        ("ERR DATA-STALE: old", .refusal(UPSDRefusal(token: "DATA-STALE"))),
        ("ERR", .refusal(UPSDRefusal(token: "(nothing)"))),
        ("PENDING", .text(["PENDING"])), ("VAR u x", .text(["VAR", "u", "x"])), ("", .text([])),
    ])
    func `replies are typed`(line: String, reply: UPSDReply) {
        #expect(UPSDReply(UPSDLine(line)) == reply)
    }

    @Test(arguments: [
        ("ACCESS-DENIED", FeedError.Reason.loginRefused), ("USERNAME-REQUIRED", .loginRefused),
        ("UNKNOWN-UPS", .unknownUPS), ("DATA-STALE", .stale), ("DRIVER-NOT-CONNECTED", .stale),
        ("CMD-NOT-SUPPORTED", .refused), ("SOMETHING-NEW", .refused),
    ])
    func `a refusal is what the engine decides on`(token: String, reason: FeedError.Reason) {
        #expect(UPSDRefusal(token: token).reason == reason)
    }

    @Test(
        arguments: [
            ("+19.8", 19.8), ("024", 24), ("-", nil), ("", nil), (" 12 ", 12), ("-1", -1),
            (".5", 0.5),
            ("5.", 5), (".", nil), ("+", nil), ("1.2.3", nil), ("nan", nil), ("inf", nil),
            ("0x10", nil), ("1e9", nil), ("12 %", nil), ("--1", nil), ("１２", nil),
            ("1234567890123456789", nil),
        ] as [(String, Double?)])
    func `numbers are read as drivers write them`(text: String, number: Double?) {
        #expect(UPSDNumber.parse(text) == number)
    }

    @Test func `numbers that cannot be are none`() {
        #expect(UPSDNumber.runtime("-1") == nil)
        #expect(UPSDNumber.runtime("99999999") == nil)
        #expect(UPSDNumber.runtime("3900.9") == .seconds(3900))
        #expect(UPSDNumber.percent("105", limit: 100) == 100)
        #expect(UPSDNumber.percent("19.9", limit: 100) == 19)
        #expect(UPSDNumber.percent("-5", limit: 100) == nil)
    }

    @Test func `any bytes give lines, words and replies`() {
        var generator = SplitMix64(state: 20_261_121)
        let alphabet = Array("\"\\#= \n\rERVAOK0x".utf8)
        for _ in 0..<3000 {
            let count = Int.random(in: 0..<700, using: &generator)
            let bytes = (0..<count).map { _ in
                Bool.random(using: &generator)
                    ? UInt8.random(in: 0...255, using: &generator)
                    : alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            }
            var splitter = UPSDLineSplitter()
            for line in splitter.take(bytes) {
                let parsed = UPSDLine(line)
                #expect(line.count <= 512)
                #expect(parsed.words.count <= UPSDLine.wordsMax)
                #expect(parsed.words.allSatisfy { $0.utf8.allSatisfy { 0x20...0x7e ~= $0 } })
                #expect(UPSDReply(parsed).summary.utf8.count < 600)
            }
            #expect(splitter.pendingBytes < 512)
        }
    }
}

/// Sebastiano Vigna's generator: the same bytes on every run.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
