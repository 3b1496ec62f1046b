import Core
internal import RuleSets

extension Town {
  /// Names that must be valid: an invalid one is a mistake in the simulation.
  static func name(_ text: String) -> Name {
    guard let name = Name(text) else { preconditionFailure("no name: \(text)") }
    return name
  }
  static func interface(_ text: String) -> InterfaceName {
    guard let name = InterfaceName(text) else { preconditionFailure("no interface: \(text)") }
    return name
  }

  /// A random town: two to four uplinks, one to three hubs, two to six paths, one to four rules that share them.
  static func found(_ dice: inout Dice) -> Town {
    var town = Town()
    town.foundUplinks(&dice)
    for _ in 0..<dice.between(1...3) {
      town.hubs.append(SimulatedLink(delay: dice.time(100 * microsecond...millisecond)))
    }
    town.foundPaths(&dice)
    town.foundTargets(&dice)
    town.index()
    town.foundRules(&dice)
    return town
  }

  private mutating func foundUplinks(_ dice: inout Dice) {
    for number in 0..<dice.between(2...4) {
      devices.append(Device(name: Self.interface("wan\(number)")))
      uplinks.append(
        Uplink(
          tier: dice.between(1...3), isPrivate: number == 1 && dice.chance(600),
          mark: Mark(value: UInt32(number + 2) << 20),
          gateway: IPv4Address(value: 0xc633_6401 + UInt32(number) << 8),
          line: SimulatedLink(delay: dice.time(millisecond...20 * millisecond))))
    }
  }

  private mutating func foundPaths(_ dice: inout Dice) {
    for number in 0..<dice.between(2...5) {
      let isExternal = dice.chance(150)
      devices.append(Device(name: Self.interface(isExternal ? "wg\(number)" : "bh-\(number)")))
      paths.append(
        Path(
          name: Self.name("tunnel-\(number)"), isTunnel: true, device: devices.count - 1,
          uplink: isExternal ? nil : dice.below(uplinks.count), hub: dice.below(hubs.count),
          mark: Mark(value: UInt32(number + 10) << 20), line: SimulatedLink(delay: dice.time(0...5 * millisecond))))
    }
    guard dice.chance(500), let uplink = uplinks.indices.last else { return }
    paths.append(
      Path(
        name: Self.name("lte"), isTunnel: false, device: uplink, uplink: nil, hub: nil, mark: uplinks[uplink].mark,
        line: SimulatedLink(delay: 0)))
  }

  private mutating func foundTargets(_ dice: inout Dice) {
    for path in paths.indices {
      // One path in ten has no probe: the device alone is evidence.
      (paths[path].quorum, paths[path].limits) = (Self.quorum(&dice), Self.limits(&dice))
      for number in 0..<(dice.chance(100) ? 0 : dice.between(1...3)) {
        targets.append(
          Target(
            path: path, probe: Self.probe("\(paths[path].name)-\(number)", of: paths[path].name, &dice),
            line: SimulatedLink(delay: dice.time(0...2 * millisecond))))
      }
    }
  }

  static func quorum(_ dice: inout Dice) -> Int? { dice.chance(300) ? dice.between(1...2) : nil }

  static func limits(_ dice: inout Dice) -> PathLimits? {
    guard dice.chance(150) else { return nil }
    let loss = Double(dice.of([5, 20, 50]))
    let roundTrip = Duration.milliseconds(dice.of([20, 50, 100]))
    return PathLimits(
      loss: dice.chance(700) ? .init(over: loss, under: loss / 2) : nil,
      roundTrip: dice.chance(700) ? .init(over: roundTrip, under: roundTrip * 4 / 5) : nil,
      jitter: dice.chance(300) ? .init(over: .milliseconds(30), under: .milliseconds(20)) : nil,
      window: dice.of([5, 10]))
  }

  /// None, or one that ends within the simulation.
  static func damping(_ dice: inout Dice) -> FlapDamping {
    FlapDamping(halfLife: .seconds(dice.of([0, 1, 1, 3])))
  }

  static func probe(_ text: String, of path: Name, _ dice: inout Dice) -> Probe {
    let interval = dice.of([50, 100, 100, 200, 200, 500])
    return Probe(
      name: name(text), path: path, kind: .icmp(target: IPv4Address(value: 0x0a01_0102)),
      interval: .milliseconds(interval), timeout: .milliseconds(dice.of([interval, interval * 4 / 5, interval / 2])),
      fall: dice.between(1...5), patience: dice.of([nil, nil, 0, 200, 1_000] as [Int?]).map { .milliseconds($0) },
      rise: dice.between(1...5))
  }

  private mutating func foundRules(_ dice: inout Dice) {
    for number in 0..<dice.between(1...4) {
      guard let prefix = IPv4Prefix("192.168.\(10 + number).0/24") else { preconditionFailure() }
      let rule = BackhaulRule(
        name: Self.name("rule-\(number)"), sources: Sources(prefixes: [prefix]),
        egress: Egress(
          name: Self.name("rule-\(number)"), tiers: someTiers(&dice), fallback: dice.of(Egress.Fallback.allCases),
          failback: dice.of([.move, .drain]), holdDown: Self.holdDown(&dice), damping: Self.damping(&dice)))
      rules.append(
        Rule(rule: rule, table: TableID(7_910 + UInt32(number)), mark: Mark(value: UInt32(number + 30) << 20)))
    }
  }

  static func holdDown(_ dice: inout Dice) -> Duration { .milliseconds(dice.of([0, 100, 500, 1_000, 3_000])) }

  /// Some of the paths, occasionally several in a tier, all of them tunnels, as a rule set may have.
  func someTiers(_ dice: inout Dice) -> [[PathShare]] {
    var tiers: [[PathShare]] = []
    for name in somePaths(&dice) {
      let isTunnel = pathNumbers[name].map { paths[$0].isTunnel } ?? false
      let last = tiers.last?.first.flatMap { pathNumbers[$0.path] }
      let share = PathShare(name, weight: dice.between(1...3))
      if isTunnel, let last, paths[last].isTunnel, dice.chance(350) {
        tiers[tiers.count - 1].append(share)
      } else {
        tiers.append([share])
      }
    }
    return tiers
  }

  /// Some of the paths that the rule set lists, in an order of their own.
  func somePaths(_ dice: inout Dice) -> [Name] {
    var names = paths.filter(\.isListed).map(\.name)
    dice.shuffle(&names)
    return Array(names.prefix(max(1, dice.between(1...max(1, names.count)))))
  }
}
