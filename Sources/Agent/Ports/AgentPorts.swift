internal import Core
internal import RuleSets

/// Everything the agent needs from the world.
package struct AgentPorts: Sendable {
  package var loop: any EventLoop
  package var prober: any ProbePort
  package var flipper: any FlipPort
  package var kernel: any KernelPort
  /// A second way into the kernel, for deleting connections without waiting for a reconcile.
  package var sweeper: any KernelPort
  package var kernelEvents: any KernelEventsPort
  package var charon: any CharonPort
  package var traffic: any TrafficPort
  package var lookup: any LookupPort
  package var sight: any SightPort
  package var connections: any ConnectionTablePort
  package var source: any RuleSetSource
  package var store: any RuleSetStore
  package var trials: any TrialStore
  package var journal: any JournalStore
  package var forces: any ForceStore
  package var permits: any PermitStore
  package var surroundings: any Surroundings
  package var timeZone: any TimeZonePort
  package var resolver: any ResolverPort
  package var resolverList: any ResolverListStore
  package var fedSets: any FedSetPort
  /// Nil if no service manager started the agent.
  package var serviceManager: (any ServiceManagerPort)?
  /// Why the local configuration is not kept for the guard; nil if it is.
  package var configurationTrouble: @Sendable () -> String?
  /// Returns freed memory to the kernel.
  package var giveMemoryBack: @Sendable () -> Void

  package init(
    loop: any EventLoop, prober: any ProbePort, flipper: any FlipPort, kernel: any KernelPort,
    sweeper: any KernelPort, kernelEvents: any KernelEventsPort, charon: any CharonPort, traffic: any TrafficPort,
    lookup: any LookupPort, sight: any SightPort, connections: any ConnectionTablePort,
    source: any RuleSetSource, store: any RuleSetStore, trials: any TrialStore,
    journal: any JournalStore, forces: any ForceStore, permits: any PermitStore, surroundings: any Surroundings,
    timeZone: any TimeZonePort, resolver: any ResolverPort, resolverList: any ResolverListStore,
    fedSets: any FedSetPort, serviceManager: (any ServiceManagerPort)?,
    configurationTrouble: @escaping @Sendable () -> String? = { nil },
    giveMemoryBack: @escaping @Sendable () -> Void = {}
  ) {
    self.loop = loop
    self.prober = prober
    self.flipper = flipper
    self.kernel = kernel
    self.sweeper = sweeper
    self.kernelEvents = kernelEvents
    self.charon = charon
    self.traffic = traffic
    self.lookup = lookup
    self.sight = sight
    self.connections = connections
    self.source = source
    self.store = store
    self.trials = trials
    self.journal = journal
    self.forces = forces
    self.permits = permits
    self.surroundings = surroundings
    self.timeZone = timeZone
    self.resolver = resolver
    self.resolverList = resolverList
    self.fedSets = fedSets
    self.serviceManager = serviceManager
    self.configurationTrouble = configurationTrouble
    self.giveMemoryBack = giveMemoryBack
  }
}
