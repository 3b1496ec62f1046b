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
  var fastTable: FastStore
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
    fastTable = FastStore(ranges)
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
    let followed = tables(of: rules)
    let fresh = RouteSurvey(ranges, following: followed)
    var survey = fresh
    try routing.eachRoute(isWanted: { survey.wants($0) }, restart: { survey = fresh }) { survey.take($0) }
    let defaults = DefaultRoutes(
      try resolved(survey.defaults + followed.flatMap { survey.defaultsOf[$0] ?? [] }), names)
    actual.mainDefaults = defaults.defaults
    actual.deadEnds = defaults.deadEnds
    actual.routes = Set(survey.own.compactMap { translation.route($0, names) })
    actual.rules = rules.compactMap(translation.rule)
    do throws(NetlinkFailure) { actual.rules += try routing.rules(.ipv6).compactMap(translation.rule) } catch {
      guard error.errno == EAFNOSUPPORT else { throw error }
      actual.hasIPv6Rules = false
    }
    try tellSites(survey, names, &actual)
    news.main(isLarge: actual.sites.areMore || actual.ipv6Sites.areMore)
    actual.pathMTUs = pathMTUs(links, names)
    actual.fastTable = try fastTable.table(&netfilter)
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
