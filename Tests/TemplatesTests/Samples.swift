import Templates

/// Names and paths that a person could type and a script must not run.
enum Samples {
    static let nasty = [
        "$(reboot)'\"; `x` 日本語",
        "two\nlines",
        "a\nexit 0\nb",
        "a\n\(BootScript.beginMarker)\nb\n\(BootScript.endMarker)\n",
        "ends with lines\n\n",
        "'", "''", "'\\''", "\\", "\\n", "\\012", "%s%d%%", "-n", "--", "*", "~root", "!x",
        "{{name}}",
        "{{{name}}}", "tab\tbell\u{7}escape\u{1B}[31m", "\r\n", "right\u{202E}to left",
        "\u{85}\u{2028}",
        "e\u{301} 🇯🇵", " leading and trailing ", "", "EOF", "}", "# comment", "$HOME ${PATH} $'x'",
    ]

    static func values(
        _ guests: [[BootScriptGuest]], vcsa: BootScriptGuest? = nil,
        infrastructure: [BootScriptGuest] = []
    ) -> BootScriptValues {
        BootScriptValues(
            host: "esx1.example.org", runID: "2026-11-21-7f3a", armedEpochSeconds: 1_790_000_000,
            expiresEpochSeconds: 1_790_604_800, leaveMaintenance: true,
            infrastructure: infrastructure, vcsa: vcsa, waitsForVCSA: true, tiers: guests,
            startGapSeconds: 5, afterVCSASeconds: 300)
    }

    static let ordinary = values(
        [
            [BootScriptGuest(name: "db", vmxPath: "[ds 1] db/db.vmx")],
            [
                BootScriptGuest(name: "web", vmxPath: "[nas:ds2] web/web.vmx"),
                BootScriptGuest(name: nasty[0], vmxPath: "[ds 1] \(nasty[0])/x.vmx"),
                BootScriptGuest(name: "two\nlines", vmxPath: "[ds 1] two/two.vmx"),
            ],
        ],
        vcsa: BootScriptGuest(name: "vcsa", vmxPath: "[ds 1] vcsa/vcsa.vmx"),
        infrastructure: [
            BootScriptGuest(name: "dns", vmxPath: "[ds 1] dns/dns.vmx", thenWaitSeconds: 30)
        ])

    /// With all that a script can have.
    static var full: BootScriptValues {
        var values = ordinary
        values.probe = BootScriptProbe(tool: .wget, address: "fe80::1", port: 443)
        values.standing = values.infrastructure + (values.vcsa.map { [$0] } ?? [])
        values.extras = [
            BootScriptExtra(
                .file(
                    path: "/etc/vmware/firewall/it's.xml",
                    content: "<a b='c'>\n\t$(reboot) 日本\n</a>\n"), limitSeconds: 60),
            BootScriptExtra(.line("esxcli network firewall refresh; exit 1"), limitSeconds: 30),
        ]
        return values
    }

    /// Every nasty text as name and as path.
    static let allNasty = values([nasty.map { BootScriptGuest(name: $0, vmxPath: "[\($0)] \($0)") }]
    )

    static let stock = """
        #!/bin/sh ++group=host/vim/vmvisor/boot

        # local configuration options

        # Note: This script will not be run when UEFI secure boot is enabled.

        exit 0

        """
}
