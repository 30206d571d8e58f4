import ArgumentParser
import PowerStore

/// `vpower init`: a site file to start from.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Print a commented site file to start from.",
        discussion: """
            EXAMPLE
              vpower init --example | sudo tee /etc/vpower/site.yaml

            EXIT CODES
              0 done   64 wrong use
            """)

    @Flag(help: "Print the example: every key with its default and unit.")
    var example = false

    func run() async throws {
        try await Problem.report {
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
