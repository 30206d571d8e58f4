import Testing

/// Each rule, applied to a sample that breaks it and to one that does not.
@Suite struct RuleTests {
    private func swift(_ text: String) -> SwiftText { SwiftText(path: "x.swift", text: text) }

    @Test func `imports are found with their attributes and kinds`() {
        let text = swift(
            """
            @preconcurrency public import A
            import struct B.Thing; internal import C // import D
            let x = "import E", y = files.import, z = f(import: 1)
            """)
        #expect(text.imports.map(\.module) == ["A", "B", "C"])
        #expect(text.imports.map(\.line) == [1, 2, 2])
        let outside = text.importsOutside(["A", "C"])
        #expect(outside == ["x.swift:2: import B is not in the target's import table"])
        #expect(text.importsOutside(nil).count == 3)
    }

    @Test func `comments, texts and raw names are no code`() {
        let text = swift(
            ###"""
            // try! a
            /* as! /* try! */ try! */
            let a = "try! \(b("try! \(c)")) try!", d = """
                try! "try!" \(e)
                """
            let f = ##"try! " "# \#(g) \##(h)"##
            func `a try! name`() {}
            """###)
        #expect(SwiftRules.forced(text) == [])
        let names = text.tokens.map(\.text).filter { $0.count == 1 && $0.first!.isLetter }
        #expect(names == ["a", "b", "c", "d", "e", "f", "h"])
        #expect(text.textLines == [4, 5])
        #expect(text.remarks == [1])
    }

    @Test func `a forced error is found, also inside a text`() {
        let text = swift("let a = try! b()\nlet c = d as! E\nlet f = \"\\(try! g())\"\ntry  !h")
        #expect(
            SwiftRules.forced(text).map { $0.prefix(10) } == [
                "x.swift:1:", "x.swift:2:", "x.swift:3:", "x.swift:4:",
            ])
    }

    @Test(arguments: [
        "Task { }", "Task{}", "Task(priority: .low) { }", "Task<Int, Never> { 1 }",
        "Task.detached { }", "Task.immediate { }", "try await Task.sleep(for: x)",
        "ContinuousClock()", "Date()", "let x: T = .now", "ContinuousClock.now", "f(.now)",
        "var g = SystemRandomNumberGenerator()", "DispatchQueue.main", "import Dispatch",
        "Int.random(in: 0..<9)", "list.randomElement()", "list.shuffled()",
    ])
    func `what a simulation cannot control is found`(sample: String) {
        #expect(!SwiftRules.nondeterminism(swift(sample)).isEmpty)
    }

    @Test(arguments: [
        "group.addTask { }", "clock.now", "self.clock.now", "Task.checkCancellation()",
        "struct UpdateDate { }", "Int.random(in: 0..<9, using: &g)", "list.shuffled(using: &g)",
        "// Task { } and .now", "clocks[0].now", "withTaskGroup { }",
    ])
    func `what a simulation controls is not`(sample: String) {
        #expect(SwiftRules.nondeterminism(swift(sample)) == [])
    }

    @Test func `an ignored error needs a remark beside it or above it`() {
        let bad = swift(
            "let a = try? b()\n/// Says what.\nlet c = try? d()\ne() // other\ntry? f()")
        #expect(SwiftRules.silencedErrors(bad).count == 3)
        let good = swift("// why: gone is what we want\ntry? a()\ntry? b() // it is a cache")
        #expect(SwiftRules.silencedErrors(good) == [])
    }

    @Test(arguments: [
        "await time.sleep(for: .seconds(5))", "sleep(\n  for: Duration.milliseconds(20))",
        "Task.sleep(nanoseconds: 1_000)", "usleep(100)", "sleep(3)",
    ])
    func `a wait of a bare number is found`(sample: String) {
        #expect(SwiftRules.unnamedWaits(swift(sample)).count == 1)
    }

    @Test(arguments: [
        "sleep(for: Self.pollSlice)", "static let limit: Duration = .seconds(5)",
        "sleep(for: limit * 2)", "sleep(for: .seconds(limitSeconds))", "asleep(for: .seconds(1))",
    ])
    func `a wait with a name is not`(sample: String) {
        #expect(SwiftRules.unnamedWaits(swift(sample)) == [])
    }

    @Test func `a long function is found, whatever its braces`() {
        let filler = String(repeating: "    if a { b(\"}\") } // }\n", count: 69)
        for head in [
            "func f() throws(E) -> [Int] {", "init(a: () -> Void = {}) {", "var x: Int {",
            "deinit {", "subscript(i: Int) -> Int {", "func g<T>(_ t: T) where T: P {",
        ] {
            #expect(SwiftRules.longFunctions(swift(head + "\n" + filler + "}")).count == 1)
            let fits = filler.split(separator: "\n").dropLast().joined(separator: "\n")
            #expect(SwiftRules.longFunctions(swift(head + "\n" + fits + "\n}")) == [])
        }
        // Without bodies, and with values that have braces: nothing to measure.
        let none =
            "protocol P { func f()\n init(a: Int)\n var x: Int { get }\n}\n"
            + "let c = self.init()\nvar t = [1].map {\n\(filler)}\n"
        #expect(SwiftRules.longFunctions(swift(none)) == [])
    }

    @Test func `a long line is found, but not an address or a text of several lines`() {
        let long = String(repeating: "x", count: 101)
        let text = swift("let a = \"\"\"\n\(long)\n\"\"\"\n// https://\(long)\n\(long)")
        #expect(SwiftRules.longLines(text) == ["x.swift:5: more than 100 columns"])
    }

    @Test(arguments: [
        "@Test(.disabled(\"slow\")) func a() {}", "@Test(.enabled(if: b)) func a() {}",
        "withKnownIssue { }", "throw XCTSkip()", "try Test.cancel()",
    ])
    func `a test that may not run is found`(sample: String) {
        #expect(SwiftRules.disabledTests(swift(sample)).count == 1)
    }

    @Test func `marks of unfinished work are found as words only`() {
        let marks = ["// TO", "DO: x\n# FIX", "ME\n<XX", "X>\n"]
        #expect(TextRules.unfinished("x", marks.joined()).count == 3)
        #expect(TextRules.unfinished("x", "mktemp /tmp/a.XXXXXX; TO_DO, TODOS_are") == [])
    }

    @Test func `this machine's own paths and servers are found`() {
        let text = "cd /wo" + "rk/x\na/wo" + "rk/b\n--index" + "-url u\nhttps://mirror.example/y"
        let found = TextRules.machineTraces("x", text, registryHosts: ["mirror.example"])
        #expect(found.map { $0.prefix(4) } == ["x:1:", "x:3:", "x:4:"])
        let hosts = TextRules.registryHosts(environment: [
            "GOPROXY": "https://mirror.example/go,https://proxy.golang.org,direct",
            "NO_PROXY": "http://a.example", "HOME": "http://b.example",
        ])
        #expect(hosts == ["mirror.example"])
    }

    @Test func `a tag that does not quote is found`() {
        let bad = "a={{{b}}}\na={{& b}}\na={{ &b }}\n{{=<% %>=}}\na={{b}}\n{{#c}}{{/c}}"
        #expect(
            TextRules.unquotedTags("x", bad).map { $0.prefix(4) } == [
                "x:1:", "x:2:", "x:3:", "x:4:",
            ])
    }

    @Test func `embedded files are read from the manifest`() {
        let manifest = "resources: [.embedInCode(\"a.sh\"), .copy(\"b\"), .embedInCode(\"c/d\")]"
        #expect(TextRules.embeddedFiles(manifest: manifest) == ["a.sh", "c/d"])
    }

    @Test func `a template becomes a script that shellcheck can judge`() throws {
        let template = "#!/bin/sh\n{{#guests}}\nname={{name}}\n{{/guests}}\necho \"$name\"\n"
        let script = TextRules.shellScript(template: template)
        #expect(script == "#!/bin/sh\n\nname='value'\n\necho \"$name\"\n")
        #expect(try Repository.run("shellcheck", ["-"], input: script).output == "")
        let bad = TextRules.shellScript(template: "#!/bin/sh\nname={{name}}\necho $name\n[[ a ]]\n")
        #expect(try Repository.run("shellcheck", ["-"], input: bad).output.contains("SC"))
    }

    @Test func `a runbook out of order is found`() {
        let good =
            TextRules.runbookSections.joined(separator: "\n\n")
            + "\n```sh runbook\nvpower check\n```\n```sh\nany thing\n```\n"
        #expect(TextRules.runbookMistakes("x", good) == [])
        let late = "## What to do\n" + good
        #expect(TextRules.runbookMistakes("x", late).count == 1)
        #expect(TextRules.runbookMistakes("x", good + "```sh runbook\nrm x\n```").count == 1)
        #expect(TextRules.runbookMistakes("x", good + "   ```sh runbook\n").count == 1)
        let none = TextRules.runbookSections.joined(separator: "\n")
        #expect(TextRules.runbookMistakes("x", none).count == 1)
    }

    @Test func `a missing tool is named together with what installs it`() {
        #expect(throws: Repository.MissingTool.self) {
            try Repository.run("no-such-tool-of-vpower", [])
        }
        #expect("\(Repository.MissingTool(tool: "x"))".contains("make setup"))
    }
}
