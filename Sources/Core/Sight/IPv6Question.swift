package import RuleSets

/// An IPv6 packet of a LAN for which a rule says `ipv6: block`: would the kernel still send it out?
package struct IPv6Question: Hashable, Sendable {
  package var incoming: InterfaceName
  package var source: IPv6Address
  package var destination: IPv6Address
  package var protocolNumber: UInt8?
  package var sourcePort: UInt16?
  package var port: UInt16?
  /// Which of the LAN's packets this one stands for: `by udp to port 7000`. Empty: all of them.
  package var part = ""

  package init(_ incoming: InterfaceName, from source: IPv6Address, to destination: IPv6Address) {
    self.incoming = incoming
    self.source = source
    self.destination = destination
  }

  /// What the kernel's own route lookup said.
  package enum Answer: Hashable, Sendable {
    /// It leaves by this device; the table that said so, and the length of the route's prefix.
    case out(InterfaceName, table: TableID, length: UInt8)
    /// The router takes it itself.
    case local
    /// There is no route, or one that refuses it.
    case refused
  }

  /// Routes of the main table longer than this stay allowed: see `ipv6Belts`.
  static let longestDefault: UInt8 = 3

  /// - Parameters:
  ///   - rules: all other programs' IPv6 ip rules, in the kernel's order.
  ///   - last: no rule of ours has this priority, or a later one.
  ///   - lans: what leaves by one of these goes to a neighbour.
  ///   - isHeld: whether our nftables rules hold back what would leave by a device.
  package func leak(
    _ answer: Answer, rules: [ForeignIPv6Rule], before last: RulePriority, lans: Set<InterfaceName>,
    isHeld: (InterfaceName) -> Bool
  ) -> IPv6Leak? {
    guard case .out(let device, let table, let length) = answer, !lans.contains(device) else { return nil }
    let rule = rules.first { $0.priority < last && $0.table == table && $0.mayTake(self) }
    if table == .main, length > Self.longestDefault { return nil }
    guard !isHeld(device) else { return nil }
    return IPv6Leak(device: device, table: table, rule: rule, part: part)
  }

  /// One in each of the parts of 2000::/3 that the registries have most of.
  private static let destinations = [0x2001_0200, 0x2400_0000, 0x2600_0000, 0x2a00_0000].map {
    IPv6Address(high: UInt64($0) << 32, low: 1)
  }
  /// 2001:db8::2 (RFC 3849): of a LAN that has no address of its own.
  private static let example = IPv6Address(high: 0x2001_0db8_0000_0000, low: 2)
  /// Global unicast addresses. A rule that leads anything else elsewhere leads it to somebody's site.
  private static let global = IPv6Prefix(of: IPv6Address(high: 0x2000_0000_0000_0000, low: 0), length: 3)

  /// The questions about one LAN.
  ///
  /// - Parameter addresses: the LAN's own, each with its network.
  package static func all(
    from incoming: InterfaceName, addresses: [IPv6InterfaceAddress], rules: [ForeignIPv6Rule]
  ) -> [IPv6Question] {
    let networks = addresses.filter { !$0.address.isLinkLocal && $0.network.length < 127 }.map(\.network)
    let sources = networks.map { network in client(of: network, own: addresses) }
    let generic = destinations.map { IPv6Question(incoming, from: sources.first ?? example, to: $0) }
    let others = rules.compactMap { rule -> IPv6Question? in
      guard !rule.isForAll, rule.mark & rule.mask == 0, rule.incoming == nil || rule.incoming == incoming,
        !rule.selector.hasMore,
        let destination = rule.destination.length == 0
          ? destinations.first : Self.destination(in: rule.destination),
        let source = rule.source.length == 0
          ? sources.first ?? example : Self.source(in: rule.source, sources, networks)
      else { return nil }
      var question = IPv6Question(incoming, from: source, to: destination)
      question.protocolNumber = rule.selector.protocolNumber
      question.sourcePort = rule.selector.sourcePorts?.lowerBound
      question.port = rule.selector.destinationPorts?.lowerBound
      question.part = rule.part
      return question
    }
    return Array((generic + others).prefix(SingledOut.most))
  }

  private static func destination(in prefix: IPv6Prefix) -> IPv6Address? {
    if let known = destinations.first(where: prefix.contains) { return known }
    return global?.contains(prefix) == true ? prefix.host : nil
  }

  private static func source(
    in prefix: IPv6Prefix, _ sources: [IPv6Address], _ networks: [IPv6Prefix]
  ) -> IPv6Address? {
    if let known = sources.first(where: prefix.contains) { return known }
    return networks.contains { $0.contains(prefix) } ? prefix.host : nil
  }

  private static func client(of network: IPv6Prefix, own: [IPv6InterfaceAddress]) -> IPv6Address {
    let first = network.host
    return own.contains { $0.address == first } ? IPv6Address(high: first.high, low: first.low &+ 1) : first
  }
}

/// IPv6 that a rule wants blocked but that still leaves.
package struct IPv6Leak: Hashable, Sendable {
  package var device: InterfaceName
  package var table: TableID
  /// The rule that leads there; nil: no other program's rule.
  package var rule: ForeignIPv6Rule?
  package var part: String

  var words: String { "by IPv6\(part.isEmpty ? "" : " \(part)") \(way)" }

  /// `leaves by wan1 in the clear, though its rule says block: …`
  var way: String {
    let whose =
      rule.map { "ip -6 rule \($0.description) of another program sends it there" }
      ?? "the IPv6 table \(table) says so"
    return "leaves by \(device) in the clear, though its rule says block: \(whose)"
  }

  func step(for rule: String, last: UInt32) -> String {
    guard let foreign = self.rule else {
      return "ip -6 rule and ip -6 route show table \(table) show what sends IPv6 of \(rule) to \(device)"
    }
    return
      "ip -6 rule \(foreign.priority) of another program sends IPv6 of \(rule) to \(device): remove it, or give it a "
      + "priority above \(last)"
  }
}

extension ForeignIPv6Rule {
  /// Those that represent all of a LAN's packets show what it does.
  fileprivate var isForAll: Bool {
    isInverted || source.length == 0 && destination.length == 0 && selector.isEmpty
  }

  fileprivate func mayTake(_ question: IPv6Question) -> Bool {
    let selected =
      source.contains(question.source) && destination.contains(question.destination) && mark & mask == 0
      && (incoming.map { $0 == question.incoming } ?? true)
      && (selector.protocolNumber.map { $0 == question.protocolNumber } ?? true)
      && (selector.sourcePorts?.contains(question.sourcePort ?? 0) ?? true)
      && (selector.destinationPorts?.contains(question.port ?? 0) ?? true)
    return selected != isInverted
  }
}

/// The LANs whose IPv6 is blocked, each with the first rule that says so.
package struct IPv6Blocks: Sendable {
  package let all: [(interface: InterfaceName, rule: Name)]

  /// - Parameter addresses: of all devices.
  package init(_ layout: Layout, _ addresses: [InterfaceName: [InterfaceAddress]]) {
    all = EdgeCompiler(layout, ActualState(addresses: addresses)).ipv6Blocks.map {
      ($0.interface, $0.rule.name)
    }
  }
}
