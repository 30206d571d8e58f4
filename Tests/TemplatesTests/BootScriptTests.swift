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
        for values in [Samples.ordinary, Samples.allNasty, Samples.values([]), Samples.full] {
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
        #expect(lines.count == plain.split(separator: "\n").count)
        #expect(lines.filter { $0 == BootScript.beginMarker }.count == 1)
        #expect(lines.filter { $0 == BootScript.endMarker }.count == 1)
        #expect(!lines.contains("exit 0"))
        #expect(lines.suffix(2) == ["vpower_boot", BootScript.endMarker[...]])
    }

    /// What BusyBox ash of this machine runs and ESXi's may not (facts/esxi.md section 4).
    static let denied = [
        #"(^|[ ;|&(])(command|local|function|source|declare|typeset|let|select|disown|timeout)[ ;]"#,
        #"\[\["#, #"\$\{[A-Za-z_]+(/|:[0-9]|\^|,|\[)"#, #"[a-z_]=\("#, #"<<<"#, #"<\("#, #"&>"#,
        #"\$'"#, #"read -[^r]"#, #"echo -"#, #"(^|[^$])\(\("#, #"==[^"]*\]"#,
    ]

    @Test func `nothing is used that ESXi's shell lacks, and no program but its applets`() throws {
        let block = try BootScript.block(Samples.full)
        // Without comments, quoted texts, and the programs of awk in them.
        var code = block.replacing(/(?m)^ *#.*$/, with: "")
        code = code.replacing(/'[^']*'/, with: "''")
        code = code.replacing(/(?m)^ *[a-z0-9_* |]+\)/, with: "")
        for pattern in Self.denied {
            let found = try Regex(pattern).anchorsMatchLineEndings()
            for match in code.matches(of: found) {
                Issue.record("\(pattern): \(code[match.range])")
            }
        }
        // Every command word is a function of ours, sh's own, an applet, or ESXi's.
        let sh = [
            "break", "case", "do", "done", "elif", "else", "esac", "exit", "export", "fi", "for",
            "if", "in",
            "return", "set", "shift", "then", "trap", "until", "wait", "while",
        ]
        let esxi = ["vim-cmd", "esxcli", "nc", "wget"]
        let known = Set(sh + esxi + BootBench.applets)
        let starts = try Regex(
            #"(?:^|[;|&({!]|\b(?:do|then|else|if|until|while)\s)\s*([a-z][a-z0-9_-]*)(?=[ \n;)])"#
        ).anchorsMatchLineEndings()
        let words = Set(
            code.matches(of: starts).compactMap { match in
                match.output[1].substring.map { String($0) }
            })
        #expect(words.contains("sed") && words.contains("vpower_guest"), "the rule sees commands")
        #expect(
            words.filter { !$0.hasPrefix("vpower_") && !known.contains($0) }.sorted() == [])
        for missing in ["tr", "ps", "cmp", "flock", "base64"] {
            #expect(!BootBench.applets.contains(missing))
        }
    }

    @Test func `local.sh stays small, also for many guests`() throws {
        func size(_ count: Int) throws -> Int {
            let guests = (0..<count).map { number in
                let name = "customer-web-\(number).example.org"
                return BootScriptGuest(name: name, vmxPath: "[nfs-datastore-7] \(name)/\(name).vmx")
            }
            return try BootScript.block(Samples.values([guests])).utf8.count
        }
        let sizes = try [3, 50, 300].map(size)
        let most = [24_000, 32_000, 80_000]
        #expect(zip(sizes, most).allSatisfy(<), "\(sizes)")
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
        #expect(BootScript.remove(installed) == Samples.stock)
        #expect(BootScript.remove(Samples.stock) == Samples.stock)
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
        #expect(BootScript.remove(installed) == Samples.stock)
        #expect(BootScript.install(block: block, into: installed) == installed)
    }
}

@Suite struct BootScriptReportTests {
    static let text = """
        vpower-boot 2
        run r 1
        mode armed
        state done
        started 3
        of 5
        disarmed no
        failed question [ds1] a\\012b.vmx
        failed start [d] c\\134.vmx
        end

        """

    @Test func `a report is read`() throws {
        let report = try BootScriptReport.parse(Self.text)
        #expect(
            report
                == BootScriptReport(
                    run: "r 1", state: .done, started: 3, of: 5,
                    failed: [
                        .init(.question, "[ds1] a\nb.vmx"), .init(.start, "[d] c\\.vmx"),
                    ]))
    }

    @Test func `every prefix and every report of another kind is an error`() {
        for end in 0..<Self.text.utf8.count {
            let cut = String(decoding: Self.text.utf8.prefix(end), as: UTF8.self)
            #expect(throws: TemplateError.self) { try BootScriptReport.parse(cut) }
        }
        for bad in [
            Self.text.replacing("boot 2", with: "boot 1"),
            Self.text.replacing("done", with: "ready"),
            Self.text.replacing("armed\n", with: "loaded\n"),
            Self.text.replacing("question ", with: "moody "),
            Self.text.replacing("of 5\n", with: ""),
            Self.text.replacing("disarmed no", with: "disarmed maybe"),
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
