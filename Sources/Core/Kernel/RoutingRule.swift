package import RuleSets

/// A policy routing rule (`ip rule`, `ip -6 rule`) of ours. Its protocol is always ours.
package struct RoutingRule: Hashable, Sendable {
  /// The address family: `ip rule` lists the rules of IPv4, `ip -6 rule` those of IPv6.
  package enum Family: Hashable, Sendable { case ipv4, ipv6 }

  /// Matches packets whose mark is `mark` in the bits of `mask` (FRA_FWMARK, FRA_FWMASK).
  package struct MarkMatch: Hashable, Sendable {
    package var mark: Mark
    package var mask: MarkMask
    package init(_ mark: Mark, _ mask: MarkMask) {
      self.mark = mark
      self.mask = mask
    }
  }

  /// What the kernel does with a packet that the rule matches (FRA_ACTION).
  package enum Action: Hashable, Sendable {
    /// `suppressPrefixLength: 0` passes over the table's default route, `3` over what is as wide too
    /// (FRA_SUPPRESS_PREFIXLEN).
    case lookup(TableID, suppressPrefixLength: UInt32?)
    case unreachable
    /// The sender gets ICMP "administratively prohibited" (FR_ACT_PROHIBIT).
    case prohibit
    /// Goes on with the rule of that priority. It must come later, since the kernel refuses to go back. If it does not
    /// exist, the kernel passes over this one (FR_ACT_GOTO, fib_rules_lookup in net/core/fib_rules.c).
    case goto(RulePriority)
    /// Decides nothing: where a `goto` leads to (FR_ACT_NOP).
    case nop
    /// An action that we never use, on a rule that carries our protocol. It is only ever read from the kernel, to be
    /// deleted. The text says what it does.
    case strange(String)

    /// The action in the notation of ip(8).
    package var words: String {
      switch self {
      case .lookup(let table, nil): "lookup \(table)"
      case .lookup(let table, let length?): "lookup \(table) suppress_prefixlength \(length)"
      case .unreachable: "unreachable"
      case .prohibit: "prohibit"
      case .goto(let priority): "goto \(priority)"
      case .nop: "nop"
      case .strange(let text): text
      }
    }

    /// What main has that is better than a default route.
    package var isMainWithoutDefault: Bool {
      if case .lookup(.main, suppressPrefixLength: _?) = self { true } else { false }
    }
  }

  package var leadsToTable: Bool { if case .lookup = action { true } else { false } }

  package var family: Family
  package var priority: RulePriority
  package var mark: MarkMatch?
  /// FIB_RULE_INVERT: the rule takes what its selector does *not* match.
  package var inverted: Bool
  /// Only for IPv4, like the destination.
  package var source: IPv4Prefix?
  package var destination: IPv4Prefix?
  /// Only for IPv6.
  package var ipv6Source: IPv6Prefix?
  package var ipv6Destination: IPv6Prefix?
  /// `lo` stands for packets of the router's own.
  package var incoming: InterfaceName?
  package var action: Action

  package init(
    _ family: Family = .ipv4, priority: RulePriority, mark: MarkMatch? = nil, inverted: Bool = false,
    source: IPv4Prefix? = nil, destination: IPv4Prefix? = nil, incoming: InterfaceName? = nil, action: Action
  ) {
    self.family = family
    self.priority = priority
    self.mark = mark
    self.inverted = inverted
    self.source = source
    self.destination = destination
    self.incoming = incoming
    self.action = action
  }
}
