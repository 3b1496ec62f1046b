package import RuleSets

/// Whether our nftables would mark a client's packet for a rule: evaluated on the table as we made it, up to
/// prerouting.
package struct NftTrial: Sendable {
  private let table: NftWalk.Table
  private let marks: [Name: Mark]
  private let mask: MarkMask

  package init(_ layout: Layout) {
    let whole = EdgeCompiler(layout, ActualState()).nftTable()
    let chains = Dictionary(whole.chains.map { ($0.name, $0) }) { first, _ in first }
    var reached = whole.chains.filter { $0.hook?.point == .prerouting }
    var names = Set(reached.map(\.name))
    var next = 0
    while next < reached.count {
      for name in reached[next].rules.flatMap(\.actions).compactMap(\.chain) where names.insert(name).inserted {
        if let chain = chains[name] { reached.append(chain) }
      }
      next += 1
    }
    // Maps lead to what holds for tunnels and live flows, which a client's first packet meets neither of, and to what
    // steering rules take: this asks for what is left to the backhaul rule.
    table = NftWalk.Table(NftTable(name: whole.name, sets: whole.sets, chains: reached))
    marks = Dictionary(layout.activeRules.map { ($0.rule.name, $0.mark) }) { first, _ in first }
    mask = layout.mask
  }

  /// Whether a packet that comes in there leaves prerouting with the rule's mark; false for a rule that is not in
  /// force.
  package func takes(_ entrance: SourceSurvey.Entrance, for rule: Name, to destination: IPv4Address) -> Bool {
    guard let mark = marks[rule] else { return false }
    var walk = NftWalk(
      table, Packet(incoming: entrance.device, source: entrance.source, destination: destination))
    _ = walk.run(.prerouting)
    return walk.packet.mark & mask.bits == mark.value
  }
}
