import ArgumentParser
import PowerStore
import VSphere

/// `vpower init`: a site file to start from, and the role that vpower needs at vCenter.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Print a commented site file, or vCenter's role.",
        discussion: """
            Both are only printed. The role has what vpower's user needs at vCenter and no
            more; an administrator of the vCenter makes it, with govc or with PowerCLI.

            EXAMPLE
              vpower init --example | sudo tee /etc/vpower/site.yaml
              vpower init --role --user vpower@vsphere.local

            EXIT CODES
              0 done   64 wrong use
            """)

    @Flag(help: "Print the example: every key with its default and unit.")
    var example = false

    @Flag(help: "Print the commands that make the role at vCenter.")
    var role = false

    @Option(help: "The user the role is for, as NAME@DOMAIN.")
    var user = "vpower@vsphere.local"

    func validate() throws {
        guard !(example && role) else {
            throw ValidationError("--example and --role exclude each other")
        }
        guard RoleText(user: user) != nil else {
            throw ValidationError(
                "--user must be NAME@DOMAIN, of letters, digits, `.`, `-` and `_`")
        }
    }

    func run() async throws {
        try await Problem.report {
            if role, let text = RoleText(user: user)?.text {
                Terminal.out(text)
                return .done
            }
            guard example else {
                throw Problem(
                    summary: "this version cannot ask questions yet",
                    tryThis: "vpower init --example > site.yaml, and edit it", code: .usage)
            }
            Terminal.out(SiteFile.example)
            return .done
        }
    }
}
