internal import Agent
internal import ArgumentParser
internal import Core
internal import Glibc
internal import System

/// The service with the real world behind its ports. Composition only: nothing is decided here.
final class Composition: Sendable {
  let agent: AgentService
  private let journal: Journal
  private let metrics: MetricsExport
  private let hooks: HookRunner

  init(_ configuration: AgentConfiguration, watchdog: Duration?) throws {
    try Directory.make(configuration.files.stateDirectory, mode: 0o700)
    let ports = try AgentPorts.linux(configuration, watchdog: watchdog)
    let log = Log(configuration, surroundings: ports.surroundings)
    let hooks = HookRunner(
      configuration.hooks, port: try LinuxHooks(configuration.hooks), device: configuration.device,
      surroundings: ports.surroundings)
    let journal = Journal(surroundings: ports.surroundings) { event in
      log.tell(event)
      hooks.noticed(event)
    }
    let agent = AgentService(
      configuration: configuration, ports: ports, journal: journal,
      identity: .init(version: Backhaul.version, pid: getpid(), started: ports.surroundings.now))
    self.agent = agent
    self.journal = journal
    self.hooks = hooks
    metrics = MetricsExport(
      configuration.metrics, port: LinuxMetrics(configuration.metrics),
      pages: MetricsPages(now: { ports.surroundings.now }) {
        var reading = await agent.meter()
        reading.hooks = await hooks.tally
        reading.suppressedLogLines = log.suppressed
        return reading
      }, events: journal,
      surroundings: ports.surroundings)
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
    let export = Task { [metrics] in await metrics.run() }
    let hooking = Task { [hooks, journal] in await hooks.run(telling: journal) }
    defer {
      export.cancel()
      hooking.cancel()
    }
    try await agent.run()
    // A service must end when it is told to: those that take longer are ended with it.
    await hooks.finish(within: .milliseconds(1_500))
  }

  /// Pulls and long answers each take memory for a moment; the reconciler gives back its own.
  private static let tidyingPeriod: Duration = .seconds(5)
}
