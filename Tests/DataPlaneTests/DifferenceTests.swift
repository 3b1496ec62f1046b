internal import RuleSets
import Testing

@testable import Core

/// How a kernel that somebody has changed is described.
@Suite struct DifferenceTests {
  private let ruleSet = Branch.ruleSet()

  /// The lines after the rule set's kernel was changed like this.
  private func lines(
    active: RuleSelection.Choice? = nil, _ change: (inout ActualState) -> Void = { _ in }
  ) throws -> [String] {
    var model = ModelKernel(Branch.kernel())
    let before = Branch.compiler(ruleSet)
    try model.apply(Planner.plan(desired: before.compile(), actual: model.state).steps)
    change(&model.state)
    let compiler = EdgeCompiler(before.layout, model.state)
    var chosen: [TableID: TableRoute.Way?] = [:]
    if let active, let table = before.layout.table(.egress("office")) {
      chosen[table] = .some(compiler.activeRoute(of: "office", for: active)?.way)
    }
    return Difference.all(
      desired: compiler.compile(), actual: model.state, remembered: model.remembered, ranges: KernelRanges(),
      active: chosen
    ).map(\.line)
  }

  @Test func nothingDiffersWhereNothingWasChanged() throws { #expect(try lines() == []) }

  @Test func rulesAndRoutes() throws {
    #expect(
      try lines { $0.rules.removeAll { $0.priority == RulePriority(9210) } }
        == ["+ ip rule priority 9210 not fwmark 0x0/0x7f000000 lookup main suppress_prefixlength 0 protocol 201"])
    #expect(
      try lines {
        $0.rules.append(RoutingRule(priority: RulePriority(9299), action: .lookup(.main, suppressPrefixLength: nil)))
      } == ["- ip rule priority 9299 lookup main protocol 201"])
    #expect(
      try lines {
        $0.routes = Set(
          $0.routes.map { route in
            var route = route
            if route.way == .out(device: "wan0", gateway: "192.0.2.1") {
              route.way = .out(device: "wan0", gateway: "192.0.2.9")
            }
            return route
          })
      }.map { $0.replacing(/table \d+/, with: "table N") }
        == ["~ ip route default via 192.0.2.1 dev wan0 table N metric 10 proto 201, not default via 192.0.2.9 dev wan0"]
    )
  }

  @Test func devicesAndSettings() throws {
    #expect(try lines { $0.links["bh-fra-a"]?.mtu = 1400 } == ["~ ip link bh-fra-a mtu 1472, not 1400"])
    #expect(
      try lines { $0.settings[InterfaceSetting("bh-fra-a", .reversePathFilter)] = 1 }
        == ["~ sysctl net.ipv4.conf.bh-fra-a.rp_filter=2, not 1"])
    #expect(try lines { $0.links["bh-fra-a"]?.isUp = false }.contains("~ ip link bh-fra-a up, not down"))
    let gone = try lines {
      $0.links["bh-fra-a"] = nil
      $0.addresses["bh-fra-a"] = nil
    }
    #expect(gone.first?.hasPrefix("+ ip link bh-fra-a mtu 1472 type gre ") == true)
    #expect(!gone.contains { $0.contains("address") || $0.contains("sysctl") }, "the device stands for all of it")
  }

  @Test func aDeviceOfAnotherKindIsReportedWithWhatItIs() throws {
    func found(_ device: InterfaceName, _ change: (inout TunnelParameters) -> Void) throws -> [String] {
      try lines { state in
        guard var tunnel = state.links[device]?.tunnel else { return }
        change(&tunnel)
        state.links[device]?.tunnel = tunnel
      }.compactMap { $0.split(separator: ", not ").dropFirst().first.map(String.init) }
    }
    #expect(
      try found("bh-fra-a") { $0.remote = "198.51.100.9" }.first?.hasPrefix(
        "gre 192.0.2.2 to 198.51.100.9 on wan0 fwmark ") == true)
    #expect(
      try found("bh-fra-b") { $0.underlay = nil }.first?.hasPrefix(
        "ipip 198.51.100.2 to 203.0.113.2 on none fwmark ") == true)
    #expect(try found("bh-fra-b") { $0.ttl = 3 }.first?.hasSuffix(" ttl 3") == true)
  }

  @Test func nftables() throws {
    #expect(try lines { $0.nftTable = nil } == ["+ nft table inet backhaul"])
    #expect(
      try lines { state in
        guard let index = state.nftTable?.sets.firstIndex(where: { $0.name == "direct" }) else { return }
        state.nftTable?.sets[index].ranges = []
      } == ["+ nft element inet backhaul direct { 198.18.0.0/15 }"])
    #expect(
      try lines { state in
        guard let steer = state.nftTable?.chains.firstIndex(where: { $0.name == "steer" }) else { return }
        state.nftTable?.chains[steer].rules.append(NftRule([], [], unrecognised: "counter, drop"))
      } == ["- nft rule inet backhaul steer counter, drop"])
    #expect(
      try lines { state in
        guard let steer = state.nftTable?.chains.firstIndex(where: { $0.name == "steer" }) else { return }
        state.nftTable?.chains[steer].rules.reverse()
      }
        == ["~ nft chain inet backhaul steer: the order of its rules"])
    #expect(
      try lines { state in state.nftTable?.chains.removeAll { $0.name == "leave" } }
        == ["+ nft chain inet backhaul leave"])
  }

  @Test func aLargeChangeOfASetIsOneLineForEachDirection() throws {
    let hosts = (0..<UInt32(3 * SetSweep.rangesPerTransaction)).map { number in
      let address: UInt32 = 0x1400_0000 + number * 4
      return address...address
    }
    let lines = try lines { state in
      guard let index = state.nftTable?.sets.firstIndex(where: { $0.name == "direct" }) else { return }
      state.nftTable?.sets[index].ranges = hosts
    }
    #expect(lines.count == 2)
    #expect(lines.last?.hasSuffix(" and 2992 more") == true)
  }

  @Test func theActiveRouteIsHeldAgainstTheChoice() throws {
    #expect(try lines(active: .blocked) == [])
    let missing = try lines(active: .path("fra-a"))
    #expect(missing.count == 1 && missing[0].hasPrefix("+ ip route default dev bh-fra-a table "))
    let table = try #require(Branch.compiler().layout.table(.egress("office")))
    let other = TableRoute(table: table, metric: .active, way: .out(device: "bh-fra-b", gateway: nil))
    let changed = try lines(active: .path("fra-a")) { $0.routes.insert(other) }
    #expect(changed.count == 1 && changed[0].hasSuffix(", not default dev bh-fra-b"))
    let extra = try lines(active: .blocked) { $0.routes.insert(other) }
    #expect(extra.count == 1 && extra[0].hasPrefix("- ip route default dev bh-fra-b "))
    #expect(try lines { $0.routes.insert(other) } == [], "unless nobody knows the choice")
  }
}
