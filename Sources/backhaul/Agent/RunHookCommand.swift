internal import ArgumentParser
internal import Glibc
internal import System

/// For backhaul-hooks@.service alone.
struct RunHookCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run-hook", abstract: "Run one hook, which the agent names on standard input.",
    discussion: """
      systemd runs this for each connection to backhaul-hooks.socket, as a separate user. It refuses to run as root.
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
