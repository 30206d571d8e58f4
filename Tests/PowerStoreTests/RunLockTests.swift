import Glibc
import PowerModel
import PowerRun
import PowerStore
import Testing

@Suite struct RunLockTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func refusal(_ cluster: ClusterName) -> JournalError? {
        do throws(JournalError) {
            let lock = try RunLock(directory: scratch.path, cluster: cluster)
            _ = lock.path
            return nil
        } catch {
            return error
        }
    }

    @Test func `a second run of the same cluster is refused and told who holds it`() throws {
        do {
            let lock = try RunLock(directory: scratch.path, cluster: cluster)
            let error = try #require(refusal(cluster))
            #expect(error.reason == .locked)
            let told = try #require(
                error.detail.wholeMatch(
                    of: /(.*), process (\d+), since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC, (.*)/)
            ).output
            let name = CommandLine.arguments[0].split(separator: "/").last ?? ""
            #expect(told.1.hasPrefix(name))
            #expect(told.2 == "\(getpid())")
            #expect(told.4 == "is carrying out a plan for cluster prod")
            #expect(refusal(ClusterName("other")) == nil)
            #expect(mode(of: lock.path) == 0o600)
        }
        #expect(refusal(cluster) == nil)
    }

    @Test func `a lock of another process is freed when it dies`() async throws {
        let path = try scratch.write("4711\n", to: "prod.lock")
        let holder = try Child(["flock", "--no-fork", "--exclusive", path, "sleep", "600"])
        defer { holder.killNow() }
        var error: JournalError?
        // flock needs a moment to start; ten seconds are more than enough.
        for _ in 0..<1000 {
            error = refusal(cluster)
            if error != nil { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(error?.reason == .locked, "if there is no flock command: `make setup`")
        holder.killNow()
        #expect(refusal(cluster) == nil)
    }

    @Test func `a holder that is killed lets go of it`() async throws {
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = scratch.path as String] in
            let lock = try RunLock(directory: path, cluster: cluster)
            kill(getpid(), SIGKILL)
            _ = lock.path
        }
        #expect(names(in: scratch.path) == ["prod.lock"])
        #expect(refusal(cluster) == nil)
    }

    @Test(
        arguments: weirdNames + ["../../etc/passwd", "", ".", String(repeating: "日", count: 80)])
    func `any cluster's name gives a lock inside the directory`(name: String) throws {
        let lock = try RunLock(directory: scratch.path, cluster: ClusterName(name))
        let inside = names(in: scratch.path)
        #expect(inside.count == 1)
        #expect(lock.path == "\(scratch.path)/\(inside.first ?? "")")
        #expect(refusal(ClusterName(name))?.reason == .locked)
    }

    @Test func `a lock is not taken through a link`() throws {
        let target = try scratch.write("precious", to: "precious")
        symlink(target, "\(scratch.path)/prod.lock")
        #expect(refusal(cluster)?.reason == .other)
    }
}
