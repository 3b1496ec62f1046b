internal import RuleSets

/// A watch plan in which what belongs together is found by number, so that no list is searched for a name while a verdict
/// is made. Numbers are places in the plan's lists.
struct WatchIndex: Sendable {
  let plan: WatchPlan
  let paths: [Name: Int]
  private let uplinks: [InterfaceName: Int]
  /// By device, also the one below a tunnel.
  private let pathsByDevice: [InterfaceName: [Int]]
  /// Those of each path, in its own order, among all probes of the plan.
  let probes: [Range<Int>]
  let egresses: [EgressPlan]
  let owners: FlowOwners
  /// Those among which an egress chooses by what was measured.
  let compared: Set<Int>

  init(_ plan: WatchPlan) {
    self.plan = plan
    paths = Dictionary(plan.paths.enumerated().map { ($1.name, $0) }) { first, _ in first }
    uplinks = Dictionary(plan.uplinks.enumerated().map { ($1.interface, $0) }) { first, _ in first }
    var byDevice: [InterfaceName: [Int]] = [:]
    var ranges: [Range<Int>] = []
    for (number, path) in plan.paths.enumerated() {
      byDevice[path.device, default: []].append(number)
      if let underlay = path.underlay, underlay != path.device { byDevice[underlay, default: []].append(number) }
      let start = ranges.last?.upperBound ?? 0
      ranges.append(start..<start + path.probes.count)
    }
    pathsByDevice = byDevice
    probes = ranges
    egresses = EgressPlan.all(plan)
    owners = FlowOwners(plan)
    let names = egresses.filter(\.egress.preference.isMeasured).flatMap(\.egress.paths)
    compared = Set(names.compactMap { [paths] in paths[$0] })
  }

  func path(_ name: Name) -> WatchPlan.WatchedPath? { paths[name].map { plan.paths[$0] } }
  func uplink(_ interface: InterfaceName) -> WatchPlan.WatchedUplink? { uplinks[interface].map { plan.uplinks[$0] } }
  /// Those that lead out of a device, or whose tunnel leaves by it.
  func paths(by device: InterfaceName) -> [Int] { pathsByDevice[device] ?? [] }
  func isTunnel(_ path: Name) -> Bool { self.path(path)?.isTunnel ?? false }

  // MARK: - Where a choice leads

  /// The active route of a choice; nil: there is none.
  func way(of choice: RuleSelection.Choice, for egress: Egress) -> TableRoute.Way? {
    switch choice {
    case .path(let name): path(name)?.way
    case .paths(let names): .sharing(names.map { (path($0)?.way, egress.weight(of: $0)) })
    case .localWAN(let uplink), .underlay(let uplink): self.uplink(uplink)?.way
    case .blocked: nil
    }
  }

  /// Which choice a route in the kernel stands for; nil if it stands for none of the egress's.
  func choice(of way: TableRoute.Way, for watched: EgressPlan) -> RuleSelection.Choice? {
    let egress = watched.egress
    if case .shared(let shares) = way {
      let devices = shares.map(\.device)
      for tier in egress.tiers {
        let names = tier.map(\.path).filter { path($0).map { devices.contains($0.device) } ?? false }
        if !names.isEmpty { return RuleSelection.Choice(names) }
      }
      return nil
    }
    guard case .out(let device, _, _) = way else { return nil }
    if let path = plan.paths.first(where: { $0.device == device && egress.paths.contains($0.name) }) {
      return .path(path.name)
    }
    if watched.underlays.contains(device) { return .underlay(device) }
    guard egress.fallback == .localWAN, let uplink = uplink(device), !uplink.isPrivate else { return nil }
    return .localWAN(device)
  }

  /// The device is an uplink that the egress's traffic may not leave by: neither for a path that it names nor as its
  /// fallback.
  func isShut(_ device: InterfaceName, to watched: EgressPlan) -> Bool {
    guard let uplink = uplink(device) else { return false }
    let isNamed = paths(by: device).contains {
      plan.paths[$0].device == device && watched.egress.paths.contains(plan.paths[$0].name)
    }
    guard !isNamed else { return false }
    return watched.egress.isStrict ? !watched.underlays.contains(device) : uplink.isPrivate
  }

  // MARK: - Connections

  /// What leaves by it is not masqueraded.
  func keepsAddresses(_ way: RuleSelection.Choice) -> Bool {
    switch way {
    case .path(let name):
      guard let path = path(name) else { return false }
      return path.isTunnel || uplink(path.device)?.isPrivate == true
    case .underlay: return true
    case .paths, .localWAN, .blocked: return false
    }
  }

  /// Every way that an egress's connections can have been made on, with the mark that they got there.
  func ways(of watched: EgressPlan) -> [(way: RuleSelection.Choice, mark: Mark)] {
    let egress = watched.egress
    let paths = plan.paths.filter { egress.paths.contains($0.name) }.map {
      (RuleSelection.Choice.path($0.name), $0.mark)
    }
    switch egress.fallback {
    case .block: return paths
    case .localWAN: return paths + plan.uplinks.filter { !$0.isPrivate }.map { (.localWAN($0.interface), $0.mark) }
    case .underlay:
      let lines = plan.uplinks.filter { watched.underlays.contains($0.interface) }
      return paths + lines.map { (.underlay($0.interface), $0.mark) }
    }
  }

  /// The same way as in the previous plan: what is known about it, and the flows on it, stay.
  func isSameWay(_ way: RuleSelection.Choice, in old: WatchIndex) -> Bool {
    switch way {
    case .path(let name):
      guard let before = old.path(name), let path = path(name) else { return false }
      return path.isSameWay(as: before)
    case .localWAN(let uplink), .underlay(let uplink): return self.uplink(uplink) != nil
    // Each of them drains by itself.
    case .paths, .blocked: return false
    }
  }
}
