import Core
internal import RuleSets

/// What can go wrong or change. Each is one fault.
package enum Fault: String, CaseIterable, Sendable {
  // A line.
  case loss, bursts, delay, jitter, reordering, duplicates, refusal
  case cut
  case requestsCut = "requests_cut"
  case answersCut = "answers_cut"
  case healed
  // A hub: all that lies behind it.
  case hubDead = "hub_dead"
  case hubRefuses = "hub_refuses"
  // A device, or the router's own sending.
  case carrier
  case setDown = "set_down"
  case deviceGone = "device_gone"
  case deviceBack = "device_back"
  case addressLost = "address_lost"
  case gatewayChanged = "gateway_changed"
  case sourceLost = "source_lost"
  case cannotSend = "cannot_send"
  // The agent's thread.
  case suspended, busy
  case clockGap = "clock_gap"
  // Its process.
  case restart
  // The rule set.
  case ruleChanged = "rule_changed"
  case ruleToggled = "rule_toggled"
  case pathToggled = "path_toggled"
  case pathChanged = "path_changed"
  case probeChanged = "probe_changed"
  case probeToggled = "probe_toggled"
  case tierChanged = "tier_changed"
  // Others in the kernel.
  case meddled
  case kernelRefuses = "kernel_refuses"
  case keys

  package typealias Weight = (fault: Fault, weight: Int)

  /// How often each comes. A fault on a line that is already broken repairs it.
  package static let weights: [Weight] = allCases.compactMap { fault in
    switch fault {
    case .healed, .deviceBack: nil
    case .loss, .cut, .delay: (fault, 60)
    case .bursts, .jitter, .reordering, .answersCut, .requestsCut, .refusal: (fault, 35)
    case .carrier, .cannotSend, .suspended: (fault, 35)
    case .duplicates, .hubDead, .hubRefuses, .setDown, .deviceGone, .keys: (fault, 20)
    case .addressLost, .gatewayChanged, .busy, .ruleChanged, .pathToggled, .meddled: (fault, 20)
    case .sourceLost, .pathChanged, .ruleToggled, .probeChanged, .probeToggled, .tierChanged, .kernelRefuses:
      (fault, 10)
    case .restart: (fault, 12)
    case .clockGap: (fault, 2)
    }
  }
}

/// How the faults of one simulation come.
struct Storm {
  let faults: Int
  var left: Int
  /// The mean time between two faults.
  private let tempo: Nanoseconds
  /// Roughly how many things are broken at a time: with more, everything would be down and stay so, and nothing would
  /// be tested.
  let misery: Int
  private let weights: [Fault.Weight]
  private let total: Int

  init(faults: Int, weights: [Fault.Weight], _ dice: inout Dice) {
    self.faults = faults
    left = faults
    self.weights = weights
    misery = dice.between(1...5)
    total = weights.reduce(0) { $0 + $1.weight }
    tempo = dice.of([3, 10, 30, 100, 300]) * millisecond
  }

  func wait(_ dice: inout Dice) -> Nanoseconds {
    // Now and then it is quiet for long enough that everything could return.
    dice.chance(10) ? dice.time(second...8 * second) : dice.wait(mean: tempo)
  }

  func kind(_ dice: inout Dice) -> Fault {
    var rest = dice.below(total)
    for (fault, weight) in weights {
      if rest < weight { return fault }
      rest -= weight
    }
    preconditionFailure("the weights add up")
  }
}

extension World {
  /// Makes one fault and plans the next.
  func strike() {
    audit()
    storm.left -= 1
    let broken = town.broken
    let fault = broken.count > storm.misery && dice.chance(750) ? mend(dice.of(broken)) : inflict(storm.kind(&dice))
    count { $0.faults[fault, default: 0] += 1 }
    guard storm.left > 0 else { return }
    // In a gap of hours nothing is running that anything could happen to.
    let gap = awakeIn > 30 * second ? awakeIn : 0
    plan(.fault, in: gap + storm.wait(&dice))
  }

  private func inflict(_ fault: Fault) -> Fault {
    switch fault {
    case .loss, .bursts, .delay, .jitter, .reordering, .duplicates, .refusal, .cut, .requestsCut, .answersCut, .healed:
      return strikeLine(fault)
    case .hubDead, .hubRefuses: return strikeHub(fault)
    case .carrier, .setDown, .deviceGone, .deviceBack: return strikeDevice(fault)
    case .addressLost, .gatewayChanged, .tierChanged: strikeUplink(fault)
    case .sourceLost, .cannotSend: strikeSending(fault)
    case .suspended, .busy, .clockGap: strikeThread(fault)
    case .restart:
      note { "FAULT restart" }
      kill()
      plan(.birth, in: dice.time(millisecond...2 * second))
    case .ruleChanged, .ruleToggled, .pathToggled, .pathChanged, .probeChanged, .probeToggled: strikeRuleSet(fault)
    case .meddled, .kernelRefuses: strikeKernel(fault)
    case .keys:
      let path = dice.below(town.paths.count)
      note { "FAULT keys of \(self.town.paths[path].name) came or went" }
      plan(.news(.keys(path: path)), in: 0)
    }
    return fault
  }

  private func mend(_ broken: Town.Broken) -> Fault {
    note { "FAULT \(broken.fault.rawValue), mended: \(self.town.text(broken))" }
    town.mend(broken)
    sendingChanged()
    switch broken {
    case .line, .sending: break
    case .device(let number): tellLink(number, in: dice.chance(700) ? 0 : dice.time(0...5 * millisecond))
    case .address, .gateway, .source, .path, .rule: tellPlan(in: dice.time(0...50 * millisecond))
    }
    return broken.fault
  }

  // MARK: - Lines

  private func strikeLine(_ fault: Fault) -> Fault {
    switch dice.below(10) {
    case 0...1: hit(.uplink(dice.below(town.uplinks.count)), fault)
    case 2: strikeHub(fault)
    case 3...7: hit(.path(dice.below(town.paths.count)), fault)
    default: town.targets.isEmpty ? strikeHub(fault) : hit(.target(dice.below(town.targets.count)), fault)
    }
  }

  private func strikeHub(_ fault: Fault) -> Fault { hit(.hub(dice.below(town.hubs.count)), fault) }

  /// Breaks a line or, more often than not if it is broken, repairs it.
  private func hit(_ place: Town.Line, _ fault: Fault) -> Fault {
    let healed = !town[place].isClean && dice.chance(600)
    if healed {
      town[place] = SimulatedLink(delay: town[place].delay)
    } else {
      spoil(&town[place], fault)
    }
    note { "FAULT \(healed ? "healed" : fault.rawValue): \(self.town.text(place)) is now \(self.town[place].text)" }
    return healed ? .healed : fault
  }

  private func spoil(_ line: inout SimulatedLink, _ fault: Fault) {
    switch fault {
    case .loss: line.loss = dice.of([20, 100, 300, 500, 900])
    case .bursts: line.bursts = .init(begin: dice.between(10...100), end: dice.between(50...500))
    case .delay: line.delay = dice.time(0...dice.of([5, 50, 100, 300]) * millisecond)
    case .jitter: line.jitter = dice.time(0...dice.of([5, 30, 100]) * millisecond)
    case .reordering: line.reordering = dice.between(50...500)
    case .duplicates: line.duplication = dice.between(50...500)
    case .refusal, .hubRefuses: line.refuses = true
    case .requestsCut: line.cut = .requests
    case .answersCut: line.cut = .answers
    default: line.cut = .both
    }
  }

  // MARK: - The router

  private func strikeDevice(_ fault: Fault) -> Fault {
    let number = dice.below(town.devices.count)
    var fault = fault
    if !town.devices[number].carries && dice.chance(700) {
      town.devices[number] = Town.Device(name: town.devices[number].name)
      fault = .deviceBack
    } else {
      switch fault {
      case .carrier: town.devices[number].hasCarrier = false
      case .setDown: town.devices[number].isUp = false
      default: town.devices[number].exists = false
      }
    }
    let device = town.devices[number]
    note { "FAULT \(fault.rawValue): \(device.name)" }
    let devices = town.devices
    let isUp = { (name: InterfaceName) in devices.contains { $0.name == name && $0.exists && $0.isUp } }
    if !device.exists || !device.isUp { kernel.flush(device.name, isGone: !device.exists, isUp: isUp) }
    sendingChanged()
    tellLink(number, in: dice.chance(700) ? 0 : dice.time(0...5 * millisecond))
    return fault
  }

  private func strikeUplink(_ fault: Fault) {
    let number = dice.below(town.uplinks.count)
    switch fault {
    case .addressLost: town.uplinks[number].hasAddress.toggle()
    case .tierChanged: town.uplinks[number].tier = dice.between(1...3)
    default:
      let isLost = town.uplinks[number].gateway != nil && dice.chance(400)
      town.uplinks[number].gateway = isLost ? nil : IPv4Address(value: 0xc633_6401 + UInt32(dice.below(4_000)))
    }
    note { "FAULT \(fault.rawValue): \(self.town.devices[number].name)" }
    tellPlan(in: dice.time(0...50 * millisecond))
  }

  private func strikeSending(_ fault: Fault) {
    let number = dice.below(town.paths.count)
    if fault == .cannotSend {
      town.paths[number].cannotSend.toggle()
      note { "FAULT path \(self.town.paths[number].name) can\(self.town.paths[number].cannotSend ? "not" : "") send" }
    } else {
      town.paths[number].hasSource.toggle()
      note { "FAULT path \(self.town.paths[number].name) has \(self.town.paths[number].hasSource ? "a" : "no") source" }
      tellPlan(in: dice.time(0...50 * millisecond))
    }
    sendingChanged()
  }

  private func strikeThread(_ fault: Fault) {
    switch fault {
    case .busy: busyUntil = now + dice.time(50 * millisecond...2 * second)
    case .clockGap: sleep(dice.time(60 * second...100_000 * second))
    default: sleep(dice.time(millisecond...dice.of([20, 100, 300, 1_000, 5_000]) * millisecond))
    }
    note { "FAULT \(fault.rawValue) for \(max(self.awakeIn, self.busyUntil - self.now) / microsecond) µs" }
  }

  private func strikeKernel(_ fault: Fault) {
    if fault == .kernelRefuses {
      kernel.refusesUntil = now + dice.time(millisecond...500 * millisecond)
      return note { "FAULT the kernel refuses for \((self.kernel.refusesUntil - self.now) / microsecond) µs" }
    }
    let rule = dice.below(town.rules.count)
    let ways = town.paths.indices.compactMap { town.way(of: $0) } + town.uplinks.indices.compactMap { town.way(by: $0) }
    let way = dice.chance(500) ? nil : ways.isEmpty ? nil : dice.of(ways)
    kernel.put(way, rule, isForeign: true)
    note { "FAULT another leads table \(self.town.rules[rule].table) to \(Self.text(way))" }
    if pilot != nil { plan(.news(.stirred), in: 0) }
  }

  // MARK: - The rule set

  private func strikeRuleSet(_ fault: Fault) {
    switch fault {
    case .ruleChanged: changeRule()
    case .ruleToggled: town.rules[dice.below(town.rules.count)].rule.enabled.toggle()
    case .pathToggled: togglePath()
    case .pathChanged:
      let number = dice.below(town.paths.count)
      (town.paths[number].quorum, town.paths[number].limits) = (Town.quorum(&dice), Town.limits(&dice))
    case .probeChanged where !town.targets.isEmpty:
      let number = dice.below(town.targets.count)
      let old = town.targets[number].probe
      town.targets[number].probe = Town.probe(old.name.text, of: old.path, &dice)
    case .probeToggled where !town.targets.isEmpty: town.targets[dice.below(town.targets.count)].isListed.toggle()
    default: break
    }
    note { "FAULT \(fault.rawValue)" }
    tellPlan(in: dice.time(0...50 * millisecond))
  }

  private func changeRule() {
    let number = dice.below(town.rules.count)
    switch dice.below(5) {
    case 4: town.rules[number].rule.egress.damping = Town.damping(&dice)
    case 0: town.rules[number].rule.egress.fallback = dice.of(Egress.Fallback.allCases)
    case 1: town.rules[number].rule.egress.holdDown = Town.holdDown(&dice)
    case 2: town.rules[number].rule.egress.failback = dice.of([.move, .drain])
    default: town.rules[number].rule.egress.tiers = town.someTiers(&dice)
    }
  }

  /// No rule may name what the rule set does not list.
  private func togglePath() {
    let number = dice.below(town.paths.count)
    town.paths[number].isListed.toggle()
    guard !town.paths[number].isListed else { return }
    let name = town.paths[number].name
    for rule in town.rules.indices {
      let tiers = town.rules[rule].rule.tiers.map { $0.filter { $0.path != name } }
      town.rules[rule].rule.egress.tiers = tiers.filter { !$0.isEmpty }
    }
  }
}
