internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import System

struct ConfigurationOptions: ParsableArguments {
  @Option(name: [.short, .long], help: ArgumentHelp("The local configuration.", valueName: "file"))
  var config = ConfigurationFile.standardPath

  /// The configuration; what is wrong with it goes to standard error.
  func load() throws -> AgentConfiguration {
    do {
      return try ConfigurationFile.load(config)
    } catch {
      throw complain("the local configuration cannot be used:\n\(error)", Exit.badConfiguration)
    }
  }
}

struct AgentCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "agent", abstract: "Run the service, in the foreground.",
    discussion: """
      SIGTERM and SIGINT end it and leave the kernel steering as it does; SIGHUP and SIGUSR1 ask for the rule set now.
      """)

  @OptionGroup var options: ConfigurationOptions

  func run() throws {
    let configuration = try options.load()
    SignalWatch.block()
    let composition: Composition
    do {
      composition = try Composition(configuration)
    } catch {
      throw complain("cannot start: \(error)", Exit.failed)
    }
    let service = Task.detached {
      do {
        try await composition.run()
        Glibc.exit(EXIT_SUCCESS)
      } catch {
        Glibc.exit(complain("the agent ended: \(error)", Exit.failed).rawValue)
      }
    }
    SignalWatch.wait { signal in
      switch signal {
      case .stop: service.cancel()
      case .pullNow: Task.detached { await composition.agent.pullNow() }
      }
    }
  }
}
