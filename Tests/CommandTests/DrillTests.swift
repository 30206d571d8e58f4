import FoundationEssentials
import Glibc
import Testing

extension CommandTests {
    @Suite struct DrillTests {
        /// What `vpower drill --format json` promises.
        struct Report: Decodable {
            struct Phase: Decodable {
                var name: String
                var seconds: Double
            }
            struct Adapter: Decodable {
                var adapter: String
                var calls: Int
                var bytes: Int
            }
            var result: String
            var over: String
            var guestsCleanlyShutDown: Int
            var guestsForcedOff: Int
            var guestsRestored: Int
            var violations: [String]
            var phases: [Phase]
            var adapters: [Adapter]
            var seconds: Double
        }

        /// What the issue allows a drill after the build.
        private static let limit: Duration = .seconds(90)

        private func expectRestored(_ report: Report, over: String) {
            #expect(report.result == "restored")
            #expect(report.over == over)
            #expect(report.guestsCleanlyShutDown + report.guestsForcedOff == 12)
            // The one without Tools, and the one that ignores the request.
            #expect(report.guestsForcedOff == 2)
            #expect(report.guestsRestored == 12)
            #expect(report.violations == [])
            let names = report.phases.map(\.name)
            // These begin together, or have nothing to do.
            #expect(Set(names.prefix(4)).isSuperset(of: ["freeze", "retreat"]), "\(names)")
            #expect(names.last == "disarm", "\(names)")
            #expect(report.phases.allSatisfy { $0.seconds >= 0 })
            #expect(report.phases.map(\.seconds).reduce(0, +) > 5)
        }

        @Test func `a drill in memory prints one JSON object with everything restored`()
            async throws
        {
            let drill = try await VpowerProgram.run(
                ["drill", "--over", "memory", "--format", "json"])
            #expect(drill.code == 0, "\(drill.all)")
            expectRestored(try decoded(drill.out), over: "memory")
            #expect(drill.errors.contains("drill in memory\n"))
            #expect(drill.errors.tooWide == [])
        }

        @Test func `a drill that leaves HA on ends with a violation and exit 1`() async throws {
            let drill = try await VpowerProgram.run(
                ["drill", "--over", "memory", "--leave-ha-on", "--format", "json"])
            #expect(drill.code == 1, "\(drill.all)")
            let report: Report = try decoded(drill.out)
            #expect(report.violations.contains { $0.contains("while HA was on") })
            let told = try await VpowerProgram.run(["drill", "--over", "memory", "--leave-ha-on"])
            #expect(told.code == 1)
            #expect(told.out.contains("while HA was on"))
        }

        @Test func `a drill over the wire moves bytes through every adapter, in under 90 s`()
            async throws
        {
            let before = try Self.leftovers()
            let drill = try await VpowerProgram.run(
                ["drill", "--over", "wire", "--format", "json"], within: Self.limit)
            #expect(drill.code == 0, "\(drill.all)")
            #expect(drill.took < Self.limit)
            let report: Report = try decoded(drill.out)
            expectRestored(report, over: "wire")
            #expect(report.adapters.map(\.adapter) == ["nut", "vcenter", "esxi", "esxi soap"])
            #expect(report.adapters.allSatisfy { $0.bytes > 0 && $0.calls > 0 })
            #expect(drill.errors.tooWide == [])
            #expect(try Self.leftovers().subtracting(before) == [], "the drill left files behind")
        }

        private static func leftovers() throws -> Set<String> {
            Set(
                try FileManager.default.contentsOfDirectory(atPath: "/tmp")
                    .filter { $0.hasPrefix("vpower-drill-") })
        }

        @Test func `the text of a drill fits 80 columns and says which way it went`() async throws {
            let drill = try await VpowerProgram.run(["drill", "--over", "memory"])
            #expect(drill.code == 0)
            #expect((drill.out + drill.errors).tooWide == [])
            #expect(drill.out.contains("restored, over memory"))
            #expect(drill.out.contains("violations: none"))
            #expect(drill.errors.contains("MAINS FAIL") && drill.errors.contains("MAINS RETURN"))
        }

        @Test func `without the wire's programs a drill says what is missing, or uses memory`()
            async throws
        {
            let bare = ["PATH": "/nonexistent"]
            let wire = try await VpowerProgram.run(["drill", "--over", "wire"], bare)
            #expect(wire.code == 1)
            #expect(wire.out == "")
            #expect(wire.errors.contains("needs bwrap, busybox"), "\(wire.all)")
            #expect(wire.errors.contains("Try: make drill"))
            let auto = try await VpowerProgram.run(["drill", "--format", "json"], bare)
            #expect(auto.code == 0, "\(auto.all)")
            #expect(auto.errors.contains("drill in memory: the wire needs bwrap"))
            expectRestored(try decoded(auto.out), over: "memory")
        }

        @Test func `without the right to make namespaces a drill uses memory and says so`()
            async throws
        {
            try await ShortDirectory.with { directory in
                try "#!/bin/sh\nexit 1\n".write(to: "\(directory)/bwrap", rights: 0o755)
                let drill = try await VpowerProgram.run(
                    ["drill"], ["PATH": "\(directory):/usr/sbin:/usr/bin:/sbin:/bin"])
                #expect(drill.code == 0, "\(drill.all)")
                #expect(drill.errors.contains("in memory: the wire needs the right to make"))
            }
        }
    }
}
