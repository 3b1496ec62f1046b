package import RuleSets

/// Something that was seen to keep clients' packets from going the way that their rule says.
package enum TrafficFinding: Hashable, Sendable {
  /// The kernel itself leads a packet of the rule elsewhere.
  case diverted(Detour)
  /// IPv6 leaves, though the rule says `block`.
  case leaking(IPv6Leak)
  /// The kernel has no way for it, though the rule has one.
  case unrouted(by: ForeignRule?)
  /// The main table's first default route ends each look-up of it.
  case ended(by: DeadEnd)
  /// The device that the rule's sources come in by does not forward.
  case unforwarded(InterfaceName)
  /// The kernel's reverse-path check refuses what comes from the rule's sources by this device.
  case refused(InterfaceName)
  /// Packets were marked, and none left.
  case dropped(LossPlace, by: [PacketFilter])
  /// Packets were marked, and another took the mark off again: they leave by this device; nil: by none.
  case unmarked(by: [ForeignMark], leavingBy: InterfaceName?)
  /// Packets leave by the device and answers come back by it; none gets through to the clients.
  case unanswered(InterfaceName, by: [PacketFilter])
  /// The rule does not take what it is for.
  case untaken(SourceIssue)
  /// The rule names a missing interface, but its traffic is still taken.
  case misnamed(SourceIssue)
  /// The connection tracking table is full: packets of new connections are dropped, whatever their destination.
  case connectionTableFull(used: Int, limit: Int, dropped: UInt64)

  /// What they come to for the traffic, the worst first.
  package enum State: String, CaseIterable, Comparable, Sendable {
    case diverted, untaken, obstructed, misnamed
    case asIntended = "as_intended"
    /// It has not been looked at yet, or could not be.
    case unseen

    private var place: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    package static func < (left: Self, right: Self) -> Bool { left.place < right.place }
  }

  package var state: State {
    switch self {
    case .diverted, .leaking: .diverted
    case .unmarked(_, let device): device == nil ? .obstructed : .diverted
    case .untaken: .untaken
    case .unrouted, .ended, .unforwarded, .refused, .dropped, .unanswered, .connectionTableFull: .obstructed
    case .misnamed: .misnamed
    }
  }

  /// One word for it.
  package var kind: String {
    switch self {
    case .diverted: "diverted"
    case .leaking: "leaking_ipv6"
    case .unrouted, .ended: "unrouted"
    case .unforwarded: "unforwarded"
    case .refused: "refused"
    case .dropped: "dropped"
    case .unmarked: "unmarked"
    case .unanswered: "unanswered"
    case .untaken: "untaken"
    case .misnamed: "misnamed"
    case .connectionTableFull: "connection_table_full"
    }
  }

  /// The device that packets really leave by, where that is known.
  package var device: InterfaceName? {
    switch self {
    case .diverted(let detour): detour.device
    case .leaking(let leak): leak.device
    case .unmarked(_, let device): device
    default: nil
    }
  }
}

/// The way that the kernel sends a packet instead of its rule's.
package struct Detour: Hashable, Sendable {
  /// What sends the packet there.
  package enum Cause: Hashable, Sendable {
    /// A foreign ip rule, asked before ours.
    case rule(ForeignRule)
    /// A route of the main table that is a default but in name: halves and quarters of everything.
    case route(IPv4Prefix)
    /// A table that an ip rule of the kernel's own leads to, as a VRF's does.
    case table(TableID)
    /// A foreign route in the rule's own table.
    case inside(ForeignRoute)
  }

  package var device: InterfaceName
  package var cause: Cause
  /// Which of the rule's packets, after "traffic of office": `by udp to port 7000`. Empty: all of them, as far as is known.
  package var part: String
  /// Why what is sent there does not even leave.
  package enum Hold: Hashable, Sendable {
    /// The device is an uplink that the rule may not use: our own forward chain drops it.
    case shut
    /// The same routes lead its answers elsewhere, and the kernel's reverse-path check refuses it where it comes in.
    case reversePath(InterfaceName)
  }
  package var hold: Hold?

  package init(device: InterfaceName, cause: Cause, part: String = "", hold: Hold? = nil) {
    self.part = part
    self.device = device
    self.cause = cause
    self.hold = hold
  }
}

// MARK: In words

extension TrafficFinding {
  /// What happens to the traffic, after "traffic of office": `is sent to tun9 by ip rule 5270 of another program`.
  package var cause: String {
    switch self {
    case .diverted(let detour): detour.words
    case .leaking(let leak): leak.words
    case .ended(let end):
      "has no route: the main table's first default route, \(end.words), ends every lookup"
    case .unrouted(let rule?): "has no route: ip rule \(rule.description) of another program refuses it"
    case .unrouted(nil): "has no route, although its rule has a way: the kernel answers \"unreachable\""
    case .unforwarded(let device): "is not forwarded: net.ipv4.conf.\(device).forwarding is 0"
    case .refused(let device):
      "is refused by the kernel's reverse-path check: no answer would leave by \(device), where it comes in"
    case .dropped(_, let filters) where filters.isEmpty: "is dropped on this router, but the agent cannot see by what"
    case .dropped(_, let filters): "is dropped on this router by \(Self.list(filters))"
    case .unmarked(let marks, let device?):
      "loses its mark and leaves by \(device), as the main table says: \(Self.list(marks)) overwrites our bits of the "
        + "mark"
    case .unmarked(let marks, nil):
      "loses its mark and is held back: nothing leaks, and its devices are offline: \(Self.list(marks)) overwrites our "
        + "bits of the mark"
    case .unanswered(let device, let filters):
      "leaves by \(device), but the answers are dropped on this router"
        + (filters.isEmpty ? "" : " by \(Self.list(filters))")
    case .untaken(let issue): "is not taken: \(issue.words)"
    case .misnamed(let issue): "is taken, but not as written: \(issue.words)"
    case .connectionTableFull(let used, let limit, let dropped):
      "meets a full connection tracking table (\(used) of \(limit), \(dropped) packets dropped)"
    }
  }

  /// What to do about it.
  package func step(for rule: String, _ ranges: KernelRanges) -> String {
    let last = ranges.priorities.upperBound
    switch self {
    case .diverted(let detour):
      switch detour.cause {
      case .rule(let foreign):
        return "ip rule \(foreign.priority) of another program sends traffic of \(rule) to table "
          + "\(foreign.table.map(\.description) ?? "-"): remove it, or give it a priority above \(last)"
      case .route(let prefix):
        return
          "the main table's route \(prefix) dev \(detour.device) takes what \(rule) is for: remove it, or have that "
          + "program put its routes into a table of its own"
      case .table(let table):
        return
          "table \(table), which is consulted before ours, sends traffic of \(rule) to \(detour.device): ip rule and "
          + "ip route "
          + "show table \(table) show whose it is"
      case .inside(let route):
        return
          "table \(route.table) is ours, and another program has put the route \(route.destination) into it: "
          + "ip route del \(route.destination) table \(route.table)"
      }
    case .leaking(let leak): return leak.step(for: rule, last: last)
    case .ended(let end):
      return "the main table's first default route ends every lookup, including that of \(rule): ip route del "
        + "\(end.words)"
    case .unrouted(let foreign?):
      return
        "ip rule \(foreign.priority) of another program refuses traffic of \(rule): remove it, or give it a priority "
        + "above \(last)"
    case .unrouted(nil): return "the kernel has no route for traffic of \(rule): see backhaul diff"
    case .unforwarded(let device):
      return "sysctl -w net.ipv4.conf.\(device).forwarding=1, and set it in "
        + "/etc/sysctl.d too"
    case .refused(let device):
      return "sysctl -w net.ipv4.conf.\(device).rp_filter=2, or add a route back to the sources of \(rule) by \(device)"
    case .dropped(_, let filters) where filters.isEmpty:
      return "something on this router drops traffic of \(rule) that is to be forwarded: nft list ruleset and "
        + "iptables-save show what could"
    case .dropped(_, let filters):
      return "let traffic of \(rule) through in \(Self.list(filters)), from its interfaces to the tunnels and uplinks"
    case .unmarked(let marks, _):
      return "give \(Self.list(marks)) a mask without \(ranges.markMask), or choose other bits for kernel.mark_mask "
        + "in agent.toml"
    case .unanswered(let device, let filters):
      return "let replies that come back by \(device) through"
        + (filters.isEmpty ? ": nft list ruleset shows what drops them" : " in \(Self.list(filters))")
    case .untaken(let issue), .misnamed(let issue): return issue.step(for: rule)
    case .connectionTableFull:
      return "find who opens so many connections (conntrack -L), or sysctl -w net.netfilter.nf_conntrack_max=…"
    }
  }

  /// Two say enough.
  private static func list(_ filters: [PacketFilter]) -> String {
    filters.prefix(2).map(\.words).joined(separator: " or ")
  }
  private static func list(_ marks: [ForeignMark]) -> String {
    marks.prefix(2).map { "chain \($0.chain) of \($0.isLegacy ? "iptables-legacy" : "nft") table \($0.table)" }
      .joined(separator: " or ")
  }
}

extension Detour {
  fileprivate var words: String {
    let held =
      switch hold {
      case .shut: ", where it is held back: nothing leaks, and its devices are offline"
      case .reversePath(let incoming): ", and refused by the reverse-path check of \(incoming): its devices are offline"
      case nil: ""
      }
    let start = part.isEmpty ? "is sent to \(device)" : "\(part) is sent to \(device)"
    switch cause {
    case .rule(let rule): return "\(start) by ip rule \(rule.description) of another program\(held)"
    case .route(let prefix): return "\(start) by the main table's route \(prefix)\(held)"
    case .table(let table): return "\(start) by table \(table)\(held)"
    case .inside(let route):
      return "\(start) by another program's route \(route.destination) in table \(route.table)\(held)"
    }
  }
}
