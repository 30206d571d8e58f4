import Foundation
import PowerModel
import Testing

@testable import PowerStore

@Suite struct LocalShArchiveTests {
    private func withArchive(_ body: (LocalShArchive, String) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-localsh-\(UUID().uuidString.prefix(8))").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(LocalShArchive(state: directory), directory)
    }

    private func moment(_ second: Int64) -> Timestamp {
        Timestamp(millisecondsSinceEpoch: 1_795_336_000_000 + second * 1000)
    }

    @Test func `a version is kept once, and the newest ones stay`() throws {
        try withArchive { archive, _ in
            let host = HostName("esx1.lab")
            #expect(try archive.newest(of: host) == nil)
            #expect(try archive.keep("one\n", of: host, at: moment(0)) != nil)
            #expect(try archive.keep("one\n", of: host, at: moment(1)) == nil)
            for number in 2...15 {
                try archive.keep("\(number)\n", of: host, at: moment(Int64(number)))
            }
            let versions = try archive.versions(of: host)
            #expect(versions.count == LocalShArchive.versionsMax)
            #expect(try archive.newest(of: host) == "15\n")
            #expect(try String(contentsOfFile: versions[0], encoding: .utf8) == "6\n")
            #expect(try archive.versions(of: HostName("esx2.lab")) == [])
        }
    }

    @Test func `a host's name leads nowhere else`() throws {
        try withArchive { archive, directory in
            let path = try #require(
                try archive.keep("x", of: HostName("../../a b/日"), at: moment(0)))
            #expect(path.hasPrefix("\(directory)/localsh/"))
            #expect(!path.contains(".."))
        }
    }

    @Test func `what cannot be kept is an error`() throws {
        let archive = LocalShArchive(state: "/proc/nonexistent")
        #expect(throws: (any Error).self) {
            try archive.keep("x", of: HostName("esx1"), at: moment(0))
        }
    }
}
