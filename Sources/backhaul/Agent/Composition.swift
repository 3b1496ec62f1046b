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
  private let lock: KernelLock
  private let kept: KeptConfiguration

  /// A guard at boot, or an agent that was told to stop, is gone by then.
  private static let patienceWithOthers: Duration = .seconds(3)

  /// - Parameter text: of the configuration's file.
  init(_ configuration: AgentConfiguration, text: [UInt8], watchdog: Duration?) throws {
    let stateDirectory = configuration.files.stateDirectory
    // Before anything else: a second agent ends without having done anything.
    lock = try KernelLock.take(
      configuration.kernel, stateDirectory: stateDirectory, patience: Self.patienceWithOthers)
    let kept = KeptConfiguration(text, in: stateDirectory)
    let ports = try AgentPorts.linux(configuration, watchdog: watchdog) { kept.trouble }
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
    self.kept = kept
    metrics = MetricsExport(
      configuration.metrics, port: LinuxMetrics(configuration.metrics),
      pages: MetricsPages(now: { ports.surroundings.now }) {
        var reading = await agent.meter()
        reading.hooks = await hooks.tally
        reading.suppressedLogLines = log.suppressed
        return reading
      }, events: journal,
      surroundings: ports.surroundings)
    tellOfTheStart()
  }

  private func tellOfTheStart() {
    for word in lock.ignored {
      journal.record(AgentEvent(.storeFailed, "kernel lock", "\(word); that does not keep the agent from its work"))
    }
    guard let trouble = kept.trouble else { return }
    journal.record(
      AgentEvent(
        .storeFailed, "configuration",
        "the guard will not know this configuration where agent.toml is damaged: \(trouble); will try again"))
  }

  /// Serves until a signal ends the process. To be called on the main thread, which takes in the signals.
  func serve() {
    let service = Task.detached { [self] in await endProcess(after: run) }
    while true {
      switch SignalWatch.next() {
      case .stop:
        service.cancel()
        // Even if something still hangs then: the kernel goes on steering without us, and a service must stop when it
        // is told to.
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

  /// Runs until cancelled. The socket is taken before anything in the kernel is touched, so that an agent whose socket
  /// is in use ends without having done anything.
  private func run() async throws {
    let socket = try AgentSocket(LocalAPI(agent), at: agent.configuration.files.socket, telling: journal)
    defer { socket.stop() }
    let tidying = Task.detached { [lock, kept] in
      while !Task.isCancelled {
        try? await Task.sleep(for: Self.tidyingPeriod)
        FreedMemory.giveBack()
        lock.answerAskers()
        kept.keepAtLast()
        socket.openAtLast()
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
    // A service must stop when it is told to: tasks that take longer are ended with it.
    await hooks.finish(within: .milliseconds(1_500))
  }

  /// Pulls and long answers each take memory for a moment; the reconciler gives back its own.
  private static let tidyingPeriod: Duration = .seconds(5)
}
