internal import RuleSets
@testable import Core

// Values as text, only for tests: an invalid name or address is a mistake in the test and ends it.
extension Name: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self = literal(Name(text), text) }
}

extension InterfaceName: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self = literal(InterfaceName(text), text) }
}

extension IPv4Address: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self = literal(IPv4Address(text), text) }
}

extension Gateway: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self = .ipv4(IPv4Address(stringLiteral: text)) }
}

extension IPv4Prefix: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self = literal(IPv4Prefix(text), text) }
}

extension InterfaceAddress: ExpressibleByStringLiteral {
  public init(stringLiteral text: String) { self = literal(InterfaceAddress(text), text) }
}

private func literal<Value>(_ value: Value?, _ text: String) -> Value {
  guard let value else { fatalError("not valid in a test: \(text)") }
  return value
}

/// A branch router: one LAN, two uplinks, a hub.
enum Branch {
  static func configuration(
    uplinks: [UplinkConfiguration] = [.init(interface: "wan0", tier: 1), .init(interface: "wan1", tier: 2)],
    lans: [InterfaceName] = ["lan0"]
  ) -> AgentConfiguration {
    AgentConfiguration(
      device: "branch-017", ruleSet: .init(location: .file(path: "/rule-set.json")), uplinks: uplinks, lans: lans)
  }

  static let gre = Tunnel(
    name: "fra-a", kind: .gre(key: 7), hub: "fra", uplink: "wan0", innerLocal: "10.1.1.1/30", innerRemote: "10.1.1.2")
  static let ipip = Tunnel(name: "fra-b", kind: .ipip, hub: "fra", uplink: "wan1")
  static let external = Tunnel(name: "wg", kind: .external(device: "wg0"), hub: "fra")

  static let office = BackhaulRule(
    name: "office", sources: Sources(interfaces: ["lan0"], prefixes: ["192.168.10.0/24"]), paths: ["fra-a", "fra-b"],
    fallback: .localWAN)

  static func ruleSet(
    tunnels: [Tunnel] = [gre, ipip], rules: [BackhaulRule] = [office], direct: [IPv4Prefix] = ["198.18.0.0/15"]
  ) -> RuleSet {
    RuleSet(
      device: "branch-017", revision: 42, hubs: [Hub(name: "fra", address: "203.0.113.2")], tunnels: tunnels,
      paths: tunnels.map { Path(name: $0.name, way: .tunnel($0.name)) }
        + [Path(name: "dsl", way: .uplink("wan0")), Path(name: "lte", way: .uplink("wan1"))],
      backhaulRules: rules, directDestinations: direct)
  }

  /// What the kernel has before we start.
  static func kernel() -> ActualState {
    var state = ActualState()
    state.links = [
      "lan0": Link(index: InterfaceIndex(2), isUp: true, hasCarrier: true, mtu: 1500),
      "wan0": Link(index: InterfaceIndex(3), isUp: true, hasCarrier: true, mtu: 1500),
      "wan1": Link(index: InterfaceIndex(4), isUp: true, hasCarrier: true, mtu: 1500),
    ]
    state.addresses = ["lan0": ["192.168.10.1/24"], "wan0": ["192.0.2.2/24"], "wan1": ["198.51.100.2/24"]]
    state.mainDefaults = [
      MainDefault(device: "wan0", gateway: "192.0.2.1", metric: RouteMetric(100)),
      MainDefault(device: "wan1", gateway: "198.51.100.1", metric: RouteMetric(200)),
    ]
    for interface: InterfaceName in ["all", "lan0", "wan0", "wan1"] {
      for key in InterfaceSetting.Key.allCases { state.settings[InterfaceSetting(interface, key)] = 0 }
    }
    state.settings[InterfaceSetting("wan0", .reversePathFilter)] = 1
    return state
  }

  static func withWireGuard(_ state: ActualState) -> ActualState {
    var state = state
    state.links["wg0"] = Link(index: InterfaceIndex(9), isUp: true, hasCarrier: true, mtu: 1420, isPointToPoint: true)
    state.addresses["wg0"] = ["10.9.0.2/24"]
    for key in InterfaceSetting.Key.allCases { state.settings[InterfaceSetting("wg0", key)] = 0 }
    return state
  }

  static func compiler(
    _ ruleSet: RuleSet = ruleSet(), _ configuration: AgentConfiguration = configuration(),
    _ kernel: ActualState = kernel(), after book: SlotBook = SlotBook()
  ) -> EdgeCompiler {
    let slots = Layout.slots(ruleSet, configuration, after: book) ?? SlotBook()
    return EdgeCompiler(ruleSet, configuration, slots, kernel)
  }
}
