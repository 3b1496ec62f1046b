import Core
internal import RuleSets

/// The real world around one router: lines, hubs, devices, and the rule set. What the agent knows about it is another
/// matter.
struct Town {
  /// A device, as the kernel has it.
  struct Device {
    let name: InterfaceName
    var exists = true
    var isUp = true
    var hasCarrier = true

    var carries: Bool { exists && isUp && hasCarrier }
    func link(_ number: Int) -> Link? {
      exists ? Link(index: InterfaceIndex(UInt32(number + 1)), isUp: isUp, hasCarrier: hasCarrier, mtu: 1_476) : nil
    }
  }

  struct Uplink {
    var tier: Int
    let isPrivate: Bool
    let mark: Mark
    var gateway: IPv4Address?
    var hasAddress = true
    var line: SimulatedLink
  }

  struct Path {
    let name: Name
    let isTunnel: Bool
    /// The number of its device; an uplink path has its uplink's.
    let device: Int
    /// The uplink below it; nil if something other than the agent decides that.
    let uplink: Int?
    let hub: Int?
    let mark: Mark
    var line: SimulatedLink
    var quorum: Int?
    var limits: PathLimits?
    /// In the rule set.
    var isListed = true
    var hasSource = true
    /// This router's own send errors: no buffer, no permission.
    var cannotSend = false
  }

  struct Target {
    let path: Int
    var probe: Probe
    var line: SimulatedLink
    var isListed = true
  }

  struct Rule {
    var rule: BackhaulRule
    let table: TableID
    let mark: Mark
  }

  /// Uplinks first, then one for each path that has its own.
  var devices: [Device] = []
  var uplinks: [Uplink] = []
  var hubs: [SimulatedLink] = []
  var paths: [Path] = []
  var targets: [Target] = []
  var rules: [Rule] = []

  private(set) var pathNumbers: [Name: Int] = [:]
  private(set) var deviceNumbers: [InterfaceName: Int] = [:]
  private(set) var targetNumbers: [Name: Int] = [:]
  /// For each path, the numbers of its probes.
  private(set) var targetsOf: [[Int]] = []

  mutating func index() {
    pathNumbers = Dictionary(uniqueKeysWithValues: paths.enumerated().map { ($1.name, $0) })
    deviceNumbers = Dictionary(uniqueKeysWithValues: devices.enumerated().map { ($1.name, $0) })
    targetNumbers = Dictionary(uniqueKeysWithValues: targets.enumerated().map { ($1.probe.name, $0) })
    targetsOf = paths.indices.map { path in targets.indices.filter { targets[$0].path == path } }
  }

  func ruleNumber(_ name: Name) -> Int? { rules.firstIndex { $0.rule.name == name } }
  func ruleNumber(_ table: TableID) -> Int? { rules.firstIndex { $0.table == table } }

  var links: [InterfaceName: Link] {
    var links: [InterfaceName: Link] = [:]
    for (number, device) in devices.enumerated() { links[device.name] = device.link(number) }
    return links
  }

  // MARK: - What the rest of the agent makes of it

  func way(by uplink: Int) -> TableRoute.Way? {
    uplinks[uplink].gateway.map { .out(device: devices[uplink].name, gateway: .ipv4($0)) }
  }

  func way(of path: Int) -> TableRoute.Way? {
    paths[path].isTunnel ? .out(device: devices[paths[path].device].name, gateway: nil) : way(by: paths[path].device)
  }

  private func obstacle(of uplink: Int) -> String? {
    if !uplinks[uplink].hasAddress { return "no IPv4 address" }
    return uplinks[uplink].gateway == nil ? "the main table has no default route by it" : nil
  }

  private func obstacle(to path: Int) -> String? {
    guard let uplink = paths[path].isTunnel ? paths[path].uplink : paths[path].device else { return nil }
    return obstacle(of: uplink).map { paths[path].isTunnel ? "uplink \(devices[uplink].name): \($0)" : $0 }
  }

  private func watched(_ number: Int) -> WatchPlan.WatchedPath {
    let path = paths[number]
    let probes = targetsOf[number].filter { targets[$0].isListed }.map { targets[$0].probe }
    return WatchPlan.WatchedPath(
      name: path.name, isTunnel: path.isTunnel, securedTunnel: path.isTunnel ? path.name : nil,
      device: devices[path.device].name, underlay: path.isTunnel ? path.uplink.map { devices[$0].name } : nil,
      mark: path.mark, way: way(of: number), obstacle: obstacle(to: number),
      source: path.hasSource ? IPv4Address(value: 0x0a01_0101) : nil, probes: probes, quorum: path.quorum,
      limits: path.limits)
  }

  /// The private lines below a rule's tunnels, in the order of its paths.
  func underlays(of rule: BackhaulRule) -> [Int] {
    guard rule.fallback == .underlay else { return [] }
    var found: [Int] = []
    for number in rule.paths.compactMap({ pathNumbers[$0] }) {
      guard paths[number].isTunnel, let uplink = paths[number].uplink, uplinks[uplink].isPrivate,
        !found.contains(uplink)
      else { continue }
      found.append(uplink)
    }
    return found
  }

  /// Uplinks in order of preference.
  var preferredUplinks: [Int] { uplinks.indices.sorted { (uplinks[$0].tier, $0) < (uplinks[$1].tier, $1) } }

  var plan: WatchPlan {
    WatchPlan(
      paths: paths.indices.filter { paths[$0].isListed }.map(watched),
      uplinks: preferredUplinks.map {
        WatchPlan.WatchedUplink(
          interface: devices[$0].name, tier: uplinks[$0].tier, isPrivate: uplinks[$0].isPrivate,
          mark: uplinks[$0].mark, way: way(by: $0), obstacle: obstacle(of: $0))
      },
      rules: rules.filter(\.rule.enabled).map { rule in
        WatchPlan.WatchedRule(
          rule: rule.rule, table: rule.table, mark: rule.mark,
          sources: AddressRanges.merged(rule.rule.sources.prefixes),
          underlays: underlays(of: rule.rule).map { devices[$0].name })
      }, mask: .standard)
  }

  // MARK: - Lines

  enum Line {
    case uplink(Int)
    case hub(Int)
    case path(Int)
    case target(Int)
  }

  subscript(_ line: Line) -> SimulatedLink {
    get {
      switch line {
      case .uplink(let number): uplinks[number].line
      case .hub(let number): hubs[number]
      case .path(let number): paths[number].line
      case .target(let number): targets[number].line
      }
    }
    set {
      switch line {
      case .uplink(let number): uplinks[number].line = newValue
      case .hub(let number): hubs[number] = newValue
      case .path(let number): paths[number].line = newValue
      case .target(let number): targets[number].line = newValue
      }
    }
  }

  /// For a trace.
  func text(_ line: Line) -> String {
    switch line {
    case .uplink(let number): "uplink \(devices[number].name)"
    case .hub(let number): "hub \(number)"
    case .path(let number): "path \(paths[number].name)"
    case .target(let number): "the target of probe \(targets[number].probe.name)"
    }
  }

  // MARK: - What a packet finds

  /// Whether the kernel lets a probe of this path go.
  func canSend(by path: Int) -> Bool { !paths[path].cannotSend && devices[paths[path].device].carries }

  /// The uplink that its packets leave by.
  func carrier(of path: Int) -> Int? { paths[path].uplink ?? (paths[path].isTunnel ? nil : paths[path].device) }

  /// From now on nothing is random, and this router can send.
  mutating func calm() {
    for number in uplinks.indices { uplinks[number].line.calm() }
    for number in hubs.indices { hubs[number].calm() }
    for number in paths.indices {
      paths[number].line.calm()
      paths[number].cannotSend = false
      paths[number].hasSource = true
    }
    for number in targets.indices { targets[number].line.calm() }
  }
}
