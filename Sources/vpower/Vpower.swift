import ArgumentParser

/// The command line: one subcommand per file in Commands/, in the order an operator meets them.
@main
struct Vpower: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vpower",
        abstract: "Shuts a VMware cluster down when its UPS says so, and brings it back.",
        discussion: """
            EXAMPLE
              vpower drill                     the whole job against a simulated site
              vpower init --example            a commented site file to start from
              vpower check                     is everything there that an outage needs?
              vpower shutdown --cluster Prod   show the plan, ask, do it

            EXIT CODES
              0 done   1 failed   3 done, but some steps gave up   64 wrong use
              65 site file invalid   69 far side unreachable
              75 interrupted: `vpower resume` continues   77 refused (host key, permission)
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(
                name: "Before an outage",
                subcommands: [
                    InitCommand.self, KeysCommand.self, TrustCommand.self, CheckCommand.self,
                    PlanCommand.self, DrillCommand.self, RenderLocalshCommand.self,
                ]),
            CommandGroup(
                name: "During and after",
                subcommands: [
                    ShutdownCommand.self, RestoreCommand.self, ResumeCommand.self,
                    AbortCommand.self, HoldCommand.self, StatusCommand.self, HistoryCommand.self,
                ]),
            CommandGroup(
                name: "Always on", subcommands: [WatchCommand.self, LabCommand.self]),
        ])
}
