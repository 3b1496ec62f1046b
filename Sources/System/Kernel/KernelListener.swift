internal import Agent
internal import Core
internal import Netlink
internal import RuleSets

/// Two monitor sockets, and the state needed to report their events in Core's terms. Touched on the loop only, from
/// `watch` on.
final class KernelListener: @unchecked Sendable {
  private let translation: RouteTranslation
  private let own: OwnPorts
  private let news: TableNews
  private let handler: @Sendable (KernelEvent) -> Void
  private let routing: Monitor
  private let tables: Monitor
  private var query: RoutingSocket
  private var names: [UInt32: InterfaceName] = [:]
  /// Each as last reported; for a thousand of them the full data would not be small.
  private var links: [UInt32: Fingerprint] = [:]
  /// Only the shortest of main's routes count: there are too many to look at one by one.
  private var isMainMuted = false

  /// Listens from here on; devices are read after that, so that no change is missed.
  init(
    _ translation: RouteTranslation, _ own: OwnPorts, _ news: TableNews,
    _ handler: @escaping @Sendable (KernelEvent) -> Void
  ) throws(NetlinkFailure) {
    self.translation = translation
    self.own = own
    self.news = news
    self.handler = handler
    routing = try Monitor.routing()
    tables = try Monitor.tables()
    query = try RoutingSocket.open()
    hearRoutes()
    try lookAtLinks()
  }

  private func hearRoutes() {
    routing.hear(
      origin: translation.ranges.routeProtocol.value, tables: translation.ranges.tables,
      mainShorterThan: isMainMuted ? WayQuestion.shortestSite : .max)
  }

  /// When the queue overflows, main's routes are the likeliest cause: there may be hundreds of thousands. We ignore them
  /// until the next look has counted them.
  private func muteMain(_ isMuted: Bool) {
    guard isMuted != isMainMuted else { return }
    isMainMuted = isMuted
    hearRoutes()
    // What changed between that look and now was not heard.
    if !isMuted { handler(.mainRoute) }
  }

  @discardableResult
  private func lookAtLinks() throws(NetlinkFailure) -> [InterfaceName: Link] {
    let messages = try query.links()
    names = Dictionary(
      messages.compactMap { link in InterfaceName(link.name).map { (link.index, $0) } },
      uniquingKeysWith: { first, _ in first })
    links = [:]
    var found: [InterfaceName: Link] = [:]
    for message in messages {
      guard let name = names[message.index] else { continue }
      let link = translation.link(message, names)
      links[message.index] = Fingerprint(link)
      found[name] = link
    }
    return found
  }

  func watch(on loop: any DescriptorWatcher, _ news: TableNews) {
    do throws(SystemCallFailure) {
      try loop.watch(routing.descriptor, for: .readable) { [self] _ in drain(routing) }
      try loop.watch(tables.descriptor, for: .readable) { [self] _ in drain(tables) }
      news.followMain { [self] isLarge in loop.enqueue { [self] in muteMain(isLarge) } }
      let table = translation.ranges.nftTable
      news.subscribe(tables.descriptor) { [self] in
        loop.enqueue { [self] in handler(.ours("nft table inet \(table)")) }
      }
    } catch {
      // epoll refuses a descriptor only for want of memory; the timer of the reconcile loop is what is left then.
      handler(.overrun)
    }
  }

  /// Several changes of one kind are one event.
  private func drain(_ monitor: borrowing Monitor) {
    var told: [KernelEvent] = []
    func tell(_ event: KernelEvent) {
      if !told.contains(event) { told.append(event) }
    }
    do throws(NetlinkFailure) {
      try monitor.drain { event, port in
        for event in translate(event, from: port) { tell(event) }
      }
    } catch {
      tell(.overrun)
    }
    if told.contains(.overrun) {
      muteMain(true)
      for event in lostLinks() { tell(event) }
    }
    for event in told { handler(event) }
  }

  /// Reads all devices again, and returns changes that no event reported.
  private func lostLinks() -> [KernelEvent] {
    let before = Dictionary(
      names.compactMap { index, name in links[index].map { (name, $0) } }, uniquingKeysWith: { first, _ in first })
    // Where even this fails, names are as old as they were, and the next event tries again.
    let now: [InterfaceName: Link]
    do throws(NetlinkFailure) { now = try lookAtLinks() } catch { return [] }
    let gone = before.keys.filter { now[$0] == nil }.map { KernelEvent.link($0, nil) }
    return gone + now.filter { before[$0.key] != Fingerprint($0.value) }.map { .link($0.key, $0.value) }
  }

  private var firewall: [KernelEvent] { translation.ranges.usesFlowtable ? [.firewall] : [] }

  private func translate(_ event: NetlinkEvent, from port: UInt32) -> [KernelEvent] {
    switch event {
    case .link(let message): return changed(message)
    case .linkGone(let index, _):
      links[index] = nil
      return names.removeValue(forKey: index).map { [.link($0, nil)] } ?? []
    case .address(let message):
      if own.routing.contains(port) { return [] }
      return names[message.index].map { [.address($0)] } ?? []
    case .route(let message): return own.routing.contains(port) ? [] : changed(message)
    case .ipv6Route(let message): return changed(message)
    case .rule(let message):
      if own.routing.contains(port) { return [] }
      let isOurs = message.origin == translation.ranges.routeProtocol.value
      let name = "\(message.family == .ipv4 ? "ip rule" : "ip -6 rule") \(message.priority)"
      if isOurs || translation.ranges.priorities.contains(message.priority) { return [.ours(name)] }
      guard message.family == .ipv4 else { return [] }
      let isBefore = message.priority < translation.ranges.priorities.lowerBound
      // It may also lead to a table with an uplink's default route.
      return (isBefore ? [.foreign(name)] : []) + (message.action == .lookup ? [.mainRoute] : [])
    case .nexthop: return [.mainRoute]
    case .setting(let index):
      // Our own come back as well, since files under /proc have no port: one more look, which finds nothing.
      let name = UInt32(exactly: index).flatMap { names[$0] }
      return [.ours("settings of \(name.map(\.description) ?? "all devices")")]
    case .table(let name):
      guard !own.netfilter.contains(port) else { return [] }
      if let name, name == translation.ranges.fastTable { return [.ours("nft table inet \(name)")] }
      guard name == nil || name == translation.ranges.nftTable else { return firewall }
      return [.ours("nft table inet \(translation.ranges.nftTable)")]
    case .elements(let table, let set, let keys):
      guard !own.netfilter.contains(port) else { return [] }
      if table == translation.ranges.fastTable { return [.ours("nft table inet \(table)")] }
      guard table == translation.ranges.nftTable else { return firewall }
      guard let rule = EdgeCompiler.rule(ofDomainSet: set) else { return [.ours("nft table inet \(table)")] }
      return [.learnt(rule, keys.map { IPv4Address(value: $0) })]
    case .neighbourFailed(let index, let address):
      return names[index].map { [.neighbourFailed($0, IPv4Address(value: address))] } ?? []
    case .overrun: return [.overrun]
    }
  }

  /// Devices are reported whoever changed them: the health of a path follows from them. What is no change is not told.
  private func changed(_ message: LinkMessage) -> [KernelEvent] {
    guard let name = InterfaceName(message.name) else { return [] }
    let before = names[message.index]
    names[message.index] = name
    let link = translation.link(message, names)
    let fingerprint = Fingerprint(link)
    guard before != name || links[message.index] != fingerprint else { return [] }
    links[message.index] = fingerprint
    return (before == nil || before == name ? [] : before.map { [.link($0, nil)] } ?? []) + [.link(name, link)]
  }

  private func changed(_ message: RouteMessage) -> [KernelEvent] {
    if message.table == TableID.main.value {
      // Belts need to know about more specific ones, but a router may learn a million.
      if message.length <= 1 || !news.isMainLarge { return [.mainRoute] + shortRoute(message) }
      return shortRoute(message)
    }
    let isOurs = message.origin == translation.ranges.routeProtocol.value
    if isOurs || translation.ranges.tables.contains(message.table) { return [.ours("ip route table \(message.table)")] }
    // Another program's table, which may hold an uplink's default route.
    return message.length <= 1 ? [.mainRoute] : []
  }

  /// It may take clients' packets to a whole part of the internet.
  private func shortRoute(_ message: RouteMessage) -> [KernelEvent] {
    message.length > 1 && message.length < WayQuestion.shortestSite ? [.foreign("main table")] : []
  }

  private func changed(_ message: IPv6RouteMessage) -> [KernelEvent] {
    // 255 is RT_TABLE_LOCAL; addresses of every link say nothing.
    guard message.table != 255, IPv6Prefix(message.destination, length: message.length)?.isOfEveryLink == false
    else { return [] }
    if message.length <= 3 { return [.mainRoute] }
    return message.table == TableID.main.value && !news.isMainLarge ? [.mainRoute] : []
  }
}
