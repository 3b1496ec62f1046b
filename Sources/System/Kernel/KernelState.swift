internal import Core
internal import Netlink

/// The sockets to one network namespace and what is done over them. One owner, one step at a time.
struct KernelState: ~Copyable, Sendable {
  let ranges: KernelRanges
  let translation: RouteTranslation
  var routing: RoutingSocket
  var netfilter: NetfilterSocket
  var steering: SteeringStore

  init(_ ranges: KernelRanges, news: TableNews) throws(NetlinkFailure) {
    let routing = try RoutingSocket.open()
    let netfilter = try NetfilterSocket.open()
    self.ranges = ranges
    translation = RouteTranslation(ranges: ranges)
    self.routing = routing
    self.netfilter = netfilter
    steering = SteeringStore(name: ranges.nftTable, news: news)
  }

  /// - Parameters:
  ///   - settings: those that are no device's own.
  ///   - expecting: which rules are ours to recognise where all else is so.
  mutating func read(
    settings: [InterfaceSetting: Int], expecting: (ActualState) -> SteeringTable?
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
    actual.addresses = Self.addresses(try routing.addresses(), names)
    let translation = translation
    try routing.eachRoute(table: TableID.main.value, restart: { actual.mainDefaults = [] }) {
      actual.mainDefaults += translation.mainDefaults($0, names)
    }
    // Stable: of two with one metric the kernel's first stays first.
    actual.mainDefaults.sort { $0.metric < $1.metric }
    try routing.eachRoute(origin: ranges.routeProtocol.value, restart: { actual.routes = [] }) {
      if let route = translation.route($0, names) { actual.routes.insert(route) }
    }
    actual.rules = try routing.rules().compactMap(translation.rule)
    actual.pathMTUs = pathMTUs(links, names)
    actual.steering = try steering.steering(expecting: expecting(actual), &netfilter)
    return actual
  }

  /// The kernel's order, but with secondary addresses after all primary ones.
  private static func addresses(
    _ messages: [AddressMessage], _ names: [UInt32: InterfaceName]
  ) -> [InterfaceName: [InterfaceAddress]] {
    var addresses: [InterfaceName: [InterfaceAddress]] = [:]
    for message in messages.filter({ !$0.isSecondary }) + messages.filter(\.isSecondary) {
      guard let name = names[message.index],
        let address = InterfaceAddress(IPv4Address(value: message.local), length: message.length)
      else { continue }
      addresses[name, default: []].append(address)
    }
    return addresses
  }
}
