import Foundation
import PowerModel
import Testing

@testable import PowerStore

/// Pins are written into the site file, and nothing else of it changes.
@Suite struct SiteFilePinTests {
    static let key = "SHA256:" + String(repeating: "B", count: 42) + "A"
    static let certificate = String(repeating: "c", count: 64)

    /// The example has every key, comments, and host keys in the usual form.
    private func example(_ change: (String) -> String = { $0 }) throws -> String {
        let text = change(SiteFile.example)
        _ = try SiteFile.parse(text, path: "site.yaml")
        return text
    }

    private func pinned(
        _ text: String, _ pins: [PinPlace: Fingerprint]
    ) throws(SiteFileError) -> String {
        String(
            decoding: try SiteFilePins.placed(pins, in: Array(text.utf8), path: "site.yaml"),
            as: UTF8.self)
    }

    /// The lines that differ, old and new.
    private func changes(_ old: String, _ new: String) -> [String] {
        let (old, new) = (lines(old), lines(new))
        #expect(old.count == new.count)
        return zip(old, new).filter { $0 != $1 }.map { "\($0) => \($1)" }
    }

    private func lines(_ text: String) -> [String] {
        text.utf8.split(separator: 10, omittingEmptySubsequences: false).map {
            String(decoding: Array($0), as: UTF8.self)
        }
    }

    private func site(_ text: String) throws -> Site {
        try SiteFile.parse(text, path: "site.yaml")
    }

    @Test func `each pin changes its own line of the example and no other`() throws {
        let text = try example()
        let site = try site(text)
        for cluster in site.clusters {
            let changed = try pinned(
                text, [.vcenter(cluster.name): .certificate(Self.certificate)])
            if case .pinned = cluster.vcenter.trust {
                let lines = changes(text, changed)
                #expect(lines.count == 1 && lines[0].contains("sha256: \(Self.certificate)"))
            }
            for host in cluster.hosts {
                let changed = try pinned(text, [.host(host.name): .hostKey(Self.key)])
                let lines = changes(text, changed)
                try #require(lines.count == 1, "\(host.name): \(lines)")
                #expect(lines[0].contains("\(Self.key)"), "\(lines)")
                let pinnedHost = try self.site(changed).clusters
                    .flatMap(\.hosts).first { $0.name == host.name }
                #expect(pinnedHost?.hostKeys == [Self.key])
            }
        }
    }

    /// Forms a person may write a host's keys and a certificate in; `KEY` and `SUM` are pinned.
    static let forms = [
        "hostKeys: [KEY]  # console, 2026\n", "hostKeys: [ 'KEY' ]\n",
        "hostKeys:\n          - KEY\n",
        "hostKeys:\n          # rack 3\n          - \"KEY\"   # ecdsa\n",
        "hostKeys: [\"KEY\", \"KEY\"]\n",
        "\"hostKeys\": [KEY]\n",
    ]

    private func file(_ form: String, lineEnd: String = "\n", mark: String = "") -> String {
        let text = """
            # ein Kommentar: äöü 日本語
            site: "x"   # {a: [b]}
            feeds:
              - {name: u, server: 127.0.0.1, ups: u, assumedRuntime: 20m}
            clusters:
              - name: "C é"
                vcenter:
                  address: vc.example
                  user: v
                  password: file:/none
                  certificate: {sha256: "AA:\(String(repeating: "bb:", count: 30))CC"} # old
                hosts:
                  - name: esx1.example
                    key: /none
                    feeds: [u]
                    \(form)\
                    api:
                      password: file:/none
                      certificate:
                        sha256: \(String(repeating: "A", count: 64))
                tiers:
                  - {name: t, guests: ["*"]}
                defaultTier: t
            """
        return mark
            + text.split(separator: "\n", omittingEmptySubsequences: false)
            .joined(separator: lineEnd)
    }

    @Test(arguments: forms, ["\n", "\r\n"])
    func `what people write around a key stays`(form: String, lineEnd: String) throws {
        let old = "SHA256:" + String(repeating: "C", count: 42) + "A"
        for mark in ["", "\u{FEFF}"] {
            let text = file(
                form.replacing("KEY", with: old), lineEnd: lineEnd, mark: mark)
            let new = try pinned(text, [.host(HostName("esx1.example")): .hostKey(Self.key)])
            let wanted = text.replacing("[\"\(old)\", \"\(old)\"]", with: "[\"\(old)\"]")
                .replacing(old, with: Self.key)
            #expect(new == wanted && Array(new.utf8) == Array(wanted.utf8))
        }
    }

    @Test func `certificates are written in any of their forms`() throws {
        let text = file(Self.forms[0].replacing("KEY", with: Self.key))
        let new = try pinned(
            text,
            [
                .vcenter(ClusterName("C é")): .certificate(Self.certificate),
                .api(HostName("esx1.example")): .certificate(Self.certificate),
            ])
        let lines = changes(text, new)
        #expect(lines.count == 2)
        #expect(lines[0].hasSuffix("certificate: {sha256: \"\(Self.certificate)\"} # old"))
        #expect(lines[1].hasSuffix("            sha256: \(Self.certificate)"))
    }

    @Test func `what cannot be placed with certainty is refused with its place`() throws {
        let old = "SHA256:" + String(repeating: "C", count: 42) + "A"
        for form in [
            "hostKeys:\n          - \(old)\n          - \(Self.key)\n",
            "hostKeys: [\(old),\n          \(Self.key)]\n",
        ] {
            let text = file(form)
            do {
                _ = try pinned(text, [.host(HostName("esx1.example")): .hostKey(Self.key)])
                Issue.record("it was placed: \(form)")
            } catch {
                #expect(error.problems.first?.line ?? 0 > 1)
                #expect(error.description.contains("write \(Self.key) there"), "\(error)")
            }
        }
        let system = file(Self.forms[0].replacing("KEY", with: Self.key))
            .replacing(/certificate: \{.*\}/, with: "certificate: system")
        #expect(throws: SiteFileError.self) {
            try pinned(system, [.vcenter(ClusterName("C é")): .certificate(Self.certificate)])
        }
        #expect(throws: SiteFileError.self) {
            try pinned(system, [.host(HostName("nobody")): .hostKey(Self.key)])
        }
    }

    @Test func `the file keeps its mode, its name through a link, and is left alone on failure`()
        throws
    {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("vpower-pins-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (real, link) = ("\(directory)/real.yaml", "\(directory)/site.yaml")
        let text = file(Self.forms[0].replacing("KEY", with: Self.key))
        try Data(text.utf8).write(to: URL(fileURLWithPath: real))
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: real)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: real)
        let pin = "SHA256:" + String(repeating: "D", count: 42) + "A"
        try SiteFilePins.write([.host(HostName("esx1.example")): .hostKey(pin)], to: link)
        #expect(
            try String(contentsOfFile: real, encoding: .utf8)
                == text.replacing(Self.key, with: pin))
        let attributes = try FileManager.default.attributesOfItem(atPath: real)
        #expect(attributes[.posixPermissions] as? Int == 0o640)
        #expect(
            try FileManager.default.destinationOfSymbolicLink(atPath: link) == real)
        #expect(throws: SiteFileError.self) {
            try SiteFilePins.write([.host(HostName("nobody")): .hostKey(pin)], to: link)
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == [
                "real.yaml", "site.yaml",
            ])
    }

    @Test func `fingerprints are read in the forms that tools print, and no others`() {
        let digits = String(repeating: "aB", count: 32)
        let colons = String(repeating: "AB:", count: 31) + "AB"
        #expect(Fingerprint(Self.key) == .hostKey(Self.key))
        for text in [digits, colons, "SHA256:\(digits)", "SHA256:\(colons)"] {
            #expect(Fingerprint(text) == .certificate(digits.lowercased()), "\(text)")
        }
        for text in ["", "SHA256:", Self.key + "A", "MD5:\(digits)", String(digits.dropLast())] {
            #expect(Fingerprint(text) == nil, "\(text)")
        }
    }
}
