internal import Core
internal import Netlink
internal import RuleSets

/// What routes say about ways out and sites, and our own, gathered route by route: all of them are dumped once.
struct RouteSurvey {
  /// Enough to know that there are more than are kept; see `MainSites.maximum`.
  private static let most = MainSites<IPv4Prefix>.maximum + 1

  private let ranges: KernelRanges
  private let followed: Set<UInt32>

  /// Main's, halves of them too.
  private(set) var defaults: [RouteMessage] = []
  /// Those of the tables that are followed.
  private(set) var defaultsOf: [UInt32: [RouteMessage]] = [:]
  /// Ours by their origin, in whatever table.
  private(set) var own: [RouteMessage] = []
  /// Indexes of the devices that default routes lead by, of whatever table but ours.
  private(set) var exits: Set<UInt32> = []
  private(set) var sites: [RouteMessage] = []

  /// - Parameter followed: other programs' tables whose defaults may be an uplink's.
  init(_ ranges: KernelRanges, following followed: [UInt32]) {
    self.ranges = ranges
    self.followed = Set(followed)
  }

  /// Of a million routes most are neither ours nor ways out nor sites that are kept. Without a gateway they have scope link
  /// (253).
  func wants(_ header: RouteHeader) -> Bool {
    header.length <= 1 || header.origin == ranges.routeProtocol.value
      || (header.isMain && (sites.count <= Self.most || header.scope >= 253))
  }

  mutating func take(_ message: RouteMessage) {
    let isMain = message.table == TableID.main.value
    if message.origin == ranges.routeProtocol.value { own.append(message) }
    if isMain, message.length <= 1 { defaults.append(message) }
    if message.length == 0, followed.contains(message.table) { defaultsOf[message.table, default: []].append(message) }
    // 255 is RT_TABLE_LOCAL.
    if message.kind == .unicast, message.length <= 1, message.table != 255, !ranges.tables.contains(message.table) {
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
