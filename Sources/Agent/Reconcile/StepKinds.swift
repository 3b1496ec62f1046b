internal import Core
internal import RuleSets

extension ArraySlice<Step> {
  /// Deletions that would take the ground from under traffic, and the others.
  ///
  /// A route's table, and not its device, says whether traffic goes by it. The tables of rules are in use, but their active
  /// routes are the watch's, and no plan deletes them. A table that is no one's any more has lost its ip rules before its
  /// routes go, and no packet has its mark since the nftables table was changed: its routes go, whatever they lead by.
  ///
  /// - Parameter inUse: the devices that the active routes of rules in force lead by.
  func partitioned(by inUse: Set<InterfaceName>) -> (kept: [Step], clearing: [Step]) {
    let kept = filter { step in
      switch step {
      case .deleteDevice(let name), .removeAddress(let name, _): inUse.contains(name)
      default: false
      }
    }
    return (kept, filter { !kept.contains($0) })
  }
}

extension Step {
  /// A sysctl: if it cannot be set, the rest is still worth having.
  var isSetting: Bool {
    switch self {
    case .changeSettings, .restoreSettings: true
    default: false
    }
  }

  /// Changes nothing that the data plane is compiled from or the watch is told of: those are devices, addresses, settings
  /// and other programs' routes.
  var isOfOurRoutesAndTables: Bool {
    switch self {
    case .putRoute, .deleteRoute, .addRule, .deleteRule, .moveMarks, .putFastTable, .deleteFastTable: true
    default: isNftTable
    }
  }

  /// What changes of our nftables table, by name: its text may be megabytes. Nil for other steps.
  var nftObjects: [String]? {
    switch self {
    case .replaceNftTable(let table), .putFastTable(let table): ["nft table inet \(table.name)"]
    case .changeNftTable(let change): change.objects
    case .changeSets(let table, let changes): changes.map { "nft set inet \(table) \($0.set)" }
    case .renewSets(let table, let renewal): renewal.names.map { "nft set inet \(table) \($0)" }
    default: nil
    }
  }
}
