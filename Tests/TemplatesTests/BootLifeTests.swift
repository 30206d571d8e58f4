import FoundationEssentials
import PowerLab
import Templates
import Testing

/// What a boot script does over its life: called off, expired, unarmed, with extras, cut short.
@Suite struct BootLifeTests {
    typealias Matrix = BootMatrixTests

    static func values(_ change: (inout BootScriptValues) -> Void = { _ in }) -> BootScriptValues {
        var values = Matrix.values(
            .init(vcsa: .here, store: .inTime, hostdIsLate: false, maintenance: .none, guest: .off))
        values.waitsForVCSA = false
        change(&values)
        return values
    }

    /// A host with the four guests of the matrix: dns 1, last 2, vcsa 3, web 10.
    static func host(
        _ bench: BootBench, _ name: String, _ values: BootScriptValues, kind: String = "plain"
    ) throws -> BootHost {
        let host = try bench.host(name, values)
        try host.add(1, Matrix.dns)
        try host.add(10, Matrix.web, kind: kind)
        try host.add(2, Matrix.last)
        try host.add(3, Matrix.vcsa)
        return host
    }

    /// At the clock's time or later, whatever the script sleeps for, this happens.
    static func at(_ seconds: Int, on host: BootHost, _ act: String) throws {
        try host.write(
            "at-sleep.sh",
            "[ \"$lab_now\" -lt \(BootHost.begin + seconds) ] || { \(act); }\n")
    }

    // MARK: Called off

    @Test func `a stop file, a disarmed local.sh or one armed anew ends it before the next guest`()
        async throws
    {
        try await BootBench.with { bench in
            var values = Self.values()
            let rearmed = try BootScript.block(Self.values { $0.runID = "run-2" })
            let acts = [
                ("stop", ": >\"$CASE/tmp/vpower-boot.stop\""),
                ("disarmed", "cat \"$CASE/other\" >\"$CASE/local.sh\""),
                ("rearmed", "cat \"$CASE/other\" >\"$CASE/local.sh\""),
            ]
            values.startGapSeconds = 30
            let hosts = try acts.map { name, act in
                let host = try Self.host(bench, name, values)
                let local = try #require(host.read("local.sh"))
                try host.write(
                    "other",
                    name == "disarmed"
                        ? BootScript.disarm(local)
                        : BootScript.install(block: rearmed, into: local))
                // The first guest is started after 60 s, the second would be after 90 s.
                try Self.at(60, on: host, act)
                return host
            }
            try await bench.boot(hosts)
            for host in hosts {
                let report = try host.report()
                #expect(host.events == ["try 1", "on 1"], "\(host.directory): \(host.log)")
                #expect(
                    report
                        == BootScriptReport(
                            run: "run-1", state: .calledOff, started: 1, of: 4))
                #expect(host.log.contains("called off"))
            }
            // What was armed meanwhile stays armed.
            #expect(BootScript.installed(in: hosts[2].read("local.sh") ?? "")?.run == "run-2")
            #expect(hosts[2].isArmed)
        }
    }

    @Test func `a guest that does not start is not tried again once it is called off`()
        async throws
    {
        try await BootBench.with { bench in
            let host = try Self.host(
                bench, "broken", Self.values { $0.infrastructure = [] }, kind: "broken")
            try Self.at(68, on: host, ": >\"$CASE/tmp/vpower-boot.stop\"")
            try await bench.boot([host])
            #expect(try host.report().state == .calledOff)
            #expect(try host.report().failed == [])
            #expect(!host.isOn(2))
            #expect(host.events.filter { $0 == "try 10" }.count <= 2, "\(host.events)")
        }
    }

    // MARK: Failures

    @Test func `a guest that will not start and one that is not there cost their limits only`()
        async throws
    {
        try await BootBench.with { bench in
            let gone = BootScriptGuest(name: "gone", vmxPath: "[ds1] gone/gone.vmx")
            let values = Self.values { $0.tiers = [[Matrix.web, gone], [Matrix.last]] }
            let host = try Self.host(bench, "broken", values, kind: "broken")
            try await bench.boot([host])
            let failed: [BootScriptReport.Failure] = [
                .init(.start, Matrix.web.vmxPath), .init(.missing, gone.vmxPath),
            ]
            #expect(try host.report().failed == failed)
            #expect(host.isOn(2) && host.isArmed)
            #expect(host.seconds < 60 + 5 * 4 + 30 + 30 + 30, "\(host.seconds) \(host.log)")
        }
    }

    @Test func `all waits for storage together have one limit, however many guests wait`()
        async throws
    {
        try await BootBench.with { bench in
            let guests = (20..<50).map {
                BootScriptGuest(name: "g\($0)", vmxPath: "[ds1] g\($0)/g\($0).vmx")
            }
            let host = try bench.host("many", Self.values { $0.tiers = [guests, [Matrix.last]] })
            for (id, guest) in zip(20..<50, guests) { try host.add(id, guest) }
            for (id, guest) in [(1, Matrix.dns), (3, Matrix.vcsa), (2, Matrix.last)] {
                try host.add(id, guest)
            }
            try host.write("store", "\(Int32.max)\n")
            try await bench.boot([host])
            let failed = try host.report().failed
            #expect(failed.count == guests.count && failed.allSatisfy { $0.reason == .invalid })
            #expect(host.isOn(2))
            #expect(host.seconds < 60 + 100 + 60, "\(host.seconds)")
        }
    }

    @Test func `a datastore that hostd cannot reach is waited for, though it is mounted`()
        async throws
    {
        try await BootBench.with { bench in
            let host = try Self.host(bench, "apd", Self.values())
            try host.write("unreachable", "")
            try host.write("store", "\(BootHost.begin + 20)\n")
            try await bench.boot([host])
            #expect(host.events.first == "rescan" && host.events.contains("on 1"), "\(host.events)")
            #expect(try host.report().failed == [])
        }
    }

    @Test func `past its expiry it starts nothing, unless something stands for every boot`()
        async throws
    {
        try await BootBench.with { bench in
            let expired = Self.values {
                $0.armedEpochSeconds = 1000
                $0.expiresEpochSeconds = 2000
            }
            var standing = expired
            standing.standing = [Matrix.dns, Matrix.vcsa]
            let hosts = [
                try Self.host(bench, "expired", expired),
                try Self.host(bench, "standing", standing),
            ]
            try await bench.boot(hosts)
            for host in hosts { #expect(try host.report().mode == .expired) }
            #expect(hosts[0].events == [])
            #expect(hosts[1].events == ["try 1", "on 1", "try 3", "on 3"])
            #expect(try hosts[1].report().started == 2)
            #expect(hosts.map(\.isArmed) == [true, true])
        }
    }

    // MARK: Unarmed

    @Test(arguments: ["plain", "maintenance", "orphan", "late"])
    func `unarmed it starts what others need where it is registered, and nothing else`(
        kind: String
    ) async throws {
        try await BootBench.with { bench in
            let elsewhere = BootScriptGuest(name: "dns2", vmxPath: "[local two] dns2/dns2.vmx")
            let late = BootScriptGuest(name: "ntp", vmxPath: "[ds1] ntp/ntp.vmx")
            let values = Self.values {
                $0.standing = [elsewhere, late, Matrix.dns, Matrix.vcsa]
                $0.leaveMaintenance = true
            }
            let host = try Self.host(bench, kind, values)
            try host.add(4, late)
            // An entry of long ago whose files are gone for good.
            if kind == "orphan" {
                try host.add(
                    7, BootScriptGuest(name: "old", vmxPath: "[ds1] old/old.vmx"), kind: "invalid")
                try host.add(
                    8, BootScriptGuest(name: "o", vmxPath: "[ds1] o/o.vmx"), kind: "invalid")
            }
            if kind == "late" { try host.write("store", "\(BootHost.begin + 120)\n") }
            if kind == "maintenance" { try host.write("maintenance", "true\n") }
            try host.write("local.sh", BootScript.disarm(host.read("local.sh") ?? ""))
            #expect(BootScript.installed(in: host.read("local.sh") ?? "")?.isArmed == false)
            try await bench.boot([host])
            let report = try host.report()
            #expect(report.mode == .unarmed && report.state == .done && report.failed == [])
            let started = host.events.filter { $0.hasPrefix("on ") }
            switch kind {
            case "maintenance":
                #expect(host.events == [] && host.read("maintenance") == "true\n")
            case "late": #expect(started == ["on 1", "on 3", "on 4"], "\(host.log)")
            default: #expect(started == ["on 4", "on 1", "on 3"], "\(host.log)")
            }
            #expect(report.started == started.count)
            #expect(host.seconds < 260, "\(host.seconds)")
            #expect(host.read("saved") == nil)
        }
    }

    @Test func `disarming leaves a block that is of use unarmed, and takes out any other`() throws {
        let plain = BootScript.install(
            block: try BootScript.block(Samples.ordinary), into: Samples.stock)
        #expect(BootScript.disarm(plain) == Samples.stock)
        for change in [
            { $0.standing = Samples.ordinary.infrastructure },
            { $0.extras = Samples.full.extras },
        ] as [(inout BootScriptValues) -> Void] {
            var values = Samples.ordinary
            change(&values)
            let armed = BootScript.install(block: try BootScript.block(values), into: Samples.stock)
            let disarmed = BootScript.disarm(armed)
            let installed = try #require(BootScript.installed(in: disarmed))
            #expect(!installed.isArmed && installed.run == values.runID)
            #expect(BootScript.installed(in: armed)?.isArmed == true)
            // One byte is other.
            let changed = zip(armed.utf8, disarmed.utf8).filter { $0 != $1 }
            #expect(changed.count == 1)
            #expect(armed.utf8.count == disarmed.utf8.count)
            #expect(BootScript.disarm(disarmed) == disarmed)
            values.isArmed = false
            #expect(
                BootScript.install(block: try BootScript.block(values), into: Samples.stock)
                    == disarmed)
            #expect(BootScript.remove(disarmed) == Samples.stock)
        }
    }

    // MARK: Extras

    @Test func `extras come back at every boot, armed or not, and no mistake in them does harm`()
        async throws
    {
        try await BootBench.with { bench in
            let content = "<a b='c'>\n\t$(touch pwned) `x` \\n 日本 %s\n</a>\n"
            var hosts: [BootHost] = []
            for isArmed in [true, false] {
                let place = "\(bench.directory)/\(isArmed)"
                let values = Self.values {
                    $0.isArmed = isArmed
                    $0.extras = [
                        .init(.file(path: "/nowhere/x", content: "lost"), limitSeconds: 60),
                        .init(.line("exit 7"), limitSeconds: 60),
                        .init(.line("echo 'no end"), limitSeconds: 60),
                        .init(.line("kill -9 $$"), limitSeconds: 60),
                        .init(.file(path: "\(place)/it's.xml", content: content), limitSeconds: 60),
                        .init(.line("echo ran >\(place)/ran"), limitSeconds: 60),
                    ]
                }
                hosts.append(try Self.host(bench, "\(isArmed)", values))
            }
            try await bench.boot(hosts)
            for host in hosts {
                #expect(host.read("it's.xml") == content)
                #expect(host.read("ran") == "ran\n")
                #expect(
                    host.log.split(separator: "\n").filter { $0.contains(" failed: ") }.count == 4)
            }
            let started = try hosts.map { try $0.report().started }
            #expect(started == [4, 0])
            #expect(hosts.map(\.isArmed) == [false, false])
            #expect(hosts[0].read("local.sh") != nil)
        }
    }

    @Test func `extras that are no text or too large are refused`() throws {
        func refusal(_ extras: [BootScriptExtra]) -> TemplateError.Reason? {
            do throws(TemplateError) {
                _ = try BootScript.block(Self.values { $0.extras = extras })
                return nil
            } catch { return error.reason }
        }
        func file(_ content: String) -> [BootScriptExtra] {
            [.init(.file(path: "/a", content: content), limitSeconds: 1)]
        }
        #expect(refusal(file("a\u{1}b")) == .notText)
        #expect(refusal(file("\u{7F}ELF")) == .notText)
        #expect(refusal(file("a\0b")) == .notText)
        #expect(refusal([.init(.line("echo \u{1B}[2J"), limitSeconds: 1)]) == .notText)
        #expect(refusal([.init(.line("true"), limitSeconds: 0)]) == .outOfBounds)
        let most = BootScriptExtra.sizeLimitBytes - 2
        #expect(refusal(file(String(repeating: "x", count: most))) == nil)
        #expect(refusal(file(String(repeating: "x", count: most + 1))) == .outOfBounds)
        #expect(refusal(file("tab\tand\r\nlines\n")) == nil)
    }

    // MARK: Names

    @Test func `whatever guests are called, the right ones start and nothing is executed`()
        async throws
    {
        var random = SystemRandomNumberGenerator()
        let ascii = (0x20...0x7E).map { Character(Unicode.Scalar(UInt8($0))) }
        let parts: [String] =
            ["\n", "\n\n", "日本語仮想計算機", "🏴‍☠️", "🇯🇵", "e\u{301}", "\u{202E}", "exit 0\n"]
            + [
                "$(: >pwned)", "`: >pwned`", "'; : >pwned; '", "\"; : >pwned; \"", "\\", "$HOME",
                "%s",
            ]
        let japanese = String("仮想計算機の名前はとても長いことがありますので注意".prefix(26)) + "ab"
        #expect(japanese.utf8.count >= 72)
        func text(lines: Bool) -> String {
            (0..<Int.random(in: 1...6, using: &random)).map { _ in
                let wild = parts.randomElement(using: &random) ?? ""
                let isTame = Bool.random(using: &random) || (!lines && wild.contains("\n"))
                return isTame ? String(ascii.randomElement(using: &random) ?? "x") : wild
            }.joined()
        }
        try await BootBench.with { bench in
            var guests = (0..<40).map { number in
                BootScriptGuest(
                    name: text(lines: true),
                    vmxPath: "[local one] \(number)\(text(lines: false))/x.vmx")
            }
            // Every character once for sure.
            guests.append(
                BootScriptGuest(name: String(ascii), vmxPath: "[local one] \(String(ascii))/x.vmx"))
            guests.append(
                BootScriptGuest(
                    name: japanese + "\n" + japanese, vmxPath: "[local one] \(japanese)"))
            let host = try bench.host(
                "names",
                Self.values {
                    $0.infrastructure = []
                    $0.vcsa = nil
                    $0.tiers = [guests]
                    $0.startGapSeconds = 0
                })
            for (id, guest) in guests.enumerated() {
                try host.add(100 + id, guest)
                // The same name, and nearly the same file.
                try host.add(
                    500 + id,
                    BootScriptGuest(name: guest.name, vmxPath: guest.vmxPath.dropLast() + "y"))
            }
            try await bench.boot([host])
            let report = try host.report()
            #expect(report.failed == [], "\(guests)")
            #expect(report.started == guests.count)
            for id in guests.indices {
                #expect(host.isOn(100 + id) && !host.isOn(500 + id), "\(guests[id])")
            }
            let found = try FileManager.default.subpathsOfDirectory(atPath: bench.directory)
            #expect(!found.contains { $0.hasSuffix("pwned") })
            #expect(!FileManager.default.fileExists(atPath: "pwned"))
        }
    }

    // MARK: Cut short

    @Test func `an install that is cut at any byte leaves a file that does nothing of the block`()
        async throws
    {
        try await BootBench.with { bench in
            var values = Samples.full
            values.infrastructure.append(
                BootScriptGuest(name: "a\nexit 0\nvpower_boot", vmxPath: "[a\nreboot] x"))
            let file = BootScript.install(block: try BootScript.block(values), into: Samples.stock)
            // Every prefix is run, in a shell of its own that finds no program: whatever is called
            // is told as not found. That of the whole name of the call is left out.
            let text = file.replacing("\nvpower_boot\n", with: "\nvpower_boo\n")
            let outputs = try await withThrowingTaskGroup(of: String.self) { group in
                for half in 0...1 {
                    group.addTask {
                        try await LabProcess.run(
                            LabProcess.find("busybox"),
                            ["ash", "-c", Self.prefixes, "sh", "\(half)"],
                            environment: ["PATH": bench.directory + "/bin", "LC_ALL": "C"],
                            input: text, within: .seconds(900)
                        ).output
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            var called: [Substring: Int] = [:]
            for line in outputs.joined().split(separator: "\n") {
                if line.contains("syntax error") || line.contains("unterminated") { continue }
                let word = line.split(separator: ": ").dropLast().last ?? line
                called[word, default: 0] += 1
            }
            // The whole name is what begins the function, which is not there yet.
            let parts = ["vpower_boot", "exi"].flatMap { word in
                (1...word.count).map { word.prefix($0) }
            }
            #expect(called["vpower_boot"] == 1)
            #expect(Set(called.keys) == Set(parts), "\(called)")
        }
    }

    /// Runs every prefix of its input's lines number 0, 2, ... or 1, 3, ...
    private static let prefixes = #"""
        PATH=/nowhere
        whole=
        number=0
        while IFS= read -r line; do
            at=0
            [ $((number % 2)) -eq "$1" ] || at=$((${#line} + 1))
            while [ "$at" -le "${#line}" ]; do
                (eval "$whole${line:0:$at}") 2>&1
                at=$((at + 1))
            done
            number=$((number + 1))
            whole="$whole$line
        "
        done
        """#
}
