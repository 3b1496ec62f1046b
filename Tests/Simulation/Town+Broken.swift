import Core
internal import RuleSets

extension Town {
  /// Something that is not as it was when the town was founded.
  enum Broken {
    case line(Line)
    case device(Int)
    case address(Int)
    case gateway(Int)
    case sending(Int)
    case source(Int)
    case path(Int)
    case rule(Int)

    /// What its repair counts as.
    var fault: Fault {
      switch self {
      case .line: .healed
      case .device: .deviceBack
      case .address: .addressLost
      case .gateway: .gatewayChanged
      case .sending: .cannotSend
      case .source: .sourceLost
      case .path: .pathToggled
      case .rule: .ruleToggled
      }
    }
  }

  var broken: [Broken] {
    var broken: [Broken] = []
    for number in devices.indices where !devices[number].carries { broken.append(.device(number)) }
    for number in hubs.indices where !hubs[number].isClean { broken.append(.line(.hub(number))) }
    for number in targets.indices where !targets[number].line.isClean { broken.append(.line(.target(number))) }
    for number in rules.indices where !rules[number].rule.enabled { broken.append(.rule(number)) }
    for (number, uplink) in uplinks.enumerated() {
      if !uplink.line.isClean { broken.append(.line(.uplink(number))) }
      if !uplink.hasAddress { broken.append(.address(number)) }
      if uplink.gateway == nil { broken.append(.gateway(number)) }
    }
    for (number, path) in paths.enumerated() {
      if !path.line.isClean { broken.append(.line(.path(number))) }
      if path.cannotSend { broken.append(.sending(number)) }
      if !path.hasSource { broken.append(.source(number)) }
      if !path.isListed { broken.append(.path(number)) }
    }
    return broken
  }

  mutating func mend(_ broken: Broken) {
    switch broken {
    case .line(let line): self[line] = SimulatedLink(delay: min(self[line].delay, 20 * millisecond))
    case .device(let number): devices[number] = Device(name: devices[number].name)
    case .address(let number): uplinks[number].hasAddress = true
    case .gateway(let number): uplinks[number].gateway = IPv4Address(value: 0xc633_6401)
    case .sending(let number): paths[number].cannotSend = false
    case .source(let number): paths[number].hasSource = true
    case .path(let number): paths[number].isListed = true
    case .rule(let number): rules[number].rule.enabled = true
    }
  }

  /// For a trace.
  func text(_ broken: Broken) -> String {
    switch broken {
    case .line(let line): text(line)
    case .device(let number), .address(let number), .gateway(let number): devices[number].name.text
    case .sending(let number), .source(let number), .path(let number): "path \(paths[number].name)"
    case .rule(let number): "\(rules[number].rule.name)"
    }
  }
}
