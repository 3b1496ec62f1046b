internal import Agent
internal import ArgumentParser
internal import Core
internal import System

struct ConfigurationOptions: ParsableArguments {
  @Option(name: [.short, .long], help: ArgumentHelp("The local configuration.", valueName: "file"))
  var config = ConfigurationFile.standardPath

  /// The configuration; what is wrong with it goes to standard error.
  func load() throws -> AgentConfiguration { try loadWithText().configuration }

  /// The same, with the text of the file.
  func loadWithText() throws -> (configuration: AgentConfiguration, text: [UInt8]) {
    do {
      return try ConfigurationFile.loadWithText(config)
    } catch {
      throw complain("the local configuration cannot be used:\n\(error)", Exit.badConfiguration)
    }
  }
}

struct AgentCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "agent", abstract: "Run the service, in the foreground.",
    discussion: """
      SIGTERM and SIGINT stop the agent; the kernel goes on steering as before. SIGHUP and SIGUSR1 make it pull the rule \
      set now.
      """)

  @OptionGroup var options: ConfigurationOptions

  @Option(
    help: ArgumentHelp(
      "Exit if the probes or the reconciler stall for this many seconds; for service managers without a watchdog.",
      valueName: "seconds"))
  var watchdog: Int?

  mutating func validate() throws {
    guard watchdog.map((5...600).contains) ?? true else { throw ValidationError("--watchdog takes 5 to 600 seconds") }
  }

  func run() throws {
    // First: a SIGHUP that comes while the configuration is read would end the process.
    SignalWatch.block()
    let (configuration, text) = try options.loadWithText()
    try Self.compose(configuration, text, watchdog.map { .seconds($0) }).serve()
  }

  private static func compose(
    _ configuration: AgentConfiguration, _ text: [UInt8], _ watchdog: Duration?
  ) throws -> Composition {
    do {
      return try Composition(configuration, text: text, watchdog: watchdog)
    } catch {
      throw complain("cannot start: \(error)", Exit.failed)
    }
  }
}
