internal import RuleSets

@testable import Core

/// Second lines of defence: what holds when one of them is gone.
extension EdgePromises {
  /// Of a strict rule nothing leaves in the clear, whichever one of the defences somebody has taken away.
  func withoutOneDefence(_ state: ActualState) -> String? {
    var withoutTable = state
    withoutTable.nftTable = nil
    var withoutIPRules = state
    withoutIPRules.rules = []
    var withoutActive = state
    withoutActive.routes = state.routes.filter {
      $0.metric != .active || !layout.activeRules.map(\.table).contains($0.table)
    }
    if let found = withoutRoutes(state) ?? answers(withoutTable) { return found }
    let cases = [("nftables", withoutTable), ("ip rules", withoutIPRules), ("active routes", withoutActive)]
    for (what, state) in cases {
      let walk = PacketWalk(state)
      let found = forEachClient { device, source in
        guard let rule = rule(of: source, by: device), rule.fallback == .block, !listsUplink(rule) else { return nil }
        let fate = walk.fate(of: Packet(incoming: device, source: source, destination: Self.internet))
        return leavesInTheClear(fate) ? "without \(what) \(source) by \(device) is \(fate.end)" : nil
      }
      if let found = found ?? strictStrays(what, state) { return found }
    }
    if let found = inVRF(PacketWalk(withoutIPRules)) { return "without ip rules \(found)" }
    return ipv6(PacketWalk(withoutTable), withoutTable: true).map { "without nftables \($0)" }
      ?? ipv6(PacketWalk(withoutIPRules), to: []).map { "without ip rules \($0)" }
  }

  func strictStrays(_ what: String, _ state: ActualState) -> String? {
    guard !rules.contains(where: listsUplink) else { return nil }
    let walk = PacketWalk(Self.bridged(state))
    for source in Self.clients.flatMap(\.hosts) where isGuarded(source) {
      let fate = walk.fate(of: stray(source))
      if leavesInTheClear(fate) { return "without \(what) \(source) by a strange device is \(fate.end)" }
    }
    return nil
  }

  /// Where a device is down, nothing goes another way instead: neither a flow that is bound to it nor an outer packet.
  func withoutRoutes(_ state: ActualState) -> String? {
    for way in layout.ways {
      var state = state
      state.routes = state.routes.filter { $0.table != way.table || $0.metric == .floor }
      let walk = PacketWalk(state)
      let bound = walk.fate(
        of: Packet(incoming: nil, source: "192.168.10.1", destination: Self.internet, lookupMark: way.mark.value))
      if !bound.devices.isEmpty { return "with \(way.title) down, what is bound to it is \(bound.end)" }
    }
    return nil
  }

  /// While somebody flushes our table, answers that a tunnel brings to a strict rule's hosts still come in. Without its
  /// belts the kernel's check asks main, which leads elsewhere.
  func answers(_ state: ActualState) -> String? {
    let walk = PacketWalk(state)
    return forEachClient { device, source in
      guard let rule = rule(of: source, by: device), let way = way(of: rule.egress.name),
        tunnel(way.device)?.uplink != nil, rule.fallback == .block,
        rules.count(where: { $0.sources.prefixes.isEmpty || $0.sources.prefixes.contains { $0.contains(source) } }) == 1
      else { return nil }
      let answer = walk.fate(
        of: Packet(
          incoming: way.device, source: Self.internet, destination: source,
          tracking: .connection(.reply, mark: 0, isNew: false)))
      return answer.end == .left(device, gateway: nil)
        ? nil : "without nftables the answer by \(way.device) is \(answer.end)"
    }
  }

  func listsUplink(_ rule: BackhaulRule) -> Bool {
    rule.paths.contains { layout.path(named: $0).map { if case .uplink = $0.way { true } else { false } } ?? false }
  }
}
