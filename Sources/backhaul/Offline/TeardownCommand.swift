internal import Agent
internal import ArgumentParser
internal import Core
internal import System

struct TeardownCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "teardown", abstract: "Remove everything of Backhaul's from the kernel, and restore the sysctls.",
    discussion: """
      Afterwards traffic flows as if Backhaul had never been there; rules with `fallback: block` no longer hold anything \
      back. The cached rule set and the configuration stay. Refused while an agent is running, as it would put everything \
      back.
      """)

  @OptionGroup var options: ConfigurationOptions

  @Flag(help: "Only show what would be removed.")
  var dryRun = false

  func run() throws {
    let configuration = try options.load()
    let lock = try lock(configuration)
    defer { withExtendedLifetime(lock) {} }
    try refuseWhileAgentRuns(configuration.files.socket)
    // Before the devices are deleted, while charon can still tell the hub.
    let ended = try endConnections(configuration.ipsec)
    do throws(KernelFailure) {
      let kernel = try LinuxKernel(
        configuration.kernel, stateDirectory: configuration.files.stateDirectory)
      let remembered = kernel.rememberedSettings()
      if let damage = remembered.damage { printError("backhaul: warning: \(damage)") }
      let plan = Planner.teardown(actual: try kernel.read(expecting: nil), remembered: remembered.values)
      guard !plan.isEmpty else { return ended ? () : print("the kernel has nothing of ours") }
      let text = PlanText(configuration.kernel, remembered: remembered.values)
      for step in plan.steps {
        for line in text.lines(step) { print(line) }
        if !dryRun { try kernel.apply(step) }
      }
    } catch {
      throw kernelComplaint(error)
    }
  }

  /// True if charon had connections of ours.
  private func endConnections(_ configuration: IPsecConfiguration) throws -> Bool {
    do throws(CharonFailure) {
      guard var charon = try CharonTeardown.open(configuration) else { return false }
      let tunnels = try charon.tunnels()
      for tunnel in tunnels {
        print("swanctl --terminate --ike \(IKEConnection.prefix)\(tunnel)  # and unloaded")
        if !dryRun { try charon.end(tunnel) }
      }
      return !tunnels.isEmpty
    } catch {
      throw complain("charon: \(error)", Exit.failed)
    }
  }

  /// What counts: a socket's file can be removed under a living agent, or be another than it has.
  private func lock(_ configuration: AgentConfiguration) throws -> KernelLock {
    do throws(KernelLock.Failure) {
      return try KernelLock.take(
        configuration.kernel, stateDirectory: configuration.files.stateDirectory, patience: .seconds(1))
    } catch {
      throw complain("\(error): stop it first", Exit.bad)
    }
  }

  /// An agent of a version that takes no lock.
  private func refuseWhileAgentRuns(_ socket: String) throws {
    let running: Bool
    do throws(LocalFailure) {
      _ = try LocalClient.ask(
        socketPath: socket, request: LocalAPI.encode(LocalAPI.Request(.status)), timeout: .seconds(2))
      running = true
    } catch {
      switch error {
      case .noAgent: running = false
      // Someone listens, whatever is wrong with it.
      case .noPermission, .brokeOff, .timedOut, .system: running = true
      }
    }
    if running { throw complain("an agent answers on \(socket): stop it first", Exit.bad) }
  }
}
