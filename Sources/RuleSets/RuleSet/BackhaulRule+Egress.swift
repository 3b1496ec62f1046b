/// What a rule's egress says.
extension BackhaulRule {
  package var tiers: [[PathShare]] { egress.tiers }
  package var fallback: Egress.Fallback { egress.fallback }
  package var failback: Egress.Failback { egress.failback }
  package var drainLimit: Duration { egress.drainLimit }
  package var holdDown: Duration { egress.holdDown }
  package var damping: FlapDamping { egress.damping }
  package var preference: PathPreference { egress.preference }
  package var paths: [Name] { egress.paths }
  /// The share of its tier's flows that a path takes, relative to the others; 1 for a path that the egress does not
  /// name.
  package func weight(of path: Name) -> Int { egress.weight(of: path) }
}
