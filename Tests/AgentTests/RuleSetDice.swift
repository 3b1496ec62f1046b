import Core
internal import RuleSets
import SeededRandom

private func literal<Value>(_ value: Value?) -> Value {
  guard let value else { fatalError("not valid in a test") }
  return value
}
private func name(_ text: String) -> Name { literal(Name(text)) }
private func device(_ text: String) -> InterfaceName { literal(InterfaceName(text)) }
private func prefixes(_ texts: [String]) -> [IPv4Prefix] { texts.map { literal(IPv4Prefix($0)) } }

/// Random valid rule sets, each made from the one before by a few of the changes that operators make.
struct RuleSetDice {
  private var random: SeededRandom
  let configuration: AgentConfiguration

  private static let tunnelNames = ["fra", "ber", "par", "rom", "new"]
  private static let ruleNames = ["office", "guests", "phones", "bureau", "lab"]
  private static let egressNames = ["hub-first", "hub-last"]

  init(seed: UInt64) {
    random = SeededRandom(seed: seed)
    configuration = AgentConfiguration(
      device: name("branch-017"), ruleSet: RuleSetSourceConfiguration(location: .file(path: "/nowhere")),
      uplinks: [
        UplinkConfiguration(interface: device("wan0"), tier: 1),
        UplinkConfiguration(interface: device("wan1"), tier: 2),
        UplinkConfiguration(
          interface: device("line0"), tier: 3, isPrivate: true, gateway: literal(IPv4Address("10.80.0.1"))),
      ], lans: [device("lan0"), device("lan1")], ipsec: IPsecConfiguration(pskFile: "/etc/backhaul/psk"))
  }

  mutating func chance(_ percent: Int) -> Bool { random.chance(percent) }
  mutating func count(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

  mutating func first() -> RuleSet {
    let bare = RuleSet(
      device: configuration.device, revision: 1,
      hubs: [
        Hub(name: name("hub-a"), address: literal(IPv4Address("203.0.113.2"))),
        Hub(name: name("hub-b"), address: literal(IPv4Address("203.0.113.6"))),
      ],
      profiles: [
        IPsecProfile(
          name: name("std"), authentication: .psk(file: nil), remoteID: literal(IKEIdentity("hub.example.net")))
      ])
    var ruleSet = bare
    while ruleSet.backhaulRules.isEmpty || ruleSet.tunnels.isEmpty { ruleSet = next(after: ruleSet) }
    return ruleSet
  }

  /// The next revision: from one to four changes, and valid.
  mutating func next(after old: RuleSet) -> RuleSet {
    while true {
      var new = old
      new.revision += 1
      for _ in 0..<Int.random(in: 1...4, using: &random) { change(&new) }
      mend(&new)
      if isValid(new) { return new }
    }
  }

  private func isValid(_ ruleSet: RuleSet) -> Bool {
    guard RuleSetCheck.complaints(ruleSet, configuration).isEmpty,
      let decoded = try? RuleSetDecoder.decode(RuleSetEncoder.encode(ruleSet))
    else { return false }
    return decoded == ruleSet
  }

  /// The paths are the tunnels' and two uplinks; nothing names a path that does not exist. An egress that is not listed
  /// belongs to its rule and has the rule's name.
  private mutating func mend(_ ruleSet: inout RuleSet) {
    ruleSet.paths =
      ruleSet.tunnels.map { Path(name: $0.name, way: .tunnel($0.name)) }
      + ["wan1", "line0"].map { Path(name: name("by-\($0)"), way: .uplink(device($0))) }
    for index in ruleSet.egresses.indices { mend(&ruleSet.egresses[index], ruleSet.paths) }
    for index in ruleSet.backhaulRules.indices {
      let rule = ruleSet.backhaulRules[index]
      if let named = ruleSet.egresses.first(where: { $0.name == rule.egress.name }) {
        ruleSet.backhaulRules[index].egress = named
      } else {
        ruleSet.backhaulRules[index].egress.name = rule.name
        mend(&ruleSet.backhaulRules[index].egress, ruleSet.paths)
      }
    }
  }

  private mutating func mend(_ egress: inout Egress, _ paths: [Path]) {
    let known = Set(paths.map(\.name))
    egress.tiers = egress.tiers.map { $0.filter { known.contains($0.path) } }.filter { !$0.isEmpty }
    if egress.tiers.isEmpty, let path = paths.randomElement(using: &random) {
      egress.tiers = [[PathShare(path.name)]]
    }
  }

  private mutating func change(_ ruleSet: inout RuleSet) {
    switch Int.random(in: 0..<14, using: &random) {
    case 0, 1: addTunnel(&ruleSet)
    case 2, 3: addRule(&ruleSet)
    case 4:
      if let index = ruleSet.tunnels.indices.randomElement(using: &random) { ruleSet.tunnels.remove(at: index) }
    case 5:
      if let index = ruleSet.backhaulRules.indices.randomElement(using: &random) {
        ruleSet.backhaulRules.remove(at: index)
      }
    case 6: renameTunnel(&ruleSet)
    case 7: ruleSet.backhaulRules.shuffle(using: &random)
    case 8:
      let all = prefixes(["198.18.0.0/15", "203.0.114.0/24", "192.0.2.128/25", "100.64.0.0/10"])
      ruleSet.directDestinations = all.filter { _ in random.chance(40) }
    case 9:
      if let index = ruleSet.tunnels.indices.randomElement(using: &random) { changeTunnel(&ruleSet.tunnels[index]) }
    case 10, 11: changeEgresses(&ruleSet)
    default:
      guard let index = ruleSet.backhaulRules.indices.randomElement(using: &random) else { return }
      changeRule(&ruleSet.backhaulRules[index], of: ruleSet)
    }
  }

  /// A rule's own egress becomes shared; a rule refers to a shared one, or has its own again; a shared one changes or
  /// goes.
  private mutating func changeEgresses(_ ruleSet: inout RuleSet) {
    guard let rule = ruleSet.backhaulRules.indices.randomElement(using: &random) else { return }
    let index = ruleSet.egresses.indices.randomElement(using: &random)
    switch (Int.random(in: 0..<8, using: &random), index) {
    case (0...1, _), (_, nil):
      let used = Set(ruleSet.egresses.map(\.name.text))
      guard let free = Self.egressNames.filter({ !used.contains($0) }).randomElement(using: &random) else { return }
      ruleSet.backhaulRules[rule].egress.name = name(free)
      ruleSet.egresses.append(ruleSet.backhaulRules[rule].egress)
    case (2...4, let index?): ruleSet.backhaulRules[rule].egress = ruleSet.egresses[index]
    case (5, _): ruleSet.backhaulRules[rule].egress.name = ruleSet.backhaulRules[rule].name
    case (6, let index?): changeEgress(&ruleSet.egresses[index], of: ruleSet)
    case (_, let index?): ruleSet.egresses.remove(at: index)
    }
  }

  private mutating func addTunnel(_ ruleSet: inout RuleSet) {
    let used = Set(ruleSet.tunnels.map(\.name.text))
    guard let free = Self.tunnelNames.filter({ !used.contains($0) }).randomElement(using: &random) else { return }
    var tunnel = Tunnel(name: name(free), kind: .ipip, hub: ruleSet.hubs[0].name, uplink: device("wan0"))
    for _ in 0..<3 { changeTunnel(&tunnel) }
    ruleSet.tunnels.append(tunnel)
  }

  private mutating func changeTunnel(_ tunnel: inout Tunnel) {
    switch Int.random(in: 0..<6, using: &random) {
    case 0:
      let kinds: [Tunnel.Kind] = [
        .gre(key: nil), .gre(key: 1), .gre(key: 2), .ipip, .ipsec(profile: name("std")),
        .external(device: device("wg0")),
      ]
      tunnel.kind = kinds.randomElement(using: &random) ?? .ipip
      if case .external = tunnel.kind {
        tunnel.uplink = nil
        tunnel.innerLocal = nil
        tunnel.protection = nil
      } else if tunnel.uplink == nil {
        tunnel.uplink = device("wan0")
      }
      if tunnel.isIPsec { tunnel.protection = nil }
    case 1:
      if tunnel.uplink != nil { tunnel.uplink = ["wan0", "wan1", "line0"].map(device).randomElement(using: &random) }
    case 2:
      let inner = ["10.1.1.1/30", "10.1.1.5/30", "10.1.2.1/30", "10.1.3.1/32"].map { literal(InterfaceAddress($0)) }
      let isExternal = if case .external = tunnel.kind { true } else { false }
      tunnel.innerLocal = random.chance(30) || isExternal ? nil : inner.randomElement(using: &random)
      tunnel.innerRemote = tunnel.innerLocal.map { IPv4Address(value: $0.address.value + 1) }
    case 3: tunnel.mtu = random.chance(50) ? nil : [1300, 1400].randomElement(using: &random)
    case 4: tunnel.hub = [name("hub-a"), name("hub-b")].randomElement(using: &random) ?? tunnel.hub
    default:
      switch tunnel.kind {
      case .gre, .ipip: tunnel.protection = random.chance(50) ? nil : name("std")
      case .ipsec, .external: break
      }
    }
  }

  private mutating func renameTunnel(_ ruleSet: inout RuleSet) {
    let used = Set(ruleSet.tunnels.map(\.name.text))
    guard let index = ruleSet.tunnels.indices.randomElement(using: &random),
      let free = Self.tunnelNames.filter({ !used.contains($0) }).randomElement(using: &random)
    else { return }
    let old = ruleSet.tunnels[index].name
    ruleSet.tunnels[index].name = name(free)
    func renamed(_ egress: inout Egress) {
      egress.tiers = egress.tiers.map { tier in
        tier.map { PathShare($0.path == old ? name(free) : $0.path, weight: $0.weight) }
      }
    }
    for rule in ruleSet.backhaulRules.indices { renamed(&ruleSet.backhaulRules[rule].egress) }
    for egress in ruleSet.egresses.indices { renamed(&ruleSet.egresses[egress]) }
  }

  private mutating func addRule(_ ruleSet: inout RuleSet) {
    let used = Set(ruleSet.backhaulRules.map(\.name.text))
    guard let free = Self.ruleNames.filter({ !used.contains($0) }).randomElement(using: &random) else { return }
    var rule = BackhaulRule(
      name: name(free), sources: Sources(interfaces: [device("lan0")]), paths: [], fallback: .localWAN,
      holdDown: .zero, damping: FlapDamping(halfLife: .zero))
    for _ in 0..<6 { changeRule(&rule, of: ruleSet) }
    ruleSet.backhaulRules.append(rule)
  }

  private mutating func changeRule(_ rule: inout BackhaulRule, of ruleSet: RuleSet) {
    switch Int.random(in: 0..<9, using: &random) {
    case 0, 1:
      let used = Set(ruleSet.backhaulRules.map(\.name.text))
      if let free = Self.ruleNames.filter({ !used.contains($0) }).randomElement(using: &random) {
        rule.name = name(free)
      }
    case 2: rule.enabled.toggle()
    case 3, 4, 6: changeEgress(&rule.egress, of: ruleSet)
    case 5: rule.ipv6 = BackhaulRule.IPv6.allCases.randomElement(using: &random) ?? .local
    case 7: rule.sources.interfaces = ["lan0", "lan1"].map(device).filter { _ in random.chance(50) }
    default:
      let pool = prefixes(["192.168.10.0/24", "192.168.11.0/24", "192.168.20.0/25", "192.168.20.128/26", "10.9.0.0/16"])
      rule.sources.prefixes = pool.filter { _ in random.chance(40) }
    }
  }
  private mutating func changeEgress(_ egress: inout Egress, of ruleSet: RuleSet) {
    switch Int.random(in: 0..<3, using: &random) {
    case 0: egress.fallback = Egress.Fallback.allCases.randomElement(using: &random) ?? .block
    case 1: egress.failback = Egress.Failback.allCases.randomElement(using: &random) ?? .move
    default:
      var names = (ruleSet.tunnels.map(\.name) + ["by-wan1", "by-line0"].map(name)).shuffled(using: &random)
      names = Array(names.prefix(Int.random(in: 1...3, using: &random)))
      egress.tiers = names.map { [PathShare($0)] }
      // Two tunnels that share.
      if names.count > 1, random.chance(30) {
        egress.tiers = [[PathShare(names[0], weight: 2), PathShare(names[1])]] + egress.tiers.dropFirst(2)
      }
    }
  }
}
