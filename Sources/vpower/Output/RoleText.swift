import VSphere

/// How an administrator makes the role that vpower's user needs at vCenter: once with govc, once
/// with PowerCLI. It is granted at the root, since an advanced setting of the vCenter is nowhere
/// else.
struct RoleText {
    /// As NAME@DOMAIN, of plain characters.
    let user: String

    var text: String {
        """
        # The role "vpower", with what vpower's user needs and no more. Make it once,
        # as an administrator of the vCenter: with govc, or with PowerCLI.

        # govc (GOVC_URL, GOVC_USERNAME and GOVC_PASSWORD set)
        govc role.create vpower \\
        \(privileges.map { "  \($0)" }.joined(separator: " \\\n"))
        govc permissions.set -principal '\(user)' -role vpower \\
          -propagate=true /

        # PowerCLI (after Connect-VIServer)
        $ids = @(
        \(privileges.map { "  '\($0)'" }.joined(separator: ",\n"))
        )
        New-VIRole -Name vpower -Privilege (Get-VIPrivilege -Id $ids)
        New-VIPermission -Entity (Get-Folder -NoRecursion) `
          -Principal '\(principal)' -Role vpower -Propagate $true

        # Suspend is needed only where a tier has `onLimit: suspend`.
        """
    }

    private var privileges: [String] { VCenterPrivilege.allCases.map(\.rawValue).sorted() }

    /// The user as PowerCLI calls it: DOMAIN\name.
    private var principal: String {
        let parts = user.split(separator: "@")
        return parts.reversed().enumerated().map { $0 == 0 ? $1.uppercased() : String($1) }
            .joined(separator: "\\")
    }
}
