package import Core
package import RuleSets

/// What the loops know at one moment, as far as metrics show it.
package struct MetricsReading: Sendable {
  package var watch: WatchSnapshot
  package var version: String
  package var started: Instant
  package var pull = RuleSetKeeper.Status()
  package var reconcile = ReconcileTally()
  /// Nil: the kernel is as it should be.
  package var applyTrouble: String?
  package var journalTrouble: String?
  package var events = EventTally()
  package var sight = ClientSight.View()
  package var tunnels: [MeteredTunnel] = []
  /// What steering rules have taken, by the chains that count it (`EdgeCompiler.hitChain`).
  package var hits = SeenCounts()
  /// Nil if no tunnel needs charon.
  package var charonAnswers: Bool?
  package var forced: [Name: ForcedPaths.Entry] = [:]
  package var hooks = HookTally()
  package var connections = ConnectionTable()
  /// Lines that were not told one by one.
  package var suppressedLogLines = 0

  package init(watch: WatchSnapshot, version: String, started: Instant) {
    self.watch = watch
    self.version = version
    self.started = started
  }
}

/// A tunnel with its device and its SAs.
package struct MeteredTunnel: Sendable {
  package var name: Name
  /// `gre`, `ipip`, `ipsec` or `external`.
  package var kind: String
  /// The device is up and has a carrier.
  package var isUp: Bool
  package var traffic: Traffic?
  /// Nil if charon makes no keys for it.
  package var keys: TunnelAssociations?

  package init(name: Name, kind: String, isUp: Bool, traffic: Traffic? = nil, keys: TunnelAssociations? = nil) {
    self.name = name
    self.kind = kind
    self.isUp = isUp
    self.traffic = traffic
    self.keys = keys
  }

  static func all(
    _ layout: Layout, links: [InterfaceName: Link], traffic: [InterfaceName: Traffic], machines: [Name: IKEMachine]
  ) -> [MeteredTunnel] {
    layout.ruleSet.tunnels.compactMap { tunnel in
      guard let device = layout.device(of: tunnel) else { return nil }
      let link = links[device]
      return MeteredTunnel(
        name: tunnel.name, kind: tunnel.kind.word, isUp: link.map { $0.isUp && $0.hasCarrier } ?? false,
        traffic: traffic[device],
        keys: tunnel.profile == nil ? nil : machines[tunnel.name]?.associations ?? TunnelAssociations())
    }
  }
}
