internal import RuleSets
import SeededRandom

@testable import Core

/// Random rule sets and accidents, the same ones for the same seed.
struct RandomBranch {
  var random: SeededRandom
  private(set) var configuration = Branch.configuration(lans: ["lan0", "lan1"])

  init(seed: UInt64) {
    random = SeededRandom(seed: seed)
    configuration.kernel.usesFlowtable = seed % 2 == 0
  }

  mutating func ruleSet() -> RuleSet {
    let names: [Name] = ["fra", "ber", "par", "rom"]
    var tunnels: [Tunnel] = []
    for name in random.some(names, percent: 70) {
      let uplink: InterfaceName = random.chance(60) ? "wan0" : "wan1"
      let key = UInt32.random(in: 1...3, using: &random)
      let kind: Tunnel.Kind = random.chance(60) ? .gre(key: random.chance(70) ? key : nil) : .ipip
      let isTaken = tunnels.contains { $0.kind == kind && $0.uplink == uplink }
      if isTaken { continue }
      let inner: [InterfaceAddress] = ["10.1.1.1/30", "10.1.1.2/30", "10.1.2.1/30", "10.1.3.1/32"]
      tunnels.append(
        Tunnel(
          name: name, kind: kind, hub: "fra", uplink: uplink,
          innerLocal: random.chance(60) ? inner.randomElement(using: &random) : nil, innerRemote: "10.1.1.2",
          mtu: random.chance(20) ? 1300 : nil))
    }
    if random.chance(40) { tunnels.append(Branch.external) }
    let paths = tunnels.map { Path(name: $0.name, way: .tunnel($0.name)) } + [Path(name: "lte", way: .uplink("wan1"))]
    var rules: [BackhaulRule] = []
    for name: Name in ["office", "guests", "phones"] where random.chance(70) {
      let pool: [IPv4Prefix] = ["192.168.10.0/24", "192.168.10.128/25", "192.168.11.0/24", "192.168.20.0/24"]
      let prefixes = random.some(pool, percent: 40)
      var interfaces: [InterfaceName] = random.some(["lan0", "lan1"], percent: 40)
      if prefixes.isEmpty && interfaces.isEmpty { interfaces = ["lan0"] }
      rules.append(
        BackhaulRule(
          name: name, enabled: random.chance(85), sources: Sources(interfaces: interfaces, prefixes: prefixes),
          paths: random.some(paths.dropLast().map(\.name)) + (random.chance(20) ? ["lte"] : []),
          fallback: random.chance(60) ? .block : .localWAN, failback: random.chance(50) ? .drain : .move,
          ipv6: random.chance(50) ? .block : .local))
    }
    // So many that they are asked in one look, which the device may have no part in.
    if random.chance(25) {
      for index in rules.indices where !rules[index].sources.prefixes.isEmpty { rules[index].sources.interfaces = [] }
      for (number, host) in ["192.168.10.50/32", "192.168.10.200/32", "192.168.11.5/32", "192.168.20.9/32"].enumerated()
      {
        guard let name = Name("host\(number)"), let prefix = IPv4Prefix(host) else { continue }
        rules.insert(
          BackhaulRule(
            name: name, enabled: true, sources: Sources(interfaces: [], prefixes: [prefix]),
            paths: random.some(paths.dropLast().map(\.name)), fallback: random.chance(60) ? .block : .localWAN,
            failback: random.chance(50) ? .drain : .move, ipv6: .local), at: 0)
      }
    }
    let direct: [IPv4Prefix] = ["198.18.0.0/15", "203.0.113.0/24", "203.0.114.0/24", "203.0.113.128/25"]
    return RuleSet(
      device: "branch-017", revision: 1, hubs: [Hub(name: "fra", address: "203.0.113.2")], tunnels: tunnels,
      paths: paths, backhaulRules: rules, directDestinations: random.some(direct, percent: 40))
  }

  mutating func kernel() -> ActualState {
    var state = Branch.kernel()
    state.links["lan1"] = Link(index: InterfaceIndex(5), isUp: true, hasCarrier: true, mtu: 1500)
    state.addresses["lan0"]?.append("192.168.11.1/24")
    state.addresses["lan1"] = ["192.168.20.1/24", "192.168.99.1/24"]
    state.settings[InterfaceSetting("all", .reversePathFilter)] = Int.random(in: 0...2, using: &random)
    return random.chance(70) ? Branch.withWireGuard(state) : state
  }

  /// What other programs do to a kernel.
  mutating func accident(_ model: inout ModelKernel) {
    let ours = model.state.links.filter { $0.value.isOurs }.keys.sorted()
    switch Int.random(in: 0..<14, using: &random) {
    case 0: ours.randomElement(using: &random).map { model.delete($0) }
    case 1: ours.randomElement(using: &random).map { model.setDown($0) }
    case 2: ours.randomElement(using: &random).map { model.state.links[$0]?.mtu = 1000 }
    case 3: ours.randomElement(using: &random).map { model.state.addresses[$0] = ["10.66.0.1/24"] }
    case 4: model.state.nftTable = nil
    case 5: model.state.rules = random.some(model.state.rules)
    case 6: model.state.routes = model.state.routes.filter { _ in random.chance(50) }
    case 7:
      model.state.addresses["wan0"] = ["192.0.2.\(Int.random(in: 2...200, using: &random))/24"].compactMap {
        InterfaceAddress($0)
      }
    case 8: model.state.addresses["wan0"] = []
    case 9: model.state.mainDefaults.removeAll { $0.device == "wan1" }
    case 10: model.delete("wg0")
    case 11: model.state.nftTable?.sets.removeAll()
    case 12: model.state.settings[InterfaceSetting("wan1", .sourceValidMark)] = 0
    default: ours.randomElement(using: &random).map { model.state.links[$0]?.tunnel?.ttl = 1 }
    }
  }
}
