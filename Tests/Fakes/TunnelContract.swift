import Agent
import Core
import Glibc

/// What every kernel port must do with tunnel devices. Separate from the rest, because not every kernel has GRE, IPIP
/// and XFRM.
package enum TunnelContract: String, CaseIterable, Sendable, CustomStringConvertible {
  case tunnelIsReadBackAsItWasMade
  case tunnelIsThereOnceHoweverOftenItIsMade
  case changeSetsEveryParameter
  case tunnelOverAMissingUnderlayIsRefused
  case mtuOutOfRangeIsRefused
  case addressesComeAndGo
  case foreignDeviceUnderOurNameIsLeftAlone
  case tunnelThatGoesTakesItsRoutesAlong
  case settingOfOurOwnTunnelIsNotRemembered
  case xfrmInterfaceIsReadBackAsItWasMade
  case xfrmInterfaceNeedsNoGateway
  case numberOfAnXFRMInterfaceIsTakenOnceWhateverTheUnderlay
  case xfrmInterfaceKeepsItsUnderlay
  case xfrmInterfaceIsMadeAnewWithItsRoutes
  case whatIsSpoiltIsPutRight
  case foreignTunnelWithAnAliasLikeOursIsLeftAlone
  case flowtableIsReadBackAsItWas
  case flowtableOfAMissingDeviceIsRefusedWhole
  case flowRuleWithoutAFlowtableIsRefused
  case flowRuleElsewhereThanInForwardIsRefused
  case flowtableLosesADeviceThatGoes
  case flowtableIsNoPartOfTheOtherTable

  package var description: String { rawValue }

  package func check(on ground: some KernelGround) throws {
    let device = try Sample.device("wan0")
    try ground.addDevice(device, address: try Sample.interfaceAddress("192.0.2.2/24"))
    switch self {
    case .tunnelIsReadBackAsItWasMade: try ground.tunnelReadBack()
    case .tunnelIsThereOnceHoweverOftenItIsMade: try ground.tunnelMadeTwice()
    case .changeSetsEveryParameter: try ground.tunnelChanged()
    case .tunnelOverAMissingUnderlayIsRefused: try ground.underlayMissing()
    case .mtuOutOfRangeIsRefused: try ground.mtuOutOfRange()
    case .addressesComeAndGo: try ground.tunnelAddresses()
    case .foreignDeviceUnderOurNameIsLeftAlone: try ground.foreignUnderOurName()
    case .tunnelThatGoesTakesItsRoutesAlong: try ground.tunnelTakesRoutesAlong()
    case .settingOfOurOwnTunnelIsNotRemembered: try ground.ownSettingNotRemembered()
    case .xfrmInterfaceIsReadBackAsItWasMade: try ground.xfrmReadBack()
    case .xfrmInterfaceNeedsNoGateway: try ground.xfrmRoute()
    case .numberOfAnXFRMInterfaceIsTakenOnceWhateverTheUnderlay: try ground.xfrmNumberTaken()
    case .xfrmInterfaceKeepsItsUnderlay: try ground.xfrmUnderlayKept()
    case .xfrmInterfaceIsMadeAnewWithItsRoutes: try ground.xfrmMadeAnew()
    case .whatIsSpoiltIsPutRight: try ground.spoiltTunnelIsPutRight()
    case .foreignTunnelWithAnAliasLikeOursIsLeftAlone: try ground.foreignTunnelWithAlias()
    case .flowtableIsReadBackAsItWas: try ground.flowtableReadBack()
    case .flowtableOfAMissingDeviceIsRefusedWhole: try ground.flowtableWithoutDevice()
    case .flowRuleWithoutAFlowtableIsRefused: try ground.flowRuleAlone()
    case .flowRuleElsewhereThanInForwardIsRefused: try ground.flowRuleElsewhere()
    case .flowtableLosesADeviceThatGoes: try ground.flowtableLosesDevice()
    case .flowtableIsNoPartOfTheOtherTable: try ground.flowtableApart()
    }
  }
}

extension KernelGround {
  func tunnel(_ name: String, _ encapsulation: TunnelDevice.Encapsulation) throws -> TunnelDevice {
    TunnelDevice(
      name: try Sample.device("bh-\(name)"), encapsulation: encapsulation, local: try Sample.address("192.0.2.2"),
      remote: try Sample.address("203.0.113.2"), underlay: try Sample.device("wan0"),
      lookupMark: Mark(value: number), mtu: 1472, address: nil, peer: nil,
      alias: "\(TunnelDevice.aliasPrefix)\(name)")
  }

  func expect(_ device: TunnelDevice) throws {
    guard let link = try read().links[device.name] else { throw ContractBreach("\(device.name) is not there") }
    try expect(link.tunnel, is: device.parameters, "parameters")
    try expect(link.alias, is: device.alias, "alias")
    try expect(link.mtu, is: device.mtu, "MTU")
    try expect(link.isPointToPoint && link.isOurs, "\(link) is no tunnel of ours")
  }

  func tunnelReadBack() throws {
    let devices = [
      try tunnel("keyed", .gre(key: 0x0102_0304)), try tunnel("plain", .gre(key: nil)), try tunnel("ipip", .ipip),
    ]
    for device in devices { try kernel.apply(.createTunnel(device)) }
    for device in devices { try expect(device) }
    try kernel.apply(.setUp(devices[0].name))
    let link = try read().links[devices[0].name]
    try expect(link?.isUp == true && link?.hasCarrier == true, "\(link as Any) is not up")
    for device in devices { try kernel.apply(.deleteDevice(device.name)) }
    try expect(try read().links.values.filter(\.isOurs).count, is: 0, "tunnels left")
  }

  func tunnelMadeTwice() throws {
    let device = try tunnel("fra", .gre(key: 7))
    try apply([.createTunnel(device), .createTunnel(device)])
    try expect(device)
    var same = device
    same.name = try Sample.device("bh-same")
    try expect(.createTunnel(same), failsWith: EEXIST)
    try expect(try read().links[same.name] == nil, "the refused tunnel is there")
  }

  func tunnelChanged() throws {
    for (name, encapsulation) in [("fra", TunnelDevice.Encapsulation.gre(key: nil)), ("ams", .ipip)] {
      var device = try tunnel(name, encapsulation)
      try apply([.createTunnel(device), .setUp(device.name)])
      device.remote = try Sample.address("203.0.113.99")
      device.lookupMark = Mark(value: 0x2300_0000)
      device.mtu = 1400
      if name == "fra" { device.encapsulation = .gre(key: 9) }
      try apply([.changeTunnel(device), .changeTunnel(device)])
      try expect(device)
      try expect(try read().links[device.name]?.isUp, is: true, "still up")
    }
    var other = try tunnel("fra", .ipip)
    other.remote = try Sample.address("203.0.113.77")
    try expect(.changeTunnel(other), failsWith: EOPNOTSUPP)
  }

  func underlayMissing() throws {
    for encapsulation in [TunnelDevice.Encapsulation.ipip, .gre(key: 7), .xfrm(interfaceID: 7)] {
      var device = try tunnel("fra", encapsulation)
      device.underlay = try Sample.device("gone0")
      try expect(.createTunnel(device), failsWith: ENODEV)
    }
  }

  func mtuOutOfRange() throws {
    var device = try tunnel("fra", .gre(key: nil))
    try apply([.createTunnel(device)])
    try expect(.setMTU(device.name, 20), failsWith: EINVAL)
    try expect(.setMTU(device.name, 70_000), failsWith: EINVAL)
    try apply([.setMTU(device.name, 1300)])
    device.mtu = 1300
    try expect(device)
  }

  func tunnelAddresses() throws {
    let device = try tunnel("fra", .gre(key: nil))
    let net = try Sample.interfaceAddress("10.1.1.1/30")
    let host = try Sample.interfaceAddress("10.9.9.1/32")
    let peer = try Sample.address("10.9.9.2")
    try apply([.createTunnel(device), .setUp(device.name)])
    for _ in 1...2 {
      try apply([.addAddress(device.name, net, peer: nil), .addAddress(device.name, host, peer: peer)])
    }
    try expect(try read().addresses[device.name], is: [net, host], "addresses")
    for _ in 1...2 { try apply([.removeAddress(device.name, host)]) }
    try expect(try read().addresses[device.name], is: [net], "addresses")
  }

  func foreignUnderOurName() throws {
    let device = try tunnel("fra", .gre(key: nil))
    try addDevice(device.name, address: nil)
    try expect(.createTunnel(device), failsWith: 0)
    try expect(.changeTunnel(device), failsWith: 0)
    try expect(.deleteDevice(device.name), failsWith: 0)
    try expect(try read().links[device.name]?.alias, is: nil, "alias")
  }

  func foreignTunnelWithAlias() throws {
    for name in ["gre7", "bh-gre7"] {
      let device = try Sample.device(name)
      try addForeignTunnel(device, alias: "\(TunnelDevice.aliasPrefix)gre7")
      try checkForeign(device)
      var ours = try tunnel("gre7", .gre(key: nil))
      ours.name = device
      try expect(.createTunnel(ours), failsWith: 0)
      try expect(.changeTunnel(ours), failsWith: 0)
      try removeDevice(device)
    }
  }

  func tunnelTakesRoutesAlong() throws {
    let device = try tunnel("fra", .ipip)
    let table = TableID(ranges.tables.lowerBound + 3)
    let route = TableRoute(table: table, metric: .active, way: .out(device: device.name, gateway: nil))
    try apply([.createTunnel(device)])
    try expect(.putRoute(route), failsWith: ENETDOWN)
    try apply([.setUp(device.name), .putRoute(.floor(table)), .putRoute(route)])
    try expect(try read().routes, is: [.floor(table), route], "routes")
    try apply([.deleteDevice(device.name), .deleteDevice(device.name)])
    try expect(try read().routes, is: [.floor(table)], "routes")
  }

  func ownSettingNotRemembered() throws {
    for (name, encapsulation) in [("fra", TunnelDevice.Encapsulation.ipip), ("ams", .xfrm(interfaceID: 7))] {
      let device = try tunnel(name, encapsulation)
      try apply([.createTunnel(device)])
      for (key, value) in [(InterfaceSetting.Key.reversePathFilter, 2), (.sourceValidMark, 1), (.forwarding, 1)] {
        let setting = InterfaceSetting(device.name, key)
        try apply([.changeSettings([setting: value])])
        try expect(try read().settings[setting], is: value, key.rawValue)
      }
    }
    try expect(kernel.rememberedSettings().values, is: [:], "remembered")
  }
}
