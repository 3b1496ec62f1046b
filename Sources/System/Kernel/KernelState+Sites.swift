internal import Core
internal import Netlink
internal import RuleSets

/// What other programs' routes say about ways out and sites, gathered route by route.
struct RouteSurvey {
  /// Enough to know that there are more than are kept; see `MainSites.maximum`.
  private static let most = MainSites<IPv4Prefix>.maximum + 1

  private(set) var defaults: [RouteMessage] = []
  /// Indexes of the devices that default routes lead by, of whatever table but ours.
  private(set) var exits: Set<UInt32> = []
  private(set) var sites: [RouteMessage] = []

  /// Of a million routes most are neither ways out nor sites that are kept. Without a gateway they have scope link (253).
  func wants(length: UInt8, scope: UInt8, isMain: Bool) -> Bool {
    length <= 1 || (isMain && (sites.count <= Self.most || scope >= 253))
  }

  mutating func take(_ message: RouteMessage, ourTables: ClosedRange<UInt32>) {
    let isMain = message.table == TableID.main.value
    if isMain, message.length <= 1 { defaults.append(message) }
    // 255 is RT_TABLE_LOCAL.
    if message.kind == .unicast, message.length <= 1, message.table != 255, !ourTables.contains(message.table) {
      exits.formUnion(message.hops.map(\.index))
    }
    guard isMain, message.length > 0, message.tos == 0 else { return }
    // A device's own subnet is worth more than what somebody has learnt.
    if sites.count <= Self.most || message.isConnected { sites.append(message) }
  }
}

extension RouteMessage {
  fileprivate var isConnected: Bool { kind == .unicast && !hops.isEmpty && hops.allSatisfy { $0.gateway == nil } }
}

extension IPv6RouteMessage {
  fileprivate var isConnected: Bool { kind == .unicast && !indexes.isEmpty && !hasGateway }
}

extension KernelState {
  /// Main's better routes and the devices of all default routes; IPv4 and IPv6.
  mutating func tellSites(
    _ survey: RouteSurvey, _ names: [UInt32: InterfaceName], _ actual: inout ActualState
  ) throws(NetlinkFailure) {
    var exits = survey.exits
    for message in survey.defaults where message.hops.isEmpty {
      if let object = message.object { exits.formUnion(try hops(of: object).map(\.index)) }
    }
    actual.exits = Set(exits.compactMap { names[$0] })
    let messages = try resolved(survey.sites)
    actual.sites = MainSites(
      messages.compactMap { message in
        guard let prefix = IPv4Prefix(IPv4Address(value: message.destination), length: message.length) else {
          return nil
        }
        return MainSites.Site(
          prefix, devices: Self.devices(message.hops.map(\.index), names), metric: RouteMetric(message.metric),
          isConnected: message.isConnected)
      })
    if actual.hasIPv6Rules { try tellIPv6Sites(names, &actual) }
  }

  private mutating func tellIPv6Sites(
    _ names: [UInt32: InterfaceName], _ actual: inout ActualState
  ) throws(NetlinkFailure) {
    var exits: [IPv6RouteMessage] = []
    var sites: [IPv6RouteMessage] = []
    try routing.eachIPv6Route(restart: { (exits, sites) = ([], []) }) { message in
      guard message.table != 255 else { return }
      if message.kind == .unicast, message.length <= Self.widestIPv6Exit { exits.append(message) }
      guard message.table == TableID.main.value, message.length > 0,
        let prefix = IPv6Prefix(message.destination, length: message.length), !prefix.isOfEveryLink
      else { return }
      if sites.count <= MainSites<IPv6Prefix>.maximum || message.isConnected { sites.append(message) }
    }
    for message in exits { actual.ipv6Exits.formUnion(Self.devices(try indexes(of: message), names)) }
    var told: [MainSites<IPv6Prefix>.Site] = []
    for message in sites {
      guard let prefix = IPv6Prefix(message.destination, length: message.length) else { continue }
      told.append(
        MainSites.Site(
          prefix, devices: Self.devices(try indexes(of: message), names), metric: RouteMetric(message.metric),
          isConnected: message.isConnected))
    }
    actual.ipv6Sites = MainSites(told)
  }

  /// 2000::/3 is everything that has been allocated.
  private static var widestIPv6Exit: UInt8 { 3 }

  private mutating func indexes(of message: IPv6RouteMessage) throws(NetlinkFailure) -> [UInt32] {
    guard message.indexes.isEmpty, message.kind == .unicast, let object = message.object else { return message.indexes }
    return try hops(of: object).map(\.index)
  }

  /// Each once, in the order of the routes.
  private static func devices(_ indexes: [UInt32], _ names: [UInt32: InterfaceName]) -> [InterfaceName] {
    var seen: Set<InterfaceName> = []
    return indexes.compactMap { names[$0] }.filter { seen.insert($0).inserted }
  }
}
