import Foundation
import PowerModel
import PowerService
import Testing

@Suite struct EventSpoolTests {
    @Test func `events come oldest first and are gone then`() throws {
        let scratch = try Scratch()
        let first = event("ONBATT")
        let second = event("LOWBATT")
        try scratch.write(second.encoded(), spooledAs: "event-2")
        try scratch.write(first.encoded(), spooledAs: "event-1")
        let spool = EventSpool(directory: scratch.spool)
        #expect(try spool.takeAll(at: SystemTime.bootMoment()) == [.live(first), .live(second)])
        #expect(try spool.takeAll(at: SystemTime.bootMoment()) == [])
    }

    @Test func `yesterday's FSD, another boot's FSD and rubbish are told apart`() throws {
        let scratch = try Scratch()
        let moment = BootMoment(boot: "b", up: .seconds(100_000))
        func fsd(boot: String, up: Duration) -> UPSEvent {
            var fsd = event("FSD", boot: boot)
            fsd.up = up
            return fsd
        }
        let yesterday = fsd(boot: "b", up: .seconds(100_000 - 86_400))
        let otherBoot = fsd(boot: "a", up: .seconds(100_000))
        try scratch.write(yesterday.encoded(), spooledAs: "event-1")
        try scratch.write(otherBoot.encoded(), spooledAs: "event-2")
        try scratch.write(Array("FSD\n".utf8), spooledAs: "event-3")
        try scratch.write([UInt8](repeating: 0x41, count: 1 << 20), spooledAs: "event-4")
        try scratch.write([], spooledAs: "event-5")
        let notices = try EventSpool(directory: scratch.spool).takeAll(at: moment)
        #expect(
            notices == [
                .history(yesterday, .old(.seconds(86_400))), .history(otherBoot, .earlierBoot),
                .unreadable(.unknownForm), .unreadable(.tooLong(bytes: 4097)),
                .unreadable(.cutShort),
            ])
    }

    @Test func `links, pipes and directories are not followed, read or removed`() throws {
        let scratch = try Scratch()
        let secret = scratch.path + "/secret"
        try Data(event("FSD").encoded()).write(to: URL(filePath: secret))
        try FileManager.default.createSymbolicLink(
            atPath: scratch.spool + "/event-1", withDestinationPath: secret)
        #expect(mkfifo(scratch.spool + "/event-2", 0o600) == 0)
        #expect(mkdir(scratch.spool + "/event-3", 0o700) == 0)
        try scratch.write([], spooledAs: "other")
        let spool = EventSpool(directory: scratch.spool)
        #expect(try spool.takeAll(at: SystemTime.bootMoment()) == [])
        let left = try FileManager.default.contentsOfDirectory(atPath: scratch.spool)
        #expect(left.sorted() == ["event-1", "event-2", "event-3", "other"])
    }

    @Test func `an unfinished file goes when its writer is surely gone`() throws {
        let scratch = try Scratch()
        try scratch.write([1], spooledAs: ".tmp-new")
        try scratch.write([1], spooledAs: ".tmp-old")
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -120)],
            ofItemAtPath: scratch.spool + "/.tmp-old")
        #expect(
            try EventSpool(directory: scratch.spool).takeAll(at: SystemTime.bootMoment()) == [])
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.spool) == [".tmp-new"])
    }

    @Test func `a spool that is not there is an error that names it`() throws {
        let spool = EventSpool(directory: "/nonexistent/spool")
        let error = #expect(throws: EventSpoolError.self) {
            try spool.takeAll(at: SystemTime.bootMoment())
        }
        #expect(error?.description.contains("/nonexistent/spool") == true)
    }
}
