import Core
internal import RuleSets

/// Hours in which nothing breaks, and lines lose packets by chance.
package struct LossyHours {
  /// How often a rule's traffic left a path for another, in all.
  package let failovers: Int
  package let probes: Int
  /// The share of answers that never came.
  package let loss: Double
  package let violation: Violation?

  /// - Parameter loss: of 1,000 packets, how many each tunnel's line loses in each direction.
  /// - Parameter fall: nil: as by default.
  package init(_ hours: Int, loss: Int, fall: Int? = nil, seed: UInt64) {
    let world = World(
      seed: seed, faults: 0, weights: Fault.weights, town: .lossy(loss, fall: fall), pilot: Subject.watch.pilot)
    world.run(until: Nanoseconds(hours) * 3_600 * second)
    failovers = world.tally.flips[RuleSelection.Flip.Kind.failover.rawValue] ?? 0
    probes = world.tally.probes
    self.loss = Double(world.tally.lost) / Double(max(1, world.tally.probes))
    violation = world.violation
  }
}

extension Town {
  /// One uplink, two hubs with a tunnel to each, and a rule that prefers the first. Everything optional about probes
  /// and rules has its default.
  fileprivate static func lossy(_ loss: Int, fall: Int?) -> Town {
    var town = Town()
    town.devices = ["wan0", "bh-0", "bh-1"].map { Device(name: interface($0)) }
    town.uplinks = [
      Uplink(
        tier: 1, isPrivate: false, mark: Mark(value: 2 << 20), gateway: IPv4Address(value: 0xc633_6401),
        line: SimulatedLink(delay: 5 * millisecond))
    ]
    for number in 0...1 {
      town.hubs.append(SimulatedLink(delay: millisecond))
      var line = SimulatedLink(delay: 10 * millisecond)
      line.loss = loss
      town.paths.append(
        Path(
          name: name("tunnel-\(number)"), isTunnel: true, device: number + 1, uplink: 0, hub: number,
          mark: Mark(value: UInt32(number + 10) << 20), line: line))
      var probe = Probe(
        name: name("ping-\(number)"), path: name("tunnel-\(number)"),
        kind: .icmp(target: IPv4Address(value: 0x0a01_0102)))
      if let fall { probe.fall = fall }
      town.targets.append(Target(path: number, probe: probe, line: SimulatedLink(delay: 0)))
    }
    town.index()
    guard let prefix = IPv4Prefix("192.168.10.0/24") else { preconditionFailure() }
    let rule = BackhaulRule(
      name: name("office"), sources: Sources(prefixes: [prefix]), paths: town.paths.map(\.name), fallback: .localWAN)
    town.rules = [Rule(rule: rule, table: TableID(7_910), mark: Mark(value: 30 << 20))]
    return town
  }
}
