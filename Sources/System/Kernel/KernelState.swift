internal import Core
internal import Glibc
internal import Netlink
internal import RuleSets

/// The sockets to one network namespace and what is done over them. One owner, one step at a time.
struct KernelState: ~Copyable, Sendable {
  let ranges: KernelRanges
  let translation: RouteTranslation
  var routing: RoutingSocket
  var netfilter: NetfilterSocket
  var nftTable: NftStore
  let news: TableNews

  init(_ ranges: KernelRanges, news: TableNews) throws(NetlinkFailure) {
    let routing = try RoutingSocket.open()
    let netfilter = try NetfilterSocket.open()
    self.ranges = ranges
    translation = RouteTranslation(ranges: ranges)
    self.routing = routing
    self.netfilter = netfilter
    self.news = news
    nftTable = NftStore(name: ranges.nftTable, news: news)
  }

  /// - Parameters:
  ///   - settings: those that are no device's own.
  ///   - expecting: which rules are ours to recognise where all else is so.
  mutating func read(
    settings: [InterfaceSetting: Int], expecting: (ActualState) -> NftTable?
  ) throws(NetlinkFailure) -> ActualState {
    var actual = ActualState(settings: settings)
    let links = try routing.links()
    let names = Dictionary(
      links.compactMap { link in InterfaceName(link.name).map { (link.index, $0) } },
      uniquingKeysWith: { first, _ in first })
    for link in links {
      guard let name = names[link.index] else { continue }
      actual.links[name] = translation.link(link, names)
      actual.settings.merge(translation.settings(link.settings, of: name)) { $1 }
    }
    Self.tell(try routing.addresses(), names, &actual)
    let rules = try routing.rules()
    var survey = RouteSurvey()
    let ourTables = ranges.tables
    try routing.eachRoute(
      isWanted: { survey.wants(length: $0, scope: $1, isMain: $2) }, restart: { survey = RouteSurvey() }
    ) {
      survey.take($0, ourTables: ourTables)
    }
    let defaults = try defaultRoutes(rules, survey.defaults, names)
    actual.mainDefaults = defaults.defaults
    actual.deadEnds = defaults.deadEnds
    let translation = translation
    try routing.eachRoute(origin: ranges.routeProtocol.value, restart: { actual.routes = [] }) {
      if let route = translation.route($0, names) { actual.routes.insert(route) }
    }
    actual.rules = rules.compactMap(translation.rule)
    do throws(NetlinkFailure) { actual.rules += try routing.rules(.ipv6).compactMap(translation.rule) } catch {
      guard error.errno == EAFNOSUPPORT else { throw error }
      actual.hasIPv6Rules = false
    }
    try tellSites(survey, names, &actual)
    news.main(isLarge: actual.sites.areMore || actual.ipv6Sites.areMore)
    actual.pathMTUs = pathMTUs(links, names)
    actual.nftTable = try nftTable.nftTable(expecting: expecting(actual), &netfilter)
    return actual
  }

  /// The kernel's order, but with secondary addresses after all primary ones.
  static func addresses(
    _ messages: [AddressMessage], _ names: [UInt32: InterfaceName]
  ) -> [InterfaceName: [InterfaceAddress]] {
    var told = ActualState()
    tell(messages, names, &told)
    return told.addresses
  }

  private static func tell(
    _ messages: [AddressMessage], _ names: [UInt32: InterfaceName], _ actual: inout ActualState
  ) {
    for message in messages.filter({ !$0.isSecondary }) + messages.filter(\.isSecondary) {
      guard let name = names[message.index],
        let address = InterfaceAddress(IPv4Address(value: message.local), length: message.length)
      else { continue }
      actual.addresses[name, default: []].append(address)
      let standing = AddressStanding(message)
      if standing != .plain { actual.standings[name, default: [:]][address] = standing }
    }
  }
}

extension AddressStanding {
  fileprivate init(_ message: AddressMessage) {
    self.init(
      scope: Scope(message.scope), isSecondary: message.isSecondary,
      flaw: message.isDuplicate
        ? .duplicate : message.isTentative ? .tentative : message.isDeprecated ? .deprecated : nil,
      peer: message.peer == message.local ? nil : IPv4Address(value: message.peer))
  }
}
