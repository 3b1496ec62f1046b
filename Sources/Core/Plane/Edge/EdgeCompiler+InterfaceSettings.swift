internal import RuleSets

extension EdgeCompiler {
  /// Values that sysctls must have. None depends on whether *we* set the value that is there, or a second run would
  /// take its own work for the operator's and undo it.
  func interfaceSettings(made: [TunnelDevice]) -> [InterfaceSetting: Int] {
    var result: [InterfaceSetting: Int] = [:]
    for device in made {
      // Loose, since what comes by a tunnel may be judged without a mark for a moment (while someone has flushed our
      // table). Where the device has no address the kernel's loose check refuses what its own table would not send back
      // by it (`no_addr` in __fib_validate_source, net/ipv4/fib_frontend.c), so there it is off.
      result[InterfaceSetting(device.name, .reversePathFilter)] = device.address == nil ? 0 : 2
      result[InterfaceSetting(device.name, .sourceValidMark)] = 1
      result[InterfaceSetting(device.name, .forwarding)] = 1
      if case .xfrm = device.encapsulation {
        // Whatever `default` says: this device is nothing but IPsec.
        result[InterfaceSetting(device.name, .disableXFRM)] = 0
        result[InterfaceSetting(device.name, .disablePolicy)] = 0
      }
      // A kernel without IPv6 has no such setting.
      if value(.disableIPv6, of: InterfaceSetting.all) != nil {
        result[InterfaceSetting(device.name, .disableIPv6)] = 1
      }
    }
    for tunnel in layout.ruleSet.tunnels where tunnel.protection != nil {
      guard let uplink = tunnel.uplink, actual.links[uplink] != nil else { continue }
      result[InterfaceSetting(uplink, .disableXFRM)] = 0
    }
    for way in layout.ways where way.kind != .ownTunnel && actual.links[way.device] != nil {
      let own = value(.reversePathFilter, of: way.device) ?? 0
      let effective = max(own, value(.reversePathFilter, of: InterfaceSetting.all) ?? 0)
      if own == 2 || effective == 1 {
        result[InterfaceSetting(way.device, .reversePathFilter)] = 2
      }
    }
    result.merge(markedReversePaths()) { first, _ in first }
    // An operator's own other choice (2 or 3) stays.
    if let all = InterfaceSetting.all, layout.activeRules.contains(where: { !$0.rule.egress.balancedPaths.isEmpty }),
      let present = value(.multipathHash, of: all), present <= 1
    {
      result[InterfaceSetting(all, .multipathHash)] = 1
    }
    // An error about what a tunnel brought goes back by the tunnel: with an uplink's address the far end may take it for a
    // spoofed packet.
    if let all = InterfaceSetting.all, value(.errorSource, of: all) != nil,
      layout.ruleSet.tunnels.contains(where: { $0.innerLocal != nil })
    {
      result[InterfaceSetting(all, .errorSource)] = 1
    }
    return result
  }

  /// The reverse-path check of these devices asks with the packet's mark. All ways that are not ours, and where belts
  /// are wider than the rules, also every other device that main has a default by: answers to what no rule takes come by
  /// it, with the mark `passed`. LANs, because a packet without a mark is asked about at every belt.
  func markedReversePaths() -> [InterfaceSetting: Int] {
    let own = Set(layout.ways.filter { $0.kind == .ownTunnel }.map(\.device))
    var devices = layout.ways.map(\.device) + layout.configuration.lans
    if layout.belts.areWider { devices += actual.mainDefaults.map(\.device) }
    var result: [InterfaceSetting: Int] = [:]
    for device in devices where !own.contains(device) && actual.links[device] != nil {
      if value(.sourceValidMark, of: device) == 1 || value(.sourceValidMark, of: InterfaceSetting.all) != 1 {
        result[InterfaceSetting(device, .sourceValidMark)] = 1
      }
    }
    return result
  }

  private func value(_ key: InterfaceSetting.Key, of interface: InterfaceName?) -> Int? {
    interface.flatMap { actual.settings[InterfaceSetting($0, key)] }
  }
}
