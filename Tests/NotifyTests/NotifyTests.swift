import Foundation
import PowerModel
import PowerService
import Testing

/// One after the other: a hundred processes at once would spoil the measured time.
@Suite(.serialized) struct NotifyTests {
    @Test func `an event reaches the socket, and nothing is printed or spooled`() throws {
        let scratch = try Scratch()
        let receiver = try Receiver(path: scratch.socket)
        let before = SystemTime().wall
        let outcome = try scratch.run(["ignored", "UPS ups@localhost on battery"])
        #expect(outcome.status == 0)
        #expect(outcome.output == "")
        #expect(try scratch.spooled() == [])

        let datagrams = receiver.waiting()
        let moment = SystemTime.bootMoment()
        #expect(datagrams.count == 1)
        let event = try UPSEvent(decoding: try #require(datagrams.first))
        #expect(event.type == "ONBATT")
        #expect(event.ups == "ups@localhost")
        #expect(event.message == "UPS ups@localhost on battery")
        #expect(event.boot == moment.boot)
        #expect(event.at >= before && event.at <= SystemTime().wall)
        #expect(EventNotice(event, at: moment) == .live(event))
    }

    @Test func `with nobody there the event is spooled, whole, under its final name`() throws {
        let scratch = try Scratch()
        let outcome = try scratch.run()
        #expect(outcome.status == 0)
        #expect(outcome.output == "")
        let names = try scratch.spooled()
        #expect(names.count == 1)
        #expect(names.allSatisfy { $0.hasPrefix("event-") })
        let events = try scratch.takeSpooled()
        #expect(events.map(\.message) == ["UPS ups@localhost on battery"])
        #expect(try scratch.spooled() == [])
    }

    @Test func `a socket whose daemon is dead counts as nobody`() throws {
        let scratch = try Scratch()
        _ = try Receiver(path: scratch.socket)
        #expect(FileManager.default.fileExists(atPath: scratch.socket))
        #expect(try scratch.run().status == 0)
        #expect(try scratch.takeSpooled().count == 1)
    }

    @Test func `a full queue is not waited for, and no event is lost`() throws {
        let scratch = try Scratch()
        let receiver = try Receiver(path: scratch.socket)
        // More than any queue: the system's bound is in this file.
        let bound = String(
            decoding: try contents(of: "/proc/sys/net/unix/max_dgram_qlen"), as: UTF8.self)
        let count = try #require(Int(bound.trimmingCharacters(in: .whitespacesAndNewlines))) + 5
        try #require(count < 600, "net.unix.max_dgram_qlen is too large for this test")
        for number in 0..<count {
            let outcome = try scratch.run(["\(number)"])
            #expect(outcome.status == 0)
            #expect(outcome.milliseconds < 5000)
        }
        let sent = try receiver.waiting().map { try UPSEvent(decoding: $0).message }
        let spooled = try scratch.takeSpooled().map(\.message)
        #expect(!spooled.isEmpty)
        #expect(sent + spooled == (0..<count).map(String.init))
    }

    @Test func `a hundred events at once lose none`() throws {
        let scratch = try Scratch()
        let running = try (0..<100).map { number in
            try scratch.start([Array("\(number)".utf8)], name: "output-\(number)")
        }
        for process in running {
            let outcome = try process.outcome()
            #expect(outcome.status == 0)
            #expect(outcome.output == "")
        }
        let messages = try scratch.takeSpooled().map(\.message)
        #expect(Set(messages) == Set((0..<100).map(String.init)))
        #expect(messages.count == 100)
        #expect(try scratch.spooled() == [])
    }

    @Test func `without the variables and the message the event has none of them`() throws {
        let scratch = try Scratch()
        let outcome = try scratch.run([], type: nil, ups: nil)
        #expect(outcome.status == 0)
        #expect(outcome.output == "")
        let event = try #require(try scratch.takeSpooled().first)
        #expect([event.type, event.ups, event.message] == ["", "", ""])
    }

    @Test func `SHUTDOWN comes with an empty UPSNAME`() throws {
        let scratch = try Scratch()
        _ = try scratch.run(["Auto logout and shutdown proceeding"], type: "SHUTDOWN", ups: "")
        let event = try #require(try scratch.takeSpooled().first)
        #expect([event.type, event.ups] == ["SHUTDOWN", ""])
    }

    @Test(arguments: [
        "", " ", "`$(reboot)'\"; x` 日本語", "two\nlines\nvpower-event 1\ntype=FSD",
        "\u{1}\u{7f}\t\\x41",
        "-n", "%s%n%d", "停電です",
    ])
    func `any message arrives as it was`(_ message: String) throws {
        let scratch = try Scratch()
        let outcome = try scratch.run([message])
        #expect(outcome.status == 0)
        #expect(outcome.output == "")
        #expect(try scratch.takeSpooled().map(\.message) == [message])
    }

    @Test func `bytes that are no text are carried all the same`() throws {
        let scratch = try Scratch()
        let message: [UInt8] = [0xFF, 0xFE, 0x41, 0xC3]
        #expect(try scratch.start([message]).outcome().status == 0)
        let events = try scratch.takeSpooled()
        #expect(events.map(\.message) == [String(decoding: message, as: UTF8.self)])
    }

    @Test func `values of any length stay within one event`() throws {
        let scratch = try Scratch()
        let long = String(repeating: "\u{1}", count: 100_000)
        #expect(try scratch.run([long], type: long, ups: long).status == 0)
        let name = try #require(try scratch.spooled().first)
        #expect(try contents(of: "\(scratch.spool)/\(name)").count <= UPSEvent.encodedLimit)
        let event = try #require(try scratch.takeSpooled().first)
        #expect(event.message.count == 768)
        #expect(event.message.allSatisfy { $0 == "\u{1}" })
    }

    @Test func `a spool that is not there changes nothing`() throws {
        let scratch = try Scratch()
        #expect(rmdir(scratch.spool) == 0)
        let outcome = try scratch.run()
        #expect(outcome.status == 0)
        #expect(outcome.output == "")
    }

    @Test func `a socket path that is too long means the spool`() throws {
        let scratch = try Scratch()
        let environment = [
            "VPOWER_NOTIFY_SOCKET=/" + String(repeating: "s", count: 500),
            "VPOWER_SPOOL=\(scratch.spool)",
        ]
        let outcome = try NotifyProgram.start(
            [[0x61]], environment: environment, outputPath: scratch.path + "/output"
        ).outcome()
        #expect(outcome.status == 0)
        #expect(try scratch.takeSpooled().map(\.message) == ["a"])
    }

    @Test func `a full spool lets the oldest events go`() throws {
        let scratch = try Scratch()
        let limit = 512
        for number in 0..<limit {
            let name = "\(scratch.spool)/event-0000-" + String(10_000 + number)
            #expect(FileManager.default.createFile(atPath: name, contents: Data()))
        }
        #expect(try scratch.run(["newest"]).status == 0)
        let names = try scratch.spooled()
        #expect(names.count == limit)
        #expect(!names.contains("event-0000-10000"))
        #expect(names.contains("event-0000-10001"))
        let last = try #require(names.last)
        let event = try UPSEvent(decoding: try contents(of: "\(scratch.spool)/\(last)"))
        #expect(event.message == "newest")
    }

    @Test func `it starts fast, since upsmon forks one per event`() throws {
        let scratch = try Scratch()
        let outcomes = try (0..<20).map { _ in try scratch.run() }
        func median(_ times: [Double]) -> Double { times.sorted()[times.count / 2] }
        let computed = median(outcomes.map(\.processorMilliseconds))
        // Told, not judged: other tests and builds share the machine.
        let took = median(outcomes.map(\.milliseconds))
        Attachment.record("\(took) ms, \(computed) ms of it computing", named: "notify-time.txt")
        #expect(computed < 20, "median of 20 runs, in ms")
    }

    @Test func `it links nothing but Swift's own runtime and the C library`() throws {
        let scratch = try Scratch()
        let outcome = try NotifyProgram.start(
            [Array(NotifyProgram.path.utf8)], environment: [],
            outputPath: scratch.path + "/output", program: "/usr/bin/ldd"
        ).outcome()
        #expect(outcome.status == 0)
        let text = outcome.output
        #expect(text.contains("libc.so"))
        for library in ["curl", "ssh2", "Foundation", "xml", "sqlite", "icu", "ssl", "crypto"] {
            #expect(!text.contains(library), "\(text)")
        }
    }
}
