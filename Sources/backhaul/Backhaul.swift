internal import ArgumentParser

/// The one binary on the router: the service, and the field tech's questions to it.
@main
struct Backhaul: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "backhaul",
    abstract: "Sends a branch's internet traffic to a hub, and to the local WAN when the hub is gone.",
    discussion: """
      `backhaul agent` is the service. Most other commands ask it over its local socket; `check`, `plan`, `diff`, \
      `doctor`, `selftest`, `support`, `guard` and `teardown` also work without it.

      Exit status: 0 all is well; 1 something is wrong with what was asked about; 2 `doctor` found errors; 64 usage \
      error; 66 no rule set is cached; 69 no agent answers, or it is busy; 74 a file or the kernel failed; 77 permission \
      denied; 78 the configuration is bad.
      """,
    version: version,
    groupedSubcommands: [
      CommandGroup(name: "Service", subcommands: [AgentCommand.self, RunHookCommand.self]),
      CommandGroup(
        name: "Questions to the agent",
        subcommands: [
          StatusCommand.self, PathsCommand.self, TunnelsCommand.self, ProbesCommand.self, RulesCommand.self,
          EventsCommand.self, HistoryCommand.self, WatchCommand.self, ExplainCommand.self, CheckHealthCommand.self,
        ]),
      CommandGroup(name: "Orders to the agent", subcommands: [ForceCommand.self, AcceptRevisionCommand.self]),
      CommandGroup(
        name: "Without an agent",
        subcommands: [
          CheckCommand.self, PlanCommand.self, DiffCommand.self, DoctorCommand.self, SelftestCommand.self,
          SupportCommand.self,
          GuardCommand.self, TeardownCommand.self,
        ]),
    ])
}
