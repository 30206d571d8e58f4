import Glibc
import Testing

extension CommandTests {
    @Suite struct SiteTests {
        /// Commands that read the site file first.
        static let readers: [[String]] = [
            ["check"], ["trust"], ["plan"], ["status"], ["shutdown", "--yes"], ["restore"],
            ["resume"], ["abort"], ["hold"], ["render-localsh", "--host", "esx1"], ["watch"],
        ]

        @Test(arguments: readers)
        func `a missing site file exits 65 and says how to get one`(arguments: [String])
            async throws
        {
            let outcome = try await VpowerProgram.run(
                arguments, ["VPOWER_SITE": "/nonexistent/site.yaml"])
            #expect(outcome.code == 65, "\(outcome.all)")
            #expect(outcome.out == "")
            #expect(outcome.errors.contains("/nonexistent/site.yaml: no such file"))
            #expect(outcome.errors.contains("vpower init --example"))
        }

        @Test func `every mistake of a site file is told at once, with its place`() async throws {
            let example = try await VpowerProgram.run(["init", "--example"])
            #expect(example.code == 0)
            let changes = [
                ("tls: off", "tls: maybe"), ("assumedRuntime: 20m", "assumedRuntime: 20"),
                ("[dns1, dns2]", "5"), ("    witness:", "    wittness:"),
            ]
            var bad = example.out
            var places: [String] = []
            for (from, to) in changes {
                let line = try #require(bad.asLines.firstIndex { $0.contains(from) })
                places.append(":\(line + 1):")
                bad.replace(from, with: to, maxReplacements: 1)
            }
            try await ShortDirectory.with { directory in
                let path = "\(directory)/site.yaml"
                try bad.write(to: path)
                let outcome = try await VpowerProgram.run(["check", "--site", path])
                #expect(outcome.code == 65, "\(outcome.all)")
                let told = outcome.errors.asLines.filter { $0.hasPrefix("  \(path):") }
                #expect(told.count == places.count, "\(outcome.all)")
                for place in places {
                    #expect(
                        told.contains { line in
                            let rest = line.dropFirst("  \(path)\(place)".count)
                            return line.hasPrefix("  \(path)\(place)")
                                && Int(rest.prefix { $0 != ":" }) != nil
                        }, "no mistake at \(place): \(outcome.all)")
                }
                #expect(outcome.errors.tooWide == [])
                let words = outcome.errors.split(whereSeparator: \.isWhitespace)
                    .joined(separator: " ")
                #expect(words.contains("did you mean \"witness\""), "\(outcome.all)")
                #expect(words.contains("allowed: name, vcenter"), "\(outcome.all)")
            }
        }

        @Test func `a file that is not YAML exits 65 with the place`() async throws {
            try await ShortDirectory.with { directory in
                try "site: [\n".write(to: "\(directory)/site.yaml")
                let outcome = try await VpowerProgram.run(
                    ["check", "--site", "\(directory)/site.yaml"])
                #expect(outcome.code == 65)
                #expect(outcome.errors.contains("\(directory)/site.yaml:2:1: not YAML"))
            }
        }

        @Test func `the example is a valid site file, and init alone exits 64`() async throws {
            let example = try await VpowerProgram.run(["init", "--example"])
            try await ShortDirectory.with { directory in
                try example.out.write(to: "\(directory)/site.yaml")
                // Valid: it goes on to the secrets, which are not on this machine.
                let outcome = try await VpowerProgram.run(
                    [
                        "plan", "--site", "\(directory)/site.yaml", "--state",
                        "\(directory)/state",
                    ])
                #expect(outcome.code == 1, "\(outcome.all)")
                #expect(outcome.errors.contains("/etc/vpower/secrets/"), "\(outcome.all)")
            }
            let alone = try await VpowerProgram.run(["init"])
            #expect(alone.code == 64)
            #expect(alone.out == "")
            #expect(alone.errors.contains("Try: vpower init --example"))
        }
    }
}
