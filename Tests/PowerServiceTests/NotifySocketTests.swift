import Foundation
import PowerService
import Synchronization
import Testing

/// Collects what comes into an inbox.
final class Collector: Sendable {
    private let notices = Mutex<[EventNotice]>([])
    private let task = Mutex<Task<Void, Never>?>(nil)

    var all: [EventNotice] { notices.withLock { $0 } }

    init(_ inbox: EventInbox) {
        let reading = Task {
            for await notice in inbox.notices { self.notices.withLock { $0.append(notice) } }
        }
        task.withLock { $0 = reading }
    }

    func stop() { task.withLock { $0 }?.cancel() }
}

/// Sends one datagram from a socket without a name, as every sender does.
@discardableResult
func send(_ bytes: [UInt8], to path: String) -> Bool {
    ServiceManager.tell(
        String(decoding: bytes, as: UTF8.self), environment: ["NOTIFY_SOCKET": path])
}

@Suite struct NotifySocketTests {
    @Test func `only owner and group may send`() throws {
        let scratch = try Scratch()
        let socket = try NotifySocket(path: scratch.socket, inbox: EventInbox())
        let about = try FileManager.default.attributesOfItem(atPath: scratch.socket)
        #expect(about[.posixPermissions] as? Int == 0o660)
        withExtendedLifetime(socket) {}
    }

    @Test func `events come in, and neither an empty nor an endless datagram stops them`()
        async throws
    {
        let scratch = try Scratch()
        let inbox = EventInbox()
        let socket = try NotifySocket(path: scratch.socket, inbox: inbox)
        let collector = Collector(inbox)
        // Sent before it runs: nothing is refused from the moment it is bound.
        let first = event("ONBATT")
        #expect(send(first.encoded(), to: scratch.socket))
        let running = Task { try await socket.run() }
        #expect(try await eventually { collector.all == [.live(first)] })

        #expect(send([], to: scratch.socket))
        #expect(send([UInt8](repeating: 0x41, count: 10_000), to: scratch.socket))
        let second = event("ONLINE")
        #expect(send(second.encoded(), to: scratch.socket))
        let expected: [EventNotice] = [
            .live(first), .unreadable(.cutShort), .unreadable(.tooLong(bytes: 4097)),
            .live(second),
        ]
        #expect(try await eventually { collector.all.count >= 4 })
        #expect(collector.all == expected)

        running.cancel()
        try await running.value
        collector.stop()
        #expect(!FileManager.default.fileExists(atPath: scratch.socket))
    }

    @Test func `a second daemon is refused and takes nothing away`() throws {
        let scratch = try Scratch()
        let first = try NotifySocket(path: scratch.socket, inbox: EventInbox())
        let error = #expect(throws: NotifySocketError.self) {
            try NotifySocket(path: scratch.socket, inbox: EventInbox())
        }
        #expect(error?.reason == .inUse)
        #expect(send(event("ONBATT").encoded(), to: scratch.socket))
        withExtendedLifetime(first) {}
    }

    @Test func `the socket of a dead daemon is replaced`() throws {
        let scratch = try Scratch()
        do { _ = try NotifySocket(path: scratch.socket, inbox: EventInbox()) }
        #expect(FileManager.default.fileExists(atPath: scratch.socket))
        #expect(!send([1], to: scratch.socket))
        let second = try NotifySocket(path: scratch.socket, inbox: EventInbox())
        #expect(send([1], to: scratch.socket))
        withExtendedLifetime(second) {}
    }

    @Test func `a file in its place is not removed`() throws {
        let scratch = try Scratch()
        try Data("precious".utf8).write(to: URL(filePath: scratch.socket))
        let error = #expect(throws: NotifySocketError.self) {
            try NotifySocket(path: scratch.socket, inbox: EventInbox())
        }
        #expect(error?.reason == .wrongKind)
        let kept = try Data(contentsOf: URL(filePath: scratch.socket))
        #expect(kept == Data("precious".utf8))
    }

    @Test func `a group that is not there is named`() throws {
        let scratch = try Scratch()
        let error = #expect(throws: NotifySocketError.self) {
            try NotifySocket(path: scratch.socket, group: "no-such-group", inbox: EventInbox())
        }
        #expect(error?.reason == .noSuchGroup)
        #expect(error?.detail.contains("no-such-group") == true)
    }

    @Test func `systemd's descriptor is taken by its name, and only if it is meant for us`() {
        func descriptor(_ environment: [String: String]) -> Int32? {
            NotifySocket.inheritedDescriptor(environment: environment, process: 42)
        }
        let one = ["LISTEN_PID": "42", "LISTEN_FDS": "1"]
        #expect(descriptor(one) == 3)
        #expect(descriptor(one.merging(["LISTEN_FDNAMES": "notify"]) { $1 }) == 3)
        let two = ["LISTEN_PID": "42", "LISTEN_FDS": "2"]
        #expect(descriptor(two) == nil)
        #expect(descriptor(two.merging(["LISTEN_FDNAMES": "control:notify"]) { $1 }) == 4)
        #expect(descriptor(two.merging(["LISTEN_FDNAMES": "control:other"]) { $1 }) == nil)
        #expect(descriptor(two.merging(["LISTEN_FDNAMES": "a:b:notify"]) { $1 }) == nil)
        #expect(descriptor(["LISTEN_PID": "43", "LISTEN_FDS": "1"]) == nil)
        #expect(descriptor(["LISTEN_PID": "42", "LISTEN_FDS": "x"]) == nil)
        #expect(descriptor(["LISTEN_PID": "42", "LISTEN_FDS": "999999"]) == nil)
        #expect(descriptor([:]) == nil)
    }

    @Test func `an inherited descriptor of another kind is refused`() throws {
        var pair: [Int32] = [0, 0]
        #expect(pipe(&pair) == 0)
        defer { pair.forEach { close($0) } }
        let error = #expect(throws: NotifySocketError.self) {
            try NotifySocket(inherited: pair[0], inbox: EventInbox())
        }
        #expect(error?.reason == .wrongKind)
    }
}
