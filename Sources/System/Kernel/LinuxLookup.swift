package import Agent
package import Core
internal import Glibc
internal import Netlink
package import RuleSets
internal import Synchronization

/// `ip route get`, over a socket of its own.
package final class LinuxLookup: LookupPort {
  private let routing: Mutex<RoutingSocket>

  package init() throws(KernelFailure) {
    routing = Mutex(try asking(nil) { () throws(NetlinkFailure) in try RoutingSocket.open() })
  }

  /// RTM_GETROUTE. Most of its errors are answers: the kernel reports a blackhole or a failed reverse-path check as
  /// one.
  package func lookup(_ question: LookupQuestion) throws(KernelFailure) -> LookupAnswer {
    do throws(KernelFailure) { return Self.answer(try route(question, wantsEntry: false)) } catch {
      guard let refusal = Self.refusal(error.errno) else { throw error }
      // EINVAL may also mean a source that no packet may have; a packet of the router's own does not have one.
      if refusal == .discarded, question.incoming != nil { return isDiscarded(question) ? .discarded : .spoofed }
      return refusal
    }
  }

  /// Whether a packet that the router itself sent with the same mark would be discarded too.
  private func isDiscarded(_ question: LookupQuestion) -> Bool {
    var own = question
    (own.source, own.incoming) = (IPv4Address(value: 0), nil)
    do throws(KernelFailure) { _ = try route(own, wantsEntry: false) } catch { return error.errno == EINVAL }
    return false
  }

  /// The prefix of the route that decides; nil if no route does.
  package func entry(for question: LookupQuestion) throws(KernelFailure) -> IPv4Prefix? {
    do throws(KernelFailure) {
      let message = try route(question, wantsEntry: true)
      return IPv4Prefix(IPv4Address(value: message.destination), length: message.length)
    } catch {
      guard Self.refusal(error.errno) != nil else { throw error }
      return nil
    }
  }

  private func route(_ question: LookupQuestion, wantsEntry: Bool) throws(KernelFailure) -> RouteMessage {
    let operation = "ip route get \(question.destination) from \(question.source)"
    var lookup = RouteLookup(
      source: question.source.value, destination: question.destination.value, incoming: nil, mark: question.mark,
      protocolNumber: question.service?.number, destinationPort: question.port)
    if let incoming = question.incoming {
      lookup.incoming = if_nametoindex(incoming.text)
      guard lookup.incoming != 0 else {
        throw KernelFailure(operation: operation, errno: ENODEV, cause: "there is no device \(incoming)")
      }
    }
    lookup.wantsEntry = wantsEntry
    lookup.sourcePort = question.sourcePort
    lookup.typeOfService = question.typeOfService
    let asked = lookup
    return try routing.withLock { (routing) throws(KernelFailure) in
      try asking(operation) { () throws(NetlinkFailure) in try routing.route(for: asked) }
    }
  }

  private static func answer(_ message: RouteMessage) -> LookupAnswer {
    // RTN_LOCAL and RTN_BROADCAST.
    if message.kind == .other(2) || message.kind == .other(3) { return .local }
    guard message.kind == .unicast, let hop = message.hops.first, let device = RouteTranslation.name(of: hop.index)
    else { return .unreachable }
    return .out(device, gateway: hop.gateway.flatMap { Gateway($0) }, table: TableID(message.table))
  }

  /// The answer that an error represents; nil if it is a real error. The errors of route types are in fib_props
  /// (net/ipv4/fib_semantics.c; `prohibit` is EACCES), and EXDEV comes from the reverse-path check.
  private static func refusal(_ errno: Int32) -> LookupAnswer? {
    switch errno {
    case EHOSTUNREACH, ENETUNREACH, EACCES, ESRCH: .unreachable
    case EXDEV: .spoofed
    case EINVAL: .discarded
    default: nil
    }
  }

  /// Walks the whole main table and keeps only what matches, so memory stays small however large the table is.
  package func mainRoutes(to addresses: [IPv4Address]) throws(KernelFailure) -> [TableRoute] {
    try routing.withLock { (routing) throws(KernelFailure) in
      try asking("ip route show table main") { () throws(NetlinkFailure) in
        // A main table may hold a million routes, but no more than a few dozen cover any one address.
        var found: [RouteMessage] = []
        try routing.eachRoute(table: TableID.main.value, restart: { found = [] }) { message in
          guard message.length > 0,
            let prefix = IPv4Prefix(IPv4Address(value: message.destination), length: message.length),
            addresses.contains(where: prefix.contains)
          else { return }
          found.append(message)
        }
        return found.compactMap(Self.route)
      }
    }
  }

  private static func route(_ message: RouteMessage) -> TableRoute? {
    guard let prefix = IPv4Prefix(IPv4Address(value: message.destination), length: message.length) else { return nil }
    var names: [UInt32: InterfaceName] = [:]
    for hop in message.hops { names[hop.index] = RouteTranslation.name(of: hop.index) }
    return TableRoute(
      table: .main, destination: prefix, metric: RouteMetric(message.metric), way: message.way(names) ?? .unreachable)
  }
}
