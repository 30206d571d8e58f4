import Foundation
import Glibc
import Machines
import PowerLab
import PowerModel
import PowerRun
import Testing

@Suite struct `Wake-on-LAN` {
    @Test func `the magic packet is six times ff and sixteen times the address`() {
        let packet = WakeOnLAN.packet(for: "00:1a:2B:3c:4d:ff")
        #expect(packet?.count == 102)
        #expect(packet?.prefix(6).allSatisfy { $0 == 0xff } == true)
        #expect(packet?.suffix(6) == [0x00, 0x1a, 0x2b, 0x3c, 0x4d, 0xff])
        #expect(WakeOnLAN.packet(for: "00-1a-2b-3c-4d-ff") == packet)
    }

    @Test(arguments: ["", "00:1a:2b:3c:4d", "00:1a:2b:3c:4d:ff:00", "00:1a:2b:3c:4d:+f", "x", "é"])
    func `what is no hardware address makes no packet`(address: String) {
        #expect(WakeOnLAN.packet(for: address) == nil)
    }

    @Test func `a machine's packets arrive at the broadcast address`() async throws {
        let receiver = try Receiver()
        let machine = try SSHMachine(
            site: machine(port: 1, wake: "00:1a:2b:3c:4d:5e"), secret: nil,
            broadcast: "127.0.0.1", wakePort: receiver.port)
        try await machine.wake()
        #expect(receiver.next() == WakeOnLAN.packet(for: "00:1a:2b:3c:4d:5e"))
    }

    @Test func `a machine without an address is not woken and says so`() async throws {
        let machine = try SSHMachine(site: machine(port: 1), secret: nil)
        await #expect(throws: MachineError.self) { try await machine.wake() }
    }

    /// A UDP socket on a free port of 127.0.0.1.
    private final class Receiver {
        let port: Int
        private let socket: Int32

        init() throws {
            socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            var wait = timeval(tv_sec: 5, tv_usec: 0)
            setsockopt(
                socket, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let socket = socket
            let code = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket, $0, size) == 0 ? getsockname(socket, $0, &size) : -1
                }
            }
            try #require(code == 0)
            port = Int(UInt16(bigEndian: address.sin_port))
        }

        deinit { close(socket) }

        func next() -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: 2000)
            let count = recv(socket, &bytes, bytes.count, 0)
            return count > 0 ? Array(bytes[..<count]) : []
        }
    }
}

private func machine(
    port: Int, command: String = "true", delay: Duration? = nil, cancel: String? = nil,
    key: String = "/none", hostKeys: [String] = [],
    wake: String? = nil, login: HostLogin? = nil
) -> MachineSite {
    MachineSite(
        name: MachineName("nas"), ssh: Endpoint(host: "127.0.0.1", port: port), user: "root",
        login: login ?? .key(path: key), hostKeys: hostKeys, shutdownCommand: command,
        delay: delay, cancelCommand: cancel, wakeAddress: wake, feeds: [])
}

@Suite(.serialized) struct `A machine over SSH` {
    private func with<R>(_ body: (LabESXiHost) async throws -> R) async throws -> R {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-machine-\(UUID().uuidString.prefix(8))").path
        let site = LabHostMemory()
        await site.add("nas", guests: [])
        // Any sshd with a shell will do; the lab's is one.
        let lab = LabESXiHost(name: "nas", directory: directory, backend: site)
        let result: Result<R, any Error>
        do {
            try await lab.start()
            result = .success(try await body(lab))
        } catch {
            result = .failure(error)
        }
        await lab.powerOff(orderly: false)
        try? FileManager.default.removeItem(atPath: directory)
        return try result.get()
    }

    private func control(
        _ lab: LabESXiHost, _ command: String, trusted: Bool = true, delay: Duration? = nil,
        cancel: String? = nil
    ) async throws -> SSHMachine {
        try SSHMachine(
            site: machine(
                port: Int(await lab.port), command: command, delay: delay, cancel: cancel,
                key: lab.userKeyPath,
                hostKeys: trusted ? [await lab.hostKeyFingerprint] : []), secret: nil)
    }

    private func failure(_ machine: SSHMachine) async -> MachineError? {
        do throws(MachineError) {
            try await machine.shutDown()
            return nil
        } catch {
            return error
        }
    }

    @Test func `its command runs in the machine's own shell and it falls silent`() async throws {
        try await with { lab in
            let machine = try await control(lab, "echo $((40 + 2)) >/tmp/ran && poweroff")
            #expect(await !machine.isSilent())
            try await machine.shutDown()
            let start = ContinuousClock.now
            while await !machine.isSilent() {
                try #require(ContinuousClock.now - start < .seconds(20))
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(lab.fileContents("/tmp/ran") == "42\n")
            #expect(await failure(machine)?.reason == .unreachable)
        }
    }

    @Test func `a connection that breaks under the command means that it obeyed`() async throws {
        try await with { lab in
            let machine = try await control(lab, "touch /tmp/ran; sleep 30")
            async let told: Void = machine.shutDown()
            let start = ContinuousClock.now
            while lab.fileContents("/tmp/ran") == nil {
                try #require(ContinuousClock.now - start < .seconds(20))
                try await Task.sleep(for: .milliseconds(50))
            }
            await lab.powerOff(orderly: false)
            try await told
            #expect(ContinuousClock.now - start < .seconds(25))
        }
    }

    /// What `shutdown -h +N` does, with what ESXi's shell has.
    private static let later =
        "(sleep 2; touch /tmp/went; poweroff) </dev/null >/dev/null 2>&1 & echo $! >/tmp/pending"
    private static let stay = "kill $(cat /tmp/pending) && rm /tmp/pending"

    @Test func `a delayed command returns at once, and the machine goes by itself`() async throws {
        try await with { lab in
            let machine = try await control(lab, Self.later, delay: .seconds(2))
            #expect(!machine.canBeCalledOff)
            let start = ContinuousClock.now
            try await machine.shutDown()
            #expect(lab.fileContents("/tmp/went") == nil)
            while await !machine.isSilent() {
                try #require(ContinuousClock.now - start < .seconds(20))
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(lab.fileContents("/tmp/went") != nil)
            do throws(MachineError) {
                try await machine.callOff()
                Issue.record("it was called off")
            } catch { #expect(error.reason == .noCancelCommand) }
        }
    }

    @Test func `one that is called off stays, and a second call-off is refused`() async throws {
        try await with { lab in
            let machine = try await control(
                lab, Self.later, delay: .seconds(2), cancel: Self.stay)
            #expect(machine.canBeCalledOff)
            try await machine.shutDown()
            try await machine.callOff()
            try await Task.sleep(for: .seconds(4))
            #expect(await !machine.isSilent())
            #expect(lab.fileContents("/tmp/went") == nil)
            do throws(MachineError) {
                try await machine.callOff()
                Issue.record("it was called off twice")
            } catch { #expect(error.reason == .refused) }
        }
    }

    @Test func `a connection that breaks under a delayed command is no success`() async throws {
        try await with { lab in
            let machine = try await control(
                lab, "touch /tmp/ran; sleep 30", delay: .seconds(60))
            async let failed = failure(machine)
            let start = ContinuousClock.now
            while lab.fileContents("/tmp/ran") == nil {
                try #require(ContinuousClock.now - start < .seconds(20))
                try await Task.sleep(for: .milliseconds(50))
            }
            await lab.powerOff(orderly: false)
            #expect(await failed?.reason == .unreachable)
        }
    }

    @Test func `a command that fails is refused with its words`() async throws {
        try await with { lab in
            let error = await failure(try await control(lab, "echo not now >&2; exit 3"))
            #expect(error?.reason == .refused)
            #expect(error?.detail == "the command ended with status 3: not now\n")
        }
    }

    @Test func `a machine whose host key nobody trusts is told nothing`() async throws {
        try await with { lab in
            let error = await failure(try await control(lab, "touch /tmp/ran", trusted: false))
            #expect(error?.reason == .hostKeyRefused)
            #expect(lab.fileContents("/tmp/ran") == nil)
        }
    }

    @Test func `a login with a password needs one`() {
        #expect(throws: MachineError.self) {
            try SSHMachine(
                site: machine(port: 1, login: .password(.environment(name: "NAS"))), secret: nil)
        }
    }
}
