import PowerModel
import Testing

@testable import PowerStore

private let either = "the extra needs one of `run`, a line, and `file`, with its `content`"
private let text = "a text, e.g. after `content: |` on lines of their own; no binary file"

/// The keys of boot scripts: `unarmedBoot` and `extras`.
@Suite struct SiteFileExtraTests {
    private func site(_ more: String) throws(SiteFileError) -> Site {
        try SiteFile.parse(
            shortest.replacing("vcsa: vcenter\n", with: "vcsa: vcenter\n" + more),
            path: "site.yaml")
    }

    private func problems(_ more: String) -> [String] {
        do throws(SiteFileError) {
            _ = try site(more)
            return []
        } catch { return error.problems.map(\.message) }
    }

    @Test func `nothing is started and nothing brought back unless the site file says so`() throws {
        let cluster = try #require(try site("").clusters.first)
        #expect(cluster.unarmedBoot == .nothing && cluster.extras == [])
        let other = try site("    unarmedBoot: infrastructure+vcsa\n").clusters.first
        #expect(other?.unarmedBoot == .infrastructureAndVCSA)
        #expect(
            problems("    unarmedBoot: everything\n") == [
                #"`unarmedBoot` is "everything"; expected nothing or infrastructure+vcsa"#
            ])
    }

    @Test func `lines and files are read as they are written, in their order`() throws {
        let extras = """
                extras:
                  - file: /etc/vmware/firewall/a.xml
                    content: |
                      <a b='c'>
                        $(reboot)
                      </a>
                  - run: esxcli network firewall refresh # not a comment of YAML's
                  - run: "a \\"b\\"; c"
                    limit: 2m

            """
        #expect(
            try site(extras).clusters.first?.extras == [
                BootExtra(
                    .file(
                        path: "/etc/vmware/firewall/a.xml",
                        content: "<a b='c'>\n  $(reboot)\n</a>\n")),
                BootExtra(.line("esxcli network firewall refresh")),
                BootExtra(.line(#"a "b"; c"#), limit: .seconds(120)),
            ])
    }

    @Test(arguments: [
        ("{}", either), ("{run: a, file: /a}", either),
        (
            "{file: a, content: b}",
            #"`file` is "a"; expected an absolute path, e.g. /etc/vpower/key"#
        ),
        ("{file: /a}", "the extra has no `content`: \(text)"),
        (
            #"{file: /a, content: "\u0001"}"#,
            "`content` holds control characters; expected \(text)"
        ),
        ("{file: /a, content: b, limit: 5s}", "`limit` without `run`"),
        ("{run: a, content: b}", "`content` without `file`"),
    ])
    func `a mistake in an extra is told`(extra: String, message: String) {
        #expect(problems("    extras: [\(extra)]\n") == [message])
    }

    @Test func `more than a boot script can carry is refused`() {
        let most = BootExtra.sizeLimitBytes - 2
        func extras(_ count: Int) -> String {
            "    extras: [{file: /a, content: \(String(repeating: "x", count: count))}]\n"
        }
        #expect(problems(extras(most)) == [])
        #expect(
            problems(extras(most + 1)) == [
                "`extras` hold 16385 bytes for one host; its boot script can carry 16384"
            ])
    }
}

/// The key `ssh`.
@Suite struct SiteFileSSHTests {
    private func policies(_ cluster: String, _ host: String) throws -> [SSHPolicy] {
        let text = shortest.replacing("vcsa: vcenter\n", with: "vcsa: vcenter\n" + cluster)
            .replacing("key: /k/esx\n", with: "key: /k/esx\n" + host)
        return try SiteFile.parse(text, path: "site.yaml").clusters.flatMap(\.hosts)
            .map(\.sshPolicy)
    }

    @Test func `SSH runs always unless the host or else its cluster says otherwise`() throws {
        let (run, always) = ("ssh: run\n", "ssh: always\n")
        let (cluster, host) = ("    ", "        ")
        #expect(try policies("", "") == [.always])
        #expect(try policies(cluster + run, "") == [.run])
        #expect(try policies("", host + run) == [.run])
        #expect(try policies(cluster + run, host + always) == [.always])
        #expect(throws: SiteFileError.self) { try policies("", host + "ssh: sometimes\n") }
    }
}
