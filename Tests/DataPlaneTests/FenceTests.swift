internal import RuleSets
import SeededRandom
import Testing

@testable import Core

/// What belts may not leave to the main table, and what must not leave by an unconfigured way out.
@Suite struct FenceTests {
  private let internet: IPv4Address = "8.8.8.8"
  private let host: IPv4Address = "192.168.10.50"

  private func rule(_ change: (inout BackhaulRule) -> Void = { _ in }) -> BackhaulRule {
    var rule = Branch.office
    rule.egress.fallback = .block
    rule.ipv6 = .block
    change(&rule)
    rule.egress.name = rule.name
    return rule
  }

  private func kernel(_ sites: [MainSites<IPv4Prefix>.Site] = []) -> ActualState {
    var kernel = Branch.withWireGuard(Branch.kernel())
    kernel.links["wan9"] = Link(index: InterfaceIndex(19), isUp: true, hasCarrier: true, mtu: 1500)
    kernel.addresses["wan9"] = ["203.0.113.99/24"]
    for key in InterfaceSetting.Key.allCases { kernel.settings[InterfaceSetting("wan9", key)] = 0 }
    let connected = kernel.addresses.flatMap { device, addresses in
      addresses.map { MainSites.Site($0.subnet, devices: [device], isConnected: true) }
    }
    kernel.sites = MainSites(connected + sites)
    kernel.exits = ["wan0", "wan1"]
    return kernel
  }

  private func site(_ prefix: IPv4Prefix, _ devices: InterfaceName...) -> MainSites<IPv4Prefix>.Site {
    MainSites.Site(prefix, devices: devices)
  }

  private func router(
    _ rules: [BackhaulRule], _ kernel: ActualState, active: RuleSelection.Choice? = nil, guarding: Bool = false,
    uplinks: [UplinkConfiguration] = [.init(interface: "wan0", tier: 1), .init(interface: "wan1", tier: 2)]
  ) throws -> ActualState {
    let ruleSet = Branch.ruleSet(tunnels: [Branch.gre, Branch.ipip, Branch.external], rules: rules)
    var model = ModelKernel(kernel)
    let compiler = Branch.compiler(ruleSet, Branch.configuration(uplinks: uplinks), kernel)
    func plan(_ state: ActualState) -> Plan {
      let compiler = EdgeCompiler(compiler.layout, state)
      return Planner.plan(desired: guarding ? compiler.compileGuard() : compiler.compile(), actual: state)
    }
    try model.apply(plan(kernel).steps)
    let after = EdgeCompiler(compiler.layout, model.state)
    for rule in rules {
      if let route = active.flatMap({ after.activeRoute(of: rule.name, for: $0) }) { try model.apply(.putRoute(route)) }
    }
    #expect(plan(model.state).isEmpty, "a second run finds nothing to do")
    return model.state
  }

  private func flushed(_ state: ActualState) -> ActualState {
    var flushed = state
    flushed.nftTable = nil
    return flushed
  }

  private func end(
    _ state: ActualState, to destination: IPv4Address, from incoming: InterfaceName = "lan0", source: IPv4Address? = nil
  ) -> PacketFate.End {
    PacketWalk(state).fate(of: Packet(incoming: incoming, source: source ?? host, destination: destination)).end
  }

  // MARK: Main's better routes by an uplink

  @Test func whereMainLeadsOutByAnUplinkBeltsDoNotAskIt() throws {
    for wide: IPv4Prefix in ["8.8.0.0/16", "8.0.0.0/7", "0.0.0.0/1"] {
      for guarding in [false, true] {
        for sources in [Sources(interfaces: ["lan0"], prefixes: ["192.168.10.0/24"]), Sources(interfaces: ["lan0"])] {
          let state = try router([rule { $0.sources = sources }], kernel([site(wide, "wan0")]), guarding: guarding)
          #expect(end(state, to: internet) == .dropped("rule office: block"), "the first line: \(wide)")
          #expect(end(flushed(state), to: internet) == .unreachable, "the second: \(wide), guard: \(guarding)")
          #expect(end(flushed(state), to: "198.51.100.9") == .unreachable, "an uplink's own subnet")
          #expect(end(flushed(state), to: "10.9.0.7") == .left("wg0", gateway: nil), "another device's is kept")
          let own = Packet(incoming: nil, source: "192.168.10.1", destination: internet)
          #expect(PacketWalk(flushed(state)).fate(of: own).end == .left("wan0", gateway: nil), "the router's own")
        }
      }
    }
  }

  @Test func theLongestPrefixDecides() throws {
    let sites = [
      site("10.0.0.0/8", "wan0"), site("10.1.0.0/16", "wg0"), site("10.1.1.0/24", "wan1"), site("10.1.1.64/26", "wg0"),
      site("172.16.0.0/12", "wg0", "wan1"), site("172.17.0.0/16"),
    ]
    let state = flushed(try router([rule()], kernel(sites)))
    for (destination, isKept): (IPv4Address, Bool) in [
      ("10.2.0.1", false), ("10.1.2.1", true), ("10.1.1.9", false), ("10.1.1.65", true), ("10.9.0.7", true),
      ("172.18.0.1", false),
    ] {
      #expect(end(state, to: destination) == (isKept ? .left("wg0", gateway: nil) : .unreachable), "\(destination)")
    }
    let posts = state.rules.filter { $0.destination != nil }
    #expect(Set(posts.map(\.priority.value)) == [9266, 9267, 9268, 9269])
  }

  @Test func aHalfOfAllAddressesByAnUplinkLeavesOtherLANsTheirs() throws {
    let state = flushed(try router([rule()], kernel([site("128.0.0.0/1", "wan0"), site("192.168.20.0/24", "wg0")])))
    #expect(end(state, to: "192.168.20.7") == .left("wg0", gateway: nil))
    #expect(end(state, to: "198.18.0.9") == .unreachable)
  }

  @Test func aPrivateLineOfTheRulesOwnIsKeptForItAndForNoOther() throws {
    let uplinks: [UplinkConfiguration] = [
      .init(interface: "wan0", tier: 1), .init(interface: "wan1", tier: 2, isPrivate: true, gateway: "198.51.100.1"),
    ]
    let office = rule { $0.egress.paths = ["fra-a", "lte"] }
    let guests = rule {
      $0.name = "guests"
      $0.egress.name = "guests"
      $0.sources = Sources(prefixes: ["192.168.99.0/24"])
    }
    let state = flushed(
      try router([office, guests], kernel([site("10.0.0.0/8", "wan1"), site("11.0.0.0/8", "wan0")]), uplinks: uplinks))
    #expect(end(state, to: "10.2.0.1") == .left("wan1", gateway: nil))
    #expect(end(state, to: "10.2.0.1", source: "192.168.99.9") == .unreachable)
    #expect(end(state, to: "11.2.0.1") == .unreachable)
  }

  @Test func beyondTheBoundNothingButTheRoutersOwnSubnetsIsLeftToMain() throws {
    for count: UInt32 in [300, 20_000] {
      let many = (0..<count).map { number in
        site(IPv4Prefix(containing: IPv4Address(value: 0x0a00_0000 | number << 9), length: 24) ?? .all, "wan0")
      }
      let state = flushed(try router([rule()], kernel(many + [site("172.16.0.0/12", "wg0")])))
      #expect(state.rules.count { $0.action == .goto(RulePriority(9290)) } == 1)
      #expect(end(state, to: "10.0.2.1") == .unreachable)
      #expect(end(state, to: "172.16.0.1") == .unreachable, "a site by another device is lost in the second line")
      #expect(end(state, to: "10.9.0.7") == .left("wg0", gateway: nil), "a LAN is not")
      #expect(end(state, to: "9.9.9.9", source: "192.168.99.9") == .left("wan0", gateway: "192.0.2.1"), "nobody's")
    }
  }

  /// A model of a route lookup: the longest prefix, and the kind of device it leads to.
  @Test func postsSayWhatTheLongestPrefixSays() {
    typealias Known = MainSites<IPv4Prefix>
    var random = SeededRandom(seed: 7)
    for _ in 0..<200 {
      let sites = (0..<random.next() % 40).map { _ in
        site(
          IPv4Prefix(
            containing: IPv4Address(value: UInt32(random.next() % 16) << 28 | UInt32(random.next() % 4) << 12),
            length: UInt8(1 + random.next() % 24)) ?? .all, random.chance(50) ? "wan0" : "wg0")
      }
      let known = Known(sites)
      let fence = Fence<IPv4Prefix>(known) { $0.contains("wan0") ? .shut : .main }
      for _ in 0..<50 {
        let address = IPv4Address(
          value: UInt32(random.next() % 16) << 28 | UInt32(random.next() % 8) << 11)
        let longest = known.all.filter { $0.prefix.contains(address) }.max { $0.prefix.length < $1.prefix.length }
        // In the kernel's order: deeper ones first.
        let asked = fence.posts.sorted { $0.depth > $1.depth }.first { $0.prefix.contains(address) }
        #expect((asked?.way ?? .main) == (longest?.devices == ["wan0"] ? .shut : .main), "\(address) of \(sites)")
      }
    }
  }

  @Test func inDoubtTooNothingLeavesByAnUplinksBetterRoute() throws {
    let kernel = kernel([site("8.0.0.0/8", "wan0")])
    var model = ModelKernel(kernel)
    let desired = DesiredState.holdingEverything(Branch.configuration(), in: kernel)
    try model.apply(Planner.holdPlan(desired: desired, actual: kernel).steps)
    #expect(end(flushed(model.state), to: internet) == .unreachable)
    #expect(end(flushed(model.state), to: "10.9.0.7") == .left("wg0", gateway: nil))
    #expect(Planner.holdPlan(desired: desired, actual: model.state).isEmpty)
  }

  // MARK: A device in a VRF

  private func fromVRF(_ mark: UInt32 = 0, isIPv6: Bool = false, by device: InterfaceName = "wan0") -> Packet {
    var packet = Packet(
      incoming: "lan0", source: host, destination: internet, isIPv6: isIPv6, mark: mark, boundDevice: device)
    packet.slave = "lan0"
    return packet
  }

  /// From routing on, the VRF's name replaces its device's, and its table comes before our ip rules.
  private func forwarded(_ packet: Packet, _ state: ActualState, by device: InterfaceName = "wan0")
    -> NftWalk.Verdict
  {
    var walk = NftWalk(NftWalk.Table(state.nftTable), packet)
    #expect(walk.run(.prerouting).verdict == .pass)
    walk.packet.incoming = "vrf1"
    walk.outgoing = device
    return walk.run(.forward).verdict
  }

  @Test func whatComesByAVRFIsHeld() throws {
    for sources in [
      Sources(interfaces: ["lan0"]), Sources(interfaces: ["lan0"], prefixes: ["192.168.10.0/24"]), Sources(),
      Sources(prefixes: ["192.168.10.0/24"]),
    ] {
      for guarding in [false, true] {
        let state = try router([rule { $0.sources = sources }], kernel(), guarding: guarding)
        #expect(forwarded(fromVRF(), state) == .drop("rule office: block"), "\(sources)")
        #expect(forwarded(fromVRF(isIPv6: true), state) == .reject("rule office: no IPv6"), "\(sources)")
        // An answer to what came in by the uplink has that one's mark.
        var answer = fromVRF()
        answer.tracking = .connection(.reply, mark: 0x7f00_0000, isNew: false)
        #expect(forwarded(answer, state) == .drop("rule office: block"), "\(sources)")
      }
    }
    let open = try router(
      [
        rule {
          $0.egress.fallback = .localWAN; $0.ipv6 = .local
        }
      ], kernel())
    #expect(forwarded(fromVRF(), open) == .pass)
  }

  /// Whatever happens to its device between the two hooks.
  @Test func whatIsMarkedForAStrictRuleIsHeldWhateverItsDeviceIsCalled() throws {
    let state = try router([rule { $0.sources = Sources(interfaces: ["lan0"]) }], kernel())
    var packet = fromVRF()
    packet.slave = nil
    #expect(forwarded(packet, state) == .drop("rule office: block"))
  }

  // MARK: Ways out that nobody has configured

  @Test func whatIsStrictLeavesByNoOtherWayOutButByMainsBetterRoutes() throws {
    var kernel = kernel([site("10.77.0.0/16", "wan9")])
    kernel.exits = ["wan0", "wan1", "wan9", "wg0", "lan0"]
    for guarding in [false, true] {
      let state = try router([rule()], kernel, active: guarding ? nil : .path("fra-a"), guarding: guarding)
      func verdict(to destination: IPv4Address, by device: InterfaceName, from source: IPv4Address? = nil)
        -> NftWalk.Verdict
      {
        var walk = NftWalk(
          NftWalk.Table(state.nftTable),
          Packet(incoming: "lan0", source: source ?? host, destination: destination))
        _ = walk.run(.prerouting)
        walk.outgoing = device
        return walk.run(.forward).verdict
      }
      #expect(verdict(to: internet, by: "wan9") == .drop("rule office: block"))
      #expect(verdict(to: "10.77.0.1", by: "wan9") == .pass, "a site of main's")
      #expect(verdict(to: "203.0.113.5", by: "wan9") == .pass, "the device's own subnet")
      #expect(verdict(to: internet, by: "wg0") == .pass, "a tunnel of the rule set's")
      #expect(verdict(to: internet, by: "wan9", from: "192.168.99.9") == .pass, "nobody's")
    }
  }

  @Test func blockedIPv6LeavesByNoOtherWayOutButByMainsBetterRoutes() throws {
    var kernel = kernel()
    kernel.ipv6Exits = ["wan0", "wan9"]
    let prefix = try #require(IPv6Prefix("2001:db8:9::/64"))
    kernel.ipv6Sites = MainSites([MainSites.Site(prefix, devices: ["wan9"])])
    let state = try router([rule()], kernel)
    var packet = Packet(
      incoming: "lan0", source: host, destination: internet, isIPv6: true, boundDevice: "wan9", hasSpecificRoute: true)
    #expect(PacketWalk(state).fate(of: packet).end == .rejected("no IPv6 by another way out"))
    packet.ipv6Destination = IPv6Prefix("2001:db8:9::7/128")
    #expect(PacketWalk(state).fate(of: packet).end == .left("wan9", gateway: nil))
    packet.incoming = "wg0"
    packet.ipv6Destination = nil
    #expect(PacketWalk(state).fate(of: packet).end == .left("wan9", gateway: nil), "not of the rule's LAN")
  }

  // MARK: Belts of IPv6

  @Test func blockedIPv6IsHeldByTheUplinksBetterRoutesAndByTheLANsSubnet() throws {
    var kernel = kernel()
    kernel.ipv6Sites = MainSites(
      try [("2001:db8:9::/64", "wan0", false), ("2001:db8:10::/64", "lan0", true), ("2001:db8:20::/64", "wg0", false)]
        .map { text, device, isConnected in
          MainSites.Site(
            try #require(IPv6Prefix(text)), devices: [try #require(InterfaceName(device))], isConnected: isConnected)
        })
    for guarding in [false, true] {
      let state = flushed(try router([rule()], kernel, guarding: guarding))
      func end(to destination: String, from incoming: InterfaceName, by device: InterfaceName) throws -> PacketFate.End
      {
        var packet = Packet(
          incoming: incoming, source: host, destination: internet, isIPv6: true, boundDevice: device,
          hasSpecificRoute: true)
        packet.ipv6Destination = IPv6Prefix(destination + "/128")
        packet.ipv6Source = IPv6Prefix("2001:db8:10::2/128")
        return PacketWalk(state).fate(of: packet).end
      }
      for device: InterfaceName in ["lan0", "br0"] {
        #expect(try end(to: "2001:db8:9::9", from: device, by: "wan0") == .prohibited)
        #expect(try end(to: "2001:db8:20::9", from: device, by: "wg0") == .left("wg0", gateway: nil))
      }
    }
  }

  @Test func aBondIsTheLANThatIsItsPort() throws {
    var kernel = kernel()
    kernel.links["lan0"]?.stack = LinkStack(master: "bond0")
    let state = try router([rule { $0.sources = Sources(interfaces: ["lan0"]) }], kernel)
    let packet = Packet(incoming: "bond0", source: host, destination: internet, isIPv6: true, boundDevice: "wan0")
    #expect(PacketWalk(state).fate(of: packet).end == .prohibited)
    var withoutIPRules = state
    withoutIPRules.rules = []
    #expect(PacketWalk(withoutIPRules).fate(of: packet).end == .rejected("rule office: no IPv6"))
  }

  /// A VRRP instance for IPv6 has a macvlan of its own, and no IPv4 address on it.
  @Test func aDeviceOnTheLANsWireIsHeldForIPv6AndAVLANIsNot() throws {
    for sharesWire in [true, false] {
      var kernel = kernel()
      var link = try #require(kernel.links["lan0"])
      link.stack = LinkStack(lower: "lan0", sharesWire: sharesWire)
      kernel.links["vrrp6"] = link
      let state = try router([rule { $0.sources = Sources(interfaces: ["lan0"]) }], kernel)
      let packet = Packet(incoming: "vrrp6", source: host, destination: internet, isIPv6: true, boundDevice: "wan0")
      #expect((PacketWalk(state).fate(of: packet).end == .prohibited) == sharesWire)
    }
  }
}
