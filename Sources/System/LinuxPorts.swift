package import Agent
package import Core
internal import RuleSets
internal import Transfer

extension AgentPorts {
  /// Every port of the agent, on the Linux that this process runs in. Opens sockets and starts threads, and changes
  /// nothing.
  ///
  /// - Parameters:
  ///   - watchdog: where no systemd waits for signs of life, the agent ends itself without one for so long; nil: it does
  ///     not.
  ///   - configurationTrouble: why the local configuration is not kept for the guard.
  package static func linux(
    _ configuration: AgentConfiguration, watchdog: Duration? = nil,
    configurationTrouble: @escaping @Sendable () -> String? = { nil }
  ) throws -> AgentPorts {
    let loop = try Reactor(name: "paths", urgency: .raised)
    let engine = TransferEngine()
    // What is wrong with libcurl is the first pull's failure: the cached rule set runs without it.
    if case .web = configuration.ruleSet.location { engine.prepare() }
    let ranges = configuration.kernel
    let stateDirectory = configuration.files.stateDirectory
    let kernel = try LinuxKernel(ranges, stateDirectory: stateDirectory, mendsMemory: true)
    let sweeper = try LinuxKernel(ranges, stateDirectory: stateDirectory)
    let flipper = try LinuxFlip(ranges)
    let fedSets = try LinuxFedSets(ranges)
    return AgentPorts(
      loop: loop,
      prober: Probers(icmp: ICMPProber(on: loop), http: HTTPProber(on: loop, by: engine)),
      flipper: flipper, kernel: kernel, sweeper: sweeper,
      kernelEvents: LinuxKernelEvents(
        ranges, own: kernel.ports.union(sweeper.ports).union(flipper.ports).union(fedSets.ports), news: kernel.news),
      charon: try LinuxCharon(configuration.ipsec) {
        do throws(Complaint) { return try CharonCheck.complaints(configuration).map(\.description) } catch {
          return [error.description]
        }
      }, traffic: try LinuxTraffic(), lookup: try LinuxLookup(), sight: try LinuxSight(ranges),
      connections: try LinuxConnectionTable(),
      source: configuration.ruleSet.source(by: engine), store: FileRuleSetStore(directory: stateDirectory),
      trials: FileTrialStore(directory: stateDirectory), journal: try FileJournal(directory: stateDirectory),
      forces: FileForceStore(directory: stateDirectory), permits: FilePermitStore(directory: stateDirectory),
      surroundings: LinuxSurroundings(), timeZone: LinuxTimeZone(), resolver: LinuxResolver(),
      resolverList: FileResolverList(directory: stateDirectory), fedSets: fedSets,
      serviceManager: try serviceManager(watchdog),
      configurationTrouble: configurationTrouble, giveMemoryBack: FreedMemory.giveBack)
  }

  private static func serviceManager(_ watchdog: Duration?) throws(SystemCallFailure) -> (any ServiceManagerPort)? {
    if let systemd = try NotifySocket.ofEnvironment() { return systemd }
    guard let watchdog else { return nil }
    return try OwnWatchdog(limit: watchdog)
  }
}
