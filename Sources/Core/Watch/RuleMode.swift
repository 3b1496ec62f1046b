package import RuleSets

/// What a rule does for its traffic at the moment, in the word that `status` shows.
package enum RuleMode: String, CaseIterable, Equatable, Sendable {
  /// Through a hub.
  case backhaul
  /// By a local uplink or, in the clear, by the private line, because the hub or the tunnel is gone.
  case fallback
  /// Nowhere.
  case blocked
  /// The rule is disabled: traffic goes as if there were none.
  case bypass
}

extension RuleSelection {
  /// - Parameter isTunnel: whether a path leads through a tunnel to a hub.
  package func mode(isTunnel: (Name) -> Bool) -> RuleMode {
    switch choice {
    case .path(let name)?: return isTunnel(name) ? .backhaul : .fallback
    // They are of one kind.
    case .paths(let names)?: return names.allSatisfy(isTunnel) ? .backhaul : .fallback
    case .localWAN?, .underlay?: return .fallback
    case .blocked?, nil: return .blocked
    }
  }
}
