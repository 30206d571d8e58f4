import FoundationEssentials
import PowerLab
import Templates
import Testing

@Suite struct BootScriptTests {
    @Test func `the rendered block is the recorded one`() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Snapshots/local.sh")
        let block = try BootScript.block(Samples.ordinary)
        if let recorded = try? String(contentsOf: path, encoding: .utf8) {
            #expect(
                block == recorded,
                "if the change is meant: delete \(path.path) and run the test twice")
        } else {
            try Data(block.utf8).write(to: path)
            Issue.record("recorded \(path.path) anew: look at it, then run again")
        }
    }

    @Test func `shellcheck finds nothing, whatever the guests are called`() async throws {
        for values in [Samples.ordinary, Samples.allNasty, Samples.values([])] {
            let file = try BootScript.install(
                block: BootScript.block(values), into: "#!/bin/sh\nexit 0\n")
            let checked = try await LabProcess.run(
                LabProcess.find("shellcheck"), ["-s", "sh", "-"], input: file)
            #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
            let parsed = try await LabProcess.run(
                LabProcess.find("busybox"), ["ash", "-n"], input: file)
            #expect(parsed.status == 0 && parsed.errors == "", "\(parsed.errors)")
        }
    }

    @Test func `no value makes a line of its own`() throws {
        let block = try BootScript.block(Samples.allNasty)
        let plain = try BootScript.block(
            Samples.values([Samples.nasty.map { _ in BootScriptGuest(name: "a", vmxPath: "[d] a") }]
            ))
        let lines = block.split(separator: "\n")
        // One datastore line there, one for each different datastore here.
        let datastores = Set(Samples.nasty.filter { !$0.isEmpty }.map { Array($0.utf8) }).count
        #expect(lines.count == plain.split(separator: "\n").count + datastores - 1)
        #expect(lines.filter { $0 == BootScript.beginMarker }.count == 1)
        #expect(lines.filter { $0 == BootScript.endMarker }.count == 1)
        #expect(!lines.contains("exit 0"))
        #expect(lines.suffix(2) == ["vpower_boot", BootScript.endMarker[...]])
    }

    @Test func `the words of ESXi's shell suffice`() throws {
        let block = try BootScript.block(Samples.ordinary)
        let code = block.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("#") }
        for missing in ["tr", "nc", "ps", "flock", "base64", "timeout", "command", "local", "[["] {
            for line in code {
                #expect(!line.split { " ;|&()".contains($0) }.contains(missing[...]), "\(line)")
            }
        }
    }
}

@Suite struct LocalShTests {
    static let block =
        "\(BootScript.beginMarker)\nvpower_boot() {\n    :\n}\nvpower_boot\n\(BootScript.endMarker)\n"

    @Test func `the block goes before the last exit 0, and comes out without a trace`() {
        let installed = BootScript.install(block: Self.block, into: Samples.stock)
        #expect(installed == Samples.stock.replacing("exit 0\n", with: Self.block + "exit 0\n"))
        #expect(BootScript.install(block: Self.block, into: installed) == installed)
        #expect(BootScript.block(in: installed) == Self.block)
        #expect(BootScript.remove(from: installed) == Samples.stock)
        #expect(BootScript.remove(from: Samples.stock) == Samples.stock)
        #expect(BootScript.block(in: Samples.stock) == nil)
    }

    @Test(arguments: [
        // What was there, what it becomes. B stands for the block.
        ("", "#!/bin/sh\nBexit 0\n"),
        ("#!/bin/sh\n", "#!/bin/sh\nBexit 0\n"),
        ("echo mine\n", "#!/bin/sh\necho mine\nBexit 0\n"),
        ("#!/bin/sh\necho mine", "#!/bin/sh\necho mine\nBexit 0\n"),
        ("#!/bin/sh\nexit 0\necho after\nexit 0", "#!/bin/sh\nexit 0\necho after\nBexit 0\n"),
        ("#!/bin/sh\nexit 0 # end\n\n", "#!/bin/sh\nBexit 0 # end\n\n"),
        ("#!/bin/sh\nexit  0;\n# bye\n", "#!/bin/sh\nBexit  0;\n# bye\n"),
        ("#!/bin/sh\nif x; then\n  exit 0\nfi\n", "#!/bin/sh\nif x; then\n  exit 0\nfi\nBexit 0\n"),
        ("#!/bin/sh\n  exit 0\n", "#!/bin/sh\nB  exit 0\n"),
        ("#!/bin/sh\nexit 01\nexit 0x\n", "#!/bin/sh\nexit 01\nexit 0x\nBexit 0\n"),
        ("#!/bin/sh\r\necho a\r\nexit 0\r\n", "#!/bin/sh\necho a\r\nBexit 0\n"),
        ("#!/bin/sh\nB\necho x\nBexit 0\n", "#!/bin/sh\n\necho x\nBexit 0\n"),
        ("#!/bin/sh\nexit 0\nB", "#!/bin/sh\nBexit 0\n"),
    ])
    func `whatever was there is kept`(before: String, after: String) {
        let old = Self.block.replacing("    :", with: "    echo old")
        let text = before.replacing("B", with: old)
        let wanted = after.replacing("B", with: Self.block)
        #expect(Array(BootScript.install(block: Self.block, into: text).utf8) == Array(wanted.utf8))
        #expect(
            Array(BootScript.install(block: Self.block, into: wanted).utf8) == Array(wanted.utf8))
    }

    @Test func `a block that was cut short is replaced whole`() {
        let installed = BootScript.install(block: Self.block, into: Samples.stock)
        let begin = installed.utf8.count - Self.block.utf8.count - "exit 0\n".utf8.count
        for end in begin + BootScript.beginMarker.utf8.count..<installed.utf8.count {
            let cut = String(decoding: installed.utf8.prefix(end), as: UTF8.self)
            let again = BootScript.install(block: Self.block, into: cut)
            #expect(BootScript.block(in: again) == Self.block)
            #expect(again.split(separator: "\n").filter { $0 == BootScript.beginMarker }.count == 1)
            #expect(again.hasSuffix("exit 0\n"))
        }
    }

    @Test func `a real block goes in and out of any file`() throws {
        let block = try BootScript.block(Samples.allNasty)
        let installed = BootScript.install(block: block, into: Samples.stock)
        #expect(BootScript.block(in: installed) == block)
        #expect(BootScript.remove(from: installed) == Samples.stock)
        #expect(BootScript.install(block: block, into: installed) == installed)
    }
}

@Suite struct BootScriptReportTests {
    static let text =
        "vpower-boot 1\nrun r 1\nstate done\nstarted 3\nfailed [ds1] a\\012b.vmx\nfailed [d] c\\134.vmx\nend\n"

    @Test func `a report is read`() throws {
        let report = try BootScriptReport.parse(Self.text)
        #expect(
            report
                == BootScriptReport(
                    run: "r 1", state: .done, started: 3, failed: ["[ds1] a\nb.vmx", "[d] c\\.vmx"])
        )
    }

    @Test func `every prefix and every report of another kind is an error`() {
        for end in 0..<Self.text.utf8.count {
            let cut = String(decoding: Self.text.utf8.prefix(end), as: UTF8.self)
            #expect(throws: TemplateError.self) { try BootScriptReport.parse(cut) }
        }
        for bad in [
            Self.text.replacing("boot 1", with: "boot 2"),
            Self.text.replacing("done", with: "ready"),
            Self.text.replacing("started 3", with: "started -3"), Self.text + "more\n",
            Self.text.replacing("started 3", with: "started three"),
            Self.text.replacing("run r 1", with: "run r 1\nrun r 2"),
            Self.text.replacing("\\012", with: "\\0"),
            Self.text.replacing("end", with: "mood x\nend"),
        ] {
            #expect(throws: TemplateError.self) { try BootScriptReport.parse(bad) }
        }
    }
}
