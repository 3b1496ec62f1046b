internal import ArgumentParser
internal import Glibc
internal import System

/// For backhaul-hooks@.service alone.
struct RunHookCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run-hook", abstract: "Run the one hook that the agent asks for on standard input.",
    discussion: """
      systemd runs it for each connection of backhaul-hooks.socket, as a user of its own. As root it does nothing.
      """,
    shouldDisplay: false)

  func run() throws {
    guard geteuid() != 0 else { throw complain("run-hook: hooks are never run as root", Exit.notPermitted) }
    Task.detached { await Self.serve() }
    while true { pause() }
  }

  private static func serve() async -> Never {
    do {
      try await HookService.serve()
      Glibc.exit(EXIT_SUCCESS)
    } catch {
      Glibc.exit(complain("run-hook: \(error)", Exit.failed).rawValue)
    }
  }
}
