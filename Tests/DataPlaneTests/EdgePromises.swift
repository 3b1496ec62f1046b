internal import RuleSets
import SeededRandom

@testable import Core

/// A router with a made-up rule set, and what it owes to each packet: said from the rule set alone, without a look at any
/// mark, chain or table.
struct EdgePromises {
  let compiler: EdgeCompiler
  /// Where each egress's traffic goes; nil: nowhere.
  let choices: [Name: RuleSelection.Choice]
  private let kernel: ActualState
  var layout: Layout { compiler.layout }
  var rules: [BackhaulRule] { layout.ruleSet.backhaulRules.filter(\.enabled) }

  static let internet: IPv4Address = "8.8.8.8"
  static let clients: [(device: InterfaceName, router: IPv4Address, hosts: [IPv4Address])] = [
    ("lan0", "192.168.10.1", ["192.168.10.50", "192.168.10.200", "192.168.11.5"]),
    ("lan1", "192.168.20.1", ["192.168.20.9", "192.168.99.9"]),
  ]
  static let gateways: [InterfaceName: Gateway] = ["wan0": "192.0.2.1", "wan1": "198.51.100.1"]
  static let directCandidates: [IPv4Address] = ["198.18.0.9", "203.0.114.9", "203.0.113.200"]
  static let foreign: UInt32 = 0x8000_0003

  /// Nil where the rule set needs more than the router has.
  init?(_ random: inout RandomBranch) {
    kernel = random.kernel()
    let ruleSet = random.ruleSet()
    guard let slots = Layout.slots(ruleSet, random.configuration, after: SlotBook()) else { return nil }
    compiler = EdgeCompiler(ruleSet, random.configuration, slots, kernel)
    var model = ModelKernel(kernel)
    guard (try? model.apply(Planner.plan(desired: compiler.compile(), actual: kernel).steps)) != nil else { return nil }
    let settled = EdgeCompiler(compiler.layout, model.state)
    var choices: [Name: RuleSelection.Choice] = [:]
    for active in settled.layout.activeRules {
      var possible = active.rule.paths.map { RuleSelection.Choice.path($0) }
      if active.rule.fallback == .localWAN { possible += [.localWAN("wan0"), .localWAN("wan1")] }
      possible = possible.filter { settled.activeRoute(of: active.rule.name, for: $0) != nil }
      if random.random.chance(85) {
        choices[active.rule.egress.name] = possible.randomElement(using: &random.random)
      }
    }
    self.choices = choices
  }

  /// The router once the desired state, changed as `change` says, is in place and each egress leads where it should.
  func router(_ change: (inout DesiredState) -> Void = { _ in }) throws -> ActualState {
    var desired = compiler.compile()
    change(&desired)
    var model = ModelKernel(kernel)
    try model.apply(Planner.plan(desired: desired, actual: kernel).steps)
    let settled = EdgeCompiler(layout, model.state)
    for active in layout.activeRules {
      if let route = choices[active.rule.egress.name].flatMap({ settled.activeRoute(of: active.rule.name, for: $0) }) {
        try model.apply(.putRoute(route))
      }
    }
    return model.state
  }

  /// The first promise that is broken; nil: all are kept.
  func breach(of state: ActualState) -> String? {
    let walk = PacketWalk(state)
    // One after the other: a sum of so many is more than the compiler can judge the types of.
    let promises: [() -> String?] = [
      { newFlows(walk) }, { otherWays(walk) }, { inbound(walk, state) }, { ipv6(walk) }, { own(walk, state) },
      { errors(walk) }, { settled(walk) }, { strays(state) }, { counters(walk) }, { sites(state) },
      { withoutOneDefence(state) },
    ]
    return promises.lazy.compactMap { $0() }.first
  }

  // MARK: - What is owed

  func rule(of source: IPv4Address, by device: InterfaceName) -> BackhaulRule? {
    rules.first { rule in
      (rule.sources.interfaces.isEmpty || rule.sources.interfaces.contains(device))
        && (rule.sources.prefixes.isEmpty || rule.sources.prefixes.contains { $0.contains(source) })
    }
  }

  /// A strict rule's prefixes are guarded by whatever device they come.
  func isGuarded(_ source: IPv4Address) -> Bool {
    rules.contains { rule in
      rule.fallback == .block && rule.sources.prefixes.contains { $0.contains(source) }
    }
  }

  func leavesInTheClear(_ fate: PacketFate) -> Bool {
    if case .left(let device, _) = fate.end { Self.gateways[device] != nil } else { false }
  }

  func isDirect(_ address: IPv4Address) -> Bool {
    layout.ruleSet.directDestinations.contains { $0.contains(address) }
  }

  /// Where a packet of the egress leaves by.
  func way(of egress: Name) -> (device: InterfaceName, gateway: Gateway?)? {
    switch choices[egress] {
    case .path(let name)?:
      guard let path = layout.path(named: name), let device = compiler.device(of: path) else { return nil }
      return (device, Self.gateways[device])
    case .localWAN(let uplink)?: return (uplink, Self.gateways[uplink])
    default: return nil
    }
  }

  func forEachClient(_ body: (InterfaceName, IPv4Address) -> String?) -> String? {
    for client in Self.clients {
      for host in client.hosts {
        if let breach = body(client.device, host) { return breach }
      }
    }
    return nil
  }

  func newFlows(_ walk: PacketWalk) -> String? {
    forEachClient { device, source in
      for destination in [Self.internet] + Self.directCandidates {
        var packet = Packet(
          incoming: device, source: source, destination: destination, isTCPSYN: true,
          tracking: .connection(.original, mark: Self.foreign, isNew: true), mark: Self.foreign)
        let fate = walk.fate(of: packet)
        let about = "\(source) by \(device) to \(destination)"
        if let breach = breach(of: fate, from: source, by: device, to: destination) { return "\(about): \(breach)" }
        guard case .left(let out, _) = fate.end, let mark = fate.packet.connectionMark else { continue }
        if rule(of: source, by: device) != nil, mark & layout.mask.bits == 0 {
          return "\(about): its connection is bound to no way"
        }
        if !foreignBitsAreKept(fate, mark) { return "\(about): bits of others are changed" }
        packet.tracking = .connection(.original, mark: mark, isNew: false)
        if walk.fate(of: packet).end != fate.end { return "\(about): its second packet goes another way" }
        let answer = walk.fate(
          of: Packet(
            incoming: out, source: destination, destination: source, isTCPSYN: true,
            tracking: .connection(.reply, mark: mark, isNew: false)))
        if answer.end != .left(device, gateway: nil) { return "\(about): the answer by \(out) is \(answer.end)" }
        if answer.packet.mark != 0 { return "\(about): the answer is still marked" }
        if let breach = size(of: answer, by: out) { return "\(about): the answer's \(breach)" }
      }
      return nil
    }
  }

  func foreignBitsAreKept(_ fate: PacketFate, _ connectionMark: UInt32) -> Bool {
    let others = ~layout.mask.bits
    return fate.packet.mark & others == Self.foreign & others && connectionMark & others == Self.foreign & others
  }

  func breach(
    of fate: PacketFate, from source: IPv4Address, by device: InterfaceName, to destination: IPv4Address
  ) -> String? {
    let main = PacketFate.End.left("wan0", gateway: Self.gateways["wan0"])
    guard !isDirect(destination) else {
      return fate.end == main && fate.isMasqueraded ? nil : "a direct destination is \(fate.end)"
    }
    guard let rule = rule(of: source, by: device) else {
      if isGuarded(source) {
        let mayLeave = rules.contains { $0.fallback == .block && listsUplink($0) }
        return leavesInTheClear(fate) && !mayLeave ? "of a guarded prefix, and is \(fate.end)" : nil
      }
      if fate.end != main || fate.isMasqueraded { return "nobody's is \(fate.end)" }
      return fate.packet.mark & layout.mask.bits == 0 ? nil : "nobody's is marked"
    }
    let name = rule.egress.name
    let wanted = way(of: name)
    if let wanted, fate.end != .left(wanted.device, gateway: wanted.gateway) {
      return "should leave by \(wanted.device): \(fate.end)"
    }
    for point in ["taken"] + (wanted == nil ? [] : ["passed", "left"])
    where !fate.trace.contains(where: { $0.hasPrefix("\(point)_\(name): counter") }) {
      return "not counted as \(point)"
    }
    guard let way = wanted else { return fate.devices.isEmpty ? nil : "leaves, and should not: \(fate.end)" }
    let isUplink = Self.gateways[way.device] != nil
    if fate.isMasqueraded != isUplink { return "masqueraded: \(fate.isMasqueraded)" }
    return outer(of: fate, by: way.device) ?? size(of: fate, by: way.device)
  }

  func tunnel(_ device: InterfaceName) -> Tunnel? {
    layout.ruleSet.tunnels.first { layout.device(of: $0) == device }
  }

  /// The outer packet leaves by the tunnel's uplink, unmarked.
  func outer(of fate: PacketFate, by device: InterfaceName) -> String? {
    guard let uplink = tunnel(device)?.uplink else { return nil }
    guard let outer = fate.outer.first else { return "no outer packet" }
    if outer.end != .left(uplink, gateway: Self.gateways[uplink]) { return "the outer packet is \(outer.end)" }
    return outer.packet.mark & layout.mask.bits == 0 ? nil : "the outer packet is marked"
  }

  func size(of fate: PacketFate, by device: InterfaceName) -> String? {
    guard let tunnel = tunnel(device), let clamped = fate.segmentSize else {
      return tunnel(device) == nil ? nil : "segments are not clamped"
    }
    let most: UInt16
    switch tunnel.kind {
    case .gre(let key): most = 1500 - 24 - (key == nil ? 0 : 4) - 40
    case .ipip: most = 1500 - 20 - 40
    default: most = 1420 - 40
    }
    let wanted = tunnel.mtu.map { min(UInt16($0) - 40, most) } ?? most
    return clamped == wanted ? nil : "segments of \(clamped) instead of \(wanted)"
  }

  /// All that the rule's traffic may ever leave by.
  func devices(of rule: BackhaulRule) -> Set<InterfaceName> {
    Set(rule.paths.compactMap { layout.path(named: $0).flatMap { compiler.device(of: $0) } })
      .union(rule.fallback == .localWAN ? Set(Self.gateways.keys) : [])
  }

  /// Live connections that were made on another way.
  func otherWays(_ walk: PacketWalk) -> String? {
    forEachClient { device, source in
      guard let rule = rule(of: source, by: device) else { return nil }
      let now = way(of: rule.egress.name)?.device
      for old in layout.ways where old.device != now {
        if rule.egress.failback == .drain, devices(of: rule).contains(old.device) { continue }
        let fate = walk.fate(
          of: Packet(
            incoming: device, source: source, destination: Self.internet,
            tracking: .connection(.original, mark: old.mark.value, isNew: false)))
        if !fate.devices.isEmpty { return "\(source): a flow of \(old.title) goes out as it is: \(fate.end)" }
      }
      for tracking: Packet.Tracking in [.invalid, .untracked] {
        let fate = walk.fate(
          of: Packet(incoming: device, source: source, destination: Self.internet, tracking: tracking))
        if fate.devices.contains(where: { Self.gateways[$0] != nil }), now.map({ Self.gateways[$0] != nil }) == true {
          return "\(source): what cannot be translated leaves"
        }
      }
      let answer = walk.fate(
        of: Packet(
          incoming: device, source: source, destination: Self.internet,
          tracking: .connection(.reply, mark: 0, isNew: false)))
      if rule.fallback == .localWAN, !isGuarded(source), !rules.contains(where: { $0.fallback == .block }),
        answer.end != .left("wan0", gateway: Self.gateways["wan0"])
      {
        return "\(source): the answer to what came by no way of ours is \(answer.end)"
      }
      return drains(walk, rule, source, device)
    }
  }

  /// With `failback: drain` live connections keep their tunnel.
  func drains(
    _ walk: PacketWalk, _ rule: BackhaulRule, _ source: IPv4Address, _ device: InterfaceName
  ) -> String? {
    guard rule.egress.failback == .drain else { return nil }
    for way in layout.ways where devices(of: rule).contains(way.device) {
      let live = Packet(
        incoming: device, source: source, destination: Self.internet,
        tracking: .connection(.original, mark: way.mark.value, isNew: false))
      let fate = walk.fate(of: live)
      if isThere(way) ? fate.devices.first != way.device : !fate.devices.isEmpty {
        return "\(source): a live flow of \(way.title) is \(fate.end)"
      }
    }
    return nil
  }

  /// A device of ours is there where its uplink is.
  func isThere(_ way: Layout.Way) -> Bool {
    kernel.links[way.device] != nil || tunnel(way.device)?.uplink != nil
  }

  /// What comes from beyond is answered the way that it came by.
  func inbound(_ walk: PacketWalk, _ state: ActualState) -> String? {
    let host = Self.clients[0].hosts[0]
    let isStrict = isGuarded(host) || rule(of: host, by: "lan0")?.fallback == .block
    for way in layout.ways where state.links[way.device] != nil {
      for destination in [host, Self.clients[0].router] where way.isTunnel || !isStrict {
        let question = walk.fate(
          of: Packet(
            incoming: way.device, source: Self.internet, destination: destination, isTCPSYN: true,
            protocolNumber: IPProtocol.tcp))
        let isHost = destination == host
        // The reverse-path check finds that no answer could leave: others judge what comes by their device.
        if question.end == .spoofed, isStrict, way.kind == .externalTunnel { continue }
        guard question.end == (isHost ? .left("lan0", gateway: nil) : .delivered) else {
          return "a question by \(way.title) to \(destination) is \(question.end)"
        }
        if isHost, question.packet.mark != 0 { return "a question by \(way.title) is still marked" }
        let answer = Packet(
          incoming: isHost ? "lan0" : nil, source: destination, destination: Self.internet,
          tracking: .connection(.reply, mark: question.packet.connectionMark ?? 0, isNew: false))
        let fate = walk.fate(of: answer)
        if fate.devices.first != way.device { return "the answer to a question by \(way.title) is \(fate.end)" }
      }
      guard way.isTunnel else { continue }
      let refused = forEachClient { device, host in
        let answer = walk.fate(
          of: Packet(
            incoming: way.device, source: Self.internet, destination: host,
            tracking: .connection(.reply, mark: way.mark.value, isNew: false)))
        return answer.end == .left(device, gateway: nil) ? nil : "an answer by \(way.title) to \(host) is \(answer.end)"
      }
      if let refused { return refused }
      let stray = walk.fate(of: Packet(incoming: way.device, source: Self.internet, destination: "172.16.9.9"))
      if stray.devices.first == way.device { return "\(way.title): back by the tunnel that it came by" }
    }
    return nil
  }

  /// What tells the agent what becomes of packets.
  func counters(_ walk: PacketWalk) -> String? {
    func isCounted(_ packet: Packet, _ chain: String) -> String? {
      let fate = walk.fate(of: packet)
      return fate.trace.contains { $0.hasPrefix("\(chain): ") && $0.contains("counter") }
        ? nil : "\(packet.source) by \(packet.incoming?.text ?? "the router") is not counted by \(chain): \(fate.end)"
    }
    let found = forEachClient { device, source in
      guard let rule = rule(of: source, by: device) else {
        if isGuarded(source) { return nil }
        return isCounted(Packet(incoming: device, source: source, destination: Self.internet), "off_wan0")
      }
      let router = Self.clients.first { $0.device == device }?.router ?? Self.internet
      return isCounted(
        Packet(incoming: device, source: source, destination: router), "kept_\(rule.egress.name)")
    }
    if let found { return found }
    for way in layout.tunnelWays where isThere(way) {
      let answer = Packet(
        incoming: way.device, source: Self.internet, destination: Self.clients[0].hosts[0],
        tracking: .connection(.reply, mark: way.mark.value, isNew: false))
      if let found = isCounted(answer, "got_\(way.device)") { return found }
    }
    for way in layout.uplinkWays {
      let outer = walk.fate(
        of: Packet(
          incoming: way.device, source: "203.0.113.2", destination: way.device == "wan0" ? "192.0.2.2" : "198.51.100.2",
          protocolNumber: IPProtocol.gre))
      if let mark = outer.packet.connectionMark, mark & layout.mask.bits != 0 {
        return "the connection of a tunnel's outer packets by \(way.device) is marked"
      }
    }
    return nil
  }

  /// A better route of main's than a default is kept, also without our table.
  func sites(_ state: ActualState) -> String? {
    guard state.links["wg0"] != nil else { return nil }
    let site = TableRoute(
      table: .main, destination: "10.50.0.0/16", metric: RouteMetric(0), way: .out(device: "wg0", gateway: nil))
    for hasTable in [true, false] {
      var state = state
      if !hasTable { state.nftTable = nil }
      let walk = PacketWalk(state, mainRoutes: [site])
      let found = forEachClient { device, source in
        let fate = walk.fate(of: Packet(incoming: device, source: source, destination: "10.50.1.1"))
        if fate.devices != ["wg0"] { return "\(source) to a site is \(fate.end), with nftables: \(hasTable)" }
        if hasTable, rule(of: source, by: device) == nil, !isGuarded(source),
          layout.tunnelWays.contains(where: { $0.device == "wg0" }),
          !fate.trace.contains(where: { $0.hasPrefix("off_tunnels: ") })
        {
          return "\(source), which is nobody's, to a site is not counted"
        }
        let ipv6 = walk.fate(
          of: Packet(
            incoming: device, source: source, destination: Self.internet, isIPv6: true, boundDevice: "wg0",
            hasSpecificRoute: true))
        let isOurs = layout.tunnelWays.contains { $0.device == "wg0" } && hasTable
        return ipv6.devices == ["wg0"] || isOurs ? nil : "IPv6 to a site is \(ipv6.end), with nftables: \(hasTable)"
      }
      if let found { return found }
    }
    return nil
  }

  func ipv6(
    _ walk: PacketWalk, withoutTable: Bool = false, to devices: [InterfaceName] = ["wwan9"]
  ) -> String? {
    for client in Self.clients {
      let isBlocked = isIPv6Blocked(by: client.device)
      let isNamed = rules.contains { $0.sources.interfaces.contains(client.device) || $0.sources.interfaces.isEmpty }
      for device in layout.ways.map(\.device) + devices {
        let fate = walk.fate(
          of: Packet(
            incoming: client.device, source: client.hosts[0], destination: Self.internet, isIPv6: true,
            boundDevice: device))
        let isTunnel = layout.tunnelWays.contains { $0.device == device }
        if !fate.devices.isEmpty && (isBlocked || isTunnel && !withoutTable) {
          return "IPv6 by \(client.device) to \(device) is \(fate.end)"
        }
        if fate.devices.isEmpty && !isNamed && !isTunnel { return "IPv6 of nobody is \(fate.end)" }
      }
    }
    return nil
  }
}
