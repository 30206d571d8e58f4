import Glibc
import PowerModel
import PowerStore
import Testing

@Suite struct SecretStoreTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func failure(_ reference: SecretReference, user: UInt32 = geteuid()) -> SecretError? {
        do {
            _ = try SecretStore(environment: ["EMPTY": ""], user: user).secret(reference)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [0o600, 0o400, 0o640, 0o440])
    func `a secret is the first line of a file that others cannot read`(mode: Int) throws {
        let path = try scratch.write("hun ter2 \r\nnot this\n", to: "s", mode: UInt32(mode))
        #expect(try SecretStore(environment: [:]).secret(.file(path: path)).value == "hun ter2 ")
    }

    @Test(arguments: [0o604, 0o644, 0o602, 0o660, 0o601, 0o777])
    func `a file that others can reach is refused with the command that mends it`(
        mode: Int
    ) throws {
        let path = try scratch.write("hunter2\n", to: "s", mode: UInt32(mode))
        let error = failure(.file(path: path))
        #expect(error?.reason == .refused)
        #expect(
            error?.description
                == "secret file:\(path): others may read or write it (mode "
                + "\(String(mode, radix: 8))); run `chmod 600 \(path)`")
    }

    @Test func `a file in a directory everybody may write to is refused unless it is sticky`()
        throws
    {
        let directory = "\(scratch.path)/open"
        mkdir(directory, 0o700)
        let path = try scratch.write("hunter2", to: "open/s")
        chmod(directory, 0o777)
        #expect(failure(.file(path: path))?.reason == .refused)
        chmod(directory, 0o1777)
        #expect(failure(.file(path: path)) == nil)
    }

    @Test func `a file of another user is refused`() throws {
        let path = try scratch.write("hunter2", to: "s")
        // Root's files are everybody's to trust, so root has to give the file away for this.
        guard geteuid() == 0 else {
            #expect(failure(.file(path: path), user: geteuid() + 1)?.reason == .refused)
            return
        }
        chown(path, 12345, 12345)
        #expect(failure(.file(path: path))?.reason == .refused)
        #expect(failure(.file(path: path), user: 12345) == nil)
    }

    @Test func `what is no secret is told apart`() throws {
        let path = scratch.path
        mkfifo("\(path)/fifo", 0o600)
        #expect(failure(.file(path: "\(path)/none"))?.reason == .missing)
        #expect(failure(.file(path: "\(path)/no/where"))?.reason == .missing)
        #expect(failure(.file(path: path))?.reason == .refused)
        #expect(failure(.file(path: "\(path)/fifo"))?.reason == .refused)
        #expect(failure(.file(path: try scratch.write("\nhunter2", to: "a")))?.reason == .empty)
        #expect(failure(.file(path: try scratch.write("", to: "b")))?.reason == .empty)
        #expect(failure(.file(path: try scratch.write("a\0b", to: "c")))?.reason == .refused)
        #expect(failure(.file(path: try scratch.write([0xFF], to: "d")))?.reason == .refused)
        let long = [UInt8](repeating: 0x61, count: SecretStore.limitBytes + 1)
        #expect(failure(.file(path: try scratch.write(long, to: "e")))?.reason == .refused)
        #expect(failure(.environment(name: "EMPTY"))?.reason == .empty)
        #expect(failure(.environment(name: "NONE"))?.reason == .missing)
        #expect(failure(.credential(name: "vc"))?.reason == .missing)
    }

    @Test func `variables and credentials come from the environment that was given`() throws {
        _ = try scratch.write("hunter2\n", to: "vc", mode: 0o440)
        let store = SecretStore(environment: [
            "VC": "from the environment", "CREDENTIALS_DIRECTORY": scratch.path,
        ])
        #expect(try store.secret(.environment(name: "VC")).value == "from the environment")
        #expect(try store.secret(.credential(name: "vc")).value == "hunter2")
        for name in ["../vc", "a/b", "", ".."] {
            #expect(throws: SecretError.self) { try store.secret(.credential(name: name)) }
        }
    }

    @Test func `no error repeats the secret`() throws {
        let references: [SecretReference] = [
            .file(path: try scratch.write("hunter2", to: "a", mode: 0o644)),
            .file(path: try scratch.write("hunter2\0", to: "b")),
            .file(path: try scratch.write([UInt8]("hunter2".utf8) + [0xFF], to: "c")),
        ]
        for reference in references {
            let error = try #require(failure(reference))
            #expect(!"\(error)".contains("hunter2"))
            #expect(!String(reflecting: error).contains("hunter2"))
        }
    }
}
