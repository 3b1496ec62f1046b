internal import RuleSets

@testable import Core

/// Compilers that forget one kind of thing: what is made without it, and whether anything of the kind was there.
struct ForgetfulCompiler: Hashable, Comparable, CustomStringConvertible {
  /// Such as `nft rule guard: rule …: block`.
  let kind: String

  var description: String { kind }
  static func < (left: Self, right: Self) -> Bool { left.kind < right.kind }

  /// One for each kind of thing in the state.
  static func all(for state: DesiredState, _ layout: Layout) -> Set<Self> {
    let names = Names(layout)
    var kinds = Set(state.rules.map(Self.kind))
    kinds.formUnion(state.routes.map { Self.kind($0, layout) })
    kinds.formUnion(state.settings.map { Self.kind($0.key, layout) })
    for chain in state.nftTable?.chains ?? [] { kinds.formUnion(chain.rules.map { names.kind($0, in: chain) }) }
    for map in state.nftTable?.maps ?? [] where !map.elements.isEmpty {
      kinds.formUnion(map.elements.map { names.kind($0, in: map) })
    }
    for set in state.nftTable?.sets ?? [] where !set.ranges.isEmpty { kinds.insert("set \(names.plain(set.name))") }
    return Set(kinds.map(Self.init))
  }

  func forget(in state: inout DesiredState, _ layout: Layout) {
    let names = Names(layout)
    state.rules.removeAll { Self.kind($0) == kind }
    state.routes.removeAll { Self.kind($0, layout) == kind }
    state.settings = state.settings.filter { Self.kind($0.key, layout) != kind }
    for index in state.nftTable?.chains.indices ?? 0..<0 {
      guard let chain = state.nftTable?.chains[index] else { continue }
      state.nftTable?.chains[index].rules.removeAll { names.kind($0, in: chain) == kind }
    }
    for index in state.nftTable?.maps.indices ?? 0..<0 {
      guard let map = state.nftTable?.maps[index] else { continue }
      state.nftTable?.maps[index] = NftMap(
        name: map.name, kind: map.kind, elements: map.elements.filter { names.kind($0, in: map) != kind })
    }
    for index in state.nftTable?.sets.indices ?? 0..<0 {
      guard let set = state.nftTable?.sets[index], "set \(names.plain(set.name))" == kind else { continue }
      state.nftTable?.sets[index].ranges = []
    }
  }

  private static func kind(_ rule: RoutingRule) -> String {
    let from = [
      rule.mark.map { rule.inverted ? "not mark \($0.mark.value)" : "mark" }, rule.source.map { _ in "source" },
      rule.ipv6Source.map { _ in "source" }, rule.destination.map { _ in "destination" },
      rule.ipv6Destination.map { _ in "destination" }, rule.incoming.map { _ in "device" },
    ].compactMap { $0 }
    let action =
      switch rule.action {
      case .lookup(.main, let suppressed): "main\(suppressed.map { " without \($0)" } ?? "")"
      case .lookup: "a table of ours"
      default: "\(rule.action)"
      }
    return "ip rule \(rule.family) \(rule.priority) by \(from.joined(separator: ", ")): \(action)"
  }

  private static func kind(_ route: TableRoute, _ layout: Layout) -> String {
    let way = layout.ways.first { $0.table == route.table }
    let owner = way.map { $0.isTunnel ? "a tunnel" : "an uplink" } ?? "an egress"
    return "route of \(owner): \(route.metric == .floor ? "floor" : "way")"
  }

  private static func kind(_ setting: InterfaceSetting, _ layout: Layout) -> String {
    let way = layout.ways.first { $0.device == setting.interface }
    return "setting \(setting.key) of \(way.map { "\($0.kind)" } ?? "others")"
  }

  /// Kinds are called the same whatever the tunnels and rules are.
  private struct Names {
    private var tunnels: Set<String> = []
    private var rules: Set<String> = []
    private var uplinks: Set<String> = []
    private var lans: Set<String> = []

    init(_ layout: Layout) {
      tunnels = Set(layout.ruleSet.tunnels.flatMap { [$0.name.text, layout.device(of: $0)?.text ?? ""] })
      rules = Set(layout.ruleSet.backhaulRules.flatMap { [$0.name.text, $0.egress.name.text] })
      uplinks = Set(layout.configuration.uplinks.map(\.interface.text))
      lans = Set(layout.configuration.lans.map(\.text))
    }

    func plain(_ text: String) -> String {
      text.split(separator: " ").map { word in
        word.split(separator: "_").map { part in
          let bare = String(part.filter { $0 != ":" })
          let colon = part.hasSuffix(":") ? ":" : ""
          if tunnels.contains(bare) { return "TUNNEL" + colon }
          if rules.contains(bare) { return "RULE" + colon }
          if uplinks.contains(bare) { return "UPLINK" + colon }
          if lans.contains(bare) { return "LAN" + colon }
          return Int(bare) == nil ? String(part) : "N" + colon
        }.joined(separator: "_")
      }.joined(separator: " ")
    }

    func kind(_ rule: NftRule, in chain: NftChain) -> String {
      let slave = rule.matches.contains { if case .slave = $0 { true } else { false } }
      let tracking =
        rule.matches.contains(.untracked) ? ", untracked" : rule.matches.contains(.invalid) ? ", invalid" : ""
      return "nft rule \(plain(chain.name)): \(plain(rule.comment))\(slave ? ", in a VRF" : "")\(tracking)"
    }

    func kind(_ element: NftMap.Element, in map: NftMap) -> String {
      "map \(plain(map.name)) to \(plain(element.verdict.chain))"
    }
  }
}
