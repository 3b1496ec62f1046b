internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import System

/// The service with the real world behind its ports. Composition only: nothing is decided here.
final class Composition: Sendable {
  let agent: AgentService

  init(_ configuration: AgentConfiguration) throws {
    let log = Log.make(configuration.logLevel)
    try Directory.make(configuration.files.stateDirectory, mode: 0o700)
    let ports = try AgentPorts.linux(configuration)
    agent = AgentService(
      configuration: configuration, ports: ports,
      journal: Journal(surroundings: ports.surroundings) { Log.tell($0, to: log) },
      identity: .init(version: Backhaul.version, pid: getpid(), started: ports.surroundings.now))
  }

  /// Serves until a signal ends the process. To be called on the main thread, which takes in the signals.
  func serve() {
    let service = Task.detached { [self] in await endProcess(after: run) }
    while true {
      switch SignalWatch.next() {
      case .stop:
        service.cancel()
        // Whatever still hangs then: the kernel steers on without us, and a service must end when it is told to.
        Task.detached {
          try? await Task.sleep(for: .seconds(2))
          exit(EXIT_SUCCESS)
        }
      case .pullNow: Task.detached { [agent] in await agent.pullNow() }
      }
    }
  }

  private func endProcess(after work: () async throws -> Void) async {
    do {
      try await work()
      exit(EXIT_SUCCESS)
    } catch {
      exit(complain("the agent ended: \(error)", Exit.failed).rawValue)
    }
  }

  /// Runs until cancelled. The socket is taken before anything in the kernel is touched, so that a second agent ends
  /// without having done anything.
  private func run() async throws {
    let api = LocalAPI(agent)
    let server = try LocalServer(at: agent.configuration.files.socket) { request, peer in
      await api.answer(request, from: peer.user)
    }
    defer { server.stop() }
    let tidying = Task.detached {
      while !Task.isCancelled {
        try? await Task.sleep(for: Self.tidyingPeriod)
        FreedMemory.giveBack()
      }
    }
    defer { tidying.cancel() }
    try await agent.run()
  }

  /// Pulls and long answers each take memory for a moment; the reconciler gives back its own.
  private static let tidyingPeriod: Duration = .seconds(5)
}
