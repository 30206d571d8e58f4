import VSphere

/// How an administrator makes the role that vpower's user needs at vCenter: once with govc, once
/// with PowerCLI. It is granted at the root, since an advanced setting of the vCenter is nowhere
/// else.
struct RoleText {
    private let name: Substring
    private let domain: Substring

    /// Of a user NAME@DOMAIN; nil where that is something else, or holds more than letters,
    /// digits, `.`, `-` and `_`: what a shell or PowerShell could see the end of a text in.
    init?(user: String) {
        let parts = user.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.wholeMatch(of: /[A-Za-z0-9._-]+/) != nil })
        else { return nil }
        (name, domain) = (parts[0], parts[1])
    }

    var text: String {
        """
        # The role "vpower", with what vpower's user needs and no more. Make it once,
        # as an administrator of the vCenter: with govc, or with PowerCLI.

        # govc (GOVC_URL, GOVC_USERNAME and GOVC_PASSWORD set)
        govc role.create vpower \\
        \(privileges.map { "  \($0)" }.joined(separator: " \\\n"))
        govc permissions.set -principal '\(name)@\(domain)' -role vpower \\
          -propagate=true /

        # PowerCLI (after Connect-VIServer)
        $ids = @(
        \(privileges.map { "  '\($0)'" }.joined(separator: ",\n"))
        )
        New-VIRole -Name vpower -Privilege (Get-VIPrivilege -Id $ids)
        New-VIPermission -Entity (Get-Folder -NoRecursion) `
          -Principal '\(domain.uppercased())\\\(name)' -Role vpower -Propagate $true

        # System.View and System.Read come with every role. Host.Config.Power is needed
        # only for a vSAN cluster, Suspend only where a tier has `onLimit: suspend`.
        # AnswerQuestion is needed only where a cluster has `answers`, Settings only
        # before vCenter 8.0U2 or where the advanced setting of vCLS is there.
        # Host.Config.NetService only where a host has `ssh: run` and no `api`.

        # Only where a tier chooses by tags: they are no part of the inventory, and
        # take a global permission, which neither tool can give. In the vSphere
        # Client: Administration, Global Permissions, Add, with the role vpower.

        # Only if vCSA may power itself off where its Tools do not run: no role gives
        # that, but a group of the single sign-on. The second way is PowerShell's
        # module VMware.vSphere.SsoAdmin.
        govc sso.group.update -a '\(name)' \(VCenterCluster.applianceGroup)
        Get-SsoPersonUser -Name '\(name)' -Domain '\(domain)' | Add-UserToSsoGroup `
          -TargetGroup (Get-SsoGroup -Name \(VCenterCluster.applianceGroup) `
            -Domain '\(domain)')
        """
    }

    private var privileges: [String] {
        VCenterPrivilege.allCases.filter { !$0.isInEveryRole }.map(\.rawValue).sorted()
    }
}
