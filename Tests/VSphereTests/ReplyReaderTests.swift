import Foundation
import PowerModel
import PowerRun
import Testing

@testable import VSphere

@Suite struct ReplyReaderTests {
    private func problem(_ text: String) -> String? {
        do {
            _ = try ReplyReader.payload(of: Array(text.utf8))
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `every prefix of a snapshot is an error, never half an inventory`() throws {
        // A part of the objects is enough: the test costs the square of its length.
        let bytes = Array(Recorded.page(Array(Recorded.objects[1..<8])).utf8)
        #expect((5_000...12_000).contains(bytes.count))
        #expect(try ReplyReader.payload(of: bytes).name == "RetrievePropertiesExResponse")
        var accepted: [Int] = []
        for length in 0..<bytes.count {
            do {
                _ = try ReplyReader.payload(of: Array(bytes[..<length]))
                accepted.append(length)
            } catch {
                // As it must be.
            }
        }
        #expect(accepted == [])
    }

    @Test func `what follows the envelope is an error, but for white space`() {
        #expect(problem(Recorded.login + "\n \n") == nil)
        for junk in ["x", "<a/>", "&amp;", "\u{0}", Recorded.login] {
            #expect(problem(Recorded.login + junk) != nil, "\(junk)")
        }
    }

    @Test func `a DOCTYPE is refused, wherever it is`() {
        let declared = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
        let entity = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>"
        for head in ["<!DOCTYPE x>", entity, "<!-- a -->" + entity] {
            let text = Recorded.login.replacing(declared, with: declared + head)
            #expect(text.contains("DOCTYPE"))
            #expect(problem(text)?.contains("DOCTYPE") == true)
        }
    }

    @Test func `a processing instruction is refused: Foundation's parser dies of an empty one`() {
        let declared = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
        for instruction in ["<?x?>", "<?x y?>", "<?x", "<?xml?>", "<?xmlx?>", "<?xml"] {
            for text in [
                Recorded.login.replacing(declared, with: declared + instruction),
                Recorded.login + instruction, instruction, instruction + Recorded.login,
                Recorded.envelope("<a>\(instruction)</a>"), "<?xml?>" + instruction,
                Recorded.login.replacing(declared, with: "") + "\n" + instruction,
            ] {
                #expect(problem(text) != nil, "\(text.prefix(200))")
            }
        }
    }

    @Test func `undeclared entities and prefixes are errors`() {
        let bodies = [
            "<a xmlns=\"u\">&e;</a>", "<p:a/>", "<a p:type=\"x\"/>", "<a xsi:type=\"p:x\"/>",
            "<a xmlns:p=\"\"><p:b/></a>", "<a b=\"1\" b=\"2\"/>", "<a>\u{1}</a>", "<a>&#0;</a>",
            "<a><b></a></b>", "<a/><b/>", "", "text",
        ]
        for body in bodies { #expect(problem(Recorded.envelope(body)) != nil, "\(body)") }
    }

    @Test func `other encodings than UTF-8 are refused`() {
        let text = Recorded.login
        for name in ["latin1", "UTF-16", "UTF-7"] {
            #expect(problem(text.replacing("UTF-8", with: name)) != nil)
        }
        #expect(throws: ReplyReader.Problem.self) {
            try ReplyReader.payload(of: Array(text.data(using: .utf16) ?? Data()))
        }
        var broken = Array(text.utf8)
        broken.insert(0xFF, at: broken.count / 2)
        #expect(throws: ReplyReader.Problem.self) { try ReplyReader.payload(of: broken) }
        #expect(problem("\u{FEFF}" + text) == nil)
    }

    @Test func `only an envelope with one thing in one body is a reply`() {
        let one = Recorded.envelope("<a/>")
        #expect(problem(one) == nil)
        #expect(problem(one.replacing("soap/envelope", with: "soap/other")) != nil)
        #expect(problem(one.replacing("soapenv:Body", with: "soapenv:Header")) != nil)
        #expect(problem("<html><body>503</body></html>") != nil)
        #expect(problem(String(repeating: "<a>", count: 5000)) != nil)
        let deep = String(repeating: "<a>", count: 99) + String(repeating: "</a>", count: 99)
        #expect(problem(Recorded.envelope(deep))?.contains("deep") == true)
    }

    @Test func `a type is found by its namespace, never by its prefix`() throws {
        let text = Recorded.envelope(
            """
            <r xmlns="urn:vim25" xmlns:v="urn:vim25" xmlns:xsi="urn:trap">
            <a xsi:type="Trap"/>
            <b xmlns:q="http://www.w3.org/2001/XMLSchema-instance" q:type="v:Real"/>
            <c type="HostSystem">host-9</c>
            <d xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="In" type="Out"/>
            <v:e>one<![CDATA[<two>]]>&amp;</v:e>
            </r>
            """)
        let root = try ReplyReader.payload(of: Array(text.utf8))
        #expect(root.children.map(\.type) == [nil, "Real", nil, "In", nil])
        #expect(root["c"]?.reference == Reference(kind: "HostSystem", id: "host-9"))
        #expect(root["d"]?.referenceKind == "Out")
        #expect(root["e"]?.text == "one<two>&")
        #expect(root["e"]?.namespace == "urn:vim25")
    }

    @Test func `a reply of more than 10 MB is read`() throws {
        let text = String(repeating: "0123456789abcdef", count: 256)
        let many = String(repeating: "<a><b>\(text)</b></a>", count: 2600)
        let bytes = Array(Recorded.envelope("<r>\(many)</r>").utf8)
        #expect(bytes.count > 10_500_000)
        let root = try ReplyReader.payload(of: bytes)
        #expect(root.children.count == 2600)
        #expect(root.children.allSatisfy { $0["b"]?.text == text })
        #expect(throws: ReplyReader.Problem.self) {
            try ReplyReader.payload(of: Array(bytes.dropLast()))
        }
    }

    @Test func `a fault is known by its concrete type, as SOAP and in a task`() throws {
        let soap = Recorded.fault(
            "InvalidPowerState",
            "<requestedState>poweredOff</requestedState><existingState>poweredOff</existingState>")
        let fault = VimFault(envelope: try ReplyReader.payload(of: Array(soap.utf8)))
        #expect(fault.type == "InvalidPowerState")
        #expect(fault.existingPowerState == "poweredOff")
        let task = Recorded.envelope(
            """
            <error xmlns="urn:vim25"><fault xsi:type="NoPermission">
            <object type="VirtualMachine">vm-1</object><privilegeId>VirtualMachine.Interact.PowerOff\
            </privilegeId></fault><localizedMessage>no</localizedMessage></error>
            """)
        let refused = VimFault(localized: try ReplyReader.payload(of: Array(task.utf8)))
        #expect(refused.type == "NoPermission")
        #expect(CallFailure.fault(refused).forEngine.reason == .notPermitted)
        #expect(refused.description.contains("VirtualMachine.Interact.PowerOff"))
        // A type that only looks like one: the prefix belongs to another namespace.
        let trap = soap.replacing("xsi:type", with: "soapenc:type")
        let untyped = VimFault(envelope: try ReplyReader.payload(of: Array(trap.utf8)))
        #expect(untyped.type == "RuntimeFault")
    }

    @Test func `whatever is written is read back the same`() throws {
        let values = [
            "plain", "a & b < c > d \" e ' f", "]]>", "tab\tline\nreturn\rboth\r\nend", " lead",
            "日本語 \u{1F600} \u{85} \u{2028} \u{7F}", "$(reboot)'\"; `x`", "</value><value>", "",
        ]
        for value in values {
            let xml = XMLText(Self.call(value))
            #expect(!xml.isUnsendable)
            let root = try ReplyReader.payload(of: Array(xml.text.utf8))
            #expect(root["value"]?.text.unicodeScalars.elementsEqual(value.unicodeScalars) == true)
            #expect(root["_this"]?.reference == Reference(kind: "K\"<", id: "i&"))
        }
        for value in ["\u{0}", "a\u{1B}[0m", "\u{FFFE}"] {
            #expect(XMLText(Self.call(value)).isUnsendable)
        }
    }

    private static func call(_ value: String) -> VimCall {
        VimCall(
            method: .queryOptions, object: Reference(kind: "K\"<", id: "i&"),
            arguments: VimFields { $0.add("value", value) }, operation: "o")
    }

    @Test func `the newest version that both sides know is chosen`() throws {
        #expect(try APIVersion.choose(Array(Recorded.versions.utf8)) == "8.0.3.0")
        let old = Recorded.versions.replacing("8.0.3.0", with: "8.8").replacing(
            "9.0.0.0", with: "9")
        #expect(try APIVersion.choose(Array(old.utf8)) == "7.0.3.0")
        let strange =
            "<namespaces><namespace><name>urn:vim25</name><version>4.1</version></namespace>"
        #expect(throws: CallFailure.self) { try APIVersion.choose(Array(strange.utf8)) }
        #expect(throws: CallFailure.self) {
            try APIVersion.choose(Array((strange + "</namespaces>").utf8))
        }
    }
}
