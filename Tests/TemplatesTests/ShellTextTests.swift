import PowerLab
import Testing

@testable import Templates

@Suite struct ShellTextTests {
    /// The words as busybox ash and dash understand them.
    private func words(_ texts: [String], shell: [String]) async throws -> [String] {
        let script =
            "vpower_lf=$(printf '\\n_'); vpower_lf=${vpower_lf%_}\nprintf '%s\\0' "
            + texts.map(ShellText.quoted).joined(separator: " ") + "\n"
        let ran = try await LabProcess.run(
            LabProcess.find(shell[0]), Array(shell.dropFirst()), input: script)
        #expect(ran.errors == "")
        return ran.output.split(separator: "\0", omittingEmptySubsequences: false).dropLast()
            .map(String.init)
    }

    @Test(arguments: [["busybox", "ash"], ["dash"]])
    func `a quoted text is one word on one line that means the text`(shell: [String])
        async throws
    {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array(
            "'\"\\$`\n\r\t ;&|<>(){}[]*?~!#%^-=+/a0é語\u{7}\u{1B}\u{7F}\u{202E}".unicodeScalars)
        var texts = Samples.nasty
        for _ in 0..<500 {
            var text = ""
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                if let scalar = alphabet.randomElement(using: &random) {
                    text.unicodeScalars.append(scalar)
                }
            }
            texts.append(text)
        }
        for text in texts {
            let word = ShellText.quoted(text)
            #expect(!word.unicodeScalars.contains { $0.properties.generalCategory == .control })
            #expect(
                ShellText.decoded(ShellText.visible(text)[...])?.unicodeScalars.elementsEqual(
                    text.unicodeScalars) == true)
            #expect(!ShellText.visible(text).unicodeScalars.contains("\n"))
        }
        let understood = try await words(texts, shell: shell)
        // By scalars: to Swift `é` and `e` + accent are the same text.
        #expect(understood.map { Array($0.utf8) } == texts.map { Array($0.utf8) })
    }

    @Test func `a visible text that was damaged is refused`() {
        for text in ["\\", "\\1", "\\12", "\\9aa", "\\377", "\\777", "a\\"] {
            #expect(ShellText.decoded(text[...]) == nil, "\(text)")
        }
    }
}

@Suite struct TemplateRuleTests {
    private func refusal(
        _ text: String, _ values: [String: TemplateValue] = ["name": .text("x")]
    ) -> TemplateError.Reason? {
        do {
            _ = try Template(name: "t", text: "{{% CONTENT_TYPE:SHELL}}\n" + text).render(values)
            return nil
        } catch { return error.reason }
    }

    @Test func `every way around the quoting is refused`() {
        for tag in [
            "{{{name}}}", "{{&name}}", "{{& name}}", "{{>name}}", "{{<name}}{{/name}}",
            "{{$name}}{{/name}}",
            "{{=<% %>=}}<%& name %>", "{{% CONTENT_TYPE:TEXT}}{{name}}", "{{upper(name)}}",
            "{{name.x}}", "{{.}}", "{{^name}}{{/name}}", "{{!name}}", "{{ name }}", "{{}}",
        ] {
            #expect(refusal(tag) == .forbiddenTag, "\(tag)")
        }
        #expect(refusal("{{name") == .badTemplate)
        #expect(refusal("{{name}}") == nil)
    }

    @Test func `a template without the SHELL content type is refused`() {
        #expect(throws: TemplateError.self) { try Template(name: "t", text: "{{name}}") }
    }

    @Test func `a name without a value is an error, also deep in a list`() {
        #expect(refusal("{{nome}}") == .missingValue)
        let values: [String: TemplateValue] = [
            "list": .list([["a": .text("1")], ["b": .text("2")]]), "name": .text("x"),
        ]
        #expect(refusal("{{#list}}{{a}}{{/list}}", values) == .missingValue)
        #expect(refusal("{{#list}}{{name}}{{/list}}", values) == nil)
        #expect(refusal("{{#name}}{{/name}}", values) == .missingValue)
        #expect(refusal("{{list}}", values) == .missingValue)
        #expect(refusal("{{#list}}{{name}}", values) == .badTemplate)
    }

    @Test func `a NUL character is refused`() {
        #expect(refusal("{{name}}", ["name": .text("a\0b")]) == .nulCharacter)
        let guest = BootScriptGuest(name: "a", vmxPath: "[ds1] a\0b.vmx")
        #expect(throws: TemplateError.self) { try BootScript.block(Samples.values([[guest]])) }
    }

    @Test func `numbers out of bounds are refused`() {
        var values = Samples.ordinary
        values.expiresEpochSeconds = values.armedEpochSeconds
        #expect(throws: TemplateError.self) { try BootScript.block(values) }
        values = Samples.ordinary
        values.startGapSeconds = -1
        #expect(throws: TemplateError.self) { try BootScript.block(values) }
        values = Samples.ordinary
        values.guestStartLimitSeconds = 0
        #expect(throws: TemplateError.self) { try BootScript.block(values) }
        values = Samples.ordinary
        values.tiers[1][0].thenWaitSeconds = BootScriptGuest.thenWaitLimitSeconds + 1
        #expect(throws: TemplateError.self) { try BootScript.block(values) }
    }

    @Test func `no value stands in a comment or in a here-document`() {
        let template = String(decoding: PackageResources.local_sh_mustache, as: UTF8.self)
        for line in template.split(separator: "\n").dropFirst() where line.contains("{{") {
            let withoutSections = String(line).replacing(/\{\{#\w+\}\}/, with: "")
            #expect(!withoutSections.contains("#"), "\(line)")
        }
        let code = template.split(separator: "\n").filter { !$0.hasPrefix("# ") }
        let shell = code.map { $0.replacing(BootScript.endMarker, with: "") }
        #expect(shell.filter { $0.contains("<<") } == [])
        #expect(template.contains("\(ShellText.lineFeedVariable)=$(printf '\\n_')"))
    }
}
