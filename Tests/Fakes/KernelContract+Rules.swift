import Core
import Glibc
internal import RuleSets

extension KernelGround {
  private func priority(_ offset: UInt32) -> RulePriority { RulePriority(ranges.priorities.lowerBound + offset) }
  private var table: TableID { TableID(ranges.tables.lowerBound + 5) }

  /// All forms of the data plane. The mark's bytes are not a palindrome, so that a wrong byte order shows.
  private func forms() throws -> [RoutingRule] {
    let mask = ranges.markMask
    let lan = try Sample.device("lan0")
    let prefix = try Sample.prefix("10.20.0.0/16")
    let own = try Sample.prefix("192.0.2.2/32")
    func ipv6(_ offset: UInt32, from: String? = nil, to: String? = nil, _ action: RoutingRule.Action) -> RoutingRule {
      var rule = RoutingRule(.ipv6, priority: priority(offset), action: action)
      rule.ipv6Source = from.flatMap { IPv6Prefix($0) }
      rule.ipv6Destination = to.flatMap { IPv6Prefix($0) }
      return rule
    }
    return [
      RoutingRule(
        priority: priority(0), mark: .init(Mark(value: 0x0100_0000), mask),
        action: .lookup(.main, suppressPrefixLength: nil)),
      RoutingRule(
        priority: priority(10), mark: .init(Mark(value: 0), mask), inverted: true,
        action: .lookup(.main, suppressPrefixLength: 0)),
      RoutingRule(
        priority: priority(20), mark: .init(Mark(value: 0x1200_0000), mask),
        action: .lookup(table, suppressPrefixLength: nil)),
      RoutingRule(
        priority: priority(20), mark: .init(Mark(value: 0x2300_0000), mask),
        action: .lookup(TableID(table.value + 1), suppressPrefixLength: nil)),
      RoutingRule(
        priority: priority(80), source: prefix, incoming: lan, action: .lookup(.main, suppressPrefixLength: 0)),
      RoutingRule(priority: priority(90), source: prefix, incoming: lan, action: .unreachable),
      RoutingRule(priority: priority(90), incoming: lan, action: .unreachable),
      // These differ only in their destinations, and the last has none.
      RoutingRule(
        priority: priority(95), source: own, destination: try Sample.prefix("203.0.113.2/32"),
        action: .lookup(table, suppressPrefixLength: nil)),
      RoutingRule(
        priority: priority(95), source: own, destination: try Sample.prefix("203.0.113.3/32"),
        action: .lookup(table, suppressPrefixLength: nil)),
      RoutingRule(
        priority: priority(95), source: own, destination: try Sample.prefix("203.0.0.0/16"),
        action: .lookup(table, suppressPrefixLength: nil)),
      RoutingRule(
        priority: priority(95), destination: try Sample.prefix("203.0.113.2/32"),
        action: .lookup(table, suppressPrefixLength: nil)),
      RoutingRule(priority: priority(95), source: own, action: .lookup(table, suppressPrefixLength: nil)),
      // Two that differ only in their targets, and the targets.
      RoutingRule(priority: priority(96), mark: .init(Mark(value: mask.bits), mask), action: .goto(priority(98))),
      RoutingRule(priority: priority(97), incoming: .loopback, action: .goto(priority(98))),
      RoutingRule(priority: priority(98), action: .nop),
      ipv6(69, to: "2001:db8:9::/64", .goto(priority(90))),
      ipv6(69, to: "2001:db8:9::/65", .goto(priority(90))),
      ipv6(69, to: "2001:db8:9::/64", .goto(priority(80))),
      RoutingRule(.ipv6, priority: priority(80), incoming: lan, action: .lookup(.main, suppressPrefixLength: 3)),
      RoutingRule(.ipv6, priority: priority(90), incoming: lan, action: .prohibit),
      ipv6(90, from: "2001:db8:10::/64", .prohibit),
      ipv6(90, from: "2001:db8:10::1/128", .prohibit),
      ipv6(99, .nop),
    ]
  }

  func ruleForms() throws {
    let rules = try forms()
    try apply(rules.map { .addRule($0) })
    try expect(try read().rules, is: rules, "rules")
    for (index, rule) in rules.enumerated() {
      try apply([.deleteRule(rule)])
      try expect(Set(try read().rules), is: Set(rules[(index + 1)...]), "rules without \(rule)")
    }
    // In reverse, the broad ones are deleted and added while the narrow ones exist.
    for rule in rules.reversed() { try apply([.addRule(rule)]) }
    for (index, rule) in rules.enumerated().reversed() {
      try apply([.deleteRule(rule)])
      try expect(Set(try read().rules), is: Set(rules[..<index]), "rules without \(rule)")
    }
  }

  func backwardGoto() throws {
    for target in [priority(10), priority(20)] {
      try expect(
        .addRule(RoutingRule(priority: priority(20), incoming: .loopback, action: .goto(target))), failsWith: EINVAL)
    }
    // What it leads to may come later.
    let early = RoutingRule(priority: priority(20), incoming: .loopback, action: .goto(priority(21)))
    try apply([.addRule(early)])
    try expect(try read().rules, is: [early], "rules")
  }

  func ruleAddedTwice() throws {
    let rule = try forms()[2]
    try apply([.addRule(rule), .addRule(rule)])
    try expect(try read().rules, is: [rule], "rules")
    try apply([.deleteRule(rule), .deleteRule(rule)])
    try expect(try read().rules, is: [], "rules")
  }

  func broadRuleDeleted() throws {
    let lan = try Sample.device("lan0")
    let broad = RoutingRule(priority: priority(90), incoming: lan, action: .unreachable)
    for side in [\RoutingRule.source, \.destination] {
      let narrow = try ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"].map { text in
        var rule = broad
        rule[keyPath: side] = try Sample.prefix(text)
        return rule
      }
      try apply((narrow[..<2] + [broad, narrow[2]]).map { .addRule($0) })
      try apply([.deleteRule(broad)])
      let rules = try read().rules
      try expect(rules.count, is: 3, "rules left")
      try expect(Set(rules), is: Set(narrow), "rules left")
      try apply(narrow.map { .deleteRule($0) })
    }
  }

  func foreignRule() throws {
    let rule = try forms()[2]
    try addForeign(rule)
    try expect(try read().rules, is: [], "a foreign rule is told as ours")
    try apply([.addRule(rule)])
    try expect(try read().rules, is: [rule], "ours beside it")
    try expect(try rules(at: rule.priority), is: 2, "both rules")
    try apply([.deleteRule(rule), .deleteRule(rule)])
    try expect(try read().rules, is: [], "rules")
    try expect(try rules(at: rule.priority), is: 1, "the foreign rule")
  }
}
