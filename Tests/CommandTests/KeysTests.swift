import Glibc
import Testing

extension CommandTests {
    @Suite struct KeysTests {
        @Test func `keys generate makes an ECDSA key for this user alone, and never over another`()
            async throws
        {
            try await ShortDirectory.with { directory in
                let file = "\(directory)/new/esx"
                let made = try await VpowerProgram.run(["keys", "generate", file])
                #expect(made.code == 0, "\(made.all)")
                let line = try contents(of: file + ".pub").split(separator: "\n").first ?? ""
                #expect(line.hasPrefix("ecdsa-sha2-nistp256 "))
                #expect(made.lines.contains(String(line)))
                let print = try await VpowerProgram.run(
                    "/usr/bin/ssh-keygen", ["-l", "-f", file])
                let fingerprint = print.out.split(separator: " ").dropFirst().first ?? ""
                #expect(made.out.contains(fingerprint) && fingerprint.hasPrefix("SHA256:"))
                for (path, mode) in [(file, 0o600), ("\(directory)/new", 0o700)] {
                    var status = stat()
                    #expect(stat(path, &status) == 0)
                    #expect(Int(status.st_mode & 0o777) == mode, "\(path)")
                }

                let before = try contents(of: file)
                let again = try await VpowerProgram.run(["keys", "generate", file])
                #expect(again.code == 1 && again.errors.contains("is there already"))
                #expect(try contents(of: file) == before)
                let relative = try await VpowerProgram.run(["keys", "generate", "esx"])
                #expect(relative.code == 64, "\(relative.all)")
            }
        }
    }
}
