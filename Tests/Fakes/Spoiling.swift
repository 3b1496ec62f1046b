package import Core

/// Ways to spoil something of ours without deleting it: it is all still there, but does nothing, or something else.
package enum Spoiling: String, CaseIterable, Sendable, CustomStringConvertible {
  case tableIsDormant
  case chainDropsByDefault
  case chainHasAnotherPriority
  case chainHasAnotherHook
  case chainIsHookedNowhere
  case floorLetsThrough
  case routeIsABlackhole
  case routeHasAnMTU
  case routeHasASource
  case routeHasAWindow
  case routeOfOneServiceBesideOurs
  case betterRouteBesideOurs
  case narrowRuleBesideOurs
  case blackholeRuleBesideOurs
  case narrowRuleOfIPv6BesideOurs

  package var description: String { rawValue }
}

/// The same of a tunnel's device.
package enum TunnelSpoiling: String, CaseIterable, Sendable, CustomStringConvertible {
  case isDown
  case hasAnotherMTU
  case hasLostItsAlias
  case hasAnotherAlias
  case hasAnotherName
  case hasAnotherTTL
  case hasATypeOfService
  case findsNoPathMTU
  case hasNoLookupMark
  case isEnslaved

  package var description: String { rawValue }
}

extension KernelGround {
  var spoilTable: TableID { TableID(ranges.tables.lowerBound + 5) }
  package var spoilPriority: RulePriority { RulePriority(ranges.priorities.lowerBound + 20) }

  /// Something in front of it spoils it.
  func unspoilt() throws -> DesiredState {
    let device = try Sample.device("wan0")
    return DesiredState(
      routes: [
        .floor(spoilTable),
        TableRoute(table: spoilTable, metric: RouteMetric(20), way: .out(device: device, gateway: nil)),
      ],
      rules: [
        RoutingRule(
          priority: spoilPriority, mark: .init(Mark(value: 0x1200_0000), ranges.markMask),
          action: .lookup(spoilTable, suppressPrefixLength: nil))
      ], nftTable: try sampleNftTable())
  }

  func whatIsSpoiltIsPutRight() throws {
    try addDevice(try Sample.device("wan0"), address: try Sample.interfaceAddress("192.0.2.2/24"))
    let desired = try unspoilt()
    try settle(desired, "at first")
    for spoiling in Spoiling.allCases {
      try spoil(spoiling, table: spoilTable)
      try checkPutRight(desired, "\(spoiling)")
    }
  }

  func spoiltTunnelIsPutRight() throws {
    for encapsulation in [TunnelDevice.Encapsulation.gre(key: 7), .ipip, .xfrm(interfaceID: number)] {
      let device = try tunnel("fra", encapsulation)
      let desired = DesiredState(tunnels: [device])
      try settle(desired, "\(encapsulation) at first")
      for spoiling in TunnelSpoiling.allCases where spoiling.isPossible(of: encapsulation) {
        try spoil(spoiling, of: device)
        try checkPutRight(desired, "\(encapsulation) \(spoiling)")
        try expect(device)
      }
      try settle(DesiredState(), "\(encapsulation) at the end")
    }
  }

  private func checkPutRight(_ desired: DesiredState, _ what: String) throws {
    let actual = try read(expecting: desired.nftTable)
    let differences = Difference.all(desired: desired, actual: actual, remembered: [:], ranges: ranges, active: [:])
    try expect(!differences.isEmpty, "\(what): nothing differs")
    // The store knows by the generation what to read again.
    try settle(desired, what)
  }

  /// As the reconciler does: until a look finds nothing to do.
  private func settle(_ desired: DesiredState, _ what: String) throws {
    for _ in 1...4 {
      let plan = Planner.plan(desired: desired, actual: try read(expecting: desired.nftTable))
      if plan.isEmpty { return }
      try apply(plan.steps)
    }
    let left = Planner.plan(desired: desired, actual: try read(expecting: desired.nftTable))
    throw ContractBreach("\(what): not put right: \(PlanText(ranges).lines(left))")
  }
}

extension TunnelSpoiling {
  /// The kernel keeps no such thing for an XFRM interface.
  fileprivate func isPossible(of encapsulation: TunnelDevice.Encapsulation) -> Bool {
    guard case .xfrm = encapsulation else { return true }
    switch self {
    case .isDown, .hasAnotherMTU, .hasLostItsAlias, .hasAnotherAlias, .hasAnotherName, .isEnslaved: return true
    case .hasAnotherTTL, .hasATypeOfService, .findsNoPathMTU, .hasNoLookupMark: return false
    }
  }
}
