internal import Agent
internal import ArgumentParser
internal import Core
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
    // First: a SIGHUP that comes while the configuration is read would end the process.
    SignalWatch.block()
    let configuration = try options.load()
    try Self.compose(configuration).serve()
  }

  private static func compose(_ configuration: AgentConfiguration) throws -> Composition {
    do {
      return try Composition(configuration)
    } catch {
      throw complain("cannot start: \(error)", Exit.failed)
    }
  }
}
