/// A policy routing rule (`ip rule`) of ours. Its protocol is always ours.
package struct RoutingRule: Hashable, Sendable {
  package struct MarkMatch: Hashable, Sendable {
    package var mark: Mark
    package var mask: MarkMask
    package init(_ mark: Mark, _ mask: MarkMask) {
      self.mark = mark
      self.mask = mask
    }
  }

  package enum Action: Hashable, Sendable {
    /// `suppressPrefixLength: 0` passes over the table's default route (FRA_SUPPRESS_PREFIXLEN).
    case lookup(TableID, suppressPrefixLength: UInt32?)
    case unreachable
    /// None that we make, though it says that we did: only ever read from the kernel, to be deleted. What it does, for
    /// people.
    case strange(String)
  }

  package var priority: RulePriority
  package var mark: MarkMatch?
  /// FIB_RULE_INVERT: the rule takes what its selector does *not* match.
  package var inverted: Bool
  package var source: IPv4Prefix?
  package var destination: IPv4Prefix?
  package var incoming: InterfaceName?
  package var action: Action

  package init(
    priority: RulePriority, mark: MarkMatch? = nil, inverted: Bool = false, source: IPv4Prefix? = nil,
    destination: IPv4Prefix? = nil, incoming: InterfaceName? = nil, action: Action
  ) {
    self.priority = priority
    self.mark = mark
    self.inverted = inverted
    self.source = source
    self.destination = destination
    self.incoming = incoming
    self.action = action
  }
}
